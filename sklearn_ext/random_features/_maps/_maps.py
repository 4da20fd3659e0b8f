"""Feature maps: random neurons or waves, and whitened landmarks."""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from scipy import linalg, sparse

from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    dense,
    erf,
    float64,
    is_array,
    is_numpy,
    like,
    namespace,
    relu,
    to_numpy,
)
from sklearn_ext._numerics._random_features import (
    MAX_ORTHOGONAL,
    MIN_STRUCTURED,
    StructuredWeights,
    draw_phases,
    gaussian_weights,
    n_waves,
    waves,
)
from sklearn_ext.random_features._maps._kernels import STATIONARY, Kernel


@dataclass(frozen=True)
class RandomMap(ArrayHolder):
    """Random features ``phi(x)``; the mean of ``phi(x).phi(x')`` is the kernel."""

    kernel: Kernel
    n_components: int
    pair: bool  # cosine and sine of a wave rather than one cosine of random phase
    weights: np.ndarray  # (d, m)
    offset: np.ndarray | None  # (m,)
    tangents: np.ndarray | None = None  # (d, k - m), only of the tangent kernel

    def __call__(self, X):
        """Return the features, of shape (n_samples, n_components)."""
        P = _product(X, self.weights)
        if self.offset is not None:
            P += self.offset
        return _ACTIVATIONS[self.kernel.name](self, X, P)

    def with_dense_weights(self):
        """Form structured weights once, for sparse rows."""
        forms = {
            name: W.dense()
            for name in ("weights", "tangents")
            if isinstance(W := getattr(self, name), StructuredWeights)
        }
        return replace(self, **forms)


@dataclass(frozen=True)
class LandmarkMap(ArrayHolder):
    """Features ``L^-1 k(x, landmarks)`` with ``L L'`` the landmarks' kernel matrix."""

    kernel: Kernel
    landmarks: np.ndarray  # (m, d)
    factor: np.ndarray  # (m, m), lower triangular

    @property
    def n_components(self):
        """Number of landmarks."""
        return self.landmarks.shape[0]

    def __call__(self, X):
        """Return the features, of shape (n_samples, n_landmarks)."""
        K = self.kernel(X, self.landmarks)
        if is_numpy(K):
            Phi = linalg.solve_triangular(
                self.factor, K.T, lower=True, overwrite_b=True, check_finite=False
            ).T
            return Phi.astype(X.dtype, copy=False)
        xp = namespace(K)
        Phi = xp.linalg.solve(self.factor, xp.matrix_transpose(K)).T
        return xp.astype(Phi, X.dtype, copy=False)

    def like(self, x):
        """Return a copy for rows like ``x``; the factor stays in double precision."""
        factor = like(self.factor, float64(x[:1, ...]))
        return replace(self, landmarks=like(self.landmarks, x), factor=factor)


@dataclass(frozen=True)
class InfiniteMap(ArrayHolder):
    """Kernel values with the training rows: the features of the dual form."""

    kernel: Kernel
    rows: np.ndarray  # (n, d)

    @property
    def n_components(self):
        """Number of training rows."""
        return self.rows.shape[0]

    def __call__(self, X):
        """Return ``k(x, rows)``."""
        return self.kernel(X, self.rows)


@dataclass(frozen=True)
class UserMap(ArrayHolder):
    """The features of a transformer that the user supplied."""

    transformer: Any

    def __call__(self, X):
        """Return the transformer's output as a dense array that may be overwritten."""
        Phi = dense(self.transformer.transform(X))
        if hasattr(Phi, "to_numpy"):
            Phi = Phi.to_numpy()
        return Phi if Phi is not X and is_array(Phi) and _owned(Phi) else like(+Phi, X)


def _owned(Phi):
    return not isinstance(Phi, np.ndarray) or (
        Phi.base is None and Phi.flags.writeable and Phi.dtype.kind == "f"
    )


def draw_map(kernel, d, k, *, fourier, sampling, rng, sparse_rows=False):
    """Draw the weights of a random map; they depend on ``d``, ``k`` and ``rng`` only.

    Parameters
    ----------
    kernel : Kernel
        The kernel that the features approximate.
    d, k : int
        Number of columns of the data and of features.
    fourier : {"phase", "pair"}
        One cosine of random phase a wave, or its cosine and sine.
    sampling : {"auto", "iid", "orthogonal", "structured"}
        How the weights of different features depend on each other.
    sparse_rows : bool
        Whether the rows are sparse, which fast transforms would make dense.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    RandomMap
        The map, in double precision.
    """
    sampling = choose_sampling(kernel.name, d, sampling, sparse_rows)
    if kernel.name == "ntk":
        return _draw_tangent_map(kernel, d, k, sampling, rng)
    pair = kernel.name in STATIONARY and fourier == "pair"
    m = n_waves(k, pair=pair)
    if kernel.name == "laplacian":
        W = kernel.gamma * rng.standard_cauchy((d, m))
    else:
        W = gaussian_weights(d, m, sampling, rng) * _weight_scale(kernel, d, m, rng)
    if kernel.name in STATIONARY:
        offset = draw_phases(k, rng, pair=pair)
    else:
        offset = _draw_offset(kernel, m, rng)
    return RandomMap(kernel, k, pair, W, offset)


def choose_sampling(name, d, sampling, sparse_rows):
    """Return the sampling scheme for a kernel and a number of columns, or refuse it."""
    if name == "laplacian":
        if sampling in ("orthogonal", "structured"):
            raise ValueError(
                f"sampling={sampling!r} needs a rotation-invariant kernel, got "
                "kernel='laplacian'. Use sampling='iid' or 'auto'."
            )
        return "iid"
    if sampling == "structured" and d < MIN_STRUCTURED:
        raise ValueError(
            f"sampling='structured' needs at least {MIN_STRUCTURED} columns, got {d}: "
            "with fewer its weights are not close to Gaussian. Use 'orthogonal'."
        )
    if sampling == "auto" and d <= MAX_ORTHOGONAL:
        return "orthogonal"
    if sampling == "auto":
        return "iid" if sparse_rows else "structured"
    return sampling


def _weight_scale(kernel, d, m, rng):
    if kernel.name == "rbf":
        return sqrt(2 * kernel.gamma)
    if kernel.name == "matern":  # a Gaussian over a chi is Student: Matern's spectrum
        shrink = np.sqrt(rng.chisquare(2 * kernel.nu, size=m) / (2 * kernel.nu))
        return 1.0 / (kernel.length_scale * shrink)
    return 1.0 / sqrt(d)


def _draw_offset(kernel, m, rng):
    if kernel.name in ("relu", "ntk"):
        return kernel.bias_scale * rng.standard_normal(m)
    return None


def _draw_tangent_map(kernel, d, k, sampling, rng):
    if k < 2:
        raise ValueError(
            f"kernel='ntk' needs at least 2 components, got n_components={k}: one half "
            "of them are neurons, the other half their derivatives."
        )
    m = k - k // 2
    W = gaussian_weights(d, m, sampling, rng) * (1 / sqrt(d))
    offset = _draw_offset(kernel, m, rng)
    tangents = gaussian_weights(d, k // 2, sampling, rng) * (1 / sqrt(d))
    return RandomMap(kernel, k, False, W, offset, tangents)


def _product(X, W):
    if not isinstance(W, StructuredWeights):
        return X @ W
    return X @ W.dense() if sparse.issparse(X) else W.apply(X)


def _waves(fmap, X, P):
    return waves(P, fmap.n_components, pair=fmap.pair)


def _neurons(fmap, X, P):
    P = relu(P)
    P *= sqrt(2 / fmap.n_components)
    return P


def _steps(fmap, X, P):
    return namespace(P).astype(P > 0, P.dtype) * sqrt(2 / fmap.n_components)


def _squares(fmap, X, P):
    P = relu(P)
    P *= P
    P *= sqrt(2 / (3 * fmap.n_components))
    return P


def _errors(fmap, X, P):
    P = erf(P)
    P *= 1 / sqrt(fmap.n_components)
    return P


def _tangent(fmap, X, P):
    xp, k = namespace(P), fmap.n_components
    h = k // 2
    # the offset belongs to the neurons; the kernel's second term has none
    open_gates = xp.astype(P[:, :h] > fmap.offset[:h], P.dtype)
    slopes = _product(X, fmap.tangents) * open_gates * sqrt(2 / h)
    return xp.concat([relu(P) * sqrt(2 / (k - h)), slopes], axis=1)


_ACTIVATIONS = {
    **dict.fromkeys(STATIONARY, _waves),
    "relu": _neurons,
    "step": _steps,
    "relu2": _squares,
    "erf": _errors,
    "ntk": _tangent,
}


def choose_landmarks(X, m, rng):
    """Draw ``m`` different rows, all of them if there are no more, dense."""
    rows = rng.permutation(X.shape[0])[:m]
    if sparse.issparse(X):
        return X.tocsr()[rows].toarray()
    if is_numpy(X):
        return X[rows]
    xp = namespace(X)
    return xp.take(X, like(rows, X, dtype=xp.int64), axis=0)


def whiten_landmarks(kernel, landmarks):
    """Return the map of these landmarks.

    The kernel matrix gets the smallest jitter that lets Cholesky succeed: about the
    rounding of its own trace, tenfold until it is enough (equal rows need it).
    """
    K = to_numpy(kernel(landmarks)).astype(np.float64)
    diagonal = np.diagonal(K).copy()
    jitter = np.finfo(float).eps * max(diagonal.sum(), np.finfo(float).tiny)
    while True:
        np.fill_diagonal(K, diagonal + jitter)
        try:
            L = linalg.cholesky(K, lower=True, check_finite=False)
            return LandmarkMap(kernel, landmarks, like(L, float64(landmarks[:1, ...])))
        except linalg.LinAlgError:
            jitter *= 10.0
