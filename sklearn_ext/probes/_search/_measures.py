"""Error, log-loss and calibration of held-out predictions, and who is level."""

import numpy as np

MEASURES = "error", "log_loss", "calibration_error", "fit_time", "predict_time"
N_BINS = 10  # of confidence
LEVEL = 2  # standard errors behind the best that do not count


def row_losses(proba, predicted, codes):
    """Return what every row adds to error and log-loss.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes) or None
        Probabilities, if there are any.
    predicted : ndarray of shape (n_samples,)
        Predicted classes, as positions.
    codes : ndarray of shape (n_samples,)
        True ones.

    Returns
    -------
    dict of str to ndarray of shape (n_samples,)
        "error" and "log_loss"; NaN without probabilities.
    """
    loss = np.full(len(codes), np.nan)
    if proba is not None:
        true = proba[np.arange(len(codes)), codes]
        loss = -np.log(np.maximum(true, np.finfo(proba.dtype).eps))
    return {"error": (predicted != codes).astype(float), "log_loss": loss}


def calibration_error(proba, codes, weight):
    """Mean distance of confidence and accuracy over bins of confidence.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes) or None
        Probabilities, if there are any.
    codes : ndarray of shape (n_samples,)
        True classes.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    float
        Between 0 and 1; NaN without probabilities.
    """
    if proba is None:
        return np.nan
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == codes
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gaps = np.bincount(bins, weight * (confidence - right), minlength=N_BINS)
    return float(np.abs(gaps).sum() / weight.sum())


def paired(losses, best, weight, group):
    """Compare the losses of every head with those of the best on the same rows.

    Parameters
    ----------
    losses : dict of str to ndarray of shape (n_samples,)
        By head.
    best : str
        Which head the others are compared with.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    group : ndarray of shape (n_samples,)
        Number of the distinct row that each is a copy of.

    Returns
    -------
    dict of str to tuple of float
        Mean difference and its standard error.
    """
    total, found = weight.sum(), {}
    for name, loss in losses.items():
        difference = loss - losses[best]
        mean = weight @ difference / total
        parts = np.bincount(group, weight * (difference - mean))
        found[name] = float(mean), float(np.sqrt(parts @ parts) / total)
    return found
