"""Worst case over small changes of a row: objective, radius, certified accuracy."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._pipelines import peel
from sklearn_ext._numerics._arrays import float64, like, rounding, to_numpy
from sklearn_ext._numerics._lbfgs import Stopping, minimise
from sklearn_ext._numerics._logistic import LogisticObjective, Solution
from sklearn_ext.losses._linear import check_rows, codes_of

LARGEST = 5e8  # products of pairs of classes and features that are worth while
SMOOTHING = (1e-2, 1e-3)  # of the norm, relative to the mean size of coefficients


def dual_norms(V, norm, smoothing=0.0):
    """Dual norm of each vector, and its gradient.

    Parameters
    ----------
    V : ndarray of shape (..., n_features)
        Vectors.
    norm : {2, inf}
        Of the perturbations.
    smoothing : float, default=0.0
        Rounds the corners: ``sqrt(v^2 + smoothing^2)`` for a length v.

    Returns
    -------
    size : ndarray of shape (...,)
        The norms.
    gradient : ndarray of shape (..., n_features)
        Their gradients; zero at the origin.
    """
    if norm == 2:
        size = np.sqrt((V * V).sum(-1, keepdims=True) + smoothing**2)
        return size[..., 0], V / np.where(size > 0, size, 1)
    each = np.sqrt(V * V + smoothing**2)
    return each.sum(-1), V / np.where(each > 0, each, 1)


@dataclass(frozen=True)
class _Shifted(LogisticObjective):
    """The log-loss in which each rival of a label has an advance."""

    advance: np.ndarray = None  # (n_scores, n_classes), of a score at a label
    pull: np.ndarray = None  # likewise: weighted residuals, added up by label

    def _terms(self, Z, y, w):
        Z += like(self.advance, Z)[:, y]
        terms = super()._terms(Z, y, w)
        residuals, codes = to_numpy(Z), to_numpy(y)
        for k, row in enumerate(residuals):
            self.pull[k] += np.bincount(codes, row, minlength=self.pull.shape[1])
        return terms


@dataclass(frozen=True)
class RobustObjective:
    """A comp-sum objective of the scores in their worst case.

    Every rival k of a label y is advanced by ``epsilon`` times the dual norm of
    ``w_k - w_y``: for two classes the largest loss that a perturbation can cause, for
    more an upper bound in which each rival has its own perturbation.
    """

    plain: LogisticObjective
    axes: object  # of the problem: what maps its coordinates to the features
    epsilon: float
    norm: float
    smoothing: float = 0.0
    _shared: dict = field(init=False, repr=False)

    def __post_init__(self):
        names = [f.name for f in fields(LogisticObjective)]
        shared = {name: getattr(self.plain, name) for name in names}
        object.__setattr__(self, "_shared", shared)

    def split(self, theta):
        """View a flat point as ``(W, b)``."""
        return self.plain.split(theta)

    def __call__(self, theta):
        """Evaluate value and gradient."""
        W, _ = self.split(theta)
        W = to_numpy(W if self.axes is None else self.axes.expand(W))
        n_classes = len(self.plain.prior)
        shape = self.plain.n_scores, n_classes
        shifted = _Shifted(
            **self._shared, advance=self._advance(W), pull=np.zeros(shape)
        )
        now = shifted(theta)
        slope = like(self._slope(W, shifted.pull), theta, theta.dtype)
        slope = slope if self.axes is None else self.axes.project(slope)
        gradient = now.gradient + 0  # a copy
        G, _ = self.split(gradient)
        G += float64(slope)
        return now._replace(gradient=gradient)

    def _advance(self, W):
        if len(W) == 1:
            size, _ = dual_norms(W[0], self.norm, self.smoothing)
            return self.epsilon * np.array([[size, -size]])
        size = [dual_norms(W - own, self.norm, self.smoothing)[0] for own in W]
        advance = self.epsilon * np.array(size).T
        np.fill_diagonal(advance, 0)
        return advance

    def _slope(self, W, pull):
        """Gradient of the advances, weighted by how much each row wants them less."""
        if len(W) == 1:
            _, direction = dual_norms(W[0], self.norm, self.smoothing)
            return self.epsilon * (pull[0, 0] - pull[0, 1]) * direction[None]
        slope = np.zeros_like(W)
        for y, own in enumerate(W):
            _, direction = dual_norms(W - own, self.norm, self.smoothing)
            part = pull[:, y, None] * direction  # its own row has direction zero
            slope += part
            slope[y] -= part.sum(axis=0)
        return self.epsilon * slope


def solve_robust(problem, C, *, q, epsilon, norm, start, tol, max_iter, memory, report):
    """Minimise the robust objective from a point, with ever sharper norms.

    Parameters
    ----------
    problem : Problem
        Of ``prepare``.
    C : float
        Inverse penalty.
    q : float
        Exponent of the loss, ``tau - 1``.
    epsilon, norm : float
        Size of the perturbations and the norm that measures them.
    start : array
        A flat point, best the solution without perturbations.
    tol, max_iter, memory, report : float, int, int, callable
        As ``solve`` takes them.

    Returns
    -------
    Solution
        Coefficients; their gap is not bounded.
    """
    plain = problem.at(C, q)
    W = problem.coefficients(start)[0]
    n_classes, d = len(plain.prior), W.shape[1]
    if n_classes**2 * d > LARGEST:
        raise ValueError(
            f"epsilon > 0 compares all pairs of {n_classes} classes in {d} features, "
            f"which is too much. Set epsilon=0, or reduce the features."
        )
    sizes = np.sqrt((W * W).sum(axis=1)) if norm == 2 else abs(W)
    unit = max(float(sizes.mean()), 1e-12)
    robust = RobustObjective(plain, problem.axes, epsilon, norm)
    n_iter = n_evaluations = 0
    for share in SMOOTHING:
        minimum = minimise(
            replace(robust, smoothing=share * unit),
            start,
            lambda vector, now: problem.preconditioner(
                vector, now.curvature, plain.penalty, plain
            ),
            lambda theta, now: np.inf,
            Stopping(tol, max_iter),
            memory=memory,
            noise=rounding(plain.X),
            report=report
            and (lambda theta, now: report(lambda: problem.coefficients(theta))),
        )
        start = minimum.theta
        n_iter, n_evaluations = (
            n_iter + minimum.n_iter,
            n_evaluations + (minimum.n_evaluations),
        )
        if minimum.interrupted:
            break
    minimum = minimum._replace(n_iter=n_iter, n_evaluations=n_evaluations)
    return Solution(
        *problem.coefficients(minimum.theta),
        robust(minimum.theta).value,
        np.nan,
        False,
        minimum,
    )


def radii(X, codes, coef, intercept, norm):
    """Distance of each row to the boundary of its label, negative on the other side.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows.
    codes : ndarray of shape (n_samples,)
        Labels.
    coef : ndarray of shape (1 or n_classes, n_features)
        Coefficients.
    intercept : ndarray of shape (1 or n_classes,)
        Intercepts.
    norm : {2, inf}
        In which distances are measured.

    Returns
    -------
    ndarray of shape (n_samples,)
        The radii.
    """
    if len(coef) == 1:
        coef = np.vstack([0 * coef, coef])
        intercept = np.concatenate([0 * intercept, intercept])
    rho = np.empty(X.shape[0])
    for y, own in enumerate(coef):
        rows = np.flatnonzero(codes == y)
        if not len(rows):
            continue
        rivals = np.arange(len(coef)) != y
        V, offset = own - coef[rivals], intercept[y] - intercept[rivals]
        margins = X[rows] @ V.T + offset
        size, _ = dual_norms(V, norm)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(
                size > 0, margins / size, np.where(margins > 0, np.inf, -np.inf)
            )
        rho[rows] = ratio.min(axis=1)
    return rho


def certified_radius(estimator, X, y, *, norm=2):
    """Size of the smallest change of a row that changes the right prediction.

    The row is classified as y under every perturbation that is smaller; at this size
    one exists that is not. No attack is run: for a linear model this is exact.

    Parameters
    ----------
    estimator : fitted linear classifier
        With ``coef_``, ``intercept_`` and ``classes_``, of this package or
        scikit-learn's; also a fitted search over one. The radius is in the units of
        its columns, hence no Pipeline is taken.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        True labels.
    norm : {2, inf}, default=2
        Euclidean length of a perturbation, or its largest entry.

    Returns
    -------
    ndarray of shape (n_samples,)
        The radii; negative where the prediction is wrong already.

    See Also
    --------
    certified_accuracy : Share of rows whose radius is large enough.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_ext.losses import certified_radius
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> certified_radius(model, X[:2], y[:2]).round(2)
    array([1.41, 1.25])
    """
    if norm not in (2, np.inf):
        raise ValueError(f"norm must be 2 or numpy.inf, got {norm!r}.")
    model, heads = peel(estimator)
    if heads or not hasattr(model, "classes_") or not hasattr(model, "coef_"):
        raise TypeError(
            "certified_radius takes a fitted linear classifier with coef_, intercept_ "
            f"and classes_, got {type(estimator).__name__}. Of a Pipeline pass the "
            "last step and transformed rows."
        )
    check_is_fitted(model)
    X = X if sparse.issparse(X) else check_rows(model, X)
    codes = codes_of(model, X, y)
    return radii(X, codes, model.coef_, np.atleast_1d(model.intercept_), norm)


def certified_accuracy(estimator, X, y, *, epsilon, norm=2, sample_weight=None):
    """Share of rows that are right under every perturbation of size epsilon.

    Parameters
    ----------
    estimator : fitted linear classifier
        As :func:`certified_radius` takes it.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        True labels.
    epsilon : float
        Largest change of a row to be survived, in the units of X.
    norm : {2, inf}, default=2
        What measures the change.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float
        The weighted share.

    See Also
    --------
    certified_accuracy_scorer : The same as a scorer of searches.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.losses import CompSumClassifier, certified_accuracy
    >>> X, y = load_iris(return_X_y=True)
    >>> model = CompSumClassifier(epsilon=0.2).fit(X, y)
    >>> certified_accuracy(model, X, y, epsilon=0.2) > 0.9
    True
    """
    survived = certified_radius(estimator, X, y, norm=norm) > epsilon
    return float(np.average(survived, weights=sample_weight))


def certified_accuracy_scorer(epsilon, norm=2):
    """Make a scorer of certified accuracy for searches over linear classifiers.

    Parameters
    ----------
    epsilon : float
        Largest change of a row to be survived, in the units of X.
    norm : {2, inf}, default=2
        What measures the change.

    Returns
    -------
    callable
        ``(estimator, X, y, sample_weight=None)`` to the accuracy.

    See Also
    --------
    certified_accuracy : What it computes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_ext.losses import certified_accuracy_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> model, grid = LogisticRegression(max_iter=1000), {"C": [0.1, 1]}
    >>> search = GridSearchCV(model, grid, scoring=certified_accuracy_scorer(0.2))
    >>> bool(search.fit(X, y).best_score_ > 0.9)
    True
    """
    return CertifiedAccuracyScorer(epsilon, norm)


@dataclass(frozen=True)
class CertifiedAccuracyScorer:
    """Certified accuracy as a scorer: it can be pickled, compared and printed."""

    epsilon: float
    norm: float = 2

    def __call__(self, estimator, X, y, sample_weight=None):
        """Score a fitted linear classifier."""
        return certified_accuracy(
            estimator,
            X,
            y,
            epsilon=self.epsilon,
            norm=self.norm,
            sample_weight=sample_weight,
        )
