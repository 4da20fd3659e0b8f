"""From held-out scores to probabilities: a temperature, and what hits say."""

import numpy as np
from scipy.special import betaincinv, log_softmax, softmax

LIMITS = (np.exp(-3), np.exp(9))  # where held-out scores separate the classes


def stacked(scores):
    """Return one column a class: a single column of scores of ±1 becomes two."""
    return np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores


def probabilities(scores, temperature):
    """Return ``softmax(scores / temperature)``.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes) or (n_samples, 1)
        Log scores or decision values; of one column the second class has the values
        and the first their negatives.
    temperature : float
        Larger is flatter.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities.
    """
    return softmax(stacked(scores) / temperature, axis=1)


def log_loss(scores, codes, weight, temperature=1.0):
    """Return the weighted mean log-loss of ``softmax(scores / temperature)``.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes) or (n_samples, 1)
        As `probabilities` takes them.
    codes : ndarray of shape (n_samples,)
        True class of each row.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    temperature : float, default=1.0
        Larger is flatter.

    Returns
    -------
    float
        The loss.
    """
    logs = log_softmax(stacked(scores) / temperature, axis=1)
    return float(-(weight @ logs[np.arange(len(logs)), codes]) / weight.sum())


def best_temperature(scores, codes, weight, limits=LIMITS, smoothing=0.0):
    """Temperature that minimises the mean log-loss of ``softmax(scores / T)``.

    The loss is convex in ``1 / T``: Newton's method in its logarithm, kept in a
    bracket. The scale of the weights does not matter.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes) or (n_samples, 1)
        Held-out scores; rows with one that is not finite are left out.
    codes : ndarray of shape (n_samples,)
        True class of each row.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    limits : tuple of two floats
        The least and the largest temperature.
    smoothing : float, default=0.0
        Share of each label that is spread evenly over the classes; of ``1 / (n + 1)``
        it is one row more, of any class, and scores that separate the classes have a
        best temperature within the limits.

    Returns
    -------
    float
        The temperature, within the limits; one without rows.
    """
    finite = np.isfinite(scores).all(axis=1)
    if not finite.any():
        return 1.0
    scores = stacked(scores[finite].astype(np.float64))
    codes, weight = codes[finite], weight[finite] / weight[finite].sum()
    labelled = scores[np.arange(len(codes)), codes]
    labelled = labelled + smoothing * (scores.mean(axis=1) - labelled)
    gaps = scores - labelled[:, None]
    low, high = -np.log(limits[1]), -np.log(limits[0])  # of log(1 / T)
    largest = max(abs(gaps).max(), 1e-300)
    size = largest * np.sqrt((weight @ (gaps / largest) ** 2).mean())
    step = np.clip(-np.log(max(size, 1e-300)), low, high)
    for _ in range(100):
        inverse = np.exp(step)
        p = softmax(inverse * gaps, axis=1)
        mean = np.einsum("ij,ij->i", p, gaps)
        slope = weight @ mean
        low, high = (step, high) if slope < 0 else (low, step)
        curvature = weight @ (np.einsum("ij,ij,ij->i", p, gaps, gaps) - mean**2)
        # Newton in log(1 / T), whose second derivative has both terms
        bend = inverse * curvature + slope
        new = step - slope / bend if bend > 0 else np.inf
        if not low < new < high:
            new = (low + high) / 2
        if abs(new - step) < 1e-12:
            break
        step = new
    return float(np.clip(np.exp(-step), *limits))


def clopper_pearson(hits, n_draws, confidence_level=0.95):
    """Exact interval of a probability from held-out hits and misses.

    Parameters
    ----------
    hits : int or ndarray
        Number of hits.
    n_draws : int or ndarray
        Independent draws, at least one.
    confidence_level : float, default=0.95
        Probability of the interval; each side has half of the rest.

    Returns
    -------
    low, high : ndarray
        Ends of the interval.
    """
    hits, missed = np.asarray(hits), np.asarray(n_draws) - np.asarray(hits)
    tail = (1 - confidence_level) / 2
    low = betaincinv(np.maximum(hits, 1), missed + 1, tail)
    high = betaincinv(hits + 1, np.maximum(missed, 1), 1 - tail)
    return np.where(hits == 0, 0.0, low), np.where(missed == 0, 1.0, high)
