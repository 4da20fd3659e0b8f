"""How much equally good models disagree."""

import numpy as np
from scipy.special import entr, logsumexp, xlogy

MAX_STEPS = 10_000


def ambiguity(predictions, baseline=None):
    """Share of rows on which some model differs from a baseline.

    Parameters
    ----------
    predictions : array-like of shape (n_models, n_samples)
        Class labels by model.
    baseline : array-like of shape (n_samples,) or None, default=None
        Class labels; None takes the first model.

    Returns
    -------
    float
        The share.

    See Also
    --------
    discrepancy : The largest share for one model.

    Examples
    --------
    >>> from sklearn_ext.rashomon import ambiguity
    >>> ambiguity([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1]])
    0.5
    """
    P, base = _with_baseline(predictions, baseline)
    return float((base != P).any(axis=0).mean())


def discrepancy(predictions, baseline=None):
    """Largest share of rows on which one model differs from a baseline.

    Parameters
    ----------
    predictions : array-like of shape (n_models, n_samples)
        Class labels by model.
    baseline : array-like of shape (n_samples,) or None, default=None
        Class labels; None takes the first model.

    Returns
    -------
    float
        The share.

    See Also
    --------
    ambiguity : The share of rows for which any model differs.

    Examples
    --------
    >>> from sklearn_ext.rashomon import discrepancy
    >>> discrepancy([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1]])
    0.25
    """
    P, base = _with_baseline(predictions, baseline)
    return float((base != P).mean(axis=1).max())


def pairwise_disagreement(predictions):
    """Share of rows on which each pair of models differs.

    Parameters
    ----------
    predictions : array-like of shape (n_models, n_samples)
        Class labels by model.

    Returns
    -------
    ndarray of shape (n_models, n_models)
        Symmetric, zero on the diagonal.

    See Also
    --------
    pattern_diversity : The mean over distinct predictions in one number.

    Examples
    --------
    >>> from sklearn_ext.rashomon import pairwise_disagreement
    >>> pairwise_disagreement([[0, 0, 1, 1], [0, 1, 1, 1]]).tolist()
    [[0.0, 0.25], [0.25, 0.0]]
    """
    P = _table(predictions)
    agree = np.zeros((len(P), len(P)))
    for label in np.unique(P):
        hit = (label == P).astype(np.float64)
        agree += hit @ hit.T
    return 1.0 - agree / P.shape[1]


def pattern_diversity(predictions):
    """Mean disagreement of two random distinct prediction vectors.

    For each row ``1 - sum_c share_c**2`` over the distinct vectors, averaged over
    rows: the double sum over pairs at linear cost.

    Parameters
    ----------
    predictions : array-like of shape (n_models, n_samples)
        Class labels by model; equal vectors count once.

    Returns
    -------
    float
        The diversity; drawing a vector twice counts as agreement.

    See Also
    --------
    pairwise_disagreement : All pairs.

    Examples
    --------
    >>> from sklearn_ext.rashomon import pattern_diversity
    >>> pattern_diversity([[0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]])
    0.125
    """
    P = np.unique(_table(predictions), axis=0)
    shares = np.stack([(label == P).mean(axis=0) for label in np.unique(P)])
    return float((1.0 - (shares**2).sum(axis=0)).mean())


def prediction_range(scores):
    """Smallest and largest score of each row over the models.

    Parameters
    ----------
    scores : array-like of shape (n_models, n_samples, ...)
        Scores or predictions by model.

    Returns
    -------
    ndarray of shape (n_samples, ..., 2)
        The ranges.

    See Also
    --------
    rashomon_capacity : Spread of probabilities in bits.

    Examples
    --------
    >>> from sklearn_ext.rashomon import prediction_range
    >>> prediction_range([[0.25, 0.5], [0.75, 0.5]]).tolist()
    [[0.25, 0.75], [0.5, 0.5]]
    """
    scores = np.asarray(scores)
    if scores.ndim < 2 or scores.size == 0:
        raise ValueError(
            "scores must have shape (n_models, n_samples, ...) with at least one of "
            f"each, got shape {scores.shape}."
        )
    return np.stack([scores.min(axis=0), scores.max(axis=0)], axis=-1)


def rashomon_capacity(scores, *, base=2.0, tol=1e-9):
    """Capacity of the channel from models to classes, for each row.

    It is zero when all models give the same probabilities and ``log(n_classes)`` when
    for each class some model is certain of it. Two classes need only the smallest and
    the largest score and have a closed form; otherwise Blahut-Arimoto iterations run
    for all rows at once until upper and lower bound agree.

    Parameters
    ----------
    scores : array-like of shape (n_models, n_samples, n_classes)
        Class probabilities by model.
    base : float, default=2.0
        Base of the logarithm; 2 gives bits.
    tol : float, default=1e-9
        Largest gap between the bounds, in nats.

    Returns
    -------
    ndarray of shape (n_samples,)
        Capacities.

    See Also
    --------
    prediction_range : Extreme scores.

    References
    ----------
    .. [1] H. Hsu, F. Calmon, "Rashomon Capacity: A Metric for Predictive Multiplicity
       in Classification", NeurIPS 2022.

    Examples
    --------
    >>> from sklearn_ext.rashomon import rashomon_capacity
    >>> rashomon_capacity([[[0.9, 0.1]], [[0.1, 0.9]]]).round(3).tolist()
    [0.531]
    """
    P = np.asarray(scores, dtype=float)
    if P.ndim != 3 or P.size == 0:
        raise ValueError(
            "scores must have shape (n_models, n_samples, n_classes), got "
            f"{P.shape}. For two classes pass both probabilities."
        )
    if not (np.isfinite(P) & (P >= 0)).all() or not P.any(axis=2).all():
        raise ValueError(
            "scores must be finite and non-negative, with a positive one for each "
            "model and row."
        )
    if not base > 1:
        raise ValueError(f"base must be larger than 1, got {base}.")
    if not 0 < tol < np.inf:
        raise ValueError(f"tol must be positive and finite, got {tol}.")
    P = P / P.sum(axis=2, keepdims=True)
    nats = _binary_capacity(P[..., 1]) if P.shape[2] == 2 else _blahut(P, tol)
    return np.maximum(nats, 0.0) / np.log(base)


def _table(predictions):
    P = np.asarray(predictions)
    if P.ndim != 2 or P.size == 0:
        raise ValueError(
            "predictions must have shape (n_models, n_samples) with at least one of "
            f"each, got shape {P.shape}."
        )
    if P.dtype.kind == "f" and np.isnan(P).any():
        raise ValueError("predictions must be class labels, got nan among them.")
    return P


def _with_baseline(predictions, baseline):
    P = _table(predictions)
    base = P[0] if baseline is None else np.asarray(baseline)
    if base.shape != P.shape[1:]:
        raise ValueError(
            f"baseline must have one label for each of the {P.shape[1]} rows, got "
            f"shape {base.shape}."
        )
    return P, base


def _binary_capacity(second):
    """Capacity of ``[[1 - a, a], [1 - b, b]]`` for the extreme scores a < b."""
    a, b = second.min(axis=0), second.max(axis=0)
    spread = b - a
    wide = np.where(spread > 1e-12, spread, 1.0)
    ha, hb = entr(a) + entr(1 - a), entr(b) + entr(1 - b)
    # z solves (rows of the channel) z = -(h(a), h(b))
    second_z = (ha - hb) / wide + 0.0
    first_z = -ha - a * second_z
    capacity = np.logaddexp(first_z, first_z + second_z)
    return np.where(spread > 1e-12, capacity, 0.0)


def _blahut(P, tol):
    n_models, n_rows, _ = P.shape
    log_w = np.full((n_models, n_rows), -np.log(n_models))
    entropy = xlogy(P, P).sum(axis=2)
    low = np.zeros(n_rows)
    live = np.arange(n_rows)
    for _ in range(MAX_STEPS):
        w = np.exp(log_w[:, live])
        mixture = np.einsum("mn,mnk->nk", w, P[:, live])
        safe = np.log(np.where(mixture > 0, mixture, 1.0))
        gap = entropy[:, live] - np.einsum("mnk,nk->mn", P[:, live], safe)
        lower = logsumexp(log_w[:, live] + gap, axis=0)
        low[live] = lower
        log_w[:, live] += gap - lower
        live = live[gap.max(axis=0) - lower >= tol]
        if not len(live):
            break
    return low
