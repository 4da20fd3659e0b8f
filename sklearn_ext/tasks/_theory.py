"""What one layer of linear attention learns from regression tasks, in closed form."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ext._core._compat import Interval, StrOptions, validate_params

_TASKS = {
    "x_cov": ["array-like"],
    "prior_cov": ["array-like"],
    "noise_var": [Interval(Real, 0, None, closed="left")],
    "n_context": [Interval(Integral, 1, None, closed="left")],
}


@validate_params(_TASKS, prefer_skip_nested_validation=True)
def one_step_preconditioner(x_cov, prior_cov, noise_var, n_context):
    r"""Return the best preconditioner of one step of gradient descent.

    A layer of linear self-attention that sees m labelled rows of a task and then
    predicts :math:`x'\Gamma s` with :math:`s = \frac1m \sum_i x_i y_i`: one gradient
    step from zero, preconditioned by :math:`\Gamma`. For rows
    :math:`x \sim N(0, \Lambda)`, coefficients :math:`w \sim N(0, \Sigma)` and noise of
    variance :math:`\sigma^2` the mean squared error over tasks is least at

    .. math::

       \Gamma = \left[ \left(1 + \tfrac1m\right) \Lambda
       + \tfrac{\sigma^2 + \operatorname{tr}(\Lambda \Sigma)}{m} \Sigma^{-1}
       \right]^{-1}.

    Compare the ridge of the same prior, :math:`[\hat\Lambda + \frac{\sigma^2}{m}
    \Sigma^{-1}]^{-1}`: the step knows the covariance of the rows of the population, not
    that of its context, and pays for it as if the signal were noise.

    Parameters
    ----------
    x_cov : array-like of shape (d, d)
        Covariance of the rows.
    prior_cov : array-like of shape (d, d)
        Covariance of the coefficients over tasks; it may be singular.
    noise_var : float
        Variance of the noise.
    n_context : int
        Labelled rows of a task.

    Returns
    -------
    ndarray of shape (d, d)
        The preconditioner.

    See Also
    --------
    in_context_risk : The error that is left.
    TaskRidge : What to use for prediction.

    References
    ----------
    .. [1] K. Ahn, X. Cheng, H. Daneshmand and S. Sra, "Transformers learn to implement
       preconditioned gradient descent for in-context learning", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.tasks import one_step_preconditioner
    >>> one_step_preconditioner(np.eye(2), np.eye(2), 1.0, n_context=4)[0, 0].round(3)
    np.float64(0.5)
    """
    x_cov, prior_cov = _covariances(x_cov, prior_cov)
    signal = noise_var + np.trace(x_cov @ prior_cov)
    inner = (1 + 1 / n_context) * x_cov @ prior_cov
    inner += signal / n_context * np.eye(len(x_cov))
    return prior_cov @ np.linalg.pinv(inner)


@validate_params(
    _TASKS
    | {
        "learner": [StrOptions({"one_step", "bayes"})],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def in_context_risk(
    x_cov,
    prior_cov,
    noise_var,
    n_context,
    *,
    learner="one_step",
    n_draws=1000,
    random_state=None,
):
    r"""Return the excess risk of a learner that sees some rows of a task.

    The expected squared difference between the prediction for a new row of the task
    and :math:`x'w`. One step of gradient descent under its best preconditioner leaves
    :math:`\operatorname{tr}(\Lambda\Sigma) - \operatorname{tr}(\Lambda \Gamma \Lambda
    \Sigma)`. The Bayes ridge, which is optimal, leaves
    :math:`\mathbb{E} \operatorname{tr} \Lambda (\Sigma^{-1} + X'X / \sigma^2)^{-1}`,
    a mean over draws of the context.

    Parameters
    ----------
    x_cov : array-like of shape (d, d)
        Covariance of the rows.
    prior_cov : array-like of shape (d, d)
        Covariance of the coefficients over tasks.
    noise_var : float
        Variance of the noise.
    n_context : int
        Labelled rows of a task.
    learner : {"one_step", "bayes"}, default="one_step"
        One preconditioned step, or the Bayes ridge.
    n_draws : int, default=1000
        Contexts that are drawn for the Bayes ridge.
    random_state : int, RandomState instance or None, default=None
        Seed of these draws.

    Returns
    -------
    float
        The excess risk.

    See Also
    --------
    one_step_preconditioner : The preconditioner.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.tasks import in_context_risk
    >>> float(in_context_risk(np.eye(2), np.eye(2), 1.0, n_context=4))
    1.0
    """
    x_cov, prior_cov = _covariances(x_cov, prior_cov)
    if learner == "one_step":
        step = one_step_preconditioner(x_cov, prior_cov, noise_var, n_context)
        return np.trace(x_cov @ prior_cov) - np.trace(x_cov @ step @ x_cov @ prior_cov)
    rng = check_random_state(random_state)
    root = _root(x_cov)
    X = rng.normal(size=(n_draws, n_context, len(x_cov))) @ root.T
    cross = X @ prior_cov  # Sigma - Sigma X'(X Sigma X' + s2 I)^-1 X Sigma
    inner = cross @ X.transpose(0, 2, 1) + noise_var * np.eye(n_context)
    known = cross.transpose(0, 2, 1) @ np.linalg.pinv(inner, hermitian=True) @ cross
    return np.trace(x_cov @ (prior_cov - known.mean(axis=0)))


def _covariances(x_cov, prior_cov):
    x_cov, prior_cov = (np.asarray(a, dtype=float) for a in (x_cov, prior_cov))
    if x_cov.ndim != 2 or x_cov.shape[0] != x_cov.shape[1]:
        raise ValueError(f"x_cov must be a square matrix, got shape {x_cov.shape}.")
    if prior_cov.shape != x_cov.shape:
        raise ValueError(
            f"prior_cov must have the shape of x_cov, {x_cov.shape}, got "
            f"{prior_cov.shape}."
        )
    for name, matrix in (("x_cov", x_cov), ("prior_cov", prior_cov)):
        if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix)[
            0
        ] < -1e-8 * (abs(matrix).max()):
            raise ValueError(
                f"{name} must be a covariance: symmetric, no negative eigenvalue."
            )
    return x_cov, prior_cov


def _root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0))
