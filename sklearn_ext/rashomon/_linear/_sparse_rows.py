"""Sparse rows that are centred, scaled and given a constant without becoming dense."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from sklearn_ext._numerics._arrays import blocks, near_zero

BLOCK = 2**21  # entries of a table of outer products of rows
TINY = 1e-290  # a smaller column has no inverse


@dataclass(frozen=True)
class SparseRows:
    """The matrix ``S + left right'``: a sparse one and one of rank one.

    It stands in for a dense matrix wherever only products are asked for: ``A @ rows``,
    ``rows @ A`` and ``A @ rows.T`` cost as much as the stored entries.

    Parameters
    ----------
    S : sparse array of shape (n_rows, n_dims)
        The sparse part, in compressed rows.
    left : ndarray of shape (n_rows,)
        What the rest of each row is multiplied with.
    right : ndarray of shape (n_dims,)
        The rest.
    """

    S: sparse.sparray
    left: np.ndarray
    right: np.ndarray

    __array_ufunc__ = None  # numpy then leaves ``array @ rows`` to us

    @property
    def shape(self):
        """Numbers of rows and of dimensions."""
        return self.S.shape

    @property
    def T(self):
        """The transposed matrix."""
        return SparseRows(self.S.T, self.right, self.left)

    def __len__(self):
        return self.S.shape[0]

    def __matmul__(self, A):
        return self.S @ A + np.multiply.outer(self.left, self.right @ A)

    def __rmatmul__(self, A):
        return (self.T @ A.T).T

    def gram(self, weight):
        """Weighted sum of outer products of the rows: (n_dims, n_dims)."""
        S = self.S
        side = np.outer(S.T @ (weight * self.left), self.right)
        weighted = S.copy()
        weighted.data = S.data * np.repeat(weight, np.diff(S.indptr))
        both = (S.T @ weighted).toarray()
        both += side + side.T
        return both + (weight @ self.left**2) * np.outer(self.right, self.right)


def gram(rows, weight):
    """Weighted sum of outer products of dense or sparse rows."""
    if isinstance(rows, SparseRows):
        return rows.gram(weight)
    return (rows.T * weight) @ rows


def make_rows(X, centre, scale=None, *, sign=None, constant=True):
    """Rows ``sign * [(X - centre) / scale, 1]``.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_rows, n_features)
        Features.
    centre : ndarray of shape (n_features,)
        What is taken off each column.
    scale : ndarray of shape (n_features,) or None, default=None
        What each column is divided by; None divides by one.
    sign : ndarray of shape (n_rows,) or None, default=None
        Factor of each row; None is one.
    constant : bool, default=True
        Whether a column of ones follows the features.

    Returns
    -------
    ndarray or SparseRows of shape (n_rows, n_features + constant)
        Sparse when ``X`` is.
    """
    n, p = X.shape
    scale = np.ones(p) if scale is None else scale
    sign = np.ones(n) if sign is None else sign
    if not sparse.issparse(X):
        X = (X - centre) / scale
        return (np.c_[X, np.ones(n)] if constant else X) * sign[:, None]
    X, pivot = near_zero(X)
    S = sparse.csr_array(X) * sign[:, None] * (1 / scale)
    right = (pivot - centre) / scale
    if constant:
        S = sparse.hstack([S, sparse.csr_array((n, 1))])
        right = np.append(right, 1.0)
    return SparseRows(S.tocsr(), sign, right)


def deviations(X, centre, weight):
    """Root of the weighted mean square of each column about a centre.

    Columns of any size are brought near one first, since squares over- and underflow.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_rows, n_features)
        Features.
    centre : ndarray of shape (n_features,)
        What is taken off each column.
    weight : ndarray of shape (n_rows,)
        Weights of the rows, of sum one.

    Returns
    -------
    ndarray of shape (n_features,)
        The deviations.
    """
    if not sparse.issparse(X):
        away = X - centre
        top = np.maximum(abs(away).max(axis=0), TINY)
        return top * np.sqrt(weight @ (away / top) ** 2)
    top = np.maximum(abs(X).max(axis=0).toarray().ravel(), abs(centre))
    top = np.maximum(top, TINY)
    scaled = (sparse.csr_array(X) * (1 / top)).tocsr()
    mean, variance = mean_variance_axis(scaled, axis=0, weights=weight)
    return top * np.hypot(np.sqrt(variance), mean - centre / top)


def grams(rows, weights):
    """Grams for several weights of the rows: (n_weights, n_dims, n_dims)."""
    if isinstance(rows, SparseRows):
        return np.stack([rows.gram(weight) for weight in weights])
    n, p = rows.shape
    total = np.zeros((len(weights), p * p))
    for part in blocks(n, max(BLOCK // (p * p), 1)):
        outer = rows[part, :, None] * rows[part, None, :]
        total += weights[:, part] @ outer.reshape(len(outer), -1)
    return total.reshape(-1, p, p)
