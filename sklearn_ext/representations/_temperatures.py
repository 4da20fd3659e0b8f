"""One temperature a row: how soft a softmax may be at a given information."""

import math

import numpy as np

from sklearn_ext._core._validation import FLOATS
from sklearn_ext._numerics._arrays import namespace

N_HALVINGS = 25  # of a ratio of 200: 1.6e-7 of the temperature
NOTHING = 800.0  # its exponential is no number above zero


def individual_temperatures(
    similarities, *, rho=1.0, min_temperature=0.05, max_temperature=10.0
):
    r"""Find the temperature of each row at which its softmax carries ``rho`` nats.

    A row of similarities :math:`h_1, \dots, h_m` has the robust loss

    .. math:: \min_{\tau} \; \tau \log \frac1m \sum_j e^{h_j / \tau} + \tau \rho
       \;=\; \max \{ p \cdot h : \mathrm{KL}(p \,|\, \text{uniform}) \le \rho \},

    the worst mean over distributions that are no further than ``rho`` from uniform. At
    the optimum the softmax :math:`p \propto e^{h / \tau}` is at that distance, and the
    distance falls with the temperature, so that halving an interval solves all rows at
    once. No temperature is to be tuned: a row with many that are alike gets a large
    one, a row that stands alone a small one, whatever the scale of similarities. Cost:
    25 passes over the similarities.

    Parameters
    ----------
    similarities : array of shape (n_samples, n_others)
        Similarity of each row to its others: negatives of a contrastive loss, entries
        of a store that is searched, distances with a minus. A constant a row does not
        matter. A NumPy array or a tensor.
    rho : float, default=1.0
        Distance from uniform in nats. From ``log(n_others)`` on no softmax is so far
        from uniform, and all rows have ``min_temperature``.
    min_temperature, max_temperature : float, default=0.05 and 10.0
        Limits of the temperatures.

    Returns
    -------
    array of shape (n_samples,)
        The temperatures: softmax of ``similarities / temperature[:, None]``.

    See Also
    --------
    ContrastiveEncoder : Trains with such temperatures.

    References
    ----------
    .. [1] Z.-H. Qiu, Q. Hu, Z. Yuan, D. Zhou, L. Zhang and T. Yang, "Not All Semantics
       are Created Equal: Contrastive Self-supervised Learning with Automatic
       Temperature Individualization", ICML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.representations import individual_temperatures
    >>> alone, crowded = [0.2, 0.1, 0, 0, 0, 0.1], [0.9, 0.8, 0.9, 0, 0, 0.1]
    >>> individual_temperatures(np.array([alone, crowded]), rho=0.3).round(2)
    array([0.1 , 0.45])
    """
    _check(similarities, rho, min_temperature, max_temperature)
    xp = namespace(similarities)
    if not hasattr(similarities, "detach") and similarities.dtype not in FLOATS:
        similarities = similarities.astype(np.float64)
    # a similarity so far below the largest counts for nothing at any temperature
    floor = -NOTHING * max_temperature
    half = similarities / 2 - xp.max(similarities, axis=1, keepdims=True) / 2
    h = 2 * xp.clip(half, min=floor / 2)
    low = xp.full_like(h[:, 0], math.log(min_temperature))
    high = xp.full_like(h[:, 0], math.log(max_temperature))
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        sharp = _information(h, xp.exp(middle)) > rho
        low, high = xp.where(sharp, middle, low), xp.where(sharp, high, middle)
    found = xp.exp((low + high) / 2)
    at_least, at_most = (
        xp.full_like(found, end) for end in (min_temperature, max_temperature)
    )
    found = xp.where(_information(h, at_least) <= rho, at_least, found)
    return xp.where(_information(h, at_most) >= rho, at_most, found)


def _information(h, tau):
    """Return the distance from uniform of the softmax, in nats; ``h`` is at most 0."""
    xp = namespace(h)
    z = h / tau[:, None]
    e = xp.exp(z)
    total = xp.sum(e, axis=1)
    return xp.sum(e * z, axis=1) / total - xp.log(total / h.shape[1])


def _check(similarities, rho, least, most):
    if getattr(similarities, "ndim", None) != 2 or similarities.shape[1] == 0:
        shape = getattr(similarities, "shape", None)
        found = (
            type(similarities).__name__ if shape is None else f"shape {tuple(shape)}"
        )
        raise ValueError(
            "similarities must be an array of shape (n_samples, n_others) with at "
            f"least one other, got {found}."
        )
    xp = namespace(similarities)
    if not bool(xp.all(xp.isfinite(similarities))):
        raise ValueError(
            "similarities must be finite: leave out what is no other of a row, the row "
            "itself for instance, instead of marking it by an infinity."
        )
    if not rho > 0:
        raise ValueError(f"rho must be positive, got {rho}.")
    if not 0 < least < most < math.inf:
        raise ValueError(
            "temperatures need 0 < min_temperature < max_temperature < infinity, got "
            f"min_temperature={least} and max_temperature={most}."
        )
