"""Synthetic features for probes, with a known smallest error."""

from numbers import Integral

import numpy as np
from scipy.special import ndtr
from sklearn.utils import check_random_state

from sklearn_ext._core._compat import Interval, validate_params


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "n_classes": [Interval(Integral, 2, 1000, closed="both")],  # means double
        "scale": ["boolean"],
        "weights": ["array-like", None],
        "return_bayes_error": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_gaussian_probe_data(
    n_samples=1000,
    n_features=100,
    n_classes=2,
    *,
    scale=True,
    weights=None,
    return_bayes_error=False,
    random_state=None,
):
    """Draw normal classes with independent features, as naive Bayes assumes.

    The first class has mean -1 in every feature, the following ones 1, 2, 4, 8, ...
    The first half of the features has variance ``n_features``, the others variance one.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=100
        Number of features.
    n_classes : int, default=2
        Number of classes, at most 1000.
    scale : bool, default=True
        With more than two classes, subtract ``2 ** (n_classes - 3)`` and divide by it.
    weights : array-like of shape (n_classes,), default=None
        Probabilities of the classes; None takes equal ones.
    return_bayes_error : bool, default=False
        Whether to return the smallest possible error as well.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Features.
    y : ndarray of shape (n_samples,)
        Labels.
    bayes_error : float
        Exact error of the best classifier; only with ``return_bayes_error=True``.

    See Also
    --------
    sklearn.datasets.make_classification : Correlated and redundant features.

    References
    ----------
    .. [1] C. Zheng, G. Wu, F. Bao, Y. Cao, C. Li and J. Zhu, "Revisiting discriminative
       vs. generative classifiers: theory and implications", ICML 2023.

    Examples
    --------
    >>> from sklearn_ext.probes import make_gaussian_probe_data
    >>> X, y, error = make_gaussian_probe_data(n_features=2, return_bayes_error=True)
    >>> print(f"{error:.4f}")
    0.1103
    """
    random = check_random_state(random_state)
    priors = _class_probabilities(weights, n_classes)
    means = np.r_[-1.0, 2.0 ** np.arange(n_classes - 1)]
    wide = n_features // 2
    deviations = np.r_[np.full(wide, np.sqrt(n_features)), np.ones(n_features - wide)]
    y = random.choice(n_classes, size=n_samples, p=priors)
    X = random.standard_normal((n_samples, n_features))
    X *= deviations
    X += means[y][:, None]
    if scale and n_classes > 2:
        unit = 2.0 ** (n_classes - 3)
        X -= unit
        X /= unit
    if not return_bayes_error:
        return X, y
    # means lie on one line: what matters is the coordinate along it
    positions = means * np.sqrt((1 / deviations**2).sum())
    return X, y, bayes_error_on_a_line(positions, priors)


def bayes_error_on_a_line(positions, priors):
    """Error of the best classifier of normal classes with variance one on a line.

    Parameters
    ----------
    positions : ndarray of shape (n_classes,)
        Increasing means.
    priors : ndarray of shape (n_classes,)
        Positive probabilities of the classes.

    Returns
    -------
    float
        The error.
    """
    # beyond these points the class of a row is more likely than another, or less
    gaps = positions[:, None] - positions
    shift = np.log(priors / priors[:, None]) / np.where(gaps == 0, 1, gaps)
    points = (positions[:, None] + positions) / 2 + shift
    low = np.max(points, axis=1, where=gaps > 0, initial=-np.inf)
    high = np.min(points, axis=1, where=gaps < 0, initial=np.inf)
    mass = ndtr(high - positions) - ndtr(low - positions)
    return float(1 - priors @ np.maximum(mass, 0))


def _class_probabilities(weights, n_classes):
    weights = np.full(n_classes, 1 / n_classes) if weights is None else weights
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (n_classes,):
        raise ValueError(
            f"weights must hold one number for each of the {n_classes} classes, got "
            f"shape {weights.shape}."
        )
    if not (weights > 0).all() or abs(weights.sum() - 1) > 1e-8:
        raise ValueError(f"weights must be positive and sum to one, got {weights}.")
    return weights / weights.sum()
