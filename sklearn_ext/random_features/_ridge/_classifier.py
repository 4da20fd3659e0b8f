"""Ridge classification on random features with a given ridge."""

from numbers import Real

import numpy as np
from sklearn.base import ClassifierMixin

from sklearn_ext._core._base import fit_context
from sklearn_ext._core._blocks import fit_blocks
from sklearn_ext._core._compat import MIXED_NAMESPACES, Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._numerics._arrays import like, to_numpy
from sklearn_ext._numerics._classes import classes_of_stream
from sklearn_ext._numerics._held_out import probabilities
from sklearn_ext.random_features._ridge._base import (
    RIDGE_CONSTRAINTS,
    BaseRandomFeatureRidge,
)
from sklearn_ext.random_features._ridge._choice import Plan, choose
from sklearn_ext.random_features._ridge._encoders import Classes
from sklearn_ext.random_features._ridge._ridge import RandomFeatureRidge


class ScoresClasses(ClassifierMixin):
    """Scores and probabilities of classes, fitted at once or by blocks."""

    _encodes = Classes

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Add the rows of one more block; the ridge is solved when it is next needed.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows. The first block fixes what is measured on data: scaling,
            ``gamma="scale"``, landmarks.
        y : array-like of shape (n_samples,)
            The classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        classes : array-like of shape (n_classes,), default=None
            All classes; needed by the first call.

        Returns
        -------
        estimator
            The model, as if it had been fitted to all rows so far.
        """
        if not hasattr(self, "_fitted"):
            classes = classes_of_stream(classes)
        return self._partial_fit(X, y, sample_weight, classes=classes)

    @fit_context(prefer_skip_nested_validation=False)
    def fit_blocks(self, blocks, *, classes, n_jobs=None):
        """Fit to blocks of rows as if they were one table, and solve once.

        Parameters
        ----------
        blocks : iterable
            Tuples ``(X, y)`` or ``(X, y, sample_weight)``, or callables that load one.
        classes : array-like of shape (n_classes,)
            All classes.
        n_jobs : int or None, default=None
            Threads, or workers of the active joblib backend.

        Returns
        -------
        estimator
            The fitted model.
        """
        return fit_blocks(self, blocks, n_jobs=n_jobs, classes=classes)

    def decision_function(self, X):
        """Return the score of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores; for two classes those of the second.
        """
        scores = self._decision(X, "decision_function")
        return self._encoder.squeezed(scores)

    def predict_proba(self, X):
        """Return the probability of each class.

        Scores are divided by ``temperature_`` and pass through a softmax (two
        classes: a sigmoid).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        scores = self._decision(X, "predict_proba")
        return like(probabilities(to_numpy(scores), self.temperature_), scores)

    @property
    def classes_(self):
        """The classes, sorted."""
        return self._encoder.classes

    @property
    def temperature_(self):
        """Divisor of the scores in ``predict_proba``."""
        return self._solution().temperature

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = MIXED_NAMESPACES  # classes_ stay in NumPy
        return tags


@shared_docs(RandomFeatureRidge)
class RandomFeatureRidgeClassifier(ScoresClasses, BaseRandomFeatureRidge):
    r"""Ridge classification on random features, with calibrated probabilities.

    Each class has a target of one and minus one (two classes share one target), and
    :class:`RandomFeatureRidge` is fitted to all of them by one factorisation. Its
    scores over ``temperature_`` pass through a softmax, where the temperature
    minimises the log-loss of the exact leave-one-out scores: held-out scores that need
    no refit.

    It costs ``n_samples * n_components ** 2 + 9 * n_components ** 3`` operations.

    Columns should have comparable scales and not lie far from zero, where neurons are
    linear: scale them beforehand, or set ``standardize=True``.

    Parameters
    ----------
    n_components : see RandomFeatureRidge
    alpha : float, default=0.1
        The ridge.
    filter : see RandomFeatureRidge
    class_weight : dict, "balanced" or None, default=None
        Factors of the sample weights by class.
    kernel, map, fourier, feature_map, sampling, gamma, nu : see RandomFeatureRidge
    length_scale, bias_scale, fit_intercept, standardize : see RandomFeatureRidge
    solver : {"auto", "primal", "dual"}, default="auto"
        The side on which eigenvectors are found; ``"auto"`` takes the smaller matrix.
    precision, batch_size, device, random_state : see RandomFeatureRidge

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    temperature_ : float
        Divisor of the scores in ``predict_proba``, larger is flatter: it minimises
        the log-loss of leave-one-out scores.
    component_coef_ : ndarray of shape (n_scores, n_components)
        Coefficients of the random features, only when ``n_components`` is finite.
    dual_coef_ : ndarray of shape (n_scores, n_samples)
        Coefficients of the distinct rows, only when ``n_components="infinite"``.
    X_fit_ : see RandomFeatureRidge
    intercept_ : ndarray of shape (n_scores,)
        Intercept.
    solver_ : str
        Side and method that were used, such as ``"primal-eigen"``.
    n_samples_seen_ : see RandomFeatureRidge
    effective_dof_ : float
        Effective degrees of freedom, intercept included.
    kappa_ : float
        Effective ridge ``alpha / (W * (1 - effective_dof_ / n))``, of ``n`` distinct
        rows and their summed weight ``W``, only when ``filter="ridge"``.
    fitting_ratio_ : float
        ``(1 - effective_dof_ / n) ** 2``, which theory predicts to be training error
        over test error, only when ``filter="ridge"``.
    n_iter_, n_features_in_, feature_names_in_ : see RandomFeatureRidge

    See Also
    --------
    RandomFeatureRidgeClassifierCV : Chooses ``alpha`` by exact leave-one-out.
    RandomFeatureRidge : The regressor.
    sklearn.linear_model.RidgeClassifier : The linear model, without probabilities.

    References
    ----------
    .. [1] Simon, Karkada, Ghosh and Belkin, "More is better in modern machine
       learning: when infinite overparameterization is optimal and overfitting is
       obligatory", ICLR 2024.
    .. [2] Rahimi and Recht, "Random features for large-scale kernel machines", 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.random_features import RandomFeatureRidgeClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RandomFeatureRidgeClassifier(standardize=True, random_state=0)
    >>> model.fit(X[:900], y[:900]).score(X[900:], y[900:]) > 0.9
    True
    """

    _parameter_constraints: dict = {
        **RIDGE_CONSTRAINTS,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _sample_rows = 5_000  # enough for one number, the temperature

    def __init__(
        self,
        n_components=1024,
        alpha=0.1,
        *,
        filter="ridge",
        class_weight=None,
        kernel="relu",
        map="random",
        fourier="phase",
        feature_map=None,
        sampling="auto",
        gamma="auto",
        nu=1.5,
        length_scale="auto",
        bias_scale=0.5,
        fit_intercept=True,
        standardize=False,
        solver="auto",
        precision="auto",
        batch_size=None,
        device=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.alpha = alpha
        self.filter = filter
        self.class_weight = class_weight
        self.kernel = kernel
        self.map = map
        self.fourier = fourier
        self.feature_map = feature_map
        self.sampling = sampling
        self.gamma = gamma
        self.nu = nu
        self.length_scale = length_scale
        self.bias_scale = bias_scale
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.solver = solver
        self.precision = precision
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def _solved(self, posed, rows, held, features, plan):
        alphas = np.array([float(self.alpha)])
        return choose(self, posed, rows, held, features, Plan("given"), alphas)
