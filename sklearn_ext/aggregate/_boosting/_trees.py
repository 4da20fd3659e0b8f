"""Complete binary trees on binned features, grown level by level from histograms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TIE = 1e-10  # of gains: what rounding, or another processor, may change


@dataclass(frozen=True)
class Bins:
    """Upper edges of the bins: ``x <= edges[b]`` lies in bin b or below."""

    edges: tuple  # one array per feature

    @classmethod
    def of(cls, X, weights, max_bins: int) -> Bins:
        """Cut between all values, or at weighted quantiles when there are many."""
        return cls(tuple(_edges(x, weights, max_bins) for x in X.T))

    @property
    def width(self) -> int:
        """Number of bins of the feature that has most."""
        return 1 + max(len(edges) for edges in self.edges)

    def flat(self, X):
        """Return ``feature * width + bin``, (n_samples, n_features)."""
        codes = np.empty(X.shape, dtype=np.intp)
        for j, edges in enumerate(self.edges):
            codes[:, j] = np.searchsorted(edges, X[:, j], side="left") + j * self.width
        return codes


def _edges(x, weights, max_bins):
    values, codes = np.unique(x, return_inverse=True)
    middle = values[:-1] + np.diff(values) / 2
    if len(values) <= max_bins:
        return middle
    mass = np.cumsum(np.bincount(codes, weights))
    cuts = np.searchsorted(mass, np.arange(1, max_bins) / max_bins * mass[-1])
    return middle[np.unique(np.minimum(cuts, len(middle) - 1))]


@dataclass(frozen=True)
class Tree:
    """Splits of a complete tree; a node that is not split sends all rows left."""

    feature: np.ndarray  # (2 ** depth - 1,)
    threshold: np.ndarray  # (2 ** depth - 1,), +inf where there is no split


def grow(flat, residuals, weights, bins: Bins, *, depth, least, l2, rows=slice(None)):
    """Grow a tree on weighted residuals; return it and the leaf of every row.

    ``rows`` limits the histograms to some of the rows. Of two siblings only the
    lighter is summed; the other is the difference to the parent.
    """
    n_features, width = flat.shape[1], bins.width
    feature = np.zeros(2**depth - 1, dtype=np.int32)
    threshold = np.full(2**depth - 1, np.inf)
    node = np.zeros(len(flat), dtype=np.intp)
    inside, values = flat[rows], np.array([weights * residuals, weights])[:, rows]
    hist = None
    for level in range(depth):
        size = n_features * width
        hist = _histograms(inside, node[rows], values, 2**level, size, hist)
        shaped = hist.reshape(2, 2**level, n_features, width)
        best, gain = _best_splits(shaped, least, l2)
        first, split = 2**level - 1, gain > 0
        feature[first : first + 2**level] = best // width
        cut = np.where(split, best % width, width - 1)
        for a in np.flatnonzero(split):
            threshold[first + a] = bins.edges[best[a] // width][cut[a]]
        column = feature[first + node]
        reached = flat[np.arange(len(flat)), column] - column * width
        node = 2 * node + (reached > cut[node])
        if not split.any():
            return Tree(feature, threshold), node << (depth - level - 1)
    return Tree(feature, threshold), node


def _histograms(flat, node, values, n_nodes, size, parent):
    """Return sums of moments and masses, (2, n_nodes, n_features * width)."""
    if parent is None:
        return _sums(flat, node, values, n_nodes, size)
    weight = np.bincount(node, values[1], minlength=n_nodes).reshape(-1, 2)
    lighter = 2 * np.arange(len(weight)) + (weight[:, 1] < weight[:, 0])
    rows = np.flatnonzero(node == lighter[node // 2])
    half = _sums(flat[rows], node[rows] // 2, values[:, rows], n_nodes // 2, size)
    hist = np.empty((2, n_nodes, size))
    hist[:, lighter] = half
    hist[:, lighter ^ 1] = parent - half
    return hist


def _sums(flat, node, values, n_nodes, size):
    n_features, total = flat.shape[1], n_nodes * size
    where = (flat + (node * size)[:, None]).ravel()
    sums = [np.bincount(where, np.repeat(v, n_features), total) for v in values]
    return np.array(sums).reshape(2, n_nodes, size)


def _best_splits(hist, least, l2):
    """Return the best ``feature * width + bin`` of each node and its gain.

    Of splits that are equal but for rounding, as those of a column and its mirror
    image, the first is taken.
    """
    moment, mass = np.cumsum(hist, axis=-1)  # (n_nodes, n_features, width)
    all_moment, all_mass = moment[..., -1:], mass[..., -1:]
    right_mass = all_mass - mass
    score = moment**2 / np.maximum(mass + l2, 1e-12)
    score += (all_moment - moment) ** 2 / np.maximum(right_mass + l2, 1e-12)
    score -= all_moment**2 / np.maximum(all_mass + l2, 1e-12)
    allowed = least - 1e-9
    score[(mass < allowed) | (right_mass < allowed)] = -np.inf
    score = score.reshape(len(score), -1)
    gain = score.max(axis=1)
    size = all_moment[:, 0, 0] ** 2 / np.maximum(all_mass[:, 0, 0], 1e-12)
    with np.errstate(invalid="ignore"):  # no split is allowed: all are minus infinity
        best = np.argmax(score >= (gain - _TIE * (gain + size))[:, None], axis=1)
    noise = 1e-12 * size
    return best, np.where(gain > noise, gain, 0.0)


def leaves(X, feature, threshold):
    """Return the leaf of each row of raw features."""
    node = np.zeros(len(X), dtype=np.intp)
    rows, first = np.arange(len(X)), 0
    while first < len(feature):
        at = first + node
        node = 2 * node + (X[rows, feature[at]] > threshold[at])
        first = 2 * first + 1
    return node
