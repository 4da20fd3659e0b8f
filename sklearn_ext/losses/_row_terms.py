"""Loss of a row from the probability of its label, and who is suspect by it."""

import numpy as np


def comp_sum_loss(own_proba, *, tau=1.7):
    r"""Comp-sum loss of rows from the probability p of their own label.

    It is :math:`(1 - p^{\tau - 1}) / (\tau - 1)`, at one its limit ``-log p``.

    Parameters
    ----------
    own_proba : array-like
        Probabilities of the rows' labels.
    tau : float, default=1.7
        How much a badly fitted row may pull: 1 is log-loss, 2 is ``1 - p``.

    Returns
    -------
    ndarray
        The losses.

    See Also
    --------
    CompSumClassifier : Minimises the mean of it.

    Examples
    --------
    >>> from sklearn_ext.losses import comp_sum_loss
    >>> comp_sum_loss([0.75, 0.5], tau=2)
    array([0.25, 0.5 ])
    """
    p, q = np.asarray(own_proba, dtype=float), tau - 1
    with np.errstate(divide="ignore"):
        lost = -np.log(p)
        return lost if q == 0 else -np.expm1(-q * lost) / q


def class_thresholds(proba, codes, weight):
    """Mean probability of each class over the rows that bear its label.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Held-out probabilities.
    codes : ndarray of shape (n_samples,)
        Labels as columns of ``proba``.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n_classes,)
        The thresholds; infinity for a class without rows.
    """
    own = proba[np.arange(len(codes)), codes]
    count = np.bincount(codes, weight, minlength=proba.shape[1])
    total = np.bincount(codes, weight * own, minlength=proba.shape[1])
    return np.where(count > 0, total / np.where(count > 0, count, 1), np.inf)


def confident_labels(proba, codes, weight):
    """Label that each row seems to have: the likeliest that reaches its threshold.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Held-out probabilities.
    codes : ndarray of shape (n_samples,)
        Labels as columns of ``proba``.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n_samples,)
        Codes; -1 where no class reaches its threshold.
    """
    # rounding must not decide whether a class reaches the mean of equal rows
    reached = proba >= class_thresholds(proba, codes, weight) - 1e-9
    best = np.where(reached, proba, -1.0).argmax(axis=1)
    return np.where(reached.any(axis=1), best, -1)


def suspects(proba, codes, weight):
    """Rows that seem to have another label than theirs.

    A class of which every row is suspect is kept whole.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Held-out probabilities.
    codes : ndarray of shape (n_samples,)
        Labels as columns of ``proba``.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n_samples,), dtype bool
        Whether a row is suspect.
    """
    seems = confident_labels(proba, codes, weight)
    suspect = (seems >= 0) & (seems != codes)
    kept = np.bincount(codes, ~suspect, minlength=proba.shape[1])
    return suspect & (kept[codes] > 0)
