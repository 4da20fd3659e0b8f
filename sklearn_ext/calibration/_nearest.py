"""The nearest rows: exactly among few, through cells among many."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from sklearn_ext._numerics._arrays import blocks

MANY = 5_000  # dense rows from which cells pay
MOST_SPARSE = 50_000  # sparse rows that are searched; cells need dense ones
N_PROBES = 8  # cells that are searched for a query
CELLS_A_ROOT = 2  # cells per square root of the rows
SEEDED = 16  # rows a cell, from which its centre is computed
QUERIES = 4_096  # queries at a time


@dataclass(frozen=True)
class Cells:
    """Rows sorted by the centre next to them, searched in the cells near a query.

    The answer is approximate: a near row in a cell further away is missed. The cost of
    a query grows with the square root of the rows. Candidates are compared in single
    precision, with the square of a row beside it so that one product gives the order;
    the distances of those that are kept are exact.
    """

    mean: np.ndarray  # (n_features,)
    centres: np.ndarray  # (n_cells, n_features + 1), single precision
    rows: np.ndarray  # (n_rows, n_features + 1), single precision, sorted by cell
    exact: np.ndarray  # (n_rows, n_features), the same about their mean
    place: np.ndarray  # (n_rows,), where each was
    start: np.ndarray  # (n_cells + 1,)

    @classmethod
    def of(cls, X):
        """Deal rows, in random order, to cells: the first ones are their seeds."""
        mean = X.mean(axis=0)
        X = X - mean  # far from zero the squared distances would cancel
        n_cells = int(CELLS_A_ROOT * len(X) ** 0.5)
        some = X[: SEEDED * n_cells]
        order, start = _sorted_by(_closest(_with_squares(X[:n_cells]), some), n_cells)
        size = np.diff(start)
        kept = size > 0
        sums = np.add.reduceat(some[order], start[:-1][kept])
        centres = _with_squares(sums / size[kept, None])
        order, start = _sorted_by(_closest(centres, X), len(centres))
        return cls(mean, centres, _with_squares(X[order]), X[order], order, start)

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
        cuts = blocks(len(X), QUERIES)
        parts = [self._kneighbors(X[some] - self.mean, k) for some in cuts]
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _kneighbors(self, X, k):
        asked = _with_ones(X)
        found, squared = self._candidates(asked, k)
        best = np.argpartition(squared, k - 1, axis=1)[:, :k]
        missing = np.isinf(np.take_along_axis(squared, best, axis=1))
        found = np.take_along_axis(found, best, axis=1)
        away = self.exact[found]
        away -= X[:, None]
        distance = np.sqrt(np.einsum("ijk,ijk->ij", away, away))
        distance[missing] = np.inf
        order = np.argsort(distance, axis=1, kind="stable")
        place = self.place[np.take_along_axis(found, order, axis=1)]
        return np.take_along_axis(distance, order, axis=1), place

    def _candidates(self, asked, k):
        """Return the k best of each cell near a query, side by side."""
        n_cells = len(self.centres)
        n_probes = min(N_PROBES, n_cells)
        to_centres = asked @ self.centres.T
        probed = np.argpartition(to_centres, n_probes - 1, axis=1)[:, :n_probes]
        order, start = _sorted_by(probed.ravel(), n_cells)
        shape = len(order), k
        squared = np.full(shape, np.inf, dtype=np.float32)
        found = np.zeros(shape, dtype=np.intp)
        for cell in np.flatnonzero(np.diff(start)):
            slots = order[start[cell] : start[cell + 1]]
            first, last = self.start[cell : cell + 2]
            here = asked[slots // n_probes] @ self.rows[first:last].T
            if last - first <= k:
                squared[slots, : last - first] = here
                found[slots, : last - first] = np.arange(first, last)
                continue
            near = np.argpartition(here, k - 1, axis=1)[:, :k]
            squared[slots] = np.take_along_axis(here, near, axis=1)
            found[slots] = first + near
        shape = len(asked), n_probes * k
        return found.reshape(shape), squared.reshape(shape)


def _with_squares(rows):
    """Rows with their squares: of a product with `_with_ones`, distance's order."""
    squares = np.einsum("ij,ij->i", rows, rows)
    return np.column_stack([rows, squares]).astype(np.float32)


def _with_ones(queries):
    ones = np.ones(len(queries))
    return np.column_stack([-2 * queries, ones]).astype(np.float32)


def _closest(centres, X):
    closest = np.empty(len(X), dtype=np.intp)
    for some in blocks(len(X), QUERIES):
        closest[some] = (_with_ones(X[some]) @ centres.T).argmin(axis=1)
    return closest


def _sorted_by(cell, n_cells):
    order = np.argsort(cell, kind="stable")
    size = np.bincount(cell, minlength=n_cells)
    return order, np.concatenate([[0], np.cumsum(size)])


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
