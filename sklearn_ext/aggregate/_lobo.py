"""Leave-one-bag-out errors of the linear members, over a whole (rho, alpha) grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from sklearn_ext.aggregate._solvers import smallest_pivot
from sklearn_ext.aggregate._statistics import AggregateStatistics, BaggedData

_BATCH = 4096  # bags worked on at a time
_LEVERAGE_ONE = 1e-10


@dataclass(frozen=True)
class PathBasis:
    """``(B + rho W + alpha I)^-1 = Q diag(1 / scale(rho)) Q'`` for one alpha."""

    vectors: np.ndarray  # Q, (n_features, n_features)
    values: np.ndarray  # l, (n_features,)
    offset: float  # 0: scale is 1 + rho l; 1: scale is 1 + (rho - 1) l

    @classmethod
    def of(cls, between, within, alpha) -> PathBasis | None:
        """Solve the eigenproblem of W against B + alpha I, or against T + alpha I."""
        ridge = alpha * np.eye(len(between))
        for offset, base in enumerate((between, between + within)):
            try:
                _require_definite(base + ridge)
                values, vectors = linalg.eigh(within, base + ridge, check_finite=False)
            except linalg.LinAlgError:
                continue
            return cls(vectors, np.maximum(values, 0), float(offset))
        return None

    def shrinkage(self, rhos):
        """Return ``1 / scale``, (n_features, n_rhos); infinite where not unique."""
        scale = 1 + (rhos - self.offset) * np.minimum(self.values, self._cap)[:, None]
        with np.errstate(divide="ignore"):
            return np.where(scale > 1e-12, 1 / scale, np.inf)

    @property
    def _cap(self):
        return 1.0 if self.offset else np.inf


def _require_definite(A):
    factor = linalg.cholesky(A, lower=True, check_finite=False)
    if smallest_pivot(A, factor) <= 1e-13:
        raise linalg.LinAlgError("numerically singular")


def lobo_errors(
    data: BaggedData,
    stats: AggregateStatistics,
    rhos,
    alphas,
    *,
    fit_intercept=True,
    loo="response",
):
    """Return the mean squared leave-one-bag-out error of every grid point.

    ``stats`` must be centred. The error of a bag carries its weight; several targets
    are averaged. Where leaving a bag out leaves slopes undetermined it is infinite.
    """
    whole = loo == "bag" and not data.bags.are_rows
    residuals = _without_bag if whole else _without_response
    rhos = np.asarray(rhos, dtype=float)
    errors = np.full((len(rhos), len(alphas)), np.inf)
    for j, alpha in enumerate(alphas):
        basis = PathBasis.of(stats.between, stats.within, alpha)
        if basis is None:
            continue
        shrink = basis.shrinkage(rhos)
        fine = np.isfinite(shrink).all(axis=0)
        total = sum(
            (e**2).sum(axis=(0, 2))
            for e in residuals(
                data, stats, basis, rhos[fine], shrink[:, fine], fit_intercept
            )
        )
        errors[fine, j] = total / (_count(data) * data.y_means.shape[1])
    return errors


def _copies(data):
    """Return how many bags each bag stands for: rows of weight w are w equal bags."""
    if data.bags.are_rows:
        return np.maximum(data.bags.sizes, 1)
    return np.ones(len(data.omega))


def _count(data):
    return _copies(data)[data.known].sum()


def _without_response(data, stats, basis, rhos, shrink, fit_intercept):
    """Yield weighted residuals (bags, rhos, targets); the bag's rows stay in W."""
    weights = basis.vectors.T @ stats.cross  # (n_features, n_targets)
    slopes = weights[:, None, :] * shrink[:, :, None]
    share = data.omega / stats.weight if fit_intercept else 0 * data.omega
    copies = _copies(data)
    for bags in _batches(len(data.omega)):
        rotated = _bag_rows(data, stats, bags) @ basis.vectors
        leverage = (rotated**2 @ shrink + share[bags, None]) / copies[bags, None]
        fitted = (rotated @ slopes.reshape(len(slopes), -1)).reshape(
            len(rotated), *slopes.shape[1:]
        )
        kept = 1 - leverage
        kept[kept < _LEVERAGE_ONE] = np.nan
        residual = (_targets(data, stats, bags)[:, None] - fitted) / kept[:, :, None]
        yield np.where(np.isnan(residual), np.inf, residual)


def _without_bag(data, stats, basis, rhos, shrink, fit_intercept):
    """Yield weighted residuals (bags, rhos, targets); the rows are left out too."""
    weights = basis.vectors.T @ stats.cross
    slopes = weights[:, None, :] * shrink[:, :, None]  # (n_features, rhos, targets)
    order, begin = data.bags.order()
    for size in np.unique(data.bags.counts[data.known]):
        of_size = np.flatnonzero((data.bags.counts == size) & data.known)
        step = max(1, _BATCH // size)
        solve = _by_rows if size <= len(weights) else _by_features
        for bags in np.split(of_size, np.arange(step, len(of_size), step)):
            rows = order[begin[bags][:, None] + np.arange(size)]  # (bags, size)
            between = _bag_rows(data, stats, bags) @ basis.vectors
            inside = _deviations(data, bags, rows) @ basis.vectors
            fitted = np.einsum("ad,drt->art", between, slopes)
            own = _targets(data, stats, bags)[:, None] - fitted
            share = data.omega[bags] / stats.weight * fit_intercept
            solved = [
                solve(
                    between, inside, own[:, i], slopes[:, i], share, rho, shrink[:, i]
                )
                for i, rho in enumerate(rhos)
            ]
            yield np.stack(solved, axis=1)


def _by_rows(between, inside, own, slopes, share, rho, shrink):
    """Solve ``(I - H_a) e = q`` and return each bag's own entry of e: O(size³)."""
    V = np.concatenate([between[:, None], np.sqrt(rho) * inside], axis=1)
    q = np.concatenate([own[:, None], -np.sqrt(rho) * (inside @ slopes)], axis=1)
    kept = np.eye(V.shape[1]) - (V * shrink) @ V.swapaxes(1, 2)
    kept[:, 0, 0] -= share
    return _solve_where_definite(kept, q)[:, 0]


def _by_features(between, inside, own, slopes, share, rho, shrink):
    """Solve the same by Woodbury's identity: O(n_features³) for large bags."""
    root = np.sqrt(shrink)
    u, scatter = between * root, inside.swapaxes(1, 2) @ inside
    scatter = rho * root[:, None] * scatter * root  # of the deviations
    first = 1 / (1 - share)
    kept = (
        np.eye(len(root)) - scatter - first[:, None, None] * u[:, :, None] * u[:, None]
    )
    right = (first[:, None] * u)[:, :, None] * own[:, None]
    right -= scatter @ (slopes / np.where(root > 0, root, 1)[:, None])
    pulled = _solve_where_definite(kept, right)
    return first[:, None] * (own + np.einsum("ad,adt->at", u, pulled))


def _solve_where_definite(A, right):
    """Solve a stack of systems; infinite where a matrix is not positive definite."""
    lost = np.linalg.eigvalsh(A)[:, 0] < _LEVERAGE_ONE
    A[lost] = np.eye(A.shape[1])
    solved = np.linalg.solve(A, right)
    solved[lost] = np.inf
    return solved


def _bag_rows(data, stats, bags):
    means = data.x_means[bags]
    means = means.toarray() if sparse.issparse(means) else means
    return np.sqrt(data.omega[bags])[:, None] * (means - stats.x_mean)


def _targets(data, stats, bags):
    return np.sqrt(data.omega[bags])[:, None] * (data.y_means[bags] - stats.y_mean)


def _deviations(data, bags, rows):
    """Return ``sqrt(c_i) (x_i - mean of the bag)``, (bags, size, n_features)."""
    X, means = data.X[rows.ravel()], data.x_means[bags]
    if sparse.issparse(X):
        X, means = X.toarray(), means.toarray()
    inside = X.reshape(*rows.shape, -1) - means[:, None]
    return np.sqrt(data.row_weights[rows])[:, :, None] * inside


def _batches(n):
    return (slice(start, start + _BATCH) for start in range(0, n, _BATCH))
