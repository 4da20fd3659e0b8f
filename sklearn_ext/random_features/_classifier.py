"""Ridge classification on random features with a given ridge."""

from numbers import Real

import numpy as np

from sklearn_ext._core._base import fit_context
from sklearn_ext._core._blocks import fit_blocks
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext.random_features._base_ridge import RIDGE_CONSTRAINTS
from sklearn_ext.random_features._targets import ClassTarget
from sklearn_ext.random_features._tuned import Plan, TunedRidge


class RandomFeatureRidgeClassifier(ClassTarget, TunedRidge):
    r"""Ridge classification on random features, with calibrated probabilities.

    Each class has a target of one and minus one (two classes share one target), and
    :class:`RandomFeatureRidge` is fitted to all of them by one factorisation. Its
    scores times ``temperature_`` pass through a softmax, where the temperature
    minimises the log-loss of the exact leave-one-out scores: held-out scores that need
    no refit.

    It costs ``n_samples * n_components ** 2 + 9 * n_components ** 3`` operations.

    Parameters
    ----------
    n_components : int or "infinite", default=1024
        Number of features; ``"infinite"`` (or ``numpy.inf``) uses the exact kernel.
    alpha : float, default=0.1
        The ridge.
    class_weight : dict, "balanced" or None, default=None
        Factors of the sample weights by class.
    kernel : str, default="relu"
        The kernel, see :class:`RandomFeatures`.
    map : {"random", "landmarks"}, default="random"
        Random features, or whitened landmarks of the data, at most as many as rows.
    fourier : {"phase", "pair"}, default="phase"
        Waves of ``"rbf"``, ``"laplacian"`` and ``"matern"``.
    feature_map : transformer or None, default=None
        A transformer such as :class:`~sklearn.kernel_approximation.Nystroem`, fitted
        to the rows, that replaces kernel, map, sampling and width.
    sampling : {"auto", "iid", "orthogonal", "structured"}, default="auto"
        How random weights depend on each other.
    gamma : "scale" or float, default="scale"
        Rate of ``"rbf"`` and ``"laplacian"``.
    nu : float, default=1.5
        Smoothness of ``"matern"``.
    length_scale : "scale" or float, default="scale"
        Length scale of ``"matern"``.
    bias_scale : float, default=0.5
        Standard deviation of the neurons' biases.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    standardize : bool, default=False
        Whether to scale columns to unit variance, and to centre them if dense.
    solver : {"auto", "primal", "dual"}, default="auto"
        The side on which eigenvectors are found; ``"auto"`` takes the smaller matrix.
    precision : {"auto", "float64"}, default="auto"
        ``"auto"`` multiplies float32 rows in single precision, adds in double, and
        refines by conjugate gradients where the ridge is small; ``"float64"`` does
        everything in double.
    batch_size : int or None, default=None
        Rows whose features are formed at a time; None chooses by
        ``sklearn.get_config()["working_memory"]``.
    device : str or None, default=None
        Torch device that computes, for instance ``"cuda"``; None computes where the
        rows are.
    random_state : int, RandomState instance or None, default=None
        Seed of weights or landmarks.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    temperature_ : float
        Factor of the scores in ``predict_proba``: it minimises the log-loss of
        leave-one-out scores.
    coef_ : ndarray of shape (n_scores, n_components)
        Coefficients of the features, only when ``n_components`` is finite.
    dual_coef_ : ndarray of shape (n_scores, n_samples)
        Coefficients of the distinct rows, only when ``n_components="infinite"``.
    X_fit_ : ndarray of shape (n_samples, n_features)
        The distinct rows, only when ``n_components="infinite"``.
    intercept_ : ndarray of shape (n_scores,)
        Intercept.
    solver_ : str
        Side and method that were used, such as ``"primal-eigen"``.
    n_samples_seen_ : int
        Number of rows of positive weight.
    effective_dof_ : float
        Effective degrees of freedom, intercept included.
    kappa_ : float
        Effective ridge ``alpha / (W * (1 - effective_dof_ / n))``, of ``n`` distinct
        rows and their summed weight ``W``.
    fitting_ratio_ : float
        ``(1 - effective_dof_ / n) ** 2``, which theory predicts to be training error
        over test error.
    n_iter_ : int
        Conjugate gradient steps; zero without.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, only when they had names.

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
        "solver": [StrOptions({"auto", "primal", "dual"})],
    }
    _sample_rows = 5_000  # enough for one number, the temperature

    def __init__(
        self,
        n_components=1024,
        alpha=0.1,
        *,
        class_weight=None,
        kernel="relu",
        map="random",
        fourier="phase",
        feature_map=None,
        sampling="auto",
        gamma="scale",
        nu=1.5,
        length_scale="scale",
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

    def _alphas_of_grid(self, spectrum):
        return np.array([float(self.alpha)])

    def _plan_of_blocks(self):
        return Plan("given")

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Fit to all rows at once.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            The classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; an integer counts as that many equal rows, which
            leave-one-out leaves out together.

        Returns
        -------
        RandomFeatureRidgeClassifier
            The fitted model.
        """
        return self._fit(X, y, sample_weight)

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
        RandomFeatureRidgeClassifier
            The model, as if it had been fitted to all rows so far.
        """
        if not hasattr(self, "_fitted") and classes is None:
            raise ValueError(
                "The first partial_fit needs classes, all labels that any block may "
                "hold, got None."
            )
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
        RandomFeatureRidgeClassifier
            The fitted model.
        """
        return fit_blocks(self, blocks, n_jobs=n_jobs, classes=classes)
