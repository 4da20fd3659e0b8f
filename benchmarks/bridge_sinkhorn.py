"""Discrete entropic transport by POT and OTT, out of sample by the dual potential."""

import os
from functools import cached_property

import numpy as np

SAFE = 600.0  # |log| of a kernel entry that double precision still holds


class SinkhornPlan:
    """Plan between the first rows of two samples; both peers solve this problem.

    The conditional law of a new row x has weights proportional to
    exp(g_j - |x - y_j|^2 / (2 epsilon)) on the target rows y_j, where epsilon g_j is
    the dual potential.
    """

    def __init__(self, epsilon, n_rows=None, *, n_iter=1000, tol=1e-6):
        self.epsilon, self.n_rows = epsilon, n_rows
        self.n_iter, self.tol = n_iter, tol

    def fit(self, X, Y):
        """Solve between the first rows of both samples."""
        X, Y = X[: self.n_rows], Y[: self.n_rows]
        self.Y = Y
        self.g, self.n_iter_ = self._solve(X, Y)
        return self

    def _weights(self, X):
        cost = (self.Y**2).sum(axis=1) / 2 - X @ self.Y.T
        score = self.g - cost / self.epsilon
        score = np.exp(score - score.max(axis=1, keepdims=True))
        return score / score.sum(axis=1, keepdims=True)

    def transform(self, X):
        """Return conditional means."""
        parts = np.array_split(X, max(1, len(X) // 100))
        return np.vstack([self._weights(part) @ self.Y for part in parts])

    def conditional_mean_cov(self, X):
        """Return moments of the conditional laws."""
        means, covariances = [], []
        for w in self._weights(X):
            mean = w @ self.Y
            gap = self.Y - mean
            means.append(mean)
            covariances.append((gap * w[:, None]).T @ gap)
        return np.array(means), np.array(covariances)


class POTPlan(SinkhornPlan):
    """By POT, in the log domain only where the kernel would underflow."""

    def _solve(self, X, Y):
        import ot

        cost = ot.dist(X, Y) / 2
        a, b = np.full(len(X), 1 / len(X)), np.full(len(Y), 1 / len(Y))
        direct = cost.max() < SAFE * self.epsilon
        _, log = ot.sinkhorn(
            a,
            b,
            cost,
            self.epsilon,
            method="sinkhorn" if direct else "sinkhorn_log",
            numItermax=self.n_iter,
            stopThr=self.tol,
            log=True,
            warn=False,
        )
        g = np.log(np.ravel(log["v"])) if direct else np.ravel(log["log_v"])
        return g, log["niter"] + 1


class OTTPlan(SinkhornPlan):
    """By OTT, compiled, in the log domain and float64.

    Its cost is ``|x - y|^2`` without the half, hence twice our epsilon.
    """

    def _solve(self, X, Y):
        g, n_iter = self._compiled(X, Y, 2 * self.epsilon)
        return np.asarray(g) / (2 * self.epsilon), int(n_iter)

    @cached_property
    def _compiled(self):
        os.environ["XLA_FLAGS"] = (  # one thread, as for everybody
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
        import jax
        from ott.geometry import costs, pointcloud
        from ott.problems.linear import linear_problem
        from ott.solvers.linear import sinkhorn

        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)

        def solve(X, Y, epsilon):
            geometry = pointcloud.PointCloud(
                X, Y, cost_fn=costs.SqEuclidean(), epsilon=epsilon
            )
            solver = sinkhorn.Sinkhorn(threshold=self.tol, max_iterations=self.n_iter)
            out = solver(linear_problem.LinearProblem(geometry))
            return out.g, out.n_iters

        return jax.jit(solve)
