"""Release of bag aggregates under label differential privacy."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr
from sklearn.utils import check_array, check_random_state, column_or_1d

from sklearn_ext._core._compat import Interval, StrOptions, validate_params
from sklearn_ext._core._validation import warn
from sklearn_ext.aggregate._bags._partition import Bags


@dataclass(frozen=True)
class PrivateAggregates:
    """A release under label differential privacy.

    Parameters
    ----------
    values : ndarray of shape (n_bags,)
        Noisy means, in the sorted order of the labels.
    rows : ndarray of shape (n_samples,)
        The same, replicated on the rows: the ``y`` to fit on.
    sizes : ndarray of shape (n_bags,)
        Number of rows of each bag.
    noise_scale : ndarray of shape (n_bags,)
        Scale of the noise of each mean: of Laplace, the standard deviation of the
        Gaussian, or ``h / (k epsilon)`` of the geometric mechanism.
    noise_var : ndarray of shape (n_samples,)
        Variance of the noise, replicated on the rows: the ``response_noise_var`` of
        ``bag_weight="precision"``.
    epsilon : float
        Privacy of the whole release.
    delta : float
        Its failure probability.
    bounds : tuple of float
        What responses were clipped to.
    n_clipped : int
        Number of responses that were clipped. It depends on the responses and is not
        private: do not publish it.
    """

    values: np.ndarray
    rows: np.ndarray
    sizes: np.ndarray
    noise_scale: np.ndarray
    noise_var: np.ndarray
    epsilon: float
    delta: float
    bounds: tuple
    n_clipped: int


class PrivacyLeakWarning(UserWarning):
    """What was released reveals more than epsilon promises."""


@validate_params(
    {
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "delta": [Interval(Real, 0, 1, closed="left")],
        "mechanism": [StrOptions({"laplace", "gaussian", "geometric"})],
        "resolution": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def privatize_aggregates(
    y,
    bags,
    epsilon,
    *,
    bounds,
    delta=0.0,
    mechanism="laplace",
    sample_weight=None,
    resolution=None,
    random_state=None,
):
    r"""Release noisy bag means under label differential privacy.

    Neighbouring data differ in the response of one row. Responses are clipped to
    ``[lo, hi]``, so one row moves a mean of k rows by at most (hi - lo) / k; bags are
    disjoint, hence the whole release costs epsilon once. Laplace noise has scale
    :math:`(hi - lo) / (k \epsilon)`. For symmetric bounds :math:`\pm B` that is
    :math:`2B / (k \epsilon)`; half of it, as is sometimes printed, gives only
    :math:`2\epsilon`.

    The membership of rows in bags must not depend on the responses. Noise is drawn as
    double-precision numbers, whose gaps can betray the input of Laplace and Gaussian
    noise: publish rounded values (``resolution``), prefer the geometric mechanism for
    counts, and use a certified library where a regulator asks for one.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Responses of the rows.
    bags : array-like of shape (n_samples,)
        Labels of the bags.
    epsilon : float
        Privacy loss.
    bounds : tuple of (float, float) or "data"
        Range that responses are clipped to, known without the data. ``"data"`` takes
        the observed range, which leaks it, and warns.
    delta : float, default=0.0
        Failure probability, for ``"gaussian"`` only.
    mechanism : {"laplace", "gaussian", "geometric"}, default="laplace"
        Noise: ``"geometric"`` for integer responses, exact on the integers;
        ``"gaussian"`` calibrated by its exact privacy profile.
    sample_weight : None
        Weights would change the sensitivity and are refused.
    resolution : float or None, default=None
        Grid that released means are rounded to.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise. A seed that others know voids the privacy.

    Returns
    -------
    PrivateAggregates
        Noisy means and what estimators need to know of the noise.

    References
    ----------
    .. [1] Dwork, McSherry, Nissim, Smith, "Calibrating Noise to Sensitivity in Private
       Data Analysis", TCC 2006.
    .. [2] Balle, Wang, "Improving the Gaussian Mechanism for Differential Privacy:
       Analytical Calibration and Optimal Denoising", ICML 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import privatize_aggregates
    >>> y, bags = np.array([0, 1, 1, 1, 0, 1]), [0, 0, 0, 1, 1, 1]
    >>> release = privatize_aggregates(y, bags, 1.0, bounds=(0, 1), random_state=0)
    >>> release.noise_scale.round(2)
    array([0.33, 0.33])
    """
    if sample_weight is not None:
        raise ValueError(
            "privatize_aggregates takes no sample_weight: a weighted mean has another "
            "sensitivity. Aggregate without weights."
        )
    if (mechanism == "gaussian") != (delta > 0):
        raise ValueError(
            "delta belongs to mechanism='gaussian', which needs delta > 0; got "
            f"mechanism={mechanism!r} with delta={delta:g}."
        )
    y = check_array(
        column_or_1d(y, dtype=np.float64), ensure_2d=False, input_name="y"
    )  # a missing response would show through the noise
    partition = Bags.of(bags, len(y))
    if partition.repeat(y):
        warn(
            "y is constant in every bag: it looks like aggregates. Pass the responses "
            "of rows; the noise of a release is calibrated for them.",
        )
    low, high = _check_bounds(bounds, y)
    if mechanism == "geometric":
        _check_integers(y, low, high)
    clipped = np.clip(y, low, high)
    noise, scale, variance = _NOISE[mechanism](
        partition.counts, high - low, epsilon, delta, check_random_state(random_state)
    )
    values = partition.means(clipped) + noise
    if resolution is not None:
        values = resolution * np.round(values / resolution)
    return PrivateAggregates(
        values=values,
        rows=partition.spread(values),
        sizes=partition.counts,
        noise_scale=scale,
        noise_var=partition.spread(variance),
        epsilon=epsilon,
        delta=delta,
        bounds=(low, high),
        n_clipped=int(np.sum(clipped != y)),
    )


def _laplace(sizes, width, epsilon, delta, rng):
    scale = width / (sizes * epsilon)
    return rng.laplace(scale=scale), scale, 2 * scale**2


def _gaussian(sizes, width, epsilon, delta, rng):
    scale = gaussian_noise_scale(epsilon, delta) * width / sizes
    return rng.normal(scale=scale), scale, scale**2


def _geometric(sizes, width, epsilon, delta, rng):
    q = np.exp(-epsilon / width)
    noise = rng.geometric(1 - q, len(sizes)) - rng.geometric(1 - q, len(sizes))
    return noise / sizes, width / (sizes * epsilon), 2 * q / (1 - q) ** 2 / sizes**2


_NOISE = {"laplace": _laplace, "gaussian": _gaussian, "geometric": _geometric}


def _check_bounds(bounds, y):
    if isinstance(bounds, str) and bounds == "data":
        warn(
            "bounds='data' reveals the smallest and the largest response. Give bounds "
            "that are known without the data.",
            PrivacyLeakWarning,
        )
        bounds = y.min(), y.max()
    if np.shape(bounds) != (2,):
        raise ValueError(
            f"bounds must be a pair (low, high) known without the data, got {bounds!r}."
        )
    low, high = (float(bound) for bound in bounds)
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"bounds must be finite with low < high, got ({low}, {high}).")
    return low, high


def _check_integers(y, low, high):
    for name, values in (("y", y), ("bounds", np.array([low, high]))):
        if (values != np.round(values)).any():
            raise ValueError(
                f"mechanism='geometric' adds integers to counts: {name} must be "
                "integers. Use 'laplace' for other responses."
            )


def gaussian_noise_scale(epsilon, delta, sensitivity=1.0):
    r"""Smallest standard deviation of Gaussian noise for (epsilon, delta).

    The least s with :math:`\Phi(\tfrac{\Delta}{2s} - \tfrac{\epsilon s}{\Delta}) -
    e^\epsilon\,\Phi(-\tfrac{\Delta}{2s} - \tfrac{\epsilon s}{\Delta}) \le \delta`,
    exact for every epsilon.

    Parameters
    ----------
    epsilon : float
        Privacy loss.
    delta : float
        Failure probability, between 0 and 1.
    sensitivity : float, default=1.0
        Most that one row moves the released number.

    Returns
    -------
    float
        The standard deviation.

    Examples
    --------
    >>> from sklearn_ext.aggregate import gaussian_noise_scale
    >>> print(round(gaussian_noise_scale(1.0, 1e-5), 4))
    3.7306
    """
    if not (epsilon > 0 and 0 < delta < 1):
        raise ValueError(
            "epsilon must be positive and delta between 0 and 1, got "
            f"epsilon={epsilon} and delta={delta}."
        )

    def excess(log_scale):
        s = np.exp(log_scale)
        inside, outside = 1 / (2 * s) - epsilon * s, -1 / (2 * s) - epsilon * s
        spent = np.exp(log_ndtr(inside)) - np.exp(epsilon + log_ndtr(outside))
        return spent - delta

    return float(sensitivity * np.exp(brentq(excess, -20.0, 30.0, xtol=1e-13)))


def gaussian_bounds(n_samples, scale):
    """Return bounds that rarely clip Gaussian responses.

    Parameters
    ----------
    n_samples : int
        Number of responses.
    scale : float
        Their standard deviation, known without the data; their mean is taken as 0.

    Returns
    -------
    tuple of (float, float)
        Plus and minus ``scale * sqrt(2 log n)``: the largest of n responses exceeds
        it with a probability that vanishes as n grows.

    Examples
    --------
    >>> from sklearn_ext.aggregate import gaussian_bounds
    >>> print(round(gaussian_bounds(1000, 1.0)[1], 2))
    3.72
    """
    if n_samples < 2 or scale <= 0:
        raise ValueError(
            "gaussian_bounds needs n_samples >= 2 and a positive scale, got "
            f"{n_samples} and {scale}."
        )
    bound = float(scale * np.sqrt(2 * np.log(n_samples)))
    return -bound, bound
