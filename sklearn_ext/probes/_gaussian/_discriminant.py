"""Linear discriminant analysis with shrunken variances and correlations."""

from dataclasses import replace
from numbers import Real

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import FLOATS
from sklearn_ext.probes._gaussian._correlations import (
    best_shrinkage,
    solve_shrunken,
    standardise,
)
from sklearn_ext.probes._gaussian._densities import (
    Settings,
    count_rows,
    fit_densities,
    moments,
)
from sklearn_ext.probes._gaussian._forms import LinearForm, linear_form, score_rows
from sklearn_ext.probes._gaussian._input import (
    check_priors,
    check_sums,
    on_host,
    row_weights,
    warn_if_guessed,
)
from sklearn_ext.probes._gaussian._naive_bayes import NaiveBayesProbe
from sklearn_ext.probes._gaussian._statistics import NaiveBayesStatistics
from sklearn_ext.probes._scores import ScoresMixin


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
        "priors": ["array-like", StrOptions({"uniform"}), None],
        "correlation_shrinkage": [
            Interval(Real, 0, 1, closed="both"),
            StrOptions({"auto"}),
        ],
        "var_shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
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
            that sum to less than the number of distinct rows only say how rows compare.

        Returns
        -------
        self : ShrinkageDiscriminantProbe
            The fitted probe.
        """
        X, y, sample_weight = map(on_host, (X, y, sample_weight))
        X, y = validate_data(self, X, y, dtype=FLOATS)
        check_classification_targets(y)
        weight = row_weights(sample_weight, X)
        self.classes_, codes = np.unique(y, return_inverse=True)
        settings = Settings(
            check_priors(self.priors, len(self.classes_)),
            var_shrinkage=self.var_shrinkage,
        )
        statistics = NaiveBayesStatistics.of(X, codes, self.classes_, weight)
        check_sums(statistics, X, type(self).__name__)
        densities = fit_densities(statistics, settings)
        warn_if_guessed(densities, stacklevel=5)
        total = count_rows(statistics).sum()
        free = total - np.count_nonzero(statistics.count)
        weight = weight * (total / weight.sum())
        unbiased = total / free if free > 0 else 1.0  # each mean takes one row away
        within = unbiased * moments(statistics)[0]
        residuals = None
        if free > 0 and within.any() and self.correlation_shrinkage != 1:
            product = len(X) >= X.shape[1] or self.correlation_shrinkage == 0
            residuals = standardise(
                X, codes, weight, densities, within, free, product=product
            )
        variances = unbiased * densities.variances
        form, share = discriminant_form(
            replace(densities, variances=variances),
            residuals,
            self.correlation_shrinkage,
        )
        self._form = form.centred()
        self.coef_, self.intercept_ = self._form.decision()
        self.theta_ = densities.pivot + densities.offsets
        self.class_prior_ = np.exp(densities.log_prior)
        self.var_, self.var_shrinkage_ = variances, densities.shrinkage
        self.correlation_shrinkage_ = share
        return self

    def _scores(self, X):
        check_is_fitted(self)
        X = validate_data(self, on_host(X), dtype=FLOATS, reset=False)
        return score_rows(self._form, X)


def discriminant_form(densities, residuals, share):
    """Weights ``V^-1 mean`` and the intercepts that go with them.

    Parameters
    ----------
    densities : Densities
        Means, shrunken variances and priors.
    residuals : Residuals or None
        None for no correlations.
    share : float or "auto"
        Share of the identity in the correlations.

    Returns
    -------
    form : LinearForm
        What scores rows.
    share : float
        The share used.
    """
    if residuals is None:
        return linear_form(densities), 1.0
    if share == "auto":
        share = best_shrinkage(residuals)
    scale = np.sqrt(densities.variances)
    weights = solve_shrunken(residuals, share, densities.offsets / scale) / scale
    intercept = densities.log_prior - 0.5 * (weights * densities.offsets).sum(axis=1)
    return LinearForm(densities.pivot, weights, intercept), float(share)
