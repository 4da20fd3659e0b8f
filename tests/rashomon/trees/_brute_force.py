"""Every tree of a small space, one by one: the oracle of the tree tests."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Enumerated:
    """All labelled trees: prior mass, predictions, numbers of leaves, root split."""

    mass: np.ndarray
    labels: np.ndarray
    leaves: np.ndarray
    root: np.ndarray

    def losses(self, y, w):
        """Weighted errors of every tree."""
        return (self.labels != y) @ w


def full_trees(bits, n_classes, depth, prior=None, *, repeats=True, used=()):
    """Enumerate complete trees; predictions on the rows of ``bits``."""
    n, m = bits.shape
    prior = np.full(m, 1 / m) if prior is None else prior
    if depth == 0:
        labels = np.repeat(np.arange(n_classes)[:, None], n, axis=1)
        ones = np.ones(n_classes)
        return Enumerated(ones / n_classes, labels, ones, np.full(n_classes, -1))
    free = [j for j in range(m) if repeats or j not in used]
    total = sum(prior[j] for j in free)
    parts = []
    for j in free:
        below = full_trees(
            bits, n_classes, depth - 1, prior, repeats=repeats, used=(*used, j)
        )
        parts.append(_join(bits[:, j], below, below, prior[j] / total, j))
    return _stack(parts)


def sparse_trees(bits, n_classes, depth, *, trivial=True, rows=None):
    """Enumerate trees whose nodes are leaves or splits, each with mass one."""
    n, m = bits.shape
    rows = np.ones(n, dtype=bool) if rows is None else rows
    labels = np.repeat(np.arange(n_classes)[:, None], n, axis=1)
    ones = np.ones(n_classes)
    parts = [Enumerated(ones, labels, ones, np.full(n_classes, -1))]
    for j in range(m if depth else 0):
        one, zero = rows & bits[:, j], rows & ~bits[:, j]
        if trivial or (one.any() and zero.any()):
            a = sparse_trees(bits, n_classes, depth - 1, trivial=trivial, rows=one)
            b = sparse_trees(bits, n_classes, depth - 1, trivial=trivial, rows=zero)
            parts.append(_join(bits[:, j], a, b, 1.0, j))
    return _stack(parts)


def _join(bit, one, zero, mass, split):
    labels = np.where(bit, one.labels[:, None, :], zero.labels[None, :, :])
    size = len(one.mass) * len(zero.mass)
    return Enumerated(
        (mass * one.mass[:, None] * zero.mass).reshape(size),
        labels.reshape(size, len(bit)),
        (one.leaves[:, None] + zero.leaves).reshape(size),
        np.full(size, split),
    )


def _stack(parts):
    return Enumerated(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("mass", "labels", "leaves", "root")
        )
    )
