"""Which rows are held out, in which order the rest comes, and how many count."""

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

N_AUTO = 8  # sizes that "auto" takes


def split(codes, classes, groups, test_size, rng):
    """Positions of training and of test rows, stratified, groups kept together."""
    if groups is None:
        counts = np.bincount(codes)
        if counts.min() < 2:
            rare = classes[[counts.argmin()]].tolist()[0]
            raise ValueError(
                f"Class {rare!r} has 1 row, but at least 2 are needed, one to fit and "
                "one to score. Add rows, leave the class out, or pass X_test."
            )
        return hold_out(codes, test_size, rng)
    n_groups = len(set(groups))
    if n_groups < 2:
        raise ValueError(
            "groups puts all rows into one group, but at least 2 are needed, one to "
            "fit and one to score: pass X_test, or leave groups out."
        )
    n_folds = min(max(2, round(1 / test_size)), n_groups)
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=rng)
    train, test = next(folds.split(codes, codes, groups))
    missing = np.setdiff1d(np.arange(len(classes)), codes[train])
    if len(missing):
        lost = classes[missing].tolist()[0]
        raise ValueError(
            f"Class {lost!r} lies in so few groups that none is "
            "left for training: pass X_test, or leave the class out."
        )
    return train, test


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
        whole = len(asked) > 0 and (asked == np.rint(asked)).all()
        if not whole or asked[0] < 1 or asked[-1] > rarest:
            raise ValueError(
                "train_sizes=('per_class', sizes) needs whole sizes from 1 to the "
                f"training rows of the rarest class, {rarest}; got {train_sizes[1]}."
            )
        return asked.astype(int) * n_classes
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
