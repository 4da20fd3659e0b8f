r"""Noise that differs from task to task, shrunk towards what all have in common.

The residuals of task g, of sum of squares :math:`q_g` and :math:`f_g` degrees of
freedom, say how noisy the task is, but where rows are few they say little. The
variances are taken to follow :math:`\sigma_g^2 \sim \nu s^2 / \chi^2_\nu`, whose
:math:`\nu` and :math:`s^2` maximise the likelihood of all :math:`q_g` (a scaled F
distribution), and a task has :math:`(\nu s^2 + q_g) / (\nu + f_g)`, with
:math:`\nu + f_g` degrees.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

HALF = 0.5  # what a row counts: within a task, too, tails are heavier than normal
LIKELY = (2.0, 0.1)  # gamma prior of the degrees, shape and rate (Juarez and Steel)
EQUAL = 1e12  # degrees of freedom at which tasks do not differ


@dataclass(frozen=True)
class NoisePrior:
    """Distribution of the variance of the noise over tasks.

    Attributes
    ----------
    dof : float
        Degrees of freedom: many where tasks are alike.
    scale : float
        The variance that a task is drawn towards.
    level : float
        What multiplies the variances of tasks so that their mean is not less than the
        variance of the likelihood.
    """

    dof: float
    scale: float
    level: float = 1.0

    @classmethod
    def of(cls, rss, dof, noise_var):
        """Fit to residual sums of squares.

        Parameters
        ----------
        rss : ndarray of shape (n_tasks,)
            Residual sums of squares.
        dof : ndarray of shape (n_tasks,)
            Their degrees of freedom.
        noise_var : float
            Variance of the noise that the likelihood found for all tasks.

        Returns
        -------
        NoisePrior
            One for which tasks are alike where there are not two that can differ.
        """
        f = HALF * dof
        told = f > 1e-6
        if told.sum() < 2:
            return cls(EQUAL, noise_var)
        f, q = f[told], HALF * rss[told] / noise_var
        shape, rate = LIKELY

        def objective(theta):
            nu, s = np.exp(theta)
            share = q / (nu * s + q)
            logs = np.log1p(q / (nu * s))
            value = special.gammaln((nu + f) / 2) - special.gammaln(nu / 2)
            value = (value - f / 2 * np.log(nu * s) - (nu + f) / 2 * logs).sum()
            by_scale = ((nu + f) / 2 * share - f / 2).sum()
            by_nu = special.digamma((nu + f) / 2) - special.digamma(nu / 2) - logs
            by_nu = nu / 2 * by_nu.sum() + by_scale
            prior = (shape - 1) * theta[0] - rate * nu
            by_prior = shape - 1 - rate * nu
            return -value - prior, -np.array([by_nu + by_prior, by_scale])

        bounds = [(np.log(0.5), np.log(1e6)), (-25.0, 5.0)]
        found = optimize.minimize(
            objective, [np.log(10.0), 0.0], jac=True, method="L-BFGS-B", bounds=bounds
        )
        nu, s = np.exp(found.x)
        mean = np.average((nu * s + q) / (nu + f), weights=f)
        return cls(float(nu), float(s * noise_var), max(1.0, float(1 / mean)))

    def posterior(self, rss, dof):
        """Return the variance of each task and its degrees of freedom.

        Parameters
        ----------
        rss : ndarray of shape (n_tasks,)
            Residual sums of squares.
        dof : ndarray of shape (n_tasks,)
            Their degrees of freedom.

        Returns
        -------
        variance, dof : ndarray of shape (n_tasks,)
            Of the noise.
        """
        known = self.dof + HALF * dof
        return self.level * (self.dof * self.scale + HALF * rss) / known, known
