"""A dictionary: where it starts, what a pass over the rows tells it, how it learns.

A pass codes blocks of rows and adds what they say, `CodeStatistics`; nothing of the
size of rows times atoms is ever held.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg

from sklearn_ext._numerics._arrays import blocks, finite_products, rounding
from sklearn_ext._numerics._equal_rows import GOLDEN, hash_rows
from sklearn_ext.representations._sparse._pursuit import (
    SWEEPS,
    Choice,
    as_sparse,
    pursue,
    refit,
)

RIDGE = 0.01  # pull to where an atom was, beside the mean of its own sums
RESERVE = 4  # atoms for one of which a badly explained row is remembered
TWINS = 0.9  # cosine of two atoms that are taken for one
PLENTY = 32  # blocks of rows whose codes are fitted and summed together


@dataclass(frozen=True)
class Dictionary:
    """Atoms of unit length, around a mean.

    Attributes
    ----------
    atoms : ndarray of shape (m, d)
        Rows of unit length, in the dtype of the data.
    mean : ndarray of shape (d,), float64
        What is taken off the rows.
    batch_size : int
        Rows worked on at a time.
    """

    atoms: np.ndarray
    mean: np.ndarray
    batch_size: int = 128

    @cached_property
    def gram(self):
        """Products of the atoms, (m, m)."""
        with finite_products():
            return self.atoms @ self.atoms.T

    def centred(self, X):
        """Return rows without the mean; float32 far from zero keeps its digits."""
        return (X - self.mean).astype(self.atoms.dtype, copy=False)

    def choose(self, X, rule):
        """Pursue centred rows.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Centred rows.
        rule : Rule
            How atoms are taken.

        Returns
        -------
        Choice
            Atoms of each row.
        """
        parts, size = [], (min(self.batch_size, len(X)), len(self.atoms))
        work = np.empty((3, *size), dtype=X.dtype)  # anew for each block is slower
        for at in blocks(len(X), self.batch_size):
            rows = X[at]
            products = work[2, : len(rows)]
            with finite_products():
                np.matmul(rows, self.atoms.T, out=products)
            parts.append(pursue(products, squares(rows), self.gram, rule, work[:2]))
        return Choice.join(parts)

    def fit(self, choice, rule, sweeps=SWEEPS):
        """Return coefficients of the chosen atoms, and what they save of each row."""
        return refit(choice, self.gram, rule.positive, sweeps)


@dataclass(frozen=True)
class Start:
    """What one reading of the rows gives: moments, and distinct rows drawn by hash.

    Attributes
    ----------
    n_samples : int
        Rows.
    mean : ndarray of shape (d,)
        Their mean.
    square : float
        Sum of squared distances from the mean.
    rows : ndarray of shape (at most n_kept, d)
        Those whose hash is lowest, in its order.
    keys : ndarray of shape (n_rows, 3)
        By what they were drawn: a shuffled hash, the hash in single precision (which
        decides who is held out), the hash.
    n_kept : int
        How many rows are wanted.
    """

    n_samples: int
    mean: np.ndarray
    square: float
    rows: np.ndarray
    keys: np.ndarray
    n_kept: int

    @classmethod
    def of(cls, X, n_kept, seed, mask=None):
        """Summarise a block of rows."""
        first, parts = X[0].astype(np.float64), blocks(len(X), 4096)
        mean = first + sum((X[at] - first).sum(axis=0) for at in parts) / len(X)
        with np.errstate(over="ignore"):  # `check_size` tells
            total = sum(float(np.square(X[at] - mean).sum()) for at in parts)
        single = chance(X, seed)
        keys = np.c_[single * GOLDEN, single, hash_rows(X, seed=seed)]
        return cls(len(X), mean, total, X, keys, n_kept)._lowest()

    def __add__(self, other):
        n = self.n_samples + other.n_samples
        gap, share = other.mean - self.mean, other.n_samples / n
        square = self.square + other.square + self.n_samples * share * (gap @ gap)
        rows = np.concatenate([self.rows, other.rows])
        keys = np.concatenate([self.keys, other.keys])
        both = Start(n, self.mean + share * gap, square, rows, keys, self.n_kept)
        return both._lowest()

    def check_size(self):
        """Refuse rows whose squares the dtype cannot hold."""
        most = float(np.finfo(self.rows.dtype).max) / 4
        if not self.square < most:
            raise ValueError(
                "the squared lengths of the rows are too large for "
                f"{self.rows.dtype}: divide the rows by a number."
            )

    def _lowest(self):
        order = np.lexsort(self.keys.T[::-1])
        fresh = np.ones(len(order), dtype=bool)
        fresh[1:] = (self.keys[order[1:]] != self.keys[order[:-1]]).any(axis=1)
        best = order[fresh][: self.n_kept]
        lowest = self.rows[best].copy(), self.keys[best]
        return Start(self.n_samples, self.mean, self.square, *lowest, self.n_kept)

    def dictionary(self, m, held_out, random_state, batch_size):
        """Start from rows as they are, or directions where there are too few.

        Parameters
        ----------
        m : int
            Number of atoms.
        held_out : float
            Share of rows that are not to be used.
        random_state : RandomState
            Draws the directions.
        batch_size : int
            Passed on.

        Returns
        -------
        Dictionary
            Of unit atoms.
        """
        rows = self.rows - self.mean
        usable = squares(rows) > 1e-12 * self.square / self.n_samples
        usable &= ~is_held_out(self.keys[:, 1], held_out)
        rows = rows[usable][:m]
        surplus = random_state.standard_normal((m - len(rows), len(self.mean)))
        atoms = _unit(np.concatenate([rows, surplus]))
        return Dictionary(atoms.astype(self.rows.dtype), self.mean, batch_size)


def squares(X):
    """Return squared lengths of rows."""
    return np.einsum("ij,ij->i", X, X, dtype=np.float64)


def chance(X, seed):
    """Hash rows so that copies in single precision have the same chances."""
    with np.errstate(over="ignore"):
        return hash_rows(np.asarray(X, dtype=np.float32), seed=seed)


def is_held_out(chances, share):
    """Tell whose hash is among the lowest share: equal rows always go together."""
    return chances < np.uint64(share * 2.0**64)


SUMS = ("n_samples", "zz", "zx", "z", "xx", "usage", "error", "square")


@dataclass(frozen=True)
class CodeStatistics:
    """What a pass over rows says about the dictionary that coded them.

    Attributes
    ----------
    n_samples : float
        Rows.
    zz : ndarray of shape (m, m)
        Sum of products of codes, Z'Z.
    zx : ndarray of shape (m, d)
        Sum of products of codes and centred rows, Z'X.
    z : ndarray of shape (m,)
        Sum of codes.
    xx : ndarray of shape (d, d) or 0.0
        Sum of products of centred rows, where it was asked for.
    usage : ndarray of shape (m,)
        Rows that use each atom.
    error, square : float
        Squared error, and squared length of the rows.
    rest : ndarray of shape (q, d)
        What is left of the worst explained rows.
    rest_keys : ndarray of shape (q,)
        Hashes of these rows.
    """

    n_samples: float
    zz: np.ndarray
    zx: np.ndarray
    z: np.ndarray
    xx: object
    usage: np.ndarray
    error: float
    square: float
    rest: np.ndarray
    rest_keys: np.ndarray

    @classmethod
    def of(cls, X, encoder, rule, *, mask=None, with_rows=False, sweeps=SWEEPS):
        """Code rows and sum up.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Rows as they came.
        encoder : Dictionary or LinearEncoder
            What codes them.
        rule : Rule
            How atoms are taken.
        mask : ndarray of bool of shape (n,) or None, default=None
            Which rows count; None is all.
        with_rows : bool, default=False
            Whether products of rows with rows are wanted.
        sweeps : int
            Of the refit.

        Returns
        -------
        CodeStatistics
            The sums.
        """
        m, d = encoder.atoms.shape
        zz, zx, z, usage = np.zeros((m, m)), np.zeros((m, d)), np.zeros(m), np.zeros(m)
        xx, error, square = np.zeros((d, d)) if with_rows else 0.0, 0.0, 0.0
        n_rest = m // RESERVE + 16
        rest, keys = np.zeros((0, d), encoder.atoms.dtype), np.zeros(0, np.uint64)
        n_samples = 0
        for at in blocks(len(X), PLENTY * encoder.batch_size):
            part = X[at] if mask is None else X[at][mask[at]]
            n_samples += len(part)
            rows = encoder.centred(part)
            choice = encoder.choose(rows, rule)
            coefs, saved = encoder.fit(choice, rule, sweeps)
            codes, length = as_sparse(choice, coefs, m), squares(rows)
            products = (codes.T @ codes).tocoo()
            zz[products.coords] += products.data
            zx += codes.T @ rows
            z += codes.sum(axis=0)
            usage += np.bincount(codes.indices, minlength=m)
            if with_rows:
                xx += rows.T @ rows
            errors = np.maximum(length - saved, 0)
            error, square = error + errors.sum(), square + length.sum()
            worst = np.argsort(-errors, kind="stable")[:n_rest]
            left = rows[worst] - codes[worst] @ encoder.atoms
            rest, keys = _worst(
                np.concatenate([rest, left]),
                np.concatenate([keys, hash_rows(part[worst])]),
                n_rest,
            )
        return cls(n_samples, zz, zx, z, xx, usage, error, square, rest, keys)

    def __add__(self, other):
        """Sum up passes of one dictionary over other rows."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMS}
        rest, keys = _worst(
            np.concatenate([self.rest, other.rest]),
            np.concatenate([self.rest_keys, other.rest_keys]),
            len(self.usage) // RESERVE + 16,
        )
        return CodeStatistics(**sums, rest=rest, rest_keys=keys)

    def __mul__(self, share):
        """Let all rows count less; what was left of the worst is forgotten."""
        sums = {name: share * getattr(self, name) for name in SUMS}
        forgotten = {"rest": self.rest[:0], "rest_keys": self.rest_keys[:0]}
        return CodeStatistics(**sums, **forgotten)

    @property
    def fvu(self):
        """Fraction of variance unexplained."""
        return self.error / self.square if self.square > 0 else 0.0


def _worst(rest, keys, n_rest):
    """Keep what is left of distinct rows, the most first."""
    order = np.lexsort((keys, -squares(rest)))
    _, first = np.unique(keys[order], return_index=True)
    best = order[np.sort(first)][:n_rest]
    return rest[best], keys[best]


def improve(dictionary, statistics, over_relaxation=0.0):
    r"""Fit the atoms to the codes by least squares, and beyond.

    With S = Z'Z and r a hundredth of its mean diagonal, atoms become the rows of
    :math:`(S + rI)^{-1}(Z'X + rD)`: those little used stay where they were. A step
    beyond the solution pays, as the next pursuit moves on in the same direction.

    Parameters
    ----------
    dictionary : Dictionary
        What coded the rows.
    statistics : CodeStatistics
        Sums of their codes.
    over_relaxation : float, default=0.0
        Share of the step that is added to it.

    Returns
    -------
    Dictionary
        The better one, atoms of unit length.
    """
    old = dictionary.atoms.astype(np.float64)
    m = len(old)
    ridge = RIDGE * np.trace(statistics.zz) / m
    if ridge <= 0:
        return dictionary
    system = statistics.zz.copy()
    system[np.diag_indices(m)] += ridge
    factor = linalg.cho_factor(system, overwrite_a=True, check_finite=False)
    new = linalg.cho_solve(factor, statistics.zx + ridge * old, check_finite=False)
    new += over_relaxation * (new - old)
    lost = squares(new) <= 1e-24
    new[lost] = old[lost]
    atoms = _unit(new).astype(dictionary.atoms.dtype)
    return Dictionary(atoms, dictionary.mean, dictionary.batch_size)


def revive(dictionary, statistics, rule, min_usage, twins=True):
    """Put what is left of the worst explained rows in the place of idle atoms.

    Such a row then saves all that is left of it in one step. Where rows are explained
    to rounding, atoms stay idle. Of two atoms that are almost the same one is idle, in
    truth: elsewhere one atom then stands for two, which nothing else would part.

    Parameters
    ----------
    dictionary : Dictionary
        To be mended.
    statistics : CodeStatistics
        Of the last pass.
    rule : Rule
        How the rows were coded: a new atom must be worth its price.
    min_usage : float
        Share of the mean usage below which an atom is idle; one row in any case.
    twins : bool, default=True
        Whether atoms that are almost the same count as one.

    Returns
    -------
    Dictionary
        The same, if no atom is idle or nothing is left to explain.
    """
    usage = statistics.usage
    is_idle = usage < max(1.0, min_usage * usage.mean())
    if twins:
        gram = dictionary.gram
        is_idle |= _twins(gram if rule.positive else abs(gram), usage)
    idle = np.flatnonzero(is_idle)
    typical = statistics.square / max(statistics.n_samples, 1)
    least = max(np.min(rule.price), typical * (1e3 * rounding(dictionary.atoms)) ** 2)
    rest = statistics.rest[squares(statistics.rest) > least][: len(idle)]
    if not len(rest):
        return dictionary
    idle = idle[np.argsort(usage[idle], kind="stable")][: len(rest)]
    atoms = dictionary.atoms.copy()
    atoms[idle] = _unit(rest.astype(np.float64))
    return Dictionary(atoms, dictionary.mean, dictionary.batch_size)


def _twins(gram, usage):
    """Tell which atoms have a twin that is used more."""
    one, other = np.nonzero(np.triu(gram > TWINS, k=1))
    twins = np.zeros(len(gram), dtype=bool)
    twins[np.where(usage[one] < usage[other], one, other)] = True
    return twins


def _unit(rows):
    length = np.sqrt(squares(rows))[:, None]
    return rows / np.where(length > 0, length, 1)
