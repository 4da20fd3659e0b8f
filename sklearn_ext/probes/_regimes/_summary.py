"""What TwoRegimes found, in words."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sklearn_ext.probes._regimes._curves import ROUNDING, TIE
from sklearn_ext.probes._rivals import MAJORITY


def error_name(scoring):
    """Say what an error is, for the scores that it was made from.

    Parameters
    ----------
    scoring : str, callable or None
        As in `TwoRegimes`.

    Returns
    -------
    str
        A name.
    """
    if scoring == "accuracy" or scoring is None:
        return "test error"
    if isinstance(scoring, str) and scoring.startswith("neg_"):
        return scoring.removeprefix("neg_").replace("_", " ")
    return f"1 - {getattr(scoring, '__name__', scoring)}"


def best_score(scoring):
    """Score of a classifier without error: errors are what is missing to it."""
    return 0 if str(scoring).startswith("neg_") else 1


def is_clear(sizes, difference_ci, crossover):
    """Whether one leads at some size before the crossover and the other after it.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,)
        Training sizes.
    difference_ci : ndarray of shape (n_sizes, 2)
        Interval of the second error minus the first.
    crossover : float
        Where the lead changes.

    Returns
    -------
    bool
        Whether an interval excludes zero on either side; False where there is none.
    """
    low, high = difference_ci.T
    before, after = sizes < crossover, sizes > crossover
    to_second = (low[before] > 0).any() and (high[after] < 0).any()
    to_first = (high[before] < 0).any() and (low[after] > 0).any()
    return bool(to_second or to_first)


@dataclass(frozen=True, eq=False)
class TwoRegimesSummary:
    """Sizes, errors, winners and the crossover; ``print`` shows them.

    Parameters
    ----------
    pair : tuple of str
        The two estimators that are compared.
    error_name : str
        What the errors are.
    confidence_level : float
        Of the intervals.
    n_repeats : int
        Number of repeats.
    train_sizes : ndarray of shape (n_sizes,)
        Numbers of training rows.
    errors : dict of str to ndarray of shape (n_sizes,)
        Mean errors of all estimators.
    difference : ndarray of shape (n_sizes,)
        Error of the second of the pair minus that of the first.
    difference_ci : ndarray of shape (n_sizes, 2)
        Its interval.
    winners : list of str
        Of the pair at each size; "tie" where the errors are equal, and "unclear" where
        the interval holds zero.
    regimes : list of tuple
        ``(low, high, winner, significant)`` in order of size.
    crossover : float
        Size at which the lead changes for the last time.
    crossover_ci : ndarray of shape (2,)
        Its interval.
    censored : {"above", "below"} or None
        Whether the crossover lies off the grid.
    clear : bool
        Whether there are clear winners on both sides of the crossover.
    recommended : str
        Best at the largest size, of all estimators and the majority class; of equals,
        the best at the sizes before it.
    baseline : ndarray of shape (n_sizes,)
        Mean errors of the majority class.
    gain : float
        By how much the best estimator scores above it at the largest size.
    gain_ci : ndarray of shape (2,)
        Its interval.
    """

    pair: tuple
    error_name: str
    confidence_level: float
    n_repeats: int
    train_sizes: np.ndarray
    errors: dict
    difference: np.ndarray
    difference_ci: np.ndarray
    winners: list
    regimes: list
    crossover: float
    crossover_ci: np.ndarray
    censored: str | None
    clear: bool
    recommended: str
    baseline: np.ndarray
    gain: float
    gain_ci: np.ndarray

    def __str__(self):
        first, second = self.pair
        level = f"{self.confidence_level:.0%}"
        head = ["rows", *self.errors, MAJORITY, "difference", f"{level} interval"]
        rows = [[*head, "better"]]
        for i, size in enumerate(self.train_sizes):
            low, high = self.difference_ci[i]
            rows.append(
                [
                    f"{size}",
                    *(f"{error[i]:.3f}" for error in self.errors.values()),
                    f"{self.baseline[i]:.3f}",
                    f"{self.difference[i]:+.3f}",
                    f"{low:+.3f} to {high:+.3f}",
                    self.winners[i],
                ]
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = [
            "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True))
            for row in rows
        ]
        head = (
            f"{self.error_name} over {self.n_repeats} repeats; "
            f"difference: {second} minus {first}"
        )
        lines = [head, *table, self._lead(level), self._gain(level), self._best()]
        return "\n".join(lines)

    def _gain(self, level):
        """Say whether looking at the rows pays at all."""
        if np.isnan(self.gain):
            return f"the scoring has no value for the {MAJORITY}"
        best = min(self.errors, key=lambda name: self.errors[name][-1])
        low, high = self.gain_ci
        shown = f"{self.gain:+.3f}, {level} interval {low:+.3f} to {high:+.3f}"
        shown = f"{self.gain:+.3f}" if np.isnan(low) else shown
        if self.recommended == MAJORITY:
            return f"no estimator beats the {MAJORITY}: {best} by {shown}"
        doubt = "; unclear, the interval holds zero" if low <= 0 <= high else ""
        return f"{best} over the {MAJORITY}: {shown}{doubt}"

    def _lead(self, level):
        """Say in one sentence what the regimes say."""
        won = [regime for regime in self.regimes if regime[2] != TIE]
        # a tie between two regimes of one is no change
        changes = [pair for pair in pairwise(won) if pair[0][2] != pair[1][2]]
        first, last = self.train_sizes[[0, -1]]
        ties = [
            f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
            for low, high, winner, _ in self.regimes
            if winner == TIE
        ]
        tie = f"; tie at {', '.join(ties)} rows" if ties else ""
        if not won:
            return f"no crossover: tie at every size, from {first} to {last} rows"
        if not changes:
            where = "" if ties else f" at every size, from {first} to {last} rows"
            clear = any(significant for *_, significant in won)
            doubt = "" if clear else "; unclear, no interval excludes zero"
            return f"no crossover: {won[0][2]} leads{where}{tie}{doubt}"
        before, after = changes[-1]
        low, high = (f"{end:.0f}" for end in self.crossover_ci)
        high = f"beyond {last}" if high == "inf" else high
        interval = "" if low == "nan" else f", {level} interval {low} to {high}"
        count = len(changes)
        several = f", the last of {count} changes of lead" if count > 1 else ""
        sure = "" if self.clear else "; unclear, no clear winner on one side of it"
        return (
            f"crossover at {self.crossover:.0f} rows from {before[2]} to {after[2]}"
            f"{interval}{several}{tie}{sure}"
        )

    def _best(self):
        """Name all that have the least error at the largest size."""
        ends = {name: error[-1] for name, error in self.errors.items()}
        least = min(ends.values())
        best = [name for name, end in ends.items() if end - least < ROUNDING]
        line = f"best at {self.train_sizes[-1]} rows: "
        if len(best) < 2 or self.recommended == MAJORITY:
            return line + self.recommended
        return f"{line}tie of {' and '.join(best)}; recommended: {self.recommended}"
