"""How far two samples, or a plan and a known plan, are apart."""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.utils import check_array

from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.bridge._samples import checked_weights, names_of, other_table
from sklearn_ext.bridge._solvers._fixed_point import spectral


def energy_distance(X, Y, *, x_weight=None, y_weight=None):
    """Energy distance between two samples.

    ``E|x - y| - E|x - x'|/2 - E|y - y'|/2``, where no row is a partner of itself: zero
    in expectation for two samples of one law, so small negative values occur. Weights
    are relative, and multiplying all of a side by a constant changes nothing. A weight
    of two is not a row drawn twice, for a row drawn twice is its own partner at
    distance zero, which the expectation does not allow. Cost O((n + m)^2 * n_features)
    time, memory for blocks of rows only.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        First sample.
    Y : array-like of shape (m_samples, n_features)
        Second sample.
    x_weight : array-like of shape (n_samples,) or None, default=None
        What each row of X stands for, on any scale.
    y_weight : array-like of shape (m_samples,) or None, default=None
        What each row of Y stands for, on any scale.

    Returns
    -------
    float
        The distance.

    Examples
    --------
    >>> from sklearn_ext.bridge import energy_distance
    >>> energy_distance([[0.0], [2.0]], [[1.0], [3.0]])
    -0.5
    """
    X, Y = _tables(X, Y)
    u = _shares(x_weight, X, "x_weight", "X")
    w = _shares(y_weight, Y, "y_weight", "Y")
    # distances square, and a power of two changes no digit
    power = np.frexp(max(abs(X).max(), abs(Y).max()))[1]
    X, Y = np.ldexp(X, -power), np.ldexp(Y, -power)
    between = _mean_distance(X, u, Y, w)
    distance = between - (_mean_within(X, u) + _mean_within(Y, w)) / 2
    return float(np.ldexp(distance, power))


def _tables(X, Y):
    """Return two tables of the same columns as arrays."""
    names, X = names_of(X), check_array(X, dtype=np.float64, input_name="X")
    return X, other_table(Y, "Y", X, names, dtype=np.float64)


def _shares(weight, X, name, rows):
    """Return weights that sum to one."""
    if weight is None:
        return np.full(len(X), 1 / len(X))
    w = checked_weights(weight, X, name, rows)
    if not w.any():
        raise ValueError(f"{name} must not be zero everywhere.")
    w = w / w.max()  # sums of the largest floats would be infinite
    return w / w.sum()


def _mean_within(X, w):
    pairs = 1 - w @ w  # a row is no partner of itself
    return _mean_distance(X, w, X, w) / pairs if (w > 0).sum() > 1 else 0.0


def _mean_distance(X, u, Y, w):
    parts = (u[rows] @ (cdist(X[rows], Y) @ w) for rows in blocks(len(X), 1024))
    return float(sum(parts))


def _bures(mean0, cov0, mean1, cov1):
    """Half the squared Bures-Wasserstein distance, for stacks of Gaussians."""
    root = spectral(cov0, np.sqrt)
    mu = np.linalg.eigvalsh(root @ cov1 @ root)
    cross = np.sqrt(np.clip(mu, 0, None)).sum(axis=-1)
    traces = np.trace(cov0, axis1=-2, axis2=-1) + np.trace(cov1, axis1=-2, axis2=-1)
    return (np.sum((mean0 - mean1) ** 2, axis=-1) + traces) / 2 - cross


def bures_wasserstein_uvp(X, Y):
    """Unexplained variance of Y if X is taken for it, in percent (BW2-UVP).

    100 BW2 / (tr Cov(Y) / 2), where BW2 is half the squared Wasserstein-2 distance
    between the Gaussians with the moments of X and of Y. A fitted bridge matches both
    moments by construction, so that this says little about it.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows that should look like Y, for instance mapped source rows.
    Y : array-like of shape (m_samples, n_features)
        Target rows.

    Returns
    -------
    float
        Percentage; 0 is best, 100 is what the constant mean of Y reaches.

    Examples
    --------
    >>> from sklearn_ext.bridge import bures_wasserstein_uvp
    >>> bures_wasserstein_uvp([[0.0], [2.0]], [[1.0], [3.0]])
    100.0
    """
    X, Y = _tables(X, Y)
    C = [np.atleast_2d(np.cov(Z, rowvar=False, ddof=0)) for Z in (X, Y)]
    gap = _bures(X.mean(axis=0), C[0], Y.mean(axis=0), C[1])
    return float(100 * gap / (_total_variance(Y) / 2))


def conditional_bures_uvp(plan, true_plan, X, Y, *, batch_size=1024):
    """Unexplained variance of the conditional laws, in percent (cBW2-UVP).

    The mean over rows x of BW2 between the laws of y given x under both plans, relative
    to half the variance of the target. Moments are analytic, so that there is no noise
    from sampling. Cost O(n_samples * n_features ** 3).

    Parameters
    ----------
    plan : EntropicPlan or LightSchrodingerBridge
        What is judged; anything with ``conditional_mean_cov``.
    true_plan : EntropicPlan
        The truth.
    X : array-like of shape (n_samples, n_features)
        Source rows.
    Y : array-like of shape (m_samples, n_features)
        Target rows; only their variance enters.
    batch_size : int, default=1024
        Rows whose covariances are in memory at a time.

    Returns
    -------
    float
        Percentage; 0 is best.

    Examples
    --------
    >>> from sklearn_ext.bridge import conditional_bures_uvp, make_entropic_ot
    >>> pair = make_entropic_ot(100, 100, random_state=0)
    >>> abs(round(conditional_bures_uvp(pair.plan, pair.plan, pair.X, pair.Y), 6))
    0.0
    """
    X, Y = _tables(X, Y)
    # rows are bare arrays now, of which a bridge fitted to named columns would warn
    plans = [getattr(p, "_plan", p) for p in (plan, true_plan)]
    total = 0.0
    for rows in blocks(len(X), batch_size):
        laws = (p.conditional_mean_cov(X[rows]) for p in plans)
        total += _bures(*next(laws), *next(laws)).sum()
    return float(100 * total / len(X) / (_total_variance(Y) / 2))


def _total_variance(Y):
    if (Y[0] == Y).all():
        raise ValueError(
            "All rows of Y are equal: without variance there is no unexplained part "
            "of it."
        )
    return Y.var(axis=0).sum()
