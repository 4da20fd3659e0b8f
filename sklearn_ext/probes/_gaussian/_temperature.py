"""The temperature of naive Bayes, from closed-form leave-one-out scores."""

import numpy as np

from sklearn_ext._numerics._arrays import blocks, dense
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._held_out import best_temperature
from sklearn_ext.probes._gaussian._densities import EPS, moments
from sklearn_ext.probes._gaussian._forms import score_rows

BATCH = 512  # rows looked at a time
FEW = 8  # features that are hashed first
SCORES = 1 << 20  # scores looked at, about: one number needs no more rows


def loo_temperature(model, X, codes, weight, batch_size=None):
    """Temperature that minimises the leave-one-out log-loss of a fitted model.

    Parameters
    ----------
    model : NaiveBayesModel
        Fitted to these rows.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        The rows. Equal ones count as one row; of very many, those with the smallest
        hashes are used, a random choice that repeats.
    codes : ndarray of shape (n_samples,)
        Class of each row.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    batch_size : int, default=None
        Rows scored at a time.

    Returns
    -------
    float
        The temperature.
    """
    count, densities = model.statistics.count, model.densities
    possible = densities.log_prior > -np.inf  # classes that can be predicted
    rows, weight = distinct_rows(X, codes, weight)
    k = codes[rows]
    usable = (weight < (1 - 1e-12) * count[k]) & possible[k]
    usable = np.flatnonzero(usable)[: max(4096, SCORES // len(count))]
    if len(usable) == 0:
        return 1.0
    rows, weight = rows[usable], weight[usable]
    X, codes = X[rows], codes[rows]
    scores = score_rows(model.form, X, batch_size).astype(np.float64)
    scores[np.arange(len(codes)), codes] += leave_one_out(model, X, codes, weight)
    if model.settings.priors is None:  # they are the shares of the classes
        scores[np.arange(len(codes)), codes] += np.log1p(-weight / count[codes])
    codes = (np.cumsum(possible) - 1)[codes]
    return best_temperature(scores[:, possible], codes, weight)


def distinct_rows(X, codes, weight):
    """Count copies of a row as one, which is left out as a whole.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows.
    codes : ndarray of shape (n_samples,)
        Class of each row.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    rows : ndarray of shape (n_rows,)
        Positions of distinct rows of positive weight, in the order of a hash.
    weight : ndarray of shape (n_rows,)
        Summed weights of their copies.
    """
    short = EqualRows.of(X[:, :FEW], codes, w=weight)
    if len(short) == np.count_nonzero(weight):  # a few features tell all rows apart
        return short.first, short.weight
    whole = EqualRows.of(X, codes, w=weight)
    # by the hash of a few features: the same, with or without copies
    order = np.argsort(short.group[whole.first], kind="stable")
    return whole.first[order], whole.weight[order]


def leave_one_out(model, X, codes, weight):
    """Change of the log density of each row in its own class when it is left out.

    The mean moves away from the row, and so do variances by class, as far as they are
    not drawn to the shared ones; these stay as they are, and so do the shares.

    Parameters
    ----------
    model : NaiveBayesModel
        Fitted to these rows.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows.
    codes : ndarray of shape (n_samples,)
        Class of each row.
    weight : ndarray of shape (n_samples,)
        Weight of each row, less than that of its class.

    Returns
    -------
    ndarray of shape (n_samples,)
        The changes.
    """
    densities, count = model.densities, model.statistics.count
    by_class = densities.variances.ndim == 2
    within, total = moments(model.statistics)
    change = np.empty(len(codes))
    for part in blocks(len(codes), BATCH):
        k = codes[part]
        squares = dense(X[part]) - densities.pivot - densities.offsets[k]
        squares *= squares
        grown = (count[k] / (count[k] - weight[part]))[:, None]
        before = densities.variances[k if by_class else ...]
        gaps = (1 - grown**2) * (squares / before).sum(axis=1, keepdims=True)
        if by_class:
            own = 1 - densities.shrinkage[k].reshape(len(k), -1)
            less = (grown - 1) * (within[k] - grown * squares)
            after = np.maximum(before + own * less, EPS * total)
            after = np.where(after > 0, after, before)
            tighter = grown**2 * squares * (1 / before - 1 / after)
            gaps += (tighter + np.log(before / after)).sum(axis=1, keepdims=True)
        change[part] = gaps[:, 0] / 2
    return change
