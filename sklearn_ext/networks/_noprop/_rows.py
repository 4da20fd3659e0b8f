"""Distinct rows, their order, and the folds that they are dealt to."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from sklearn_ext._numerics._equal_rows import EqualRows, hash_rows
from sklearn_ext.networks._noprop._chain import mean_and_scale, standardised

FINENESS = 1e3  # rows that agree to a thousandth of the columns' spread are equal
DISPUTED = 0.01  # share of distinct rows with an equal of another target
LIGHT = 1e-15  # of the largest weight: such rows are as if they were absent
LONELY = 0.5  # of the rows without an equal that chance would leave
TELLING = 4  # such rows by chance, from which on their absence tells something


@dataclass(frozen=True)
class Rows:
    """Distinct rows in an order that their values give, and what they weigh."""

    first: np.ndarray  # (n,), places in the table
    weight: np.ndarray  # (n,)
    fold: np.ndarray  # (n,)
    place: np.ndarray  # (n_samples,), of each row of the table; -1: weight zero

    @classmethod
    def of(cls, X, y, w, n_folds):
        """Merge equal rows and deal the others to folds.

        Rows with equal columns and another target share a fold where they are few, like
        copies that were measured twice. Where columns have so few values that this is
        common they are draws of one law, and dealt one by one; unless far fewer than
        chance would leave have no equal, as where each was measured several times.
        Neither units and offsets of the columns nor of the target matter.
        """
        rows = EqualRows.of(X, y, w=np.where(w > LIGHT * w.max(), w, 0.0))
        wide = np.asarray(X[rows.first], dtype=np.float64)
        y, weight = y[rows.first], rows.weight / rows.weight.max()
        wide = standardised(wide, *mean_and_scale(wide, weight))
        keys = hash_rows(np.rint(wide * FINENESS))
        order = np.lexsort((y, keys))
        key = keys[order]
        starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        sizes = np.diff(starts, append=len(key))
        group = np.repeat(np.arange(len(starts)), sizes)
        turn = np.arange(len(key)) - np.repeat(starts, sizes)
        shared = np.repeat(sizes > 1, sizes).mean() > DISPUTED
        shared = shared and not measured_repeatedly(sizes)
        by_chance = np.argsort(hash_rows(group, turn), kind="stable")
        fold = (np.arange(len(key)) if shared else group[by_chance]) % n_folds
        order = order[by_chance]
        place = np.empty(len(order) + 1, dtype=np.intp)
        place[order], place[-1] = np.arange(len(order)), -1
        return cls(rows.first[order], weight[order], fold, place[rows.group])


def measured_repeatedly(sizes):
    """Whether groups of equal rows are no draws: too few of them have one row.

    Parameters
    ----------
    sizes : ndarray of shape (n_groups,)
        Rows of each.
    """
    mean = sizes.mean()
    if mean == 1:
        return False
    # of a Poisson law without its zeros, of the same mean
    rate = brentq(lambda r: r / -np.expm1(-r) - mean, 1e-12, mean)
    by_chance = len(sizes) * rate / np.expm1(rate) if rate < 700 else 0.0
    return bool(by_chance >= TELLING and (sizes == 1).sum() < LONELY * by_chance)
