"""Single trees and packed collections of them."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class TreeArrays:
    """Many trees as heaps: node i has its zero-side at 2i + 1, its one-side at 2i + 2.

    Parameters
    ----------
    split : ndarray of int, shape (n_trees, 2**depth - 1)
        Split of each inner node, -1 elsewhere.
    label : ndarray of int, shape (n_trees, 2**(depth + 1) - 1)
        Class index of each leaf, -1 elsewhere.
    """

    split: np.ndarray
    label: np.ndarray

    @classmethod
    def blank(cls, n_trees, depth):
        """Make trees that are still to be filled in."""
        return cls(
            np.full((n_trees, 2**depth - 1), -1, dtype=np.int32),
            np.full((n_trees, 2 ** (depth + 1) - 1), -1, dtype=np.int32),
        )

    def __len__(self):
        return len(self.label)

    def __getitem__(self, key):
        return TreeArrays(self.split[key], self.label[key])

    def renamed(self, names):
        """Write the trees with other splits: ``names`` has one for each."""
        split = np.append(names, -1)[self.split]  # -1 stays what it is
        return TreeArrays(split.astype(self.split.dtype), self.label)

    @property
    def depth(self):
        """Number of levels of splits."""
        return self.label.shape[1].bit_length() - 1

    def predict(self, bits):
        """Class index of every row by every tree: (n_trees, n_rows)."""
        n_trees, n_rows = len(self), len(bits)
        node = np.zeros((n_trees, n_rows), dtype=np.int64)
        row = np.arange(n_rows)
        n_leaves = self.label.shape[1] - self.split.shape[1]
        padded = np.pad(self.split, ((0, 0), (0, n_leaves)), constant_values=-1)
        for _ in range(self.depth):
            split = np.take_along_axis(padded, node, axis=1)
            below = 2 * node + 1 + bits[row, split]
            node = np.where(split >= 0, below, node)
        return np.take_along_axis(self.label, node, axis=1)


@dataclass(frozen=True)
class RashomonTree:
    """One decision tree of a Rashomon set.

    Parameters
    ----------
    feature : ndarray of int, shape (n_inner,)
        Column that each node of the heap reads; -1 where there is no split.
    threshold : ndarray of shape (n_inner,)
        Rows at or below go to child 2i + 2, the others to 2i + 1.
    label : ndarray of int, shape (n_nodes,)
        Class index at leaves, -1 elsewhere.
    classes : ndarray of shape (n_classes,)
        Class labels.
    names : ndarray of shape (n_features,) or None, default=None
        Names of the columns, where they are known.
    """

    feature: np.ndarray
    threshold: np.ndarray
    label: np.ndarray
    classes: np.ndarray
    names: np.ndarray | None = None

    def predict(self, X):
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        X = np.asarray(X)
        node = np.zeros(len(X), dtype=np.int64)
        inner = len(self.feature)
        for _ in range(inner.bit_length()):
            at = np.minimum(node, inner - 1)
            feature = self.feature[at]
            moving = (node < inner) & (feature >= 0)
            one = X[np.arange(len(X)), feature] <= self.threshold[at]
            node = np.where(moving, 2 * node + 1 + one, node)
        return self.classes[self.label[node]]

    @property
    def n_leaves(self):
        """Number of leaves after equal siblings are merged."""
        return self._merged(0)[1]

    def to_text(self, feature_names=None):
        """Write the tree as indented rules.

        Parameters
        ----------
        feature_names : sequence of str or None, default=None
            Names of the columns; None takes those that were seen in ``fit``.

        Returns
        -------
        str
            One line for each rule or leaf.
        """
        names = self.names if feature_names is None else feature_names
        return "\n".join(self._lines(0, "", names))

    def _merged(self, node):
        """Class index if all leaves below agree, else None; number of leaves."""
        if self.label[node] >= 0:
            return self.label[node], 1
        (zero, n_zero), (one, n_one) = map(self._merged, (2 * node + 1, 2 * node + 2))
        if zero is not None and zero == one:
            return zero, 1
        return None, n_zero + n_one

    def _lines(self, node, indent, names):
        label, _ = self._merged(node)
        if label is not None:
            return [f"{indent}class: {self.classes[label]}"]
        feature, cut = self.feature[node], self.threshold[node]
        name = f"feature_{feature}" if names is None else names[feature]
        return [
            f"{indent}{name} <= {cut:.6g}",
            *self._lines(2 * node + 2, indent + "|   ", names),
            f"{indent}{name} > {cut:.6g}",
            *self._lines(2 * node + 1, indent + "|   ", names),
        ]


@dataclass(frozen=True)
class TreeMembers:
    """A sequence of trees of one Rashomon set.

    Parameters
    ----------
    arrays : TreeArrays
        The trees over the splits.
    splits : Splits
        What the splits are.
    classes : ndarray of shape (n_classes,)
        Class labels.
    names : ndarray of shape (n_features,) or None, default=None
        Names of the columns, where they are known.
    """

    arrays: TreeArrays
    splits: object
    classes: np.ndarray
    names: np.ndarray | None = None

    def __len__(self):
        return len(self.arrays)

    def __getitem__(self, key):
        if isinstance(key, slice):
            return replace(self, arrays=self.arrays[key])
        split, label = self.arrays.split[key], self.arrays.label[key]
        feature = np.append(self.splits.feature, -1)[split]  # -1 where there is none
        threshold = np.append(self.splits.threshold, 0.0)[split]
        return RashomonTree(feature, threshold, label, self.classes, self.names)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def simplest(self):
        """Return the member with the fewest leaves, as arrays."""
        place = int(np.argmin([tree.n_leaves for tree in self]))
        return self.arrays[place : place + 1]
