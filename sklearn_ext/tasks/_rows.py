r"""Likelihood and posterior from rows: matrices of rows by rows a task.

Where a task has fewer rows :math:`X_g` than columns,

.. math::

   V_g = I + X_g \Lambda \Lambda' X_g'

is smaller than the matrix of the columns' side, and has the same determinant
(Woodbury). With :math:`U_g = X_g \Lambda`, :math:`a_g = V_g^{-1} (y_g - X_g \mu)` and
:math:`P = \sum_g X_g' V_g^{-1} X_g` the slope of the deviance in the factor is

.. math::

   2 \sum_g X_g' \left[ V_g^{-1} - a_g a_g' / \sigma^2
       - V_g^{-1} X_g P^{-1} X_g' V_g^{-1} \right] U_g .

With n rows in all, an evaluation is :math:`O(n d^2 + d^3)` for P, without which it is
:math:`O(n d k)`, and :math:`O(n d)` times the rows of a task where nothing is
correlated. Tasks of about as many rows are stacked; rows of zeros, which change
nothing, fill the stacks up.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.tasks._reml import concentrate, inverse_half

CELLS = 2**22  # entries of rows that are worked on at a time


@dataclass(frozen=True)
class Rows:
    """Rows whose products are those of the tasks, in the coordinates of the fit.

    Attributes
    ----------
    weight : ndarray of shape (n_tasks,)
        Summed weights.
    n_features : int
        Coefficients, the intercept included.
    stacks : tuple of (ndarray, ndarray, ndarray)
        Tasks (n,), their rows (n, r, d) and targets (n, r).
    """

    weight: np.ndarray
    n_features: int
    stacks: tuple

    @classmethod
    def of(cls, weight, mean, target, rows, targets, sizes):
        """Stack one row a task (``mean``, ``target``) and further ones.

        Parameters
        ----------
        weight : ndarray of shape (n_tasks,)
            Summed weights.
        mean : ndarray of shape (n_tasks, d)
            The first row of each task.
        target : ndarray of shape (n_tasks,)
            Its target.
        rows : ndarray of shape (n_rows, d)
            The others, task by task.
        targets : ndarray of shape (n_rows,)
            Theirs.
        sizes : ndarray of shape (n_tasks,)
            How many others each task has.

        Returns
        -------
        Rows
            In stacks.
        """
        starts, height, d = np.cumsum(sizes) - sizes, _rounded_up(sizes), mean.shape[1]
        stacks = []
        for size in np.unique(height):
            alike = np.flatnonzero(height == size)
            step = max(1, CELLS // ((size + 1) * d))
            for tasks in np.split(alike, np.arange(step, len(alike), step)):
                Z = np.zeros((len(tasks), size + 1, d))
                t = np.zeros((len(tasks), size + 1))
                Z[:, 0], t[:, 0] = mean[tasks], target[tasks]
                at = np.arange(size)
                here = at < sizes[tasks][:, None]
                source = (starts[tasks][:, None] + at)[here]
                Z[:, 1:][here], t[:, 1:][here] = rows[source], targets[source]
                stacks.append((tasks, Z, t))
        return cls(weight, d, tuple(stacks))

    @property
    def gram(self):
        """Products of the columns, of all rows."""
        d = self.n_features
        rows = (Z.reshape(-1, d) for _, Z, _ in self.stacks)
        return sum((Z.T @ Z for Z in rows), np.zeros((d, d)))

    def deviance(self, factor, shape, floor):
        """Return the deviance at a factor, its gradient, and the population.

        Parameters
        ----------
        factor : ndarray of shape (d, k)
            Lambda.
        shape : Shape
            Of the model.
        floor : float
            Least variance of the noise.

        Returns
        -------
        value : float
            Twice the negative log likelihood, at the best mean and noise.
        gradient : ndarray of shape (d, k)
            In the factor.
        population : Population
            Mean and noise.
        """
        d, k = factor.shape
        P, e, r, log_det, halves = np.zeros((d, d)), np.zeros(d), 0.0, 0.0, []
        for _, Z, t in self.stacks:
            half, log_dets = _half(_times(Z, factor, shape))
            halves.append(half)
            t = np.einsum("gij,gj->gi", half, t)
            log_det, r = log_det + log_dets.sum(), r + (t**2).sum()
            if not shape.fixed_mean:
                white = (half @ Z).reshape(-1, d)
                P += white.T @ white
                e += t.ravel() @ white
        weight = self.weight.sum()
        value, root, found = concentrate(factor, P, e, r, log_det, weight, shape, floor)
        gradient = np.zeros((d, k))
        for (_, Z, t), half in zip(self.stacks, halves, strict=True):
            U = _times(Z, factor, shape)
            inner = np.eye(Z.shape[1])
            if found.noise_var > floor:
                left = np.einsum("gij,gj->gi", half, t - Z @ found.mean)
                left /= np.sqrt(found.noise_var)
                inner = inner - left[:, :, None] * left[:, None]
            if shape.restricted and not shape.fixed_mean:
                white = half @ (Z.reshape(-1, d) @ root).reshape(
                    *Z.shape[:2], root.shape[1]
                )
                inner = inner - white @ white.transpose(0, 2, 1)
            inner = half.transpose(0, 2, 1) @ inner @ half
            gradient += 2 * _slope(Z, inner, U, shape)
        return value, gradient, found

    def posterior(self, population):
        """Return what each task's rows say of it, given the population.

        Parameters
        ----------
        population : Population
            The prior.

        Returns
        -------
        means : ndarray of shape (n_tasks, d)
            Posterior means of the coefficients.
        share : ndarray of shape (n_tasks,)
            How many coefficients the rows of the task decide.
        rss : ndarray of shape (n_tasks,)
            Sum of squares of the residuals from the posterior means.
        """
        factor = population.factor
        means = np.empty((len(self.weight), self.n_features))
        share, rss = np.empty((2, len(self.weight)))
        for tasks, Z, t in self.stacks:
            U = _times(Z, factor, population.shape)
            half, _ = _half(U)
            left = np.einsum("gij,gj->gi", half, t - Z @ population.mean)
            white = half @ U
            own = np.einsum("gi,gik->gk", left, white)
            means[tasks] = population.mean + _back(own, factor, population.shape)
            share[tasks] = np.einsum("gik,gik->g", white, white)
            rss[tasks] = (np.einsum("gij,gi->gj", half, left) ** 2).sum(axis=1)
        return means, share, rss

    def covariance(self, population):
        """Return covariances of the coefficients, the estimated mean's included.

        Parameters
        ----------
        population : Population
            The prior.

        Returns
        -------
        ndarray of shape (n_tasks, d, d)
            Large: nothing but a reader of ``task_cov_`` needs them.
        """
        factor, d = population.factor, self.n_features
        cov = np.empty((len(self.weight), d, d))
        for tasks, Z, _ in self.stacks:
            U = _times(Z, factor, population.shape)
            half, _ = _half(U)
            white = _back(half @ U, factor, population.shape)
            rest = np.eye(d) - white.transpose(0, 2, 1) @ (half @ Z)
            cov[tasks] = factor @ factor.T - white.transpose(0, 2, 1) @ white
            cov[tasks] += rest @ population.mean_cov @ rest.transpose(0, 2, 1)
        return population.noise_var * cov

    def variance(self, population, Z, tasks):
        """Return the variance of each row's mean, given its task by position.

        Parameters
        ----------
        population : Population
            The prior.
        Z : ndarray of shape (n_samples, d)
            Rows in the coordinates of the fit.
        tasks : ndarray of shape (n_samples,)
            Whose they are.

        Returns
        -------
        ndarray of shape (n_samples,)
            The variances.
        """
        place = np.empty((len(self.weight), 2), dtype=int)
        for number, (theirs, _, _) in enumerate(self.stacks):
            place[theirs, 0], place[theirs, 1] = number, np.arange(len(theirs))
        stack, at = place[tasks].T
        variance = np.empty(len(Z))
        for number, (_, rows, _) in enumerate(self.stacks):
            wanted = np.flatnonzero(stack == number)
            step = max(1, CELLS // rows[0].size)
            for start in range(0, len(wanted), step):
                some = wanted[start : start + step]
                variance[some] = _row_variance(population, Z[some], rows[at[some]])
        return population.noise_var * variance

    def least_squares(self):
        """Return each task's own least squares, NaN where it is not determined."""
        alone = np.full((len(self.weight), self.n_features), np.nan)
        for tasks, Z, t in self.stacks:
            if Z.shape[1] < self.n_features:
                continue
            for task, rows, target in zip(tasks, Z, t, strict=True):
                found, _, _, values = np.linalg.lstsq(rows, target, rcond=None)
                if values[-1] ** 2 > 1e-10 * values[0] ** 2:
                    alone[task] = found
        return alone


def _row_variance(population, z, Z):
    """Return variances over the noise's of rows z (n, d) of tasks with rows Z."""
    U = _times(Z, population.factor, population.shape)
    half, _ = _half(U)
    small = _times(z[:, None], population.factor, population.shape)[:, 0]  # (n, k)
    seen = np.einsum("gij,gj->gi", half, np.einsum("gik,gk->gi", U, small))
    rest = z - np.einsum("gij,gi->gj", half @ Z, seen)
    between = (small**2).sum(axis=1) - (seen**2).sum(axis=1)
    return np.maximum(between, 0) + ((rest @ population.mean_cov) * rest).sum(axis=1)


def _half(U):
    """Return roots of the inverse of I + UU', and its log determinants."""
    return inverse_half(U @ U.transpose(0, 2, 1))


def _times(Z, factor, shape):
    """Return Z Lambda (n, r, k), by scales alone where nothing is correlated."""
    if shape.correlated:
        return (Z.reshape(-1, len(factor)) @ factor).reshape(
            *Z.shape[:2], factor.shape[1]
        )
    at = shape.random
    return _columns(Z, at) * factor[at, np.arange(len(at))]


def _columns(Z, at):
    """Return some columns (n, r, k), without a copy where they are all."""
    return Z if len(at) == Z.shape[2] else Z[:, :, at]


def _back(small, factor, shape):
    """Return Lambda times vectors (..., k), by scales alone if that is all."""
    if shape.correlated:
        return small @ factor.T
    wide, at = np.zeros((*small.shape[:-1], len(factor))), shape.random
    wide[..., at] = small * factor[at, np.arange(len(at))]
    return wide


def _slope(Z, inner, U, shape):
    """Return the sum of Z' inner U over tasks, its diagonal if that is all."""
    d, k = Z.shape[2], U.shape[2]
    if shape.correlated:
        return Z.reshape(-1, d).T @ (inner @ U).reshape(Z.shape[0] * Z.shape[1], k)
    slope, at = np.zeros((d, k)), shape.random
    own = np.einsum("gik,gik->k", _columns(Z, at), inner @ U)
    slope[at, np.arange(k)] = own
    return slope


def _rounded_up(sizes):
    """Return sizes of four significant steps an octave, so that stacks are few."""
    step = 2 ** np.maximum(np.log2(np.maximum(sizes, 1)).astype(int) - 2, 0)
    return -(-sizes // step) * step
