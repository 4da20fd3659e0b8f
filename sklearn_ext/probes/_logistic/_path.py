"""Logistic probes for many penalties at the price of a few."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch
from sklearn.utils.validation import check_array

from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import warn
from sklearn_ext.probes._logistic import _probe
from sklearn_ext.probes._logistic._probe import LogisticProbe


def check_Cs(Cs, name="Cs"):
    """Check inverse penalties: one-dimensional and positive."""
    Cs = check_array(
        Cs, ensure_2d=False, dtype=np.float64, ensure_all_finite=False, input_name=name
    )
    if Cs.ndim != 1 or not (Cs > 0).all():
        raise ValueError(
            f"{name} must be a list of positive numbers, got {Cs!r}. Infinity stands "
            "for no penalty."
        )
    return Cs


@shared_docs(LogisticProbe)
def logistic_probe_path(
    X,
    y,
    Cs,
    *,
    sample_weight=None,
    fit_intercept=True,
    class_weight=None,
    preconditioner="auto",
    tol=1e-4,
    max_iter=500,
    memory=10,
    device=None,
    batch_size=None,
):
    """Fit logistic probes for many C at the price of a few.

    The moments of X and their decomposition are computed once. The penalties are solved
    from the strongest to the weakest, each from the last solution, rescaled for the new
    penalty.

    Parameters
    ----------
    X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels.
    Cs : array-like of shape (n_Cs,)
        Inverse penalties, in any order.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    fit_intercept, class_weight, preconditioner, tol : see LogisticProbe
    max_iter : int, default=500
        Iterations at most, for each C.
    memory, device : see LogisticProbe
    batch_size : int or None, default=None
        Rows worked on at a time; None fits a cache.

    Returns
    -------
    coefs : ndarray of shape (n_Cs, 1 or n_classes, n_features)
        Coefficients; one row for two classes.
    intercepts : ndarray of shape (n_Cs, 1 or n_classes)
        Intercepts.
    info : Bunch
        ``classes``, and for each C ``n_iter``, ``n_evaluations``, ``objective``,
        ``gap_bound`` and ``converged``.

    See Also
    --------
    LogisticProbeCV : Chooses C by held-out scores.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.probes import logistic_probe_path
    >>> coefs, intercepts, info = logistic_probe_path(
    ...     *load_iris(return_X_y=True), Cs=[0.1, 1, 10])
    >>> coefs.shape
    (3, 3, 4)
    """
    probe = LogisticProbe(
        fit_intercept=fit_intercept,
        class_weight=class_weight,
        preconditioner=preconditioner,
        tol=tol,
        max_iter=max_iter,
        memory=memory,
        device=device,
        batch_size=batch_size,
    )
    probe._validate_params()
    Cs = check_Cs(Cs)
    data = _probe.labelled(probe, *_probe.checked(probe, X, y, sample_weight))
    path = _probe.solve_probes(probe, data, Cs)
    converged = [one.minimum.converged and not one.unbounded for one in path]
    if not all(converged):
        missed = ", ".join(f"{C:g}" for C in Cs[~np.array(converged)])
        warn(
            f"logistic_probe_path did not converge at C={missed}. Increase max_iter or "
            "tol, or leave these out.",
            ConvergenceWarning,
        )
    info = Bunch(
        classes=data.classes,
        n_iter=np.array([one.minimum.n_iter for one in path]),
        n_evaluations=np.array([one.minimum.n_evaluations for one in path]),
        objective=np.array([one.objective for one in path]),
        gap_bound=np.array([one.gap_bound for one in path]),
        converged=np.array(converged),
    )
    coefs = np.stack([one.coef for one in path])
    return coefs, np.stack([one.intercept for one in path]), info
