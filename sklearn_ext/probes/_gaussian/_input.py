"""Rows, labels, weights and priors: checked, encoded, in the memory of the host."""

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets

from sklearn_ext._core._validation import check_weights, warn
from sklearn_ext._numerics._arrays import is_tensor


def on_host(values):
    """Return torch tensors as NumPy arrays, and everything else as it is.

    Parameters
    ----------
    values : object
        Rows, labels, weights or None.

    Returns
    -------
    object
        An array in the host's memory where a tensor was given.
    """
    if not is_tensor(values):
        return values
    values = values.detach().cpu()
    if str(values.dtype) == "torch.bfloat16":  # NumPy has no such type
        values = values.float()
    return values.numpy()


def row_weights(sample_weight, X):
    """Return checked weights in float64, ones for None.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
        As the user gave them.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    ndarray of shape (n_samples,)
        The weights.
    """
    if sample_weight is None:
        return np.ones(X.shape[0])
    return check_weights(sample_weight, X, dtype=np.float64)


def labels(y):
    """Return the sorted labels and the position of each row's among them.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    codes : ndarray of shape (n_samples,)
        Positions.
    """
    if y.dtype.kind not in "biu":  # integers are labels; the check would sort them
        check_classification_targets(y)
    return np.unique(y, return_inverse=True)


def check_priors(priors, n_classes):
    """Check prior probabilities.

    Parameters
    ----------
    priors : array-like of shape (n_classes,), "uniform" or None
        As the user gave them.
    n_classes : int
        Number of classes.

    Returns
    -------
    ndarray of shape (n_classes,), "uniform" or None
        The same, arrays in float64.
    """
    if priors is None or isinstance(priors, str):
        return priors
    priors = np.array(priors, dtype=np.float64)
    if priors.shape != (n_classes,):
        raise ValueError(
            f"priors must hold one number for each of the {n_classes} classes, in "
            f"sorted order, got shape {priors.shape}."
        )
    if not (priors >= 0).all():
        raise ValueError(f"priors must be non-negative, got {priors}.")
    if abs(priors.sum() - 1) > 1e-8:
        raise ValueError(f"priors must sum to one, got a sum of {priors.sum():.10g}.")
    return priors


def check_sums(statistics, X, name):
    """Check that sums are finite, which tells of all rows without a pass over them.

    Parameters
    ----------
    statistics : NaiveBayesStatistics
        Sums of the rows.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        The rows.
    name : str
        Name of the estimator.
    """
    if np.isfinite(statistics.sumsq).all():
        return
    assert_all_finite(X, estimator_name=name, input_name="X")
    raise ValueError("Some features are so large that their squares overflow; scale X.")


def warn_if_guessed(densities):
    """Say that there were no variances to estimate.

    Parameters
    ----------
    densities : Densities
        The class densities.
    """
    if densities.guessed:
        warn(
            "No two rows of a class differ, so that there are no variances to "
            "estimate: the variances of all rows are used. Give at least two rows to "
            "some class."
        )
