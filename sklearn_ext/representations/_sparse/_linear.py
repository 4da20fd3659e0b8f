"""Codes by one matrix product: an encoder that is linear, and a threshold."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from sklearn_ext._numerics._arrays import blocks, finite_products
from sklearn_ext.representations._sparse._dictionary import Dictionary
from sklearn_ext.representations._sparse._pursuit import Choice, saved_by

RIDGE = 0.1  # beside the mean variance of the columns
PULL = 1e-5  # of factors towards one, beside the mean of what determines them
LIMITS = (np.inf, 4.0, 2.0, 1.0)  # of factors, that are tried in turn


@dataclass(frozen=True)
class LinearEncoder:
    """Codes ``relu(x W + c)``, those kept whose square pays their price.

    It has the methods of a `Dictionary`, and stands where one does.

    Attributes
    ----------
    dictionary : Dictionary
        What codes are multiplied by.
    coef : ndarray of shape (m, d)
        W', in the dtype of the atoms.
    intercept : ndarray of shape (m,)
        c, for centred rows.
    """

    dictionary: Dictionary
    coef: np.ndarray
    intercept: np.ndarray

    @classmethod
    def of(cls, dictionary, statistics):
        """Regress codes on rows by ridge.

        Parameters
        ----------
        dictionary : Dictionary
            What coded the rows.
        statistics : CodeStatistics
            Sums of codes and rows, with those of rows and rows.

        Returns
        -------
        LinearEncoder
            The encoder.
        """
        n, d = statistics.n_samples, len(dictionary.mean)
        penalty = RIDGE * np.trace(statistics.xx) / d or 1.0
        system = statistics.xx + penalty * np.eye(d)
        coef = linalg.solve(system, statistics.zx.T, assume_a="pos").T
        intercept = statistics.z / n
        dtype = dictionary.atoms.dtype
        return cls(dictionary, coef.astype(dtype), intercept.astype(dtype))

    def stretched(self, statistics):
        """Multiply codes, each feature's by its own factor, to fit the rows best.

        Regression shrinks, all the more what it can tell the least; where the threshold
        has been passed, codes are too small. With factors s the squared error is
        quadratic, with the matrix Z'Z times DD', entry by entry. Longer codes pass the
        threshold in other rows, too, for which they were not made: so factors are also
        limited, and what the rows make of each is to be seen.

        Parameters
        ----------
        statistics : CodeStatistics
            Sums of this encoder's own codes.

        Returns
        -------
        list of LinearEncoder
            Encoders with other lengths, the last at most as long as this one.
        """
        system = statistics.zz * self.gram
        pull = PULL * np.trace(system) / len(system)
        if pull <= 0:
            return [self]
        system[np.diag_indices_from(system)] += pull
        along = np.einsum("ij,ij->i", statistics.zx, self.atoms)
        factor = linalg.solve(system, along + pull, assume_a="pos")
        return [self._times(np.clip(factor, 0, limit)) for limit in LIMITS]

    def _times(self, factor):
        factor = factor.astype(self.coef.dtype)
        coef, intercept = self.coef * factor[:, None], self.intercept * factor
        return replace(self, coef=coef, intercept=intercept)

    @property
    def atoms(self):
        """Atoms of the dictionary."""
        return self.dictionary.atoms

    @property
    def mean(self):
        """What is taken off the rows."""
        return self.dictionary.mean

    @property
    def batch_size(self):
        """Rows worked on at a time."""
        return self.dictionary.batch_size

    @property
    def gram(self):
        """Products of the atoms."""
        return self.dictionary.gram

    def centred(self, X):
        """Return rows without the mean."""
        return self.dictionary.centred(X)

    def choose(self, X, rule):
        """Keep the largest scores of centred rows, as many as pay their price.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Centred rows.
        rule : Rule
            How many are kept.

        Returns
        -------
        Choice
            Atoms of each row, with their scores.
        """
        return Choice.join(
            [self._choose(X[at], rule) for at in blocks(len(X), self.batch_size)]
        )

    def _choose(self, X, rule):
        with finite_products():
            products = X @ self.atoms.T
            scores = X @ self.coef.T + self.intercept
        worth = np.maximum(scores, 0) if rule.positive else scores
        worth = np.square(worth, dtype=np.float64)
        worth[worth < rule.price] = 0
        depth = min(rule.depth, scores.shape[1])
        atoms = np.argpartition(-worth, depth - 1, axis=1)[:, :depth]
        order = np.argsort(-np.take_along_axis(worth, atoms, 1), axis=1, kind="stable")
        atoms = np.take_along_axis(atoms, order, 1)
        gains, coefs, b = (
            np.take_along_axis(table, atoms, 1).T for table in (worth, scores, products)
        )
        coefs = np.where(gains > 0, coefs, 0)
        gains = gains.astype(scores.dtype)
        return Choice(atoms.T, b, coefs, gains, (gains > 0).sum(axis=0))

    def fit(self, choice, rule, sweeps=None):
        """Return the scores as they are, and what they save of each row."""
        return choice.coefs, saved_by(choice, self.gram, choice.coefs)
