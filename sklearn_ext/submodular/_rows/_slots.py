"""Identifiers of rows and the slots that they live in."""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from numbers import Integral

import numpy as np

from sklearn_ext.submodular._rows._stores import grown, writable

SHOWN = 5  # identifiers named in a message


class SlotTable:
    """Which identifier lives in which slot; slots are reused after `release`.

    Parameters
    ----------
    ids : sequence of hashable
        Identifiers of the first rows, distinct.
    """

    def __init__(self, ids=()):
        self._slot_of, self._size = {}, 0
        self._gone, self._free = [], []  # slots without rows: held back, and to reuse
        self.next_id = 0  # the next identifier when none is given
        self._ids = np.zeros(16, dtype=object)
        self.alive = np.zeros(16, dtype=bool)
        self.add(self.vacant(len(ids)), ids)

    def __len__(self):
        return len(self._slot_of)

    def __contains__(self, i):
        return i in self._slot_of

    @property
    def slots(self):
        """Slots of living rows, ascending."""
        return np.flatnonzero(self.alive)

    def ids(self, slots):
        """Return identifiers, as an array of numbers where all are numbers."""
        found = self._ids[slots]
        if all(_is_number(i) for i in found):
            with suppress(OverflowError):  # longer ones stay Python's
                return found.astype(np.int64)
        return found

    def find(self, ids, *, missing="raise"):
        """Return the slots of identifiers.

        Parameters
        ----------
        ids : sequence of hashable
            Identifiers.
        missing : {"raise", "ignore"}, default="raise"
            What to do about unknown ones.

        Returns
        -------
        ndarray of int
            Their slots.
        """
        unknown = [i for i in ids if i not in self._slot_of]
        if unknown and missing == "raise":
            more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
            raise KeyError(
                f"unknown id {unknown[:SHOWN]}{more}: no active row has it; forget "
                "skips such with missing='ignore'."
            )
        known = dict.fromkeys(i for i in ids if i in self._slot_of)
        return np.array([self._slot_of[i] for i in known], dtype=np.intp)

    def vacant(self, n):
        """Make room for n rows; return the slots to use next."""
        reused = self._free[::-1][:n]
        fresh = range(self._size, self._size + n - len(reused))
        self._ids = grown(self._ids, fresh.stop)
        self.alive = grown(self.alive, fresh.stop)
        return np.array([*reused, *fresh], dtype=np.intp)

    def add(self, slots, ids):
        """Let rows live in vacant slots."""
        reused = min(len(self._free), len(slots))
        del self._free[len(self._free) - reused :]
        self._size += len(slots) - reused
        for slot, i in zip(slots.tolist(), ids, strict=True):
            self._ids[slot] = i
            self._slot_of[i] = slot
        self.alive[slots] = True
        numbers = [i for i in ids if _is_number(i)]
        self.next_id = max(self.next_id + len(slots), max(numbers, default=-1) + 1)

    def remove(self, slots):
        """Let rows go; their slots are not reused before `release`."""
        for slot in slots.tolist():
            del self._slot_of[self._ids[slot]]
        self.alive[slots] = False
        self._gone += slots.tolist()

    def release(self):
        """Offer the slots of all rows that have gone for reuse."""
        self._ids[self._gone] = 0
        self._free += self._gone
        self._gone = []

    def __getstate__(self):
        state = self.__dict__.copy()
        del state["_slot_of"]
        state["_ids"] = self.ids(np.arange(self._size))
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.alive = writable(self.alive)
        self._ids = np.zeros(len(self.alive), dtype=object)
        self._ids[: len(state["_ids"])] = state["_ids"]
        self._slot_of = {self._ids[slot]: slot for slot in self.slots.tolist()}


def _is_number(i):
    return type(i) is int or isinstance(i, Integral)  # the first is fast


def listed(ids):
    """Return identifiers as a list of Python objects.

    Parameters
    ----------
    ids : array-like or None
        Identifiers; None means none.

    Returns
    -------
    list
        The same, all hashable.
    """
    if ids is None:
        return []
    # arrays without dimension only seem to iterate
    iterates = isinstance(ids, Iterable) and getattr(ids, "shape", (0,)) != ()
    if isinstance(ids, str | bytes) or not iterates:
        raise ValueError(
            f"ids must be a list of identifiers, got {ids!r}: put it in []."
        )
    # dates would become plain numbers
    plain = hasattr(ids, "tolist") and getattr(ids.dtype, "kind", "O") not in "mM"
    ids = ids.tolist() if plain else list(ids)
    for i in ids:
        try:
            hash(i)
        except TypeError:
            raise ValueError(
                f"ids must be hashable, such as numbers, strings or tuples, got {i!r}."
            ) from None
    return ids


def check_ids(ids, X, n, table, leaving=()):
    """Return identifiers of new rows as a list of hashables.

    Parameters
    ----------
    ids : array-like of shape (n,), "index" or None
        Identifiers; "index" takes those of a data frame, None continues 0, 1, 2, ...
    X : object
        The rows as the user passed them.
    n : int
        Number of rows.
    table : SlotTable
        Knows which come next, and which are in use.
    leaving : set of hashable, default=()
        Identifiers whose rows leave before.

    Returns
    -------
    list
        Identifiers.
    """
    if ids is None:
        ids = list(range(table.next_id, table.next_id + n))
    else:
        ids = _given_ids(ids, X, n)
    twice = [i for i, count in Counter(ids).items() if count > 1]
    there = [i for i in ids if i in table and i not in leaving]
    if twice or there:
        reason = "given twice" if twice else "already active; use replace"
        raise ValueError(
            f"duplicate id {(twice or there)[0]!r}: {reason}. An id names one row."
        )
    return ids


def _given_ids(ids, X, n):
    if isinstance(ids, str):
        if ids != "index" or not hasattr(X, "index") or callable(X.index):
            advice = ""
            if ids in getattr(X, "columns", ()):
                advice = f" A column is given by itself, ids=table[{ids!r}]."
            raise ValueError(
                f"ids must hold one id a row, or be 'index' with a data frame that has "
                f"one, got ids={ids!r} with {type(X).__name__}.{advice}"
            )
        ids = X.index
    ids = listed(ids)
    if len(ids) != n:
        raise ValueError(f"ids must hold one id a row: got {len(ids)} for {n} rows.")
    if missing := [at for at, i in enumerate(ids) if _is_missing(i)]:
        raise ValueError(
            f"ids must not be missing, got {ids[missing[0]]!r} for row {missing[0]}: "
            "nobody could find the row again."
        )
    return ids


def _is_missing(i):
    try:
        return i is None or bool(i != i)  # NaN and NaT are not equal to themselves
    except TypeError:  # pandas' NA is neither true nor false
        return True
