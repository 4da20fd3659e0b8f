"""How a loss depends on the learning rate, and whether that carries over."""

import numpy as np


def learning_rate_sensitivity(losses, initial_loss):
    r"""Mean loss that a wrong learning rate costs, over a range of rates.

    .. math:: \frac1m \sum_j \min(\ell_j, \ell_0) - \min_j \min(\ell_j, \ell_0)

    Zero is a flat curve, on which every rate of the range is the best one. Losses
    above the initial one count as the initial one, since training can be left out; so
    a rate that diverges costs what was to be learnt, and no more. It is measured in
    the units of the loss, and depends on the range: compare it over equal ranges, such
    as three powers of ten, with rates that are equally far apart on a log scale.

    Parameters
    ----------
    losses : array-like of shape (n_rates,)
        Final loss at each rate; what is not finite has diverged.
    initial_loss : float
        Loss before training, or of a constant prediction.

    Returns
    -------
    float
        The sensitivity, at least zero.

    Raises
    ------
    ValueError
        When there are no losses, or the initial one is not finite.

    See Also
    --------
    LearningRateTransferDisplay : Shows it beside the curves.

    References
    ----------
    M. Wortsman et al., *Small-scale proxies for large-scale Transformer training
    instabilities*, ICLR 2024.

    Examples
    --------
    >>> from sklearn_ext.networks import learning_rate_sensitivity
    >>> learning_rate_sensitivity([0.5, 0.25, float("inf")], initial_loss=1.0)
    0.333...
    """
    losses = np.asarray(losses, dtype=float)
    if losses.ndim != 1 or not len(losses):
        raise ValueError(
            "losses must be one number a learning rate, at least one, got an array of "
            f"shape {losses.shape}."
        )
    if not np.isfinite(initial_loss):
        raise ValueError(
            f"initial_loss must be finite, got {initial_loss!r}: it is the loss before "
            "training, or of a constant prediction."
        )
    capped = np.where(np.isfinite(losses), losses, initial_loss).clip(max=initial_loss)
    return float(np.mean(capped - capped.min()))


def best_rate(learning_rates, losses):
    """Learning rate of the least loss, between the grid's points.

    A parabola through the best point and its neighbours, over the logarithm of the
    rate; the best point itself at the border of the grid, or beside one that diverged.

    Parameters
    ----------
    learning_rates : ndarray of shape (n_rates,)
        Rates, ascending.
    losses : ndarray of shape (n_rates,)
        Losses; what is not finite has diverged.

    Returns
    -------
    float
        The rate; NaN where all diverged.
    """
    losses = np.where(np.isfinite(losses), losses, np.inf)
    at = int(np.argmin(losses))
    if np.isinf(losses[at]):
        return np.nan
    near = slice(at - 1, at + 2)
    if at in (0, len(losses) - 1) or np.isinf(losses[near]).any():
        return float(learning_rates[at])
    left, here, right = np.log2(learning_rates[near])
    fall = (losses[at - 1] - losses[at]) / (here - left)
    rise = (losses[at + 1] - losses[at]) / (right - here)
    if fall + rise <= 0:  # three equal losses
        return float(learning_rates[at])
    # slope of the parabola: -fall half-way to the left, rise half-way to the right
    start, end = (left + here) / 2, (here + right) / 2
    return float(2.0 ** (start + (end - start) * fall / (fall + rise)))
