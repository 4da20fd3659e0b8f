"""The temperature of naive Bayes, from closed-form leave-one-out scores."""

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._equal_rows import EqualRows, hash_rows
from sklearn_ext._numerics._held_out import best_temperature
from sklearn_ext.probes._gaussian._forms import score_rows

FEW = 8  # features that are hashed first
SCORES = 1 << 20  # scores looked at, about: one number needs no more rows


def loo_temperature(model, X, codes, weight, *, empirical, batch_size=None):
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
    empirical : bool
        Whether priors are the shares of the classes.
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
    scores = leave_one_out(
        score_rows(model.form, X, batch_size).astype(np.float64),
        own_distances(densities, X, codes),
        codes,
        weight,
        count,
        empirical=empirical,
    )
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
    hashes = hash_rows(X[whole.first, :FEW], codes[whole.first])
    order = np.argsort(hashes, kind="stable")  # the same, with or without copies
    return whole.first[order], whole.weight[order]


def own_distances(densities, X, codes):
    """Squared distances to the mean of the own class in units of the variances.

    Parameters
    ----------
    densities : Densities
        Means and variances.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows.
    codes : ndarray of shape (n_samples,)
        Class of each row.

    Returns
    -------
    ndarray of shape (n_samples,)
        The distances.
    """
    distances = np.empty(len(codes))
    for start in range(0, len(codes), 512):
        part = slice(start, start + 512)
        rows = X[part].toarray() if sparse.issparse(X) else X[part]
        k = codes[part]
        residual = rows - densities.pivot - densities.offsets[k]
        shared = densities.variances.ndim == 1
        residual *= residual / densities.variances[... if shared else k]
        distances[part] = residual.sum(axis=1)
    return distances


def leave_one_out(scores, distances, codes, weight, count, *, empirical):
    """Scores that each row would get from the means of all the others.

    Variances stay as they are; the mean of the row's own class moves away from it.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Joint log scores of the fitted model.
    distances : ndarray of shape (n_samples,)
        ``sum_j (x_j - mean_j) ** 2 / variance_j`` to the mean of the own class.
    codes : ndarray of shape (n_samples,)
        Class of each row.
    weight : ndarray of shape (n_samples,)
        Weight of each row, less than that of its class.
    count : ndarray of shape (n_classes,)
        Weight of each class.
    empirical : bool
        Whether priors are the shares of the classes, which then lose a row as well.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        The scores with the row left out.
    """
    rest = count[codes] - weight
    grown = count[codes] / rest
    left_out = scores.copy()
    own = np.arange(len(codes)), codes
    left_out[own] -= 0.5 * (grown**2 - 1) * distances
    if empirical:
        left_out[own] -= np.log(grown)
    return left_out
