"""From scaled rows to features: random neurons or waves, landmarks, a kernel."""

from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import product
from math import sqrt
from numbers import Real
from typing import Any

import joblib
import numpy as np
from scipy import linalg, sparse
from sklearn.utils import check_random_state

from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    dense,
    erf,
    float64,
    is_array,
    like,
    namespace,
    relu,
    single,
    take_rows,
    to_numpy,
)
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._factors import solve_lower
from sklearn_ext._numerics._random_features import (
    MAX_ORTHOGONAL,
    MIN_STRUCTURED,
    StructuredWeights,
    draw_phases,
    gaussian_weights,
    n_waves,
    scale_gamma,
    waves,
)
from sklearn_ext.random_features._kernels import KERNELS, STATIONARY, Kernel

FAR = 64  # deviations of all columns that their means may lie from zero
MANY_ROWS = 20_000  # beyond, the kernel matrix alone takes gigabytes

# shares of the rule "scale" for gamma="auto": one that needs no search, and a search
LAPLACIAN, SEARCHED = 0.3, (0.01, 0.03, 0.1, 0.3, 1.0)
RULES = {"auto", "scale"}

MAP_CONSTRAINTS = {
    "kernel": [StrOptions(set(KERNELS))],
    "map": [StrOptions({"auto", "random", "landmarks"})],
    "fourier": [StrOptions({"phase", "pair"})],
    "sampling": [StrOptions({"auto", "iid", "orthogonal", "structured"})],
    "gamma": [StrOptions(RULES), Interval(Real, 0, None, closed="neither")],
    "nu": [Interval(Real, 0, None, closed="neither")],
    "length_scale": [StrOptions(RULES), Interval(Real, 0, None, closed="neither")],
    "bias_scale": [Interval(Real, 0, None, closed="left")],
    "random_state": ["random_state"],
}


def is_blurred_by_means(X, w):
    """Whether single precision would blur the rows' differences by what they share."""
    if not single(X):
        return False
    xp = namespace(X)
    w = xp.astype(w, X.dtype)
    w = w / xp.sum(w)
    mean = w @ X  # single precision tells the two sides of a comparison apart
    squares = X.multiply(X).sum(axis=1) if sparse.issparse(X) else xp.sum(X * X, axis=1)
    shared = float(mean @ mean)
    return shared > FAR**2 * (float(w @ squares) - shared)


@dataclass(frozen=True)
class Features(ArrayHolder):
    """Scaling and map: rows in, features out."""

    scaler: ArrayHolder | None
    map: ArrayHolder
    double: bool = False  # whether rows in single precision need double precision

    def __call__(self, X):
        """Return the features, of shape (n_samples, n_components)."""
        X = X if self.scaler is None else self.scaler(X)
        return self.map(float64(X) if self.double else X)

    def like(self, x):
        """Return a copy in the namespace, device and precision for rows like ``x``."""
        wide = float64(x[:1, ...])
        scaler = None if self.scaler is None else self.scaler.like(wide)
        return Features(scaler, self.map.like(wide if self.double else x), self.double)

    def in_single(self):
        """Return what two maps of rows in single precision have in common.

        Which of them needs double precision may hang on the rows that each has seen.
        """
        if not self.double:
            return self
        narrow = self.map.convert(
            lambda v: namespace(v).astype(v, namespace(v).float32)
        )
        return Features(self.scaler, narrow)

    def width(self, X):
        """Return the number of features."""
        if isinstance(self.map, UserMap):
            return self(X[:1]).shape[1]
        return self.map.n_components


def same(one, two):
    """Whether two holders of arrays are equal in every field."""
    if type(one) is not type(two):
        return False
    if isinstance(one, UserMap):
        return joblib.hash(one.transformer) == joblib.hash(two.transformer)
    if isinstance(one, ArrayHolder):
        names = (field.name for field in fields(one))
        return all(same(getattr(one, name), getattr(two, name)) for name in names)
    if is_array(one):
        return np.array_equal(to_numpy(one), to_numpy(two))
    return one == two


def warn_of_memory(n):
    """Warn before a kernel matrix of many rows is allocated."""
    if n > MANY_ROWS:
        warn(
            f"n_components='infinite' with {n} rows needs at least "
            f"{8 * n**2 / 2**30:.1f} GiB for the kernel matrix. A finite n_components "
            "needs no such matrix."
        )


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
        name, k = self.kernel.name, self.n_components
        if name in STATIONARY:
            return waves(P, k, pair=self.pair)
        if name == "ntk":
            return self._tangent(X, P)
        activate, factor = _NEURONS[name]
        P = activate(P)
        P *= sqrt(factor / k)
        return P

    def _tangent(self, X, P):
        xp, k, h = namespace(P), self.n_components, self.n_components // 2
        # the offset belongs to the neurons; the kernel's second term has none
        open_gates = xp.astype(P[:, :h] > self.offset[:h], P.dtype)
        slopes = _product(X, self.tangents) * open_gates * sqrt(2 / h)
        return xp.concat([relu(P) * sqrt(2 / (k - h)), slopes], axis=1)

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
        xp = namespace(K)
        Phi = solve_lower(self.factor, xp.matrix_transpose(K), overwrite=True).T
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
    name, stationary = kernel.name, kernel.name in STATIONARY
    sampling, two = choose_sampling(name, d, sampling, sparse_rows), name == "ntk"
    if two and k < 2:
        raise ValueError(
            f"kernel='ntk' needs at least 2 components, got n_components={k}: one half "
            "of them are neurons, the other half their derivatives."
        )
    pair, offset, tangents = stationary and fourier == "pair", None, None
    m = n_waves(k, pair=pair or two)
    if name == "laplacian":
        W = kernel.gamma * rng.standard_cauchy((d, m))
    else:
        W = gaussian_weights(d, m, sampling, rng) * _weight_scale(kernel, d, m, rng)
    if stationary:
        offset = draw_phases(k, rng, pair=pair)
    elif name in ("relu", "ntk"):
        offset = kernel.bias_scale * rng.standard_normal(m)
    if two:
        tangents = gaussian_weights(d, k // 2, sampling, rng) * (1 / sqrt(d))
    return RandomMap(kernel, k, pair, W, offset, tangents)


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
    if sampling != "auto":
        return sampling
    if d <= MAX_ORTHOGONAL:
        return "orthogonal"
    return "iid" if sparse_rows else "structured"


def _weight_scale(kernel, d, m, rng):
    if kernel.name == "rbf":
        return sqrt(2 * kernel.gamma)
    if kernel.name == "matern":  # a Gaussian over a chi is Student: Matern's spectrum
        shrink = np.sqrt(rng.chisquare(2 * kernel.nu, size=m) / (2 * kernel.nu))
        return 1.0 / (kernel.length_scale * shrink)
    return 1.0 / sqrt(d)


def _product(X, W):
    if not isinstance(W, StructuredWeights):
        return X @ W
    return X @ W.dense() if sparse.issparse(X) else W.apply(X)


def _step(P):
    return namespace(P).astype(P > 0, P.dtype)


def _squared_relu(P):
    P = relu(P)
    P *= P
    return P


# the function of a neuron, and by what the mean of its squares is multiplied
_NEURONS = {
    "relu": (relu, 2),
    "step": (_step, 2),
    "relu2": (_squared_relu, 2 / 3),
    "erf": (erf, 1),
}


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


def resolve_kernels(params, names, X, w, *, search=False):
    """Return the kernels of these names that an estimator's parameters describe.

    Parameters
    ----------
    params : estimator
        It has the parameters of ``MAP_CONSTRAINTS``; ``gamma`` and ``length_scale``
        may be sequences.
    names : sequence of str
        Kernels.
    X : array of shape (n_samples, n_features)
        The rows that the rules ``"scale"`` and ``"auto"`` look at.
    w : array of shape (n_samples,)
        Their weights.
    search : bool, default=False
        Whether ``"auto"`` may be several numbers.

    Returns
    -------
    list of Kernel
        The kernels, in the order of the names.
    """
    unit = cache(lambda: scale_gamma(X, w))
    several = SEARCHED if search else (1.0,)
    found = []
    for name in names:
        rates, lengths = [None], [None]
        if name in ("rbf", "laplacian"):
            shares = (LAPLACIAN,) if name == "laplacian" else several
            rates = _numbers(params.gamma, shares, unit)
        if name == "matern":
            lengths = _numbers(params.length_scale, several, unit, power=-0.5)
        found += [
            Kernel(name, gamma, params.nu, length, params.bias_scale)
            for gamma, length in product(rates, lengths)
        ]
    return found


def _numbers(given, shares, unit, power=1.0):
    if isinstance(given, str):
        shares = shares if given == "auto" else (1.0,)
        return [(share * unit()) ** power for share in shares]
    return [float(value) for value in np.atleast_1d(given)]


def build_map(params, kernel, X, n_components, *, origin=None, rng=None, blocks=False):
    """Draw the feature map that an estimator's parameters describe.

    Parameters
    ----------
    params : estimator
        It has the parameters of ``MAP_CONSTRAINTS``.
    kernel : Kernel
        The kernel.
    X : array of shape (n_samples, n_features)
        The rows.
    n_components : int
        Number of features.
    origin : array of shape (n_samples, n_features) or None, default=None
        The rows as they were given, if ``X`` is scaled: their values draw landmarks.
    rng : RandomState or None, default=None
        Source of randomness; None is that of ``random_state``.
    blocks : bool, default=False
        Whether more rows will come, so that ``map="auto"`` is random.

    Returns
    -------
    RandomMap or LandmarkMap
        The map, in the namespace and dtype of ``X``.
    """
    rng = check_random_state(params.random_state) if rng is None else rng
    if params.map == "landmarks" or (params.map == "auto" and not blocks):
        # distinct rows of least seeded hash: neither order nor copies matter
        rows, seed = X if origin is None else origin, rng.randint(2**31 - 1)
        at = EqualRows.of(to_numpy(rows), seed=seed).first[:n_components]
        return whiten_landmarks(kernel, dense(take_rows(X, at)))
    fmap = draw_map(
        kernel,
        X.shape[1],
        n_components,
        fourier=params.fourier,
        sampling=params.sampling,
        rng=rng,
        sparse_rows=sparse.issparse(X),
    )
    return (fmap.with_dense_weights() if sparse.issparse(X) else fmap).like(X)
