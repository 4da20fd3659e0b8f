"""Splits that are equal on all rows: worked on as one, told apart where it matters.

Equal splits have equal losses, so the recursion sees each group once with the weight of
all. Answers about single features, and about rows on which the splits of a group
differ, need them apart again.
"""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ext.rashomon._splits import Rows, equal_columns
from sklearn_ext.rashomon._trees_members import TreeArrays


@dataclass(frozen=True)
class EqualSplits:
    """The groups of splits that a space of trees works on.

    Parameters
    ----------
    group : ndarray of int, shape (n_splits,)
        Place of each split among the distinct ones; both are in the same order.
    weight : ndarray of shape (n_splits,)
        Weight of each split: its prior, or one where trees are counted.
    """

    group: np.ndarray
    weight: np.ndarray

    @property
    def first(self):
        """First split of each group."""
        return np.unique(self.group, return_index=True)[1]

    @property
    def all_distinct(self):
        """Whether no two splits are equal."""
        return len(self.first) == len(self.group)

    def usage(self, distinct):
        """Share out the usage of groups: within one it is as the weights are."""
        total = np.bincount(self.group, self.weight)
        return distinct[self.group] * self.weight / total[self.group]

    def with_first(self, trees):
        """Write trees over distinct splits with the first split of each group."""
        return _renamed(trees, self.first)

    def with_any(self, trees, rng):
        """Write trees over distinct splits with splits drawn from each group."""
        if self.all_distinct:
            return trees
        drawn = self.with_first(trees)
        for g in np.flatnonzero(np.bincount(self.group) > 1):
            equal = np.flatnonzero(self.group == g)
            share = self.weight[equal] / self.weight[equal].sum()
            nodes = trees.split == g
            drawn.split[nodes] = rng.choice(equal, size=nodes.sum(), p=share)
        return drawn

    def as_distinct(self, trees):
        """Write trees over all splits with the distinct ones again."""
        return _renamed(trees, self.group)

    def apart_on(self, patterns, rows, space):
        """Tell those equal splits apart that differ on other patterns.

        Parameters
        ----------
        patterns : ndarray of bool, shape (n_patterns, n_splits)
            Values of all splits.
        rows : Rows
            Merged rows over the distinct splits.
        space : TreeSpace
            The trees over the distinct splits.

        Returns
        -------
        columns : ndarray of int
            A split for each that is now distinct.
        rows : Rows
            The same rows over them.
        space : TreeSpace
            The same trees over them.
        """
        if self.all_distinct:
            return self.first, rows, space
        known = rows.bits[:, self.group]
        columns, group = equal_columns(np.concatenate([known, patterns]))
        if len(columns) == len(space.weight):
            return columns, rows, space
        return (
            columns,
            Rows(known[:, columns], rows.weight),
            replace(
                space,
                weight=np.bincount(group, self.weight),
                multiplicity=np.bincount(group),
            ),
        )


def _renamed(trees, names):
    if not len(names):
        return trees
    return TreeArrays(
        np.where(trees.split >= 0, names[trees.split], -1).astype(trees.split.dtype),
        trees.label,
    )
