"""How sharp the loss of a network is, at its weights."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted, check_random_state

from sklearn_ext._core._optional import require
from sklearn_ext.networks._tangent._kernel import rate_factors


def sharpness(estimator, X, y, *, rates=False, max_iter=100, tol=1e-3, random_state=0):
    """Largest curvature of the loss of each member, at its weights.

    The largest eigenvalue of the Hessian of the mean loss, by power iteration on
    products of the Hessian with vectors. Gradient descent is stable up to a learning
    rate of two over it; under muP it hardly depends on the width, which is why the
    learning rate carries over [1]_. Each product costs about as much as two gradients;
    the members go together. Memory grows with rows times members times units: some
    hundred rows say enough.

    Parameters
    ----------
    estimator : MuMLPClassifier or MuMLPRegressor
        Fitted estimator; torch is needed.
    X : array-like or data frame of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Labels, for the log-loss, or targets, for the squared error of standardised
        targets.
    rates : bool, default=False
        Whether each tensor counts by the factor of its learning rate: the curvature
        that a step meets which moves each by its own rate.
    max_iter : int, default=100
        Products at most.
    tol : float, default=1e-3
        Relative change of the eigenvalue at which to stop.
    random_state : int, RandomState instance or None, default=0
        Of the first vector.

    Returns
    -------
    ndarray of shape (n_members,)
        The largest eigenvalue of each member.

    See Also
    --------
    mup_scales : Scales at which it does not depend on the width.

    References
    ----------
    .. [1] L. Noci, A. Meterez, T. Hofmann and A. Orvieto, *Super Consistency of Neural
       Network Landscapes and Learning Rate Transfer*, NeurIPS 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.networks import MuMLPClassifier, sharpness
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MuMLPClassifier(learning_rate=0.01, max_iter=5, random_state=0)
    >>> sharpness(model.fit(X, y), X, y).shape
    (8,)
    """
    require("torch", extra="torch", user="sharpness")
    from sklearn_ext.networks._mlp import MuMLPClassifier, MuMLPRegressor
    from sklearn_ext.networks._tangent._curvature_torch import largest_curvature

    if not isinstance(estimator, (MuMLPClassifier, MuMLPRegressor)):
        raise TypeError(
            "sharpness takes a fitted MuMLPClassifier or MuMLPRegressor, got "
            f"{type(estimator).__name__}; of a Pipeline, pass the last step and rows "
            "as it sees them."
        )
    if not (isinstance(max_iter, Integral) and max_iter >= 1):
        raise ValueError(f"max_iter must be a positive integer, got {max_iter!r}.")
    check_is_fitted(estimator)
    X = estimator.preprocessor_.transform(estimator._read(X, reset=False))
    X = X.toarray() if sparse.issparse(X) else np.asarray(X)
    weights = estimator.weights_
    target = _learnt(estimator, y)
    check_consistent_length(X, target)
    factors = rate_factors(weights) if rates else None
    seed = check_random_state(random_state).randint(2**31 - 1)
    return largest_curvature(
        weights, X, target, factors=factors, max_iter=max_iter, tol=tol, seed=seed
    )


def _learnt(estimator, y):
    """Return codes of classes, or standardised targets, as the net learns them."""
    if not is_classifier(estimator):
        y = check_array(y, ensure_2d=False, dtype=np.float64).reshape(len(y), -1)
        scale = np.atleast_1d(estimator._target_scale)
        if y.shape[1] != len(scale):
            raise ValueError(
                f"y has {y.shape[1]} columns, but the fit was to {len(scale)}."
            )
        return (y - estimator._target_mean) / np.where(scale > 0, scale, np.inf)
    y, classes = column_or_1d(y), estimator.classes_
    codes = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    if (strange := classes[codes] != y).any():
        raise ValueError(
            f"y holds {y[strange].tolist()[0]!r}, which is not one of the classes of "
            f"the fit: {classes.tolist()}."
        )
    return codes
