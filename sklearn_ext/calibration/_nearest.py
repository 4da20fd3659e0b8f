"""The nearest rows: exactly among few, through cells among many."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

MANY = 20_000  # rows from which cells pay
MOST_SPARSE = 50_000  # sparse rows that are searched; cells need dense ones
N_PROBES = 8  # cells that are searched for a query
CELLS_A_ROOT = 2  # cells per square root of the rows


@dataclass(frozen=True)
class Cells:
    """Rows sorted by the centre next to them, searched in the cells near a query.

    The answer is approximate: a near row in a cell further away is missed. The cost of
    a query grows with the square root of the rows.
    """

    mean: np.ndarray  # (n_features,)
    centres: NearestNeighbors
    rows: np.ndarray  # (n_rows, n_features), sorted by cell
    place: np.ndarray  # (n_rows,), where each was
    start: np.ndarray  # (n_cells + 1,)

    @classmethod
    def of(cls, X):
        """Deal rows, in random order, to cells: the first ones are their seeds."""
        mean = X.mean(axis=0)
        X = X - mean  # far from zero the squared distances would cancel
        n_cells = int(CELLS_A_ROOT * len(X) ** 0.5)
        cell = _closest(X[:n_cells], X)
        size = np.bincount(cell, minlength=n_cells)[:, None]
        order = np.argsort(cell, kind="stable")
        start = np.concatenate([[0], np.cumsum(size)])
        # no cell is empty: each holds its seed, or one equal to it
        kept = np.flatnonzero(size[:, 0])
        means = np.add.reduceat(X[order], start[:-1][kept]) / size[kept]
        cell = _closest(means, X)
        order = np.argsort(cell, kind="stable")
        size = np.bincount(cell, minlength=len(means))
        start = np.concatenate([[0], np.cumsum(size)])
        centres = NearestNeighbors(algorithm="brute").fit(means)
        return cls(mean, centres, X[order], order, start)

    def kneighbors(self, X, k):
        """Return distances and places of about the k nearest rows, ascending.

        Parameters
        ----------
        X : ndarray of shape (n_queries, n_features)
            Queries.
        k : int
            Rows wanted.

        Returns
        -------
        distance, place : ndarray of shape (n_queries, k)
            Infinite distances where the cells hold fewer.
        """
        X = X - self.mean
        n_probes = min(N_PROBES, len(self.start) - 1)
        probed = self.centres.kneighbors(X, n_probes, return_distance=False).ravel()
        order = np.argsort(probed, kind="stable")
        bounds = np.searchsorted(probed[order], np.arange(len(self.start)))
        shape = len(X) * n_probes, k
        distance, place = np.full(shape, np.inf), np.zeros(shape, dtype=np.intp)
        for cell in np.flatnonzero(np.diff(bounds)):
            asked = order[bounds[cell] : bounds[cell + 1]]
            here = slice(self.start[cell], self.start[cell + 1])
            rows = self.rows[here]
            found = min(k, len(rows))
            if found == 0:
                continue
            squared = _squared(X[asked // n_probes], rows)
            near = np.argpartition(squared, found - 1, axis=1)[:, :found]
            distance[asked, :found] = np.take_along_axis(squared, near, axis=1)
            place[asked, :found] = self.place[here][near]
        distance, place = (part.reshape(len(X), -1) for part in (distance, place))
        near = np.argpartition(distance, k - 1, axis=1)[:, :k]
        distance, place = (
            np.take_along_axis(part, near, axis=1) for part in (distance, place)
        )
        by_distance = np.argsort(distance, axis=1, kind="stable")
        distance, place = (
            np.take_along_axis(part, by_distance, axis=1) for part in (distance, place)
        )
        return np.sqrt(distance), place


def _squared(queries, rows):
    cross = queries @ rows.T
    cross *= -2
    cross += np.einsum("ij,ij->i", rows, rows)
    cross += np.einsum("ij,ij->i", queries, queries)[:, None]
    return np.maximum(cross, 0, out=cross)


def _closest(centres, X):
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(centres)
    return search.kneighbors(X, return_distance=False)[:, 0]


def search_in(X):
    """Return what finds the nearest of rows: ``kneighbors(queries, k)``.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_features)
        Rows in random order.

    Returns
    -------
    NearestNeighbors or Cells
        A tree where there are a handful of columns, all distances where there are few
        rows, else cells. Of many sparse rows the first ones are searched.
    """
    if sparse.issparse(X):
        return NearestNeighbors(algorithm="brute").fit(X[:MOST_SPARSE])
    if X.shape[1] <= 5:
        return NearestNeighbors(algorithm="kd_tree").fit(X)
    if len(X) < MANY:
        return NearestNeighbors(algorithm="brute").fit(X)
    return Cells.of(X)
