"""Learning curves of two methods, and where they cross.

Arrays in, arrays out. A difference is the error of the second method minus the error
of the first: it is positive where the first is better.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import nnls

EXPONENTS = np.linspace(0.1, 2.0, 39)  # of power laws
ROUNDING = 1e-12  # below it a difference of scores is none
TIE = "tie"


def crossings(sizes, difference):
    """Size at which the first method's lead ends.

    That is the last interval of the grid in which the lead goes from the first method
    to the second, interpolated linearly in the logarithm of the size. A tie leaves the
    lead where it was.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Training sizes, increasing.
    difference : ndarray of shape (..., n_sizes)
        Error of the second minus error of the first.

    Returns
    -------
    ndarray of shape (...)
        Sizes; ``inf`` where the lead does not end on the grid, and the smallest size
        where the second leads from the start.
    """
    logs, lead = np.log(sizes), leads(difference)
    before, after = difference[..., :-1], difference[..., 1:]
    ends = (lead[..., :-1] > 0) & (lead[..., 1:] < 0)
    share = before / np.where(ends, before - after, 1.0)
    ends_at = np.where(ends, logs[:-1] + np.diff(logs) * share, -np.inf)
    last = np.max(ends_at, axis=-1, initial=-np.inf)  # they increase along the grid
    open_end = np.where(lead[..., -1] >= 0, np.inf, sizes[0])
    return np.where(np.isfinite(last), np.exp(last), open_end)


def leads(difference):
    """Say who leads at each size: 1 the first, -1 the second, 0 if there are only ties.

    Parameters
    ----------
    difference : ndarray of shape (..., n_sizes)
        Error of the second minus error of the first.

    Returns
    -------
    ndarray of shape (..., n_sizes)
        A tie takes the sign of the size before it; ties at the start that of the
        first size after them.
    """
    signs = _signs(difference)
    told = np.where(signs != 0, np.arange(signs.shape[-1]), -1)
    before = np.maximum.accumulate(told, axis=-1)
    first = np.argmax(signs != 0, axis=-1)[..., None]
    return np.take_along_axis(signs, np.where(before < 0, first, before), axis=-1)


def _signs(difference):
    return (difference > 0).astype(int) - (difference < 0)


def bootstrap_means(values, n_bootstrap, rng):
    """Means over resampled repeats.

    Parameters
    ----------
    values : ndarray of shape (n_sizes, n_repeats)
        One number a repeat; a repeat is resampled as a whole.
    n_bootstrap : int
        Number of replicates.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    ndarray of shape (n_bootstrap, n_sizes)
        Replicates of the mean.
    """
    n = values.shape[1]
    draws = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap)
    return draws @ values.T / n


def interval(replicates, confidence_level):
    """Percentile interval over the first axis; infinite replicates are allowed."""
    tail = (1 - confidence_level) / 2
    return np.quantile(replicates, [tail, 1 - tail], axis=0, method="inverted_cdf")


@dataclass(frozen=True)
class Comparison:
    """How two methods compare over the sizes; see `compare`."""

    difference: np.ndarray  # (n_sizes,)
    difference_ci: np.ndarray  # (n_sizes, 2)
    crossover: float
    censored: str | None
    crossover_ci: np.ndarray  # (2,)
    regimes: list


def compare(sizes, difference, names, *, confidence_level, n_bootstrap, rng):
    """Compare two methods from paired differences.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Training sizes, increasing.
    difference : ndarray of shape (n_sizes, n_repeats)
        Error of the second minus error of the first, on the same rows.
    names : tuple of str
        First and second method.
    confidence_level : float
        Of the percentile intervals over repeats; NaN bounds for a single repeat.
    n_bootstrap : int
        Number of replicates.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    Comparison
        Means, intervals, crossover and regimes.
    """
    difference = _without_rounding(difference)
    mean = _without_rounding(difference.mean(axis=1))
    lead, censored = leads(mean), None
    if not np.diff(lead).any():
        censored = "above" if lead[0] >= 0 else "below"
    # the last change of lead, whichever way it goes, whatever the order of the names
    turn = -1 if censored is None and lead[-1] > 0 else 1
    ci, crossover_ci = np.full((len(sizes), 2), np.nan), np.full(2, np.nan)
    if difference.shape[1] > 1:
        replicates = bootstrap_means(difference, n_bootstrap, rng)
        replicates = _without_rounding(replicates)
        ci = interval(replicates, confidence_level).T
        crossover_ci = interval(crossings(sizes, turn * replicates), confidence_level)
    return Comparison(
        mean,
        ci,
        float(crossings(sizes, turn * mean)),
        censored,
        crossover_ci,
        find_regimes(sizes, mean, ci, names),
    )


def _without_rounding(difference):
    """Make zeros of what is left when equal scores are subtracted."""
    return np.where(np.abs(difference) < ROUNDING, 0.0, difference)


def find_regimes(sizes, mean, ci, names):
    """List the ranges of sizes in which one method leads, or both are level.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Training sizes, increasing.
    mean : ndarray of shape (n_sizes,)
        Mean difference.
    ci : ndarray of shape (n_sizes, 2)
        Its interval.
    names : tuple of str
        First and second method.

    Returns
    -------
    list of tuple
        ``(low, high, winner, significant)``; the winner is "tie" where the mean is
        zero, bounds between sizes are interpolated, and significant means that at one
        size of the range the interval excludes zero on the winner's side.
    """
    signs = _signs(mean)
    starts = [0, *(np.flatnonzero(np.diff(signs)) + 1), len(sizes)]
    turns = np.array(starts[1:-1], dtype=int)
    share = mean[turns - 1] / (mean[turns - 1] - mean[turns])
    between = sizes[turns - 1] * (sizes[turns] / sizes[turns - 1]) ** share
    bounds = map(float, [sizes[0], *between, sizes[-1]])
    winners = {1: names[0], -1: names[1], 0: TIE}
    regimes = []
    for (start, stop), ends in zip(pairwise(starts), pairwise(bounds), strict=True):
        sign, inside = int(signs[start]), ci[start:stop]
        clear = {1: inside[:, 0] > 0, -1: inside[:, 1] < 0, 0: np.zeros(1, bool)}
        regimes.append((*ends, winners[sign], bool(clear[sign].any())))
    return regimes


def fit_power_law(sizes, errors):
    """Fit ``a + b * m ** -q`` by least squares, with a and b not negative.

    Parameters
    ----------
    sizes, errors : ndarray of shape (n_sizes,)
        Training sizes and mean errors.

    Returns
    -------
    tuple of float
        ``(a, b, q)``, q from a grid between 0.1 and 2.
    """
    scale = sizes / sizes[0]
    fits = []
    for q in EXPONENTS:
        design = np.stack([np.ones(len(sizes)), scale**-q], axis=1)
        (a, b), residual = nnls(design, errors)
        fits.append((residual, a, b * float(sizes[0]) ** q, q))
    return tuple(map(float, min(fits)[1:]))


def power_law(sizes, a, b, q):
    """Evaluate ``a + b * m ** -q``."""
    return a + b * np.asarray(sizes, dtype=float) ** -q
