"""Labels of tasks: one a row, none missing, of one kind."""

from itertools import pairwise

import numpy as np


def check_groups(groups, n_samples=None):
    """Check the labels of tasks: one a row, none missing, of one kind.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        Labels.
    n_samples : int or None, default=None
        How many there must be.

    Returns
    -------
    ndarray of shape (n_samples,)
        The labels; strings have a string dtype.

    Raises
    ------
    ValueError
        When they are not so.
    """
    listed, groups = groups, np.asarray(groups)
    if groups.dtype.kind in "Uf" and isinstance(listed, list | tuple):
        # numpy would write NaN as a word, and large integers of both signs as floats
        groups = np.asarray(listed, dtype=object)
    if groups.ndim == 2 and groups.shape[1] == 1:
        groups = groups[:, 0]
    if groups.ndim != 1:
        raise ValueError(
            f"groups must be one label a row, got shape {groups.shape}. For nested or "
            "crossed groups join the labels, for instance 'district/school'."
        )
    if n_samples is not None and len(groups) != n_samples:
        raise ValueError(f"groups has {len(groups)} labels for {n_samples} rows.")
    if groups.dtype.kind == "O":
        groups = _of_one_kind(groups)
    if _missing(groups).any():
        raise ValueError("groups contains missing labels (None, NaN or NaT).")
    return groups


def _missing(groups):
    if groups.dtype.kind == "f":
        return np.isnan(groups)
    if groups.dtype.kind in "mM":
        return np.isnat(groups)
    return np.zeros(len(groups), dtype=bool)


def _of_one_kind(groups):
    """Return labels that are objects as strings or numbers where they are such."""
    if any(_is_missing(label) for label in groups):
        raise ValueError("groups contains missing labels (None, NaN or NaT).")
    kinds = {type(label) for label in groups}
    for simple in (str, bytes, (int, float, np.number, np.bool_)):
        if all(issubclass(kind, simple) for kind in kinds):
            found = np.array(groups.tolist())
            whole = all(issubclass(kind, int | np.integer) for kind in kinds)
            return groups if whole and found.dtype.kind == "f" else found
    if len(kinds) > 1:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"groups must be labels of one kind, got {names}.")
    try:
        labels = np.unique(groups)
        sorted_ = all(a < b for a, b in pairwise(labels))
    except TypeError:
        sorted_ = False
    if not sorted_:
        raise ValueError(
            f"groups must be labels that can be sorted, got {kinds.pop().__name__}: "
            "pass strings, numbers or dates."
        )
    return groups


def _is_missing(label):
    try:
        return label is None or bool(label != label)
    except (TypeError, ValueError):  # pandas.NA has no truth
        return True


def _comparable(one, other):
    """Say whether labels of these dtypes can be equal: numbers, text, dates."""
    kinds = ("biufc", "U", "S", "M", "m", "O")
    return any({one.dtype.kind, other.dtype.kind} <= set(kind) for kind in kinds)


def _exact(one, other):
    """Return integers in a type that holds both: numpy would round to floats."""
    if {one.dtype.kind, other.dtype.kind} == {"i", "u"}:
        for dtype in (np.int64, np.uint64):
            allowed = np.iinfo(dtype)
            low = min(int(a.min(initial=0)) for a in (one, other))
            high = max(int(a.max(initial=0)) for a in (one, other))
            if allowed.min <= low and high <= allowed.max:
                return one.astype(dtype), other.astype(dtype)
        return one.astype(object), other.astype(object)
    return one, other


def positions(known, groups):
    """Return where each label stands among known ones (sorted), -1 where it does not.

    Parameters
    ----------
    known : ndarray of shape (n_known,)
        Sorted labels.
    groups : ndarray of shape (n_samples,)
        Labels, perhaps of another kind: then nothing is known.

    Returns
    -------
    ndarray of shape (n_samples,)
        Indices into ``known``.
    """
    unknown = np.full(len(groups), -1)
    if not _comparable(known, groups):
        return unknown
    known, groups = _exact(known, groups)
    try:
        at = np.minimum(np.searchsorted(known, groups), len(known) - 1)
    except TypeError:  # objects of two kinds
        return unknown
    return np.where(known[at] == groups, at, -1)


def union(one, other):
    """Return the sorted labels of both, which must be of one kind."""
    try:
        if _comparable(one, other):
            labels = np.union1d(*_exact(one, other))
            if labels.dtype.kind != "O" or one.dtype.kind == "O":
                return labels
    except TypeError:  # objects of two kinds
        pass
    raise ValueError(
        f"groups are {other.dtype} here and were {one.dtype} before: use labels of one "
        "kind."
    )
