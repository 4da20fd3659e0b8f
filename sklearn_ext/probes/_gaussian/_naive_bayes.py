"""Gaussian naive Bayes as a probe on frozen features."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core import _blocks
from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._scores import ScoresMixin
from sklearn_ext._numerics._classes import classes_of_stream, places_of
from sklearn_ext.probes._gaussian import _input
from sklearn_ext.probes._gaussian._densities import NaiveBayesModel, Settings
from sklearn_ext.probes._gaussian._forms import quadratic_form, score_rows
from sklearn_ext.probes._gaussian._statistics import NaiveBayesStatistics, add_up
from sklearn_ext.probes._gaussian._temperature import loo_temperature

DATA = {"accept_sparse": "csr", "dtype": (np.float64, np.float32, np.float16)}


class NaiveBayesProbe(ScoresMixin, ExtEstimator):
    r"""Gaussian naive Bayes as a probe on frozen features.

    Within each class the features are independent and normal. With variances that all
    classes share, the joint log scores

    .. math:: l_k(x) = \log \pi_k + \sum_j \frac{\mu_{kj} x_j}{v_j}
              - \frac12 \sum_j \frac{\mu_{kj}^2}{v_j}

    are linear in ``x`` up to a term common to all classes: a linear probe that one pass
    over the rows fits. The sums of that pass add: `partial_fit`, `fit_blocks` and
    `merge` give what one `fit` to all rows gives. Time is O(n_samples n_features),
    memory beyond the rows O(n_classes n_features); scoring is one matrix product.

    The setting of the paper is ``covariance="shared"``, ``var_shrinkage=0``,
    ``smoothing="absolute"`` and ``temperature=1``. The default shrinks the variances,
    which is better where a class has few rows and the same where it has many, and only
    does so where the features are in comparable units. It also decides from the sums
    how far variances are shared: wholly on most features of networks, hardly where
    classes clearly differ in spread (the guide has the rule and a table). Probabilities
    are far too sure when features are correlated: take ``temperature="loo"`` with `fit`
    when you use them. It is not the default because it needs all rows at once, and
    `partial_fit` must give what `fit` gives. Torch tensors are taken from any device,
    results are NumPy arrays: one pass over the rows is not worth keeping them on an
    accelerator.

    Parameters
    ----------
    covariance : {"auto", "shared", "class"}, default="auto"
        Variances shared by all classes give a linear probe, variances by class a
        quadratic one (that of :class:`sklearn.naive_bayes.GaussianNB`). "auto" draws
        the variances of each class to the shared ones as "class" does; less, feature by
        feature, where those of a class are clearly others; more, up to wholly, where
        many features have heavy tails. It keeps more sums: "shared" is faster to fit,
        and to predict with where "auto" does not share wholly.
    priors : array-like of shape (n_classes,), "uniform" or None, default=None
        Prior probabilities; None takes the shares of the classes. A class without rows
        is never predicted, whatever its prior.
    var_smoothing : float, default=1e-9
        What is added to the variances.
    smoothing : {"relative", "absolute"}, default="relative"
        Whether ``var_smoothing`` is a share of each feature's own variance over all
        rows seen so far, whatever its unit, or the addend itself.
    var_shrinkage : float or "auto", default="auto"
        What the variances are drawn to, and how far. Shared ones are drawn to their
        mean over the features: 0 leaves them alone, 1 makes the nearest class mean win.
        With ``covariance="class"`` it is the shared variances: 0 leaves each class its
        own, 1 shares them. "auto" estimates the shares from the spread of the
        variances, and draws to the mean only where features are in comparable units:
        where the sum of their variances over all rows is effectively made of more than
        10 features, ``(sum v) ** 2 / sum v ** 2``, and wholly from 30 on. Tables in
        mixed units have one to three, frozen features hundreds. Some features in a much
        smaller unit beside many are drowned: scale them.
    temperature : float or "loo", default=1.0
        Scores are divided by it, which changes probabilities but no prediction. "loo"
        minimises the log-loss of closed-form leave-one-out scores, copies of a row
        left out with it; only with `fit`.
    precise : bool, default=True
        Sum in float64. False sums a batch of rows in float32 and batches in float64,
        which is faster for float32 rows and accurate to about 1e-6.
    batch_size : int, default=None
        Rows worked on at a time; None takes as many as fit in the cache.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    class_count_ : ndarray of shape (n_classes,)
        Sum of the weights of each class.
    class_prior_ : ndarray of shape (n_classes,)
        Prior probability of each class.
    theta_ : ndarray of shape (n_classes, n_features)
        Mean of each class; finite but without meaning for a class without rows.
    var_ : ndarray of shape (n_features,) or (n_classes, n_features)
        Variances after shrinkage and smoothing; one row with ``covariance="shared"``.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights of the decision function, one row for two classes; only where all
        classes share their variances.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts of the decision function; only where there are weights.
    epsilon_ : float or ndarray of shape (n_features,)
        What was added to the variances; one number with ``smoothing="absolute"``.
    var_shrinkage_ : float or ndarray of shape (n_classes,) or (n_classes, n_features)
        Share of the mean over the features with ``covariance="shared"``; else share of
        the shared variances in those of each class, by feature with "auto".
    temperature_ : float
        What scores are divided by.
    sufficient_statistics_ : NaiveBayesStatistics
        The sums by class, which can be saved and added.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, only when all are strings.

    See Also
    --------
    sklearn.naive_bayes.GaussianNB : Variances by class.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : Correlated features.
    ShrinkageDiscriminantProbe : Between the two, without tuning.

    References
    ----------
    .. [1] C. Zheng, G. Wu, F. Bao, Y. Cao, C. Li and J. Zhu, "Revisiting discriminative
       vs. generative classifiers: theory and implications", ICML 2023.
    .. [2] R. Opgen-Rhein and K. Strimmer, "Accurate ranking of differentially expressed
       genes by a distribution-free shrinkage approach", Statistical Applications in
       Genetics and Molecular Biology 6, 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.probes import NaiveBayesProbe
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = NaiveBayesProbe().fit(X[:1000], y[:1000])
    >>> print(f"{probe.score(X[1000:], y[1000:]):.2f}")
    0.88
    """

    _takes_sparse = True
    _parameter_constraints: dict = {
        "covariance": [StrOptions({"auto", "shared", "class"})],
        "priors": ["array-like", StrOptions({"uniform"}), None],
        "var_smoothing": [Interval(Real, 0, None, closed="left")],
        "smoothing": [StrOptions({"relative", "absolute"})],
        "var_shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "temperature": [Interval(Real, 0, None, closed="neither"), StrOptions({"loo"})],
        "precise": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        covariance="auto",
        priors=None,
        var_smoothing=1e-9,
        smoothing="relative",
        var_shrinkage="auto",
        temperature=1.0,
        precise=True,
        batch_size=None,
    ):
        self.covariance = covariance
        self.priors = priors
        self.var_smoothing = var_smoothing
        self.smoothing = smoothing
        self.var_shrinkage = var_shrinkage
        self.temperature = temperature
        self.precise = precise
        self.batch_size = batch_size

    # fitting

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Fit to all rows at once; earlier rows are forgotten.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a weight of two equals a row given twice. Weights
            that sum to less than the effective number of distinct rows, ``(sum w) ** 2
            / sum w ** 2``, only say how rows compare.

        Returns
        -------
        self : NaiveBayesProbe
            The fitted probe.
        """
        X, y, weight = self._check(X, y, sample_weight, reset=True)
        classes, codes = _input.labels(y)
        self._solve(self._sum(X, classes, codes, weight))
        if self.temperature == "loo":
            self.temperature_ = loo_temperature(
                self._model, X, codes, weight, self.batch_size
            )
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Add rows; the result is what one fit to all rows so far would give.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels, all of them among ``classes``.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed at the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : NaiveBayesProbe
            The updated probe.
        """
        self._refuse_loo("partial_fit")
        parts = self._model.parts if hasattr(self, "_model") else ()
        first = parts[0] if parts else None
        known = classes_of_stream(_input.on_host(classes), first and first.classes)
        if first and first.covariance != self.covariance:
            raise ValueError(
                "covariance cannot change between calls of partial_fit, got "
                f"{self.covariance!r}; call fit to start again."
            )
        X, y, weight = self._check(X, y, sample_weight, reset=first is None)
        advice = "name all labels in the first call of partial_fit"
        codes = places_of(y, known, advice=advice)
        parts = (*parts, self._sum(X, known, codes, weight, first and first.pivot))
        # Adding to the sums of all classes costs a pass over them. A batch with fewer
        # rows than classes waits for others instead, so that a row costs the same
        # whatever the number of classes.
        waiting = sum(len(part.classes) for part in parts[1:])
        if first is None or waiting >= len(known):
            parts = (add_up(parts, known),)
        return self._store(*parts)

    def fit_blocks(self, blocks, *, n_jobs=None):
        """Fit to blocks of rows as if they were one table.

        Parameters
        ----------
        blocks : iterable
            Tuples ``(X, y)`` or ``(X, y, sample_weight)``, or callables without
            arguments that load one. Blocks may hold different labels.
        n_jobs : int, default=None
            Threads, or workers of the active joblib backend.

        Returns
        -------
        self : NaiveBayesProbe
            The fitted probe.
        """
        self._refuse_loo("fit_blocks")
        return _blocks.fit_blocks(self, blocks, n_jobs=n_jobs)

    def merge(self, *others):
        """Join fitted probes into a new one that has seen the rows of all.

        Parameters
        ----------
        *others : NaiveBayesProbe
            Fitted on other rows of the same features; they may know other labels.

        Returns
        -------
        NaiveBayesProbe
            A new probe with the parameters of this one.
        """
        self._refuse_loo("merge")
        for other in others:
            _blocks.check_mergeable(self, other)
        merged = clone(self)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(merged, name, getattr(self, name))
        parts = [p.sufficient_statistics_ for p in (self, *others)]
        return merged._solve(add_up(parts))

    def _summarize(self, X, y, sample_weight=None, *, reset=True):
        X, y, weight = self._check(X, y, sample_weight, reset=reset)
        return self._sum(X, *_input.labels(y), weight)

    def _solve(self, statistics):
        self._store(statistics)
        _input.warn_if_guessed(self._model.densities)
        return self

    def _store(self, *parts):
        classes = parts[0].classes
        settings = Settings(
            _input.check_priors(self.priors, len(classes)),
            self.var_smoothing,
            self.smoothing,
            self.var_shrinkage,
        )
        self.classes_, self._model = classes, NaiveBayesModel(parts, settings)
        self.temperature_ = 1.0 if self.temperature == "loo" else self.temperature
        return self

    def _sum(self, X, classes, codes, weight, pivot=None):
        statistics = NaiveBayesStatistics.of(
            X,
            codes,
            classes,
            weight,
            per_class=self.covariance != "shared",
            tails=self.covariance == "auto",
            precise=self.precise,
            batch_size=self.batch_size,
            pivot=pivot,
        )
        _input.check_sums(statistics, X, type(self).__name__)
        return statistics

    # checks

    def _check(self, X, y, sample_weight, *, reset):
        X, y, weight = map(_input.on_host, (X, y, sample_weight))
        named = hasattr(self, "feature_names_in_")
        if reset or named or not is_plain(X, y, self.n_features_in_):
            X, y = validate_data(
                self, X, y, reset=reset, ensure_all_finite=sparse.issparse(X), **DATA
            )
        return X, y, _input.row_weights(weight, X)

    def _refuse_loo(self, method):
        if self.temperature == "loo":
            raise ValueError(
                f"temperature='loo' needs all rows at once, which {method} does not "
                "have: use fit, or a number here and "
                "CalibratedClassifierCV(method='temperature') afterwards."
            )

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_model")

    # what was fitted, computed when it is asked for: small batches stay cheap

    @property
    def _fitted(self):
        check_is_fitted(self)
        return self._model

    @property
    def sufficient_statistics_(self):
        """The sums, which can be saved and added."""
        return self._fitted.statistics

    @property
    def class_count_(self):
        """Sum of the weights of each class."""
        return self._fitted.statistics.count

    @property
    def class_prior_(self):
        """Prior probability of each class."""
        return np.exp(self._fitted.densities.log_prior)

    @property
    def theta_(self):
        """Mean of each class."""
        densities = self._fitted.densities
        return densities.pivot + densities.offsets

    @property
    def var_(self):
        """Variances as they are used."""
        variances = self._fitted.densities.variances
        if self._model.statistics.per_class and variances.ndim == 1:
            return np.tile(variances, (len(self.classes_), 1))
        return variances

    @property
    def epsilon_(self):
        """What was added to the variances."""
        return self._fitted.densities.epsilon

    @property
    def var_shrinkage_(self):
        """How far the variances were drawn to what is common."""
        return self._fitted.densities.shrinkage

    @property
    def coef_(self):
        """Weights of the decision function."""
        return self.to_linear()[0]

    @property
    def intercept_(self):
        """Intercepts of the decision function."""
        return self.to_linear()[1]

    def to_linear(self):
        """Return the decision function as weights and intercepts.

        Returns
        -------
        coef : ndarray of shape (1, n_features) or (n_classes, n_features)
            One row for two classes.
        intercept : ndarray of shape (1,) or (n_classes,)
            So that ``X @ coef.T + intercept`` is the decision function.
        """
        if self._fitted.densities.variances.ndim == 2:
            raise AttributeError(
                "variances by class give a quadratic decision function, which has no "
                "coefficients; use covariance='shared' to have them "
                f"(covariance={self.covariance!r} here)."
            )
        coef, intercept = self._fitted.form.decision()
        return coef / self.temperature_, intercept / self.temperature_

    # scoring, the rest of which is in ScoresMixin

    def predict_joint_log_proba(self, X):
        """Log density of each row together with each class, without temperature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            ``log P(y) + log p(x | y)``.
        """
        form = quadratic_form(self._fitted.densities)
        X = validate_data(self, _input.on_host(X), reset=False, **DATA)
        return score_rows(form, X, self.batch_size)

    def _scores(self, X):
        form = self._fitted.form
        X = validate_data(self, _input.on_host(X), reset=False, **DATA)
        return score_rows(form, X, self.batch_size) / self.temperature_


def is_plain(X, y, n_features):
    """Whether a batch is in order as it is, but for the finiteness of its numbers.

    What `validate_data` costs is a multiple of the sums of a batch of 64 rows.

    Parameters
    ----------
    X, y : object
        Rows and labels.
    n_features : int
        Number of features seen before.

    Returns
    -------
    bool
        True for arrays of the right shapes and dtypes.
    """
    return (
        type(X) is type(y) is np.ndarray
        and X.dtype in DATA["dtype"]
        and y.dtype.kind in "biufU"
        and y.ndim == 1
        and len(y) > 0
        and X.shape == (len(y), n_features)
    )
