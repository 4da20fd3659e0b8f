"""Spaces of decision trees, and the directed graph of row subsets they create."""

from dataclasses import dataclass, replace
from math import log

import numpy as np

from sklearn_ext.rashomon._polynomials import STRIP

BATCH_BYTES = 2**19  # of the tables of nodes that are worked on at once


@dataclass(frozen=True)
class TreeSpace:
    """A space of depth-limited labelled trees over binary splits.

    Parameters
    ----------
    depth : int
        Greatest depth.
    n_classes : int
        Number of labels of a leaf.
    weight : ndarray of shape (n_splits,)
        Weight of each split: its prior, or the number of equal splits when trees are
        counted.
    multiplicity : ndarray of int, shape (n_splits,)
        Number of equal splits that were merged into each.
    complete : bool, default=True
        Whether every tree is complete to ``depth``; otherwise any node may be a leaf.
    leaf_weight : float
        Weight of one label of a leaf.
    leaf_cost : float, default=0.0
        Added to the weighted errors for each leaf.
    repeats : bool, default=True
        Whether a split may occur twice on a path.
    trivial : bool, default=True
        Whether a split may send all rows to one side.
    """

    depth: int
    n_classes: int
    weight: np.ndarray
    multiplicity: np.ndarray
    complete: bool = True
    leaf_weight: float = 1.0
    leaf_cost: float = 0.0
    repeats: bool = True
    trivial: bool = True

    @property
    def counts(self):
        """Whether weights count trees instead of being probabilities."""
        return self.leaf_weight == 1.0

    def split_weights(self, used):
        """Weights after the splits in ``used`` (bool, any leading shape)."""
        if self.repeats:
            return self.weight
        left = np.where(used, 0.0, self.weight)
        if self.counts:
            return left
        total = left.sum(axis=-1, keepdims=True)
        return left / np.where(total > 0, total, 1.0)

    def counting(self):
        """Return the same trees with weight one each."""
        ones = self.multiplicity.astype(float)
        return replace(self, weight=ones, leaf_weight=1.0)

    @property
    def size(self):
        """Number of labelled trees, an exact integer; data do not change it."""
        m, k = int(self.multiplicity.sum()), self.n_classes
        if not self.complete:
            count = k
            for level in reversed(range(self.depth)):
                free = m if self.repeats else max(m - level, 0)
                count = k + free * count**2
            return count
        count = k ** (2**self.depth)
        for level in range(self.depth):
            free = m if self.repeats else max(m - level, 0)
            count *= free ** (2**level)
        return count

    @property
    def is_uniform(self):
        """Whether every tree has the same weight."""
        return self.depth == 0 or bool(
            np.allclose(
                self.weight * self.multiplicity.sum(),
                self.weight.sum() * self.multiplicity,
                rtol=1e-12,
            )
        )

    def largest_loss(self, total):
        """Loss, summed over rows of this total weight, that no tree exceeds."""
        return total + self.leaf_cost * 2**self.depth

    @property
    def log_total(self):
        """Logarithm of the weight of all trees."""
        return log(self.size) if self.counts else 0.0


@dataclass(frozen=True)
class Level:
    """The distinct row subsets at one depth.

    Parameters
    ----------
    sets : ndarray of uint8, shape (n_subsets, n_bytes)
        Packed membership of the merged rows.
    used : ndarray of bool, shape (n_subsets, n_splits)
        Splits on the way, when repeats are not allowed; else no columns.
    totals : ndarray of shape (n_subsets, n_classes)
        Class weights of each subset.
    child : ndarray of int32, shape (n_subsets, n_splits, 2)
        Places of the zero-side and the one-side in the next level; empty at the last.
    """

    sets: np.ndarray
    used: np.ndarray
    totals: np.ndarray
    child: np.ndarray

    def __len__(self):
        return len(self.sets)


@dataclass(frozen=True)
class Graph:
    """Subsets of rows reached by any path of a space, down to two levels above leaves.

    Parameters
    ----------
    rows : Rows
        The merged rows.
    space : TreeSpace
        The trees.
    levels : tuple of Level
        One for each depth from the root to ``max(depth - 2, 0)``.
    """

    rows: object
    space: TreeSpace
    levels: tuple

    @property
    def bottom_depth(self):
        """Levels of splits below the last stored level: 0, 1 or 2."""
        return min(self.space.depth, 2)

    def node_weights(self, t, i):
        """Weights of the splits at one inner node; impossible splits get zero."""
        level = self.levels[t]
        weight = self.space.split_weights(level.used[i])
        if self.space.trivial:
            return weight
        filled = self.levels[t + 1].totals.any(axis=1)
        return np.where(filled[level.child[i]].all(axis=1), weight, 0.0)

    def batches(self, nodes, length=1):
        """Go through nodes of the last level, a few at a time.

        Parameters
        ----------
        nodes : ndarray of int
            Places in the last level; neighbours share most of their rows.
        length : int, default=1
            Coefficients of each polynomial that is made of them.

        Yields
        ------
        nodes : ndarray of int
            Some of them.
        place : ndarray of int
            Merged rows that any of these holds.
        inside : ndarray of bool, shape (n_nodes, n_rows)
            Which of the rows each holds.
        """
        sets, n_rows = self.levels[-1].sets, len(self.rows.bits)
        counts = 32 * self.space.n_classes * len(self.space.weight) ** 2
        strip = min(STRIP, length)  # of a product of polynomials
        step = max(BATCH_BYTES // max(counts, 8 * strip * (strip + length)), 1)
        for start in range(0, len(nodes), step):
            some = nodes[start : start + step]
            inside = np.unpackbits(sets[some], axis=1, count=n_rows).astype(bool)
            place = np.flatnonzero(inside.any(axis=0))
            yield some, place, inside[:, place]


def build_graph(rows, space):
    """Find the distinct subsets of rows at every level.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.

    Returns
    -------
    Graph
        Threshold splits meet often, so there are far fewer subsets than paths.
    """
    masks = np.packbits(np.ascontiguousarray(rows.bits.T), axis=1)
    whole = np.packbits(np.ones((1, len(rows.bits)), dtype=bool), axis=1)
    n_used = 0 if space.repeats else len(space.weight)
    sets, used = whole, np.zeros((1, n_used), dtype=bool)
    levels = []
    for _ in range(space.depth - 2):
        child, found, found_used = _children(sets, used, masks)
        levels.append(Level(sets, used, _totals(sets, rows), child))
        sets, used = found, found_used
    none = np.empty((len(sets), 0, 2), dtype=np.int32)
    levels.append(Level(sets, used, _totals(sets, rows), none))
    return Graph(rows, space, tuple(levels))


def _children(sets, used, masks):
    m, track = len(masks), used.shape[1] > 0
    child = np.empty((len(sets), m, 2), dtype=np.int32)
    place, found, found_used = {}, [], []
    for i, members in enumerate(sets):
        below = np.stack([members & ~masks, members & masks], axis=1)  # (m, 2, bytes)
        for side, j in np.ndindex(2, m):  # neighbours share rows: cuts are nested
            path = used[i]
            if track:
                path = path.copy()
                path[j] = True
            key = below[j, side].tobytes() + path.tobytes()
            at = place.setdefault(key, len(found))
            if at == len(found):
                found.append(below[j, side])
                found_used.append(path)
            child[i, j, side] = at
    return child, np.array(found), np.array(found_used)


def _totals(sets, rows, batch_size=1024):
    n = len(rows.bits)
    return np.concatenate(
        [
            np.unpackbits(sets[i : i + batch_size], axis=1, count=n) @ rows.weight
            for i in range(0, len(sets), batch_size)
        ]
    )


def members_of(level, i, n_rows):
    """Rows of one subset, as places among the merged rows."""
    return np.flatnonzero(np.unpackbits(level.sets[i], count=n_rows))
