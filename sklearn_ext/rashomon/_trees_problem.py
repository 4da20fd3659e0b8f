"""From statistics of the data to merged rows and a space of trees."""

from dataclasses import dataclass
from math import log10

import numpy as np

from sklearn_ext.rashomon._class_weights import class_factors, scaled_weights
from sklearn_ext.rashomon._splits import (
    Rows,
    Splits,
    equal_columns,
    make_splits,
    merge_rows,
)
from sklearn_ext.rashomon._trees_equal import EqualSplits
from sklearn_ext.rashomon._trees_space import TreeSpace


@dataclass(frozen=True)
class TreeStatistics:
    """Merged rows over all candidate splits; tables of blocks add.

    Parameters
    ----------
    rows : Rows
        Patterns and class weights.
    splits : Splits
        The candidates, constant ones included.
    """

    rows: Rows
    splits: Splits

    @classmethod
    def of(cls, X, label, weight, n_classes, **cuts):
        """Cut the features as :func:`make_splits` is told to, and merge the rows."""
        splits = make_splits(X, weight, **cuts)
        return cls(merge_rows(splits.bits(X), label, weight, n_classes), splits)

    def __add__(self, other):
        return TreeStatistics(self.rows + other.rows, self.splits)


def places_of(y, classes):
    """Find labels among the sorted classes.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Class labels.
    classes : ndarray of shape (n_classes,)
        All classes.

    Returns
    -------
    ndarray of int, shape (n_samples,)
        Place of each label.
    """
    place = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    if (unknown := classes[place] != y).any():
        raise ValueError(
            f"y holds {y[unknown][0]!r}, which is not one of the classes "
            f"{classes.tolist()}. Pass all classes at the first call."
        )
    return place


def tree_problem(
    statistics,
    classes,
    *,
    max_depth,
    complete,
    alpha,
    repeats,
    trivial_splits,
    class_weight,
):
    """Drop constant splits, take equal ones together and define the space.

    Parameters
    ----------
    statistics : TreeStatistics
        Rows over all candidate splits.
    classes : ndarray of shape (n_classes,)
        Class labels.
    max_depth, alpha, repeats, trivial_splits, class_weight
        As in the estimator.
    complete : bool
        Whether trees are complete.

    Returns
    -------
    rows : Rows
        Merged rows over the distinct splits.
    splits : Splits
        All splits that are not constant.
    equal : EqualSplits
        Which of them are equal.
    space : TreeSpace
        The trees over the distinct splits.
    """
    weight = statistics.rows.weight
    factor = class_factors(weight.sum(axis=0), classes, class_weight)
    weight = scaled_weights(weight, factor)
    if np.count_nonzero(weight.sum(axis=0)) < 2:
        raise ValueError(
            "RashomonTreeClassifier needs at least two classes with positive weight, "
            "got one class."
        )
    bits = statistics.rows.bits
    varying = np.flatnonzero(bits.any(axis=0) & ~bits.all(axis=0))
    splits, bits = statistics.splits.keep(varying), bits[:, varying]
    group = np.arange(len(varying))
    if repeats and len(varying):
        columns, group = equal_columns(bits)
        bits = bits[:, columns]
    weight_of_split = splits.prior if complete else np.ones(len(splits))
    depth = max_depth if len(splits) else 0
    if not repeats and depth > len(splits):
        raise ValueError(
            f"max_depth={depth} without repeats needs at least as many splits; there "
            f"are {len(splits)}. Lower max_depth or add thresholds."
        )
    n_classes = len(classes)
    rows = Rows(bits, weight) + Rows(bits[:0], weight[:0])  # merges equal patterns
    space = TreeSpace(
        depth,
        n_classes,
        np.bincount(group, weight_of_split),
        np.bincount(group),
        complete=complete,
        leaf_weight=1 / n_classes if complete else 1.0,
        leaf_cost=0.0 if complete else float(np.rint(alpha * rows.total)),
        repeats=repeats,
        trivial=complete or trivial_splits,
    )
    return rows, splits, EqualSplits(group, weight_of_split), space


def describe_trees(space, split_prior):
    """Describe a space in words and numbers, for printing."""
    return {
        "name": "complete trees" if space.complete else "sparse trees",
        "log10_size": round(log10(space.size), 3),
        "prior": split_prior if space.complete else "count",
        "depth": space.depth,
        "n_splits": int(space.multiplicity.sum()),
        "n_classes": space.n_classes,
        "repeats": space.repeats,
    }
