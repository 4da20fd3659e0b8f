"""Learning curves of two methods on nested subsets, and where they cross.

Arrays in, arrays out. A difference is the error of the second method minus the error
of the first: it is positive where the first is better.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

N_AUTO = 8  # sizes that "auto" takes
EXPONENTS = np.linspace(0.1, 2.0, 39)  # of power laws
ROUNDING = 1e-12  # below it a difference of scores is none
TIE = "tie"


def hold_out(codes, test_size, rng):
    """Draw test rows by class: at least one each, and at least one left.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Class of each row, from 0.
    test_size : float
        Share of the rows.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    train, test : ndarray of int
        Positions of the rows, sorted.
    """
    counts = np.bincount(codes)
    n_test = np.clip(np.rint(test_size * counts), 1, counts - 1)
    in_test = _ranks(codes, rng) < n_test[codes]
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def nested_order(codes, rng, *, balanced=False):
    """Order rows so that every prefix is a stratified subset with all classes.

    One row of each class comes first; after that the rows of a class are spread evenly
    over the whole order, so that each prefix has the class shares of all rows up to one
    row a class.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Class of each row, from 0, none of them empty.
    rng : RandomState
        Source of randomness.
    balanced : bool, default=False
        Deal the classes out in rounds instead: equal numbers as long as they last.

    Returns
    -------
    ndarray of shape (n_samples,)
        Positions of the rows.
    """
    ranks = _ranks(codes, rng)
    key = ranks + rng.uniform(size=len(codes))
    if not balanced:
        key = np.where(ranks > 0, key / np.bincount(codes)[codes], key - 1)
    return np.argsort(key, kind="stable")


def _ranks(codes, rng):
    """Random rank of each row within its class, from 0."""
    shuffled = rng.permutation(len(codes))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    ranks = np.empty(len(codes), dtype=np.intp)
    ranks[by_class] = np.arange(len(codes)) - starts[codes[by_class]]
    return ranks


def resolve_sizes(train_sizes, n_rows, n_classes, rarest):
    """Turn what a user asked for into numbers of rows.

    Parameters
    ----------
    train_sizes : "auto", ("per_class", list of int), list of int or list of float
        Geometric sizes from two rows a class to all, rows a class, rows, or shares.
    n_rows : int
        Rows that may be used for training.
    n_classes : int
        Number of classes.
    rarest : int
        Rows of the smallest class among them.

    Returns
    -------
    ndarray of int
        Sizes, sorted and unique.
    """
    if isinstance(train_sizes, str):
        lowest = min(2 * n_classes, n_rows)
        return np.unique(np.rint(np.geomspace(lowest, n_rows, N_AUTO)).astype(int))
    if is_per_class(train_sizes):
        asked = np.unique(np.asarray(train_sizes[1], dtype=float))
        per_class = asked.astype(int) if np.isfinite(asked).all() else asked[:0]
        whole = len(per_class) > 0 and np.array_equal(per_class, asked)
        if not whole or per_class[0] < 1 or per_class[-1] > rarest:
            raise ValueError(
                "train_sizes=('per_class', sizes) needs whole sizes from 1 to the "
                f"training rows of the rarest class, {rarest}; got {train_sizes[1]}."
            )
        return per_class * n_classes
    try:
        sizes = np.asarray(train_sizes)
    except ValueError:  # a name with a list, which are not rows of one table
        sizes = np.empty(0)
    if sizes.ndim != 1 or len(sizes) == 0 or sizes.dtype.kind not in "iuf":
        raise ValueError(
            "train_sizes must be 'auto', a list of numbers of rows or of shares in "
            f"(0, 1], or ('per_class', list of int); got {train_sizes!r}."
        )
    if sizes.dtype.kind == "f":
        if not ((sizes > 0) & (sizes <= 1)).all():
            raise ValueError(
                "train_sizes given as floats are shares of the training rows in "
                f"(0, 1], got {train_sizes!r}."
            )
        sizes = np.rint(sizes * n_rows).astype(int)
    sizes = np.unique(sizes)
    if sizes[0] < n_classes:
        raise ValueError(
            f"train_sizes holds {sizes[0]}, fewer than the {n_classes} classes: every "
            "training set needs a row of each."
        )
    if sizes[-1] > n_rows:
        raise ValueError(
            f"train_sizes holds {sizes[-1]}, but only {n_rows} rows are there for "
            "training once the test rows are held out."
        )
    return sizes


def is_per_class(train_sizes) -> bool:
    """Whether sizes are given as ``("per_class", sizes)``."""
    return len(train_sizes) == 2 and str(train_sizes[0]) == "per_class"


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


def censoring(difference):
    """Say "above" or "below" where the lead never changes on the grid, else None."""
    lead = leads(difference)
    if np.diff(lead).any():
        return None
    return "above" if lead[0] >= 0 else "below"


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
    lead, censored = leads(mean), censoring(mean)
    # the last change of lead, whichever way it goes, whatever the order of the names
    turn = -1 if censored is None and lead[-1] > 0 else 1
    if difference.shape[1] > 1:
        replicates = bootstrap_means(difference, n_bootstrap, rng)
        replicates = _without_rounding(replicates)
        ci = interval(replicates, confidence_level).T
        crossover_ci = interval(crossings(sizes, turn * replicates), confidence_level)
    else:
        ci, crossover_ci = np.full((len(sizes), 2), np.nan), np.full(2, np.nan)
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
    bounds = [float(sizes[0])]
    for i in starts[1:-1]:
        share = mean[i - 1] / (mean[i - 1] - mean[i])
        bounds.append(float(sizes[i - 1] * (sizes[i] / sizes[i - 1]) ** share))
    bounds.append(float(sizes[-1]))
    winners = {1: names[0], -1: names[1], 0: TIE}
    regimes = []
    for k, start in enumerate(starts[:-1]):
        rows, sign = slice(start, starts[k + 1]), int(signs[start])
        clear = {1: ci[rows, 0] > 0, -1: ci[rows, 1] < 0, 0: np.zeros(1, bool)}[sign]
        regimes.append((bounds[k], bounds[k + 1], winners[sign], bool(clear.any())))
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
