"""Ridge classification on random features that chooses its ridge."""

from sklearn_ext._core._base import fit_context
from sklearn_ext._core._blocks import fit_blocks
from sklearn_ext._core._compat import StrOptions
from sklearn_ext.random_features._cv import CV_CONSTRAINTS, TunedRidgeCV
from sklearn_ext.random_features._targets import ClassTarget


class RandomFeatureRidgeClassifierCV(ClassTarget, TunedRidgeCV):
    r"""Ridge classification on random features, tuned by exact leave-one-out.

    One factorisation serves the whole grid: with :math:`A^\top A = V \mathrm{diag}(e)
    V^\top` of the centred features, the leverages of all rows for all ridges are one
    matrix product, and the leave-one-out residual of row :math:`i` is its residual over
    :math:`1 - h_i`, exactly. The cost is that of a single fit plus ``n_samples *
    n_components * (n_components + n_alphas)``.

    Equal rows (of the same X and y) count as one row of their summed weight, which is
    left out as a whole. So integer weights equal repetition, no copy of a row testifies
    for it, and weights times a constant choose the same model.

    Probabilities come from the same leave-one-out scores, see
    :class:`RandomFeatureRidgeClassifier`.

    Parameters
    ----------
    n_components : int or "infinite", default=1024
        Number of features; ``"infinite"`` (or ``numpy.inf``) uses the exact kernel.
    alphas : array-like of shape (n_alphas,) or None, default=None
        The grid; None spans the eigenvalues of the kernel matrix by its mean diagonal
        times powers of ``10 ** (1 / 3)``, so that weights times a constant give alphas
        times that constant.
    cv : {"loo", "gcv"}, int, splitter or iterable, default="loo"
        Exact leave-one-out, generalised cross-validation (which is optimistic close to
        interpolation), or folds. An integer deals distinct rows to that many folds,
        evenly by class and the same whatever their order; a splitter sees rows as they
        are.
    scoring : str, callable or None, default=None
        Scorer of the held-out predictions; None is the negative mean squared error of
        the scores.
    refine : bool, default=False
        Whether to add twenty ridges between the neighbours of the best.
    loo_subset : int, default=20_000
        Distinct rows, drawn from more by their hash, that leave-one-out looks at; the
        model itself is fitted to all.
    store_cv_results : bool, default=False
        Whether to keep ``cv_results_``.
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
    alpha_ : float
        The chosen ridge.
    alphas_ : ndarray of shape (n_alphas,)
        The grid, ascending.
    best_score_ : float
        Score of the chosen ridge.
    loo_error_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_scores)
        Weighted mean squared leave-one-out errors, only when ``cv="loo"``.
    fold_error_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_scores)
        Mean over the folds of their mean squared errors, only when ``cv`` is folds.
    train_error_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_scores)
        Weighted mean squared training errors.
    gcv_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_scores)
        Generalised cross-validation errors.
    dof_path_ : ndarray of shape (n_alphas,)
        Effective degrees of freedom, intercept included.
    overfitting_cost_ : float
        Held-out error at the smallest ridge over that at the best.
    cv_results_ : ndarray of shape (n_rows, n_alphas) or (n_rows, n_scores, n_alphas)
        Squared held-out errors, only when ``store_cv_results=True``.
    loo_residuals_ : ndarray of shape (n_rows,) or (n_rows, n_scores)
        Leave-one-out residuals at the chosen ridge.
    loo_predictions_ : ndarray of shape (n_rows,) or (n_rows, n_scores)
        Leave-one-out predictions of the scores.
    loo_indices_ : ndarray of shape (n_rows,)
        The rows of these results.
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
    RandomFeatureRidgeClassifier : A given ridge.
    RandomFeatureRidgeCV : The regressor.
    sklearn.linear_model.RidgeClassifierCV : The linear model, without probabilities.

    References
    ----------
    .. [1] Simon, Karkada, Ghosh and Belkin, "More is better in modern machine
       learning: when infinite overparameterization is optimal and overfitting is
       obligatory", ICLR 2024.
    .. [2] Rahimi and Recht, "Random features for large-scale kernel machines", 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.random_features import RandomFeatureRidgeClassifierCV
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RandomFeatureRidgeClassifierCV(300, standardize=True, random_state=0)
    >>> model.fit(X[:900], y[:900]).score(X[900:], y[900:]) > 0.9
    True
    """

    _parameter_constraints: dict = {
        **CV_CONSTRAINTS,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _target_is_class = True

    def __init__(
        self,
        n_components=1024,
        alphas=None,
        *,
        cv="loo",
        scoring=None,
        refine=False,
        loo_subset=20_000,
        store_cv_results=False,
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
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.refine = refine
        self.loo_subset = loo_subset
        self.store_cv_results = store_cv_results
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

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, groups=None):
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
        groups : array-like of shape (n_samples,), default=None
            Groups of the rows, for the splitter.

        Returns
        -------
        RandomFeatureRidgeClassifierCV
            The fitted model.
        """
        return self._fit_cv(X, y, sample_weight, groups)

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
        RandomFeatureRidgeClassifierCV
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
        RandomFeatureRidgeClassifierCV
            The fitted model.
        """
        return fit_blocks(self, blocks, n_jobs=n_jobs, classes=classes)
