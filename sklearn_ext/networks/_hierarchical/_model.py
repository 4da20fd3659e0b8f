"""What is fitted and predicts: features of a row, and a curve of their weighted sum.

The features are monomials of standardised columns, on one scale, or the output of a
transformer. The curve is given by its values and slopes at knots; between them it is
cubic, beyond the last ones a straight line.
"""

from dataclasses import dataclass, field
from itertools import combinations, combinations_with_replacement
from math import comb

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from sklearn_ext._numerics._arrays import blocks

CELLS = 2**21  # of a block of features
CONSTANT = 1e-12  # variance, of the mean square, below which a column is constant


def n_monomials(d, degree, *, interaction_only=False):
    """Return how many monomials of degree one to ``degree`` there are."""
    if interaction_only:
        return sum(comb(d, m) for m in range(1, degree + 1))
    return comb(d + degree, degree) - 1


@dataclass(frozen=True)
class Standard:
    """Columns less their means, over their standard deviations; constants are zero."""

    mean: np.ndarray  # (d,)
    scale: np.ndarray  # (d,), infinite where a column is constant

    @classmethod
    def of(cls, X, share):
        """Measure columns; ``share`` are weights of sum one."""
        origin = X[0]  # so that columns far from zero keep their digits
        mean = share @ (X - origin)
        largest = np.abs(X - origin - mean).max(axis=0, initial=0.0)
        safe = np.where(largest > 0, largest, 1.0)
        root = np.sqrt(share @ ((X - origin - mean) / safe) ** 2)
        noise = 4 * np.finfo(np.float64).eps * np.abs(X).max(axis=0, initial=0.0)
        return cls(origin + mean, np.where(largest > noise, safe * root, np.inf))

    @classmethod
    def none(cls, d):
        """Return what leaves columns as they are."""
        return cls(np.zeros(d), np.ones(d))

    def __call__(self, X):
        """Return the columns on one scale."""
        return (X - self.mean) / self.scale


@dataclass(frozen=True)
class Monomials:
    """Products of columns, each less its mean and over its standard deviation."""

    columns: Standard
    places: tuple  # of arrays (k_m, m): the columns of each product of m of them
    products: Standard = field(default=None)

    @classmethod
    def of(cls, X, share, degree, *, interaction_only=False, standardize=True):
        """Choose the products and measure them.

        Powers of a column of two values are left out: they are linear in the column.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Rows.
        share : ndarray of shape (n,)
            Weights of sum one.
        degree : int
            Columns of a product at most.
        interaction_only : bool, default=False
            Whether to leave powers out.
        standardize : bool, default=True
            Whether columns and products are brought to variance one.
        """
        d = X.shape[1]
        columns = Standard.of(X, share) if standardize else Standard.none(d)
        choose = combinations if interaction_only else combinations_with_replacement
        binary = (X.min(axis=0) == X) | (X.max(axis=0) == X)
        binary = binary.all(axis=0) if degree > 1 else np.zeros(d, dtype=bool)
        places = []
        for m in range(1, degree + 1):
            of_m = np.array(list(choose(range(d), m)), dtype=np.intp).reshape(-1, m)
            again = of_m[:, 1:] == of_m[:, :-1]
            places.append(of_m[~(again & binary[of_m[:, 1:]]).any(axis=1)])
        made = cls(columns, tuple(places), Standard.none(0))
        return cls(columns, made.places, made._measured(X, share, standardize))

    def __len__(self):
        return sum(len(of_m) for of_m in self.places)

    def __call__(self, X):
        """Return the products of the columns of some rows."""
        return self.products(self._raw(X))

    def _raw(self, X):
        Z = np.ascontiguousarray(self.columns(X).T)  # columns are taken as wholes
        parts = []
        for of_m in self.places:
            part = Z[of_m[:, 0]]
            for column in of_m.T[1:]:
                part *= Z[column]
            parts.append(part)
        return np.vstack(parts).T

    def _measured(self, X, share, standardize):
        total = square = 0.0
        for at in row_blocks(len(X), len(self)):
            Phi = self._raw(X[at])
            total = total + share[at] @ Phi
            square = square + share[at] @ (Phi * Phi)
        if not standardize:
            return Standard(total, np.ones_like(total))
        variance = square - total**2
        constant = variance <= CONSTANT * square
        return Standard(total, np.sqrt(np.where(constant, np.inf, variance)))

    def names(self, names):
        """Name the products as scikit-learn's ``PolynomialFeatures`` does."""
        return np.array(
            [_name(names[place]) for of_m in self.places for place in of_m],
            dtype=object,
        )


@dataclass(frozen=True)
class Transformed:
    """What a fitted transformer makes of standardised columns, less its mean."""

    columns: Standard
    transformer: object
    mean: np.ndarray

    def __call__(self, X):
        """Transform some rows."""
        return self.raw(X) - self.mean

    def __len__(self):
        return len(self.mean)

    def raw(self, X):
        """Return what the transformer makes of some rows."""
        Z = self.transformer.transform(self.columns(X))
        Z = Z.toarray() if hasattr(Z, "toarray") else np.asarray(Z)
        return np.array(Z, dtype=np.float64)

    def names(self, names):
        """Return the transformer's own names."""
        return self.transformer.get_feature_names_out(names)


@dataclass(frozen=True)
class Link:
    """A curve: cubic between its knots, straight beyond them; without any ``g(t) = t``.

    Attributes
    ----------
    knots : ndarray of shape (n_knots,)
        Ascending values of the index.
    values : ndarray of shape (n_knots,)
        The curve there.
    slopes : ndarray of shape (n_knots,)
        Its slope there.
    """

    knots: np.ndarray
    values: np.ndarray
    slopes: np.ndarray

    @classmethod
    def identity(cls):
        """Return the curve that leaves the index as it is."""
        return cls(np.empty(0), np.empty(0), np.empty(0))

    def __call__(self, t):
        """Return the curve's values."""
        if not len(self.knots):
            return np.array(t, dtype=np.float64)
        inside = np.clip(t, self.knots[0], self.knots[-1])
        slope = np.where(t < inside, self.slopes[0], self.slopes[-1])
        cubic = self.values[0] + self.span * self.cubics(self.to_unit(inside))
        return cubic + (t - inside) * slope

    def derivative(self, t):
        """Return the curve's slopes."""
        if not len(self.knots):
            return np.ones(len(t))
        inside = np.clip(t, self.knots[0], self.knots[-1])
        return self.cubics(self.to_unit(inside), 1)

    @property
    def is_resolved(self):
        """Whether knots differ by more than the rounding of their unit."""
        eps = np.finfo(np.float64).eps * np.abs(self.knots).max(initial=0.0)
        return bool((np.diff(self.knots) > 4 * eps).all())

    @property
    def span(self):
        """Distance of the last knots; index and target share its unit."""
        return self.knots[-1] - self.knots[0]

    def to_unit(self, t):
        """Return where between the last knots an index lies, from 0 to 1."""
        return (t - self.knots[0]) / self.span

    @property
    def cubics(self):
        """The cubics on the unit interval: no power of a huge or tiny unit is taken."""
        rise = (self.values - self.values[0]) / self.span
        return CubicHermiteSpline(self.to_unit(self.knots), rise, self.slopes)

    def stretched(self, size):
        """Return the same curve for an index times a positive number."""
        return Link(size * self.knots, self.values, self.slopes / size)

    def rescaled(self, center, scale):
        """Return the curve in other units, which index and target share."""
        return Link(
            center + scale * self.knots, center + scale * self.values, self.slopes
        )


def row_blocks(n_rows, k):
    """Cut rows into slices whose k features are made at a time."""
    return blocks(n_rows, max(1, CELLS // max(1, k)))


def _name(names):
    found, times = np.unique(names, return_counts=True)
    powers = dict(zip(found, times.tolist(), strict=True))
    return " ".join(
        name if power == 1 else f"{name}^{power}"
        for name, power in ((name, powers[name]) for name in dict.fromkeys(names))
    )
