"""Labels of tasks: one a row, none missing, of one kind."""

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
    groups = np.asarray(groups)
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
        if any(_is_missing(label) for label in groups):
            raise ValueError("groups contains missing labels (None or NaN).")
        kinds = {type(label) for label in groups}
        if len(kinds) > 1 and not all(
            issubclass(k, (int, float, np.number)) for k in kinds
        ):
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise ValueError(f"groups must be labels of one kind, got {names}.")
        groups = np.array(groups.tolist())
    if groups.dtype.kind == "f" and np.isnan(groups).any():
        raise ValueError("groups contains missing labels (None or NaN).")
    return groups


def _is_missing(label):
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA has no truth
        return True


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
    if (known.dtype.kind in "US") != (groups.dtype.kind in "US"):
        return np.full(len(groups), -1)
    at = np.minimum(np.searchsorted(known, groups), len(known) - 1)
    return np.where(known[at] == groups, at, -1)


def union(one, other):
    """Return the sorted labels of both, which must be of one kind."""
    if (one.dtype.kind in "US") != (other.dtype.kind in "US"):
        raise ValueError(
            f"groups are {other.dtype} here and were {one.dtype} before: use labels of "
            "one kind."
        )
    return np.union1d(one, other)
