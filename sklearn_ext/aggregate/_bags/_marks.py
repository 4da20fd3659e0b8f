"""Marks of the bags that a fit saw, so that a score can tell that folds cut them.

A fold that cuts a bag leaves the aggregate of the whole on both sides: what is scored
is known. Only ``score`` can see it, and only if it knows what was fitted to.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_ext._core._compat import _safe_indexing
from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._equal_rows import as_numbers, hash_rows

MOST = 1000  # bags that are marked: those of the smallest hashes
ADVICE = "Keep bags whole: cv=BagKFold(n_splits), with bags= for fit and score."


@dataclass(frozen=True)
class BagMarks:
    """Hashes of some of the bags: their aggregates, their labels, their rows."""

    aggregate: np.ndarray  # (n_marks,), sorted
    label: tuple  # of str
    rows: np.ndarray  # (n_marks,), sums of the hashes of rows
    share: float  # of the bags that are marked
    coarse: bool  # whether many bags have equal aggregates

    @classmethod
    def of(cls, X, y, bags):
        """Mark bags whose rows all carry one value; None where there are none."""
        if bags.are_rows:
            return None
        y = y.reshape(len(y), -1)
        varying = (y != y[bags.first][bags.codes]).any(axis=1)
        places = np.flatnonzero(np.bincount(bags.codes, varying) == 0)
        if len(places) == 0:  # y are responses of rows
            return None
        aggregate = hash_rows(y[bags.first[places]])
        order = np.argsort(aggregate, kind="stable")[:MOST]
        places, aggregate = places[order], aggregate[order]
        at = np.full(len(bags.ids), -1)
        at[places] = np.arange(len(places))
        kept = np.flatnonzero(at[bags.codes] >= 0)
        rows = np.zeros(len(places), dtype=np.uint64)
        seen = as_numbers(_safe_indexing(X, kept))
        np.add.at(rows, at[bags.codes[kept]], hash_rows(seen))
        distinct = len(np.unique(aggregate))
        return cls(
            aggregate,
            tuple(str(bags.ids[place]) for place in places),
            rows,
            len(places) / len(bags.ids),
            distinct < 0.9 * len(places) or not (y % 1).any(),
        )

    def keys(self):
        """Return what tells a bag: its aggregate and its label."""
        return zip(self.aggregate.tolist(), self.label, strict=True)


def warn_if_cut(model, X, y, bags=None):
    """Warn of bags that are scored and were fitted to, but not to these rows.

    Parameters
    ----------
    model : estimator
        What is scored; without marks of a fit nothing is said.
    X : array-like
        Rows that are scored.
    y : array-like of shape (n_samples,) or (n_samples, k)
        Aggregates, replicated on them.
    bags : Bags or None, default=None
        Their bags; without them, aggregates alone are compared.
    """
    marks, y = getattr(model, "_marks", None), np.asarray(y, dtype=float)
    if marks is None:
        return
    if bags is None:
        known = 0 if marks.coarse else np.isin(hash_rows(y), marks.aggregate).mean()
        if known < marks.share / 2:
            return
        told = "y holds aggregates of bags that were fitted to."
    else:
        if not (bags.weights > 0).all():
            kept = np.flatnonzero(bags.weights > 0)
            X, y, bags = _safe_indexing(X, kept), y[kept], bags.subset(kept)
        here = BagMarks.of(X, y, bags)
        if here is None or bags.counts.max() == 1:  # rows are their own bags
            return
        fitted = dict(zip(marks.keys(), marks.rows.tolist(), strict=True))
        also = zip(here.keys(), here.rows.tolist(), strict=True)
        if not (cut := sum(fitted.get(key, rows) != rows for key, rows in also)):
            return
        told = (
            f"{cut} of {len(here.rows)} bags that are scored were fitted to, with "
            "other rows of theirs: the folds cut bags."
        )
    warn(f"{told} {ADVICE}")
