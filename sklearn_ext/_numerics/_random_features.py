"""Random Fourier features, the weights of any random map, and the rule "scale".

Waves of random frequencies, drawn from a kernel's spectrum, are features whose products
tend to the kernel: ``waves(X @ W + draw_phases(k, rng), k)``. For ``exp(-gamma |x -
y|^2)`` the frequencies are `gaussian_weights` times ``sqrt(2 gamma)``.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import hadamard

from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    cos,
    device_of,
    float64,
    like,
    namespace,
    rounding,
)

MAX_ORTHOGONAL = 256  # columns up to which "auto" draws orthogonal blocks
MIN_STRUCTURED = 64  # below, the weights are visibly not Gaussian
CACHED_ROWS = 256  # transformed at a time


def gaussian_weights(d, k, sampling, rng):
    """Draw ``k`` columns of weights that are standard normal, each on its own.

    Parameters
    ----------
    d, k : int
        Rows and columns.
    sampling : {"iid", "orthogonal", "structured"}
        How the columns depend on each other.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    ndarray of shape (d, k) or StructuredWeights
        The weights.
    """
    if sampling == "iid":
        return rng.standard_normal((d, k))
    if sampling == "orthogonal":
        return _orthogonal(d, k, rng)
    return StructuredWeights.draw(d, k, rng)


def _orthogonal(d, k, rng):
    n_blocks = -(-k // d)
    Q, R = np.linalg.qr(rng.standard_normal((n_blocks, d, d)))
    signs = np.sign(np.diagonal(R, axis1=1, axis2=2))  # makes Q uniform over rotations
    Q = Q * signs[:, None, :]
    W = np.moveaxis(Q, 0, 1).reshape(d, n_blocks * d)[:, :k]
    return W * np.sqrt(rng.chisquare(d, size=k))


@dataclass(frozen=True)
class StructuredWeights(ArrayHolder):
    """Weights ``sqrt(p) H D1 H D2 H D3`` a block, never formed: p log p per row.

    ``H`` is the orthonormal Hadamard matrix of size ``p``, the next power of two, the
    ``D`` are random signs. ``H`` factors into two small Hadamard matrices, so that one
    transform is two matrix products.
    """

    signs: np.ndarray  # (n_blocks, 3, p)
    scale: np.ndarray  # (k,)
    left: np.ndarray  # (a, a)
    right: np.ndarray  # (b, b), a * b = p
    n_rows: int
    n_columns: int

    @classmethod
    def draw(cls, d, k, rng):
        """Draw the signs for ``k`` columns in ``d`` dimensions."""
        power = max(1, (d - 1).bit_length())
        p, a = 2**power, 2 ** ((power + 1) // 2)
        signs = rng.choice([-1.0, 1.0], size=(-(-k // p), 3, p))
        factors = (hadamard(m) / np.sqrt(m) for m in (a, p // a))
        return cls(signs, np.full(k, np.sqrt(p)), *factors, d, k)

    @property
    def shape(self):
        """Rows and columns of the weights."""
        return self.n_rows, self.n_columns

    def __mul__(self, scale):
        """Scale the columns."""
        scale = np.broadcast_to(scale, self.scale.shape)
        return StructuredWeights(
            self.signs,
            self.scale * scale,
            self.left,
            self.right,
            self.n_rows,
            self.n_columns,
        )

    def apply(self, X):
        """Return ``X @ W``, some rows at a time: transforms stay in the cache."""
        xp, n = namespace(X), X.shape[0]
        device = device_of(X)
        out = xp.empty((n, self.n_columns), dtype=X.dtype, device=device)
        for start in range(0, n, CACHED_ROWS):
            rows = slice(start, start + CACHED_ROWS)
            self._apply(X[rows, :], out[rows, :])
        return out

    def _apply(self, X, out):
        xp, (n, d) = namespace(X), X.shape
        a, b = self.left.shape[0], self.right.shape[0]
        if a * b > d:
            X = xp.concat([X, like(np.zeros((n, a * b - d)), X)], axis=1)
        X, p = xp.reshape(X, (n, a, b)), a * b
        for i in range(self.signs.shape[0]):
            m = min(p, self.n_columns - i * p)
            scale = self.scale[i * p : i * p + m]
            block = self._block(X, self.signs[i, :, :])
            out[:, i * p : i * p + m] = block[:, :m] * scale

    def _block(self, X, signs):
        xp, (n, a, b) = namespace(X), X.shape
        factors = {a: self.left, b: self.right}
        for sign in _each(signs):
            rows, columns = X.shape[1:]
            X = X * xp.reshape(sign, (1, rows, columns))
            X = xp.reshape(X, (n * rows, columns)) @ factors[columns]
            X = xp.permute_dims(xp.reshape(X, (n, rows, columns)), (0, 2, 1))
            X = xp.reshape(X, (n * columns, rows)) @ factors[rows]
            X = xp.reshape(X, (n, columns, rows))
        return xp.reshape(X, (n, a * b))

    def dense(self):
        """Form the weights, of shape (n_rows, n_columns), for sparse rows.

        The transposed transform of unit vectors: its memory is that of the result.
        """
        xp, p, left = namespace(self.scale), self.signs.shape[2], self.n_columns
        columns = []
        for signs in _each(self.signs):
            m = min(p, left)
            E = like(np.eye(m, p), self.scale)
            columns.append(self._transposed(E, signs)[:, : self.n_rows])
            left -= m
        return xp.concat(columns, axis=0).T * self.scale

    def _transposed(self, E, signs):
        xp, (a, b) = namespace(E), (self.left.shape[0], self.right.shape[0])
        factors, m = {a: self.left, b: self.right}, E.shape[0]
        rows, columns = (a, b)
        E = xp.reshape(E, (m, columns, rows))  # three transforms swap the axes thrice
        for i in reversed(range(signs.shape[0])):
            E = xp.reshape(E, (m * columns, rows)) @ factors[rows]
            E = xp.permute_dims(xp.reshape(E, (m, columns, rows)), (0, 2, 1))
            E = xp.reshape(E, (m * rows, columns)) @ factors[columns]
            E = xp.reshape(E, (m, rows, columns))
            E = E * xp.reshape(signs[i, :], (1, rows, columns))
            rows, columns = columns, rows
        return xp.reshape(E, (m, a * b))


def _each(stack):
    return (stack[i, ...] for i in range(stack.shape[0]))


def n_waves(k, *, pair=False):
    """Return how many waves ``k`` features need."""
    return k // 2 + k % 2 if pair else k


def draw_phases(k, rng, *, pair=False):
    """Draw the phases of `n_waves` waves.

    Parameters
    ----------
    k : int
        Number of features.
    rng : RandomState
        Source of randomness.
    pair : bool, default=False
        Whether a wave gives its cosine and its sine, which need no phase; an odd
        feature is one more wave, with a random phase.

    Returns
    -------
    ndarray
        The phases.
    """
    phases = rng.uniform(0, 2 * np.pi, size=n_waves(k, pair=pair))
    if pair:
        phases[: k // 2] = 0.0
    return phases


def waves(P, k, *, pair=False):
    """Return features ``sqrt(2 / k) cos(P)``, and sines of the first half of pairs.

    Parameters
    ----------
    P : array of shape (n_samples, n_waves)
        Products of rows and frequencies, the phases added; may be overwritten.
    k : int
        Number of features.
    pair : bool, default=False
        Whether a wave gives its cosine and its sine.

    Returns
    -------
    array of shape (n_samples, k)
        The features.
    """
    xp, h = namespace(P), k // 2
    if pair:
        P = xp.concat([P, P[:, :h]], axis=1)
        start = P.shape[1] - h
        P[:, start:] -= np.pi / 2  # sin(p) = cos(p - pi/2): one pass over all columns
    P = cos(P)
    P *= (2 / k) ** 0.5
    return P


def scale_gamma(X, w):
    """Return ``1 / (n_features * variance)`` over all weighted entries of ``X``.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Dense or sparse rows.
    w : array of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    float
        The rule ``gamma="scale"``; 1.0 where all entries are equal.
    """
    xp, d = namespace(X), X.shape[1]
    relative = rounding_of_means(X)
    X, w = float64(X), float64(w)
    total = float(xp.sum(w)) * d
    if sparse.issparse(X):
        mean = float((w @ X).sum()) / total
        square = float((w @ X.multiply(X)).sum()) / total
        # a difference of squares: its noise is theirs
        variance, noise = square - mean**2, relative * square
    else:
        mean = float(xp.sum(w @ X)) / total
        variance = float(xp.sum(w @ (X - mean) ** 2)) / total
        noise = (relative * mean) ** 2
    return 1.0 / (d * variance) if variance > noise else 1.0


def rounding_of_means(X):
    """Return the relative error of a mean in double precision, or of what it is of."""
    return max(X.shape[0] * 2.3e-16, rounding(X))
