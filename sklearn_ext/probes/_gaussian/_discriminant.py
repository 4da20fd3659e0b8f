"""Linear discriminant analysis with shrunken variances and correlations."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._scores import ScoresMixin
from sklearn_ext._core._validation import FLOATS
from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.probes._gaussian import _densities, _input
from sklearn_ext.probes._gaussian._forms import linear_form, score_rows
from sklearn_ext.probes._gaussian._naive_bayes import NaiveBayesProbe
from sklearn_ext.probes._gaussian._statistics import NaiveBayesStatistics

NAIVE = NaiveBayesProbe._parameter_constraints
BATCH = 1024  # rows worked on at a time
LEAST = 1e-8  # smallest share estimated: the system stays solvable


@shared_docs(NaiveBayesProbe)
class ShrinkageDiscriminantProbe(ScoresMixin, ExtEstimator):
    r"""Linear discriminant analysis between naive Bayes and the classical one.

    Classes are normal with one covariance, ``V = D^(1/2) R D^(1/2)``, whose variances
    ``D`` are drawn to their mean and whose correlations ``R`` are drawn to none:

    .. math:: R^* = (1 - \rho) R + \rho I, \qquad
              \rho = \min\Big(1, \frac{\sum_{a \ne b} \widehat{Var}(R_{ab})}
              {\sum_{a \ne b} R_{ab}^2}\Big).

    Both shares are estimated from the rows, so there is nothing to tune: ``rho = 1`` is
    :class:`NaiveBayesProbe` and ``rho = 0`` linear discriminant analysis, both with
    variances divided by the degrees of freedom. On frozen features it is often level
    with a penalised logistic regression from about eight rows a class on, seldom ahead
    (``benchmarks/probes_curves.py`` has the table). Its probabilities are too sure;
    calibrate them when they are used. Time is O(n_samples n_features
    min(n_samples, n_features)), and a system of that smaller size is solved once.

    Parameters
    ----------
    priors : see NaiveBayesProbe
    correlation_shrinkage : float or "auto", default="auto"
        Share ``rho`` of the identity in the correlations; "auto" estimates it.
    var_shrinkage : float or "auto", default="auto"
        Share of their mean in the variances; "auto" estimates it, as `NaiveBayesProbe`
        does, and takes none where the features are in units that do not compare: with
        few rows, features on one scale help.

    Attributes
    ----------
    classes_, class_prior_, theta_ : see NaiveBayesProbe
    var_ : ndarray of shape (n_features,)
        Variances within classes after shrinkage.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights of the decision function, one row for two classes.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts of the decision function.
    correlation_shrinkage_ : float
        Share of the identity that was used.
    var_shrinkage_ : float
        Share of the mean variance that was used.
    n_features_in_, feature_names_in_ : see NaiveBayesProbe

    See Also
    --------
    NaiveBayesProbe : Without correlations, one pass, updated by batches.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : One share for the whole
        covariance, by ``shrinkage="auto"``.

    References
    ----------
    .. [1] J. Schaefer and K. Strimmer, "A shrinkage approach to large-scale covariance
       matrix estimation", Statistical Applications in Genetics and Molecular Biology 4,
       2005.
    .. [2] M. Ahdesmaki and K. Strimmer, "Feature selection in omics prediction problems
       using cat scores and false nondiscovery rate control", Annals of Applied
       Statistics 4, 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.probes import ShrinkageDiscriminantProbe
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = ShrinkageDiscriminantProbe().fit(X[:200], y[:200])
    >>> print(f"{probe.score(X[200:], y[200:]):.2f}")
    0.79
    """

    _parameter_constraints: dict = {
        "priors": NAIVE["priors"],
        "correlation_shrinkage": NAIVE["var_shrinkage"],
        "var_shrinkage": NAIVE["var_shrinkage"],
    }

    def __init__(
        self, *, priors=None, correlation_shrinkage="auto", var_shrinkage="auto"
    ):
        self.priors = priors
        self.correlation_shrinkage = correlation_shrinkage
        self.var_shrinkage = var_shrinkage

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Fit to all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a weight of two equals a row given twice. Weights
            that sum to less than the effective number of distinct rows, ``(sum w) ** 2
            / sum w ** 2``, only say how rows compare.

        Returns
        -------
        self : ShrinkageDiscriminantProbe
            The fitted probe.
        """
        X, y, sample_weight = map(_input.on_host, (X, y, sample_weight))
        X, y = validate_data(self, X, y, dtype=FLOATS)
        check_classification_targets(y)
        weight = _input.row_weights(sample_weight, X)
        self.classes_, codes = np.unique(y, return_inverse=True)
        settings = _densities.Settings(
            _input.check_priors(self.priors, len(self.classes_)),
            var_shrinkage=self.var_shrinkage,
        )
        statistics = NaiveBayesStatistics.of(X, codes, self.classes_, weight)
        _input.check_sums(statistics, X, type(self).__name__)
        densities = _densities.fit_densities(statistics, settings)
        _input.warn_if_guessed(densities)
        total = _densities.count_rows(statistics).sum()
        free = total - np.count_nonzero(statistics.count)
        weight = weight * (total / weight.sum())
        unbiased = total / free if free > 0 else 1.0  # each mean takes one row away
        within = unbiased * _densities.moments(statistics)[0]
        variances, share = unbiased * densities.variances, self.correlation_shrinkage
        scale = np.sqrt(variances)
        directions = densities.offsets / scale
        if free > 0 and within.any() and share != 1:
            product = len(X) >= X.shape[1] or share == 0
            residuals = standardise(
                X, codes, weight, densities, within, free, product=product
            )
            share = best_shrinkage(residuals) if share == "auto" else share
            directions = solve_shrunken(residuals, share, directions)
        else:
            share = 1.0
        self._form = linear_form(densities, directions / scale).centred()
        self.coef_, self.intercept_ = self._form.decision()
        self.theta_ = densities.pivot + densities.offsets
        self.class_prior_ = np.exp(densities.log_prior)
        self.var_, self.var_shrinkage_ = variances, densities.shrinkage
        self.correlation_shrinkage_ = float(share)
        return self

    def _scores(self, X):
        check_is_fitted(self)
        X = validate_data(self, _input.on_host(X), dtype=FLOATS, reset=False)
        return score_rows(self._form, X)


# correlations within classes, shrunk by a closed rule, and systems with them


@dataclass(frozen=True, eq=False)
class Residuals:
    """What standardised residuals Z tell about correlations, ``R = Z.T @ Z``.

    Of the two products of Z with itself the smaller one is kept.
    """

    rows: np.ndarray | None  # Z, (n_samples, n_features), beside ``Z @ Z.T`` only
    gram: np.ndarray  # R or ``Z @ Z.T``
    diagonal: np.ndarray  # (n_features,), of R
    fourth: float  # sum over pairs a != b of mean_i (z_ia z_ib) ** 2
    weight: float  # sum of the weights
    free: float  # degrees of freedom, by which R is divided


def standardise(X, codes, weight, densities, variances, free, *, product) -> Residuals:
    """Standardise residuals and summarise them in one pass.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    codes : ndarray of shape (n_samples,)
        Class of each row.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    densities : Densities
        Means of the classes, as offsets from a pivot.
    variances : ndarray of shape (n_features,)
        Variances within classes, divided by ``free``.
    free : float
        Degrees of freedom, positive.
    product : bool
        Keep R, not the rows.

    Returns
    -------
    Residuals
        The summary.
    """
    n, d = X.shape
    dtype = np.float64 if X.dtype == np.float64 else np.float32
    known = variances > 0
    inverse = np.where(known, 1 / np.sqrt(np.where(known, variances, 1)), 0)
    gram = np.zeros((d, d)) if product else None
    rows, fourth = None if product else np.empty((n, d)), 0.0
    for part in blocks(n, BATCH):
        Z = X[part] - densities.pivot - densities.offsets[codes[part]]
        Z *= inverse
        squares = Z * Z
        pairs = squares.sum(axis=1) ** 2 - (squares * squares).sum(axis=1)
        fourth += weight[part] @ pairs
        Z *= np.sqrt(weight[part] / free)[:, None]
        Z = Z.astype(dtype, copy=False)
        if product:
            gram += Z.T @ Z
        else:
            rows[part] = Z
    total = weight.sum()
    if product:
        return Residuals(None, gram, np.diag(gram), fourth / total, total, free)
    squares = (rows * rows).sum(axis=0)
    return Residuals(rows, rows @ rows.T, squares, fourth / total, total, free)


def best_shrinkage(residuals) -> float:
    """Estimate the share of the identity that minimises the squared error.

    Sums over all pairs of features need no matrix of pairs: those of
    ``(z_a z_b) ** 2`` come from the norms of the rows, those of ``R_ab ** 2`` from the
    smaller of the two products of the rows with themselves.

    Parameters
    ----------
    residuals : Residuals
        Summary of the standardised residuals.

    Returns
    -------
    float
        Share between zero and one.
    """
    if residuals.free < 2:
        return 1.0  # one residual shows no variance
    off_diagonal = (residuals.gram**2).sum() - (residuals.diagonal**2).sum()
    share = residuals.free / residuals.weight
    noise = (residuals.fourth - share**2 * off_diagonal) / residuals.free
    if noise >= off_diagonal:
        return 1.0
    return float(max(noise / off_diagonal, LEAST))


def solve_shrunken(residuals, share, targets):
    """Solve with the correlation matrix shrunk towards the identity.

    Parameters
    ----------
    residuals : Residuals
        Summary of the standardised residuals.
    share : float
        Share of the identity.
    targets : ndarray of shape (n_targets, n_features)
        Right-hand sides.

    Returns
    -------
    ndarray of shape (n_targets, n_features)
        ``((1 - share) R + share I)^-1`` applied to each target; with a singular matrix
        and no shrinkage the solution of least norm.
    """
    if share == 1:
        return targets
    least = np.where(residuals.diagonal > 0, share, 1.0)  # what never varies is alone
    matrix = (1 - share) * residuals.gram
    if residuals.rows is None:
        matrix += np.diag(least)
        if share > 0:
            return linalg.solve(matrix, targets.T, assume_a="pos").T
        return np.linalg.lstsq(matrix, targets.T)[0].T
    matrix[np.diag_indices_from(matrix)] += share
    inner = (1 - share) * residuals.rows @ targets.T
    # Woodbury: a system of n_samples equations
    correction = linalg.solve(matrix, inner, assume_a="pos")
    return (targets - (residuals.rows.T @ correction).T) / least
