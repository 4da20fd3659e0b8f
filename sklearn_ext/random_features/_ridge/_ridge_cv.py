"""Ridge regression on random features that chooses its ridge."""

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import check_level
from sklearn_ext._numerics._arrays import like, namespace
from sklearn_ext._numerics._quantiles import covering_quantile
from sklearn_ext.random_features._ridge._base import BaseRandomFeatureRidge
from sklearn_ext.random_features._ridge._choice import CV_CONSTRAINTS, ChoosesItsRidge
from sklearn_ext.random_features._ridge._ridge import RandomFeatureRidge


@shared_docs(RandomFeatureRidge)
class RandomFeatureRidgeCV(
    MultiOutputMixin, RegressorMixin, ChoosesItsRidge, BaseRandomFeatureRidge
):
    r"""Ridge regression on random features, tuned by exact leave-one-out.

    One factorisation serves the whole grid: with :math:`A^\top A = V \mathrm{diag}(e)
    V^\top` of the centred features, the leverages of all rows for all ridges are one
    matrix product, and the leave-one-out residual of row :math:`i` is its residual over
    :math:`1 - h_i`, exactly. The cost is that of a single fit plus ``n_samples *
    n_components * (n_components + n_alphas)``.

    Equal rows (of the same X and y) count as one row of their summed weight, which is
    left out as a whole. So integer weights equal repetition, no copy of a row testifies
    for it, and weights times a constant choose the same model.

    **Kernel and scale of the columns** are chosen in the same way: leave-one-out errors
    of different kernels on the same rows are comparable numbers. Candidates cost one
    factorisation each at ``search_components`` features. Blocks cannot choose:
    ``partial_fit`` and ``fit_blocks`` take ``"relu"`` on random features and columns as
    they are for ``"auto"``, so that streams of any blocks are one fit, and refuse
    lists.

    Parameters
    ----------
    n_components : see RandomFeatureRidge
    alphas : array-like of shape (n_alphas,) or None, default=None
        The grid; None spans the eigenvalues of the kernel matrix by its mean diagonal
        times powers of ``10 ** (1 / 3)``, so that weights times a constant give alphas
        times that constant. Times of ``filter="flow"`` are one over them.
    filter : see RandomFeatureRidge
    cv : {"loo", "gcv"}, int, splitter or iterable, default="loo"
        Exact leave-one-out, generalised cross-validation (which is optimistic close to
        interpolation, and refused with ``filter="flow"``), or folds. An integer deals
        distinct rows to that many folds, evenly by class and the same whatever their
        order; a splitter sees rows as they are.
    scoring : str, callable or None, default=None
        Scorer of the held-out predictions; None is the negative mean squared error.
    alpha_per_target : bool, default=False
        Whether each target has its own ridge; only with ``scoring=None``.
    refine : bool, default=False
        Whether to add twenty ridges between the neighbours of the best.
    loo_subset : int, default=20_000
        Distinct rows, drawn from more by their hash, that leave-one-out looks at; the
        model itself is fitted to all.
    store_cv_results : bool, default=False
        Whether to keep ``cv_results_``.
    kernel : str, list of str or "auto", default="auto"
        The kernel, see :class:`RandomFeatures`, or kernels to choose from by held-out
        error; ``"auto"`` is ``["relu", "laplacian"]``.
    map : {"auto", "random", "landmarks"}, default="auto"
        See :class:`RandomFeatureRidge`.
    fourier, feature_map, sampling : see RandomFeatureRidge
    gamma : "auto", "scale", float or array-like, default="auto"
        Rate of ``"rbf"`` and ``"laplacian"``, or rates to choose from. ``"scale"`` is
        one over the number of columns times the weighted variance of all entries;
        ``"auto"`` is 0.3 of that for ``"laplacian"``, where a search brings nothing,
        and for ``"rbf"`` the choice among 0.01, 0.03, 0.1, 0.3 and 1 times that.
    nu : see RandomFeatureRidge
    length_scale : "auto", "scale", float or array-like, default="auto"
        Length scale of ``"matern"``, or several; the roots of the rates above.
    bias_scale, fit_intercept : see RandomFeatureRidge
    standardize : bool, str, list or "auto", default="auto"
        A scaling of the columns, see :class:`RandomFeatureRidge`, or scalings to choose
        from; ``"auto"`` is ``["clip", "quantile"]``, of sparse rows with more than a
        thousand columns (or 2 ** 27 cells) ``[False, "standard"]``, and False with a
        ``feature_map``.
    search_components : int or None, default=256
        Width at which candidates are compared, if that is less than ``n_components``,
        which the chosen one has; None compares at full width.
    tie_break : {"best", "first"}, default="best"
        Whether the least error wins, or the first candidate whose error is not greater
        by more than a standard error of paired differences.
    solver : {"auto", "primal", "dual"}, default="auto"
        The side on which eigenvectors are found; ``"auto"`` takes the smaller matrix.
    precision, batch_size, device, random_state : see RandomFeatureRidge

    Attributes
    ----------
    kernel_ : str
        The chosen kernel, only without a ``feature_map``.
    gamma_ : float or None
        Its rate, if it has one.
    length_scale_ : float or None
        Its length scale, if it has one.
    standardize_ : str or bool
        The chosen scaling of the columns.
    map_ : str
        ``"random"``, ``"landmarks"``, ``"infinite"`` or ``"feature_map"``.
    candidates_ : list of dict
        What was compared: kernel, gamma, length_scale, standardize.
    n_candidates_ : int
        Their number.
    candidate_errors_ : ndarray of shape (n_candidates, n_alphas)
        Held-out errors, means over targets, for each ridge of ``candidate_alphas_``;
        nan where a candidate's grid is shorter than others.
    candidate_alphas_ : ndarray of shape (n_candidates, n_alphas)
        The ridges.
    choice_is_clear_ : bool
        Whether the best candidate of any other kernel is worse by more than two
        standard errors of the paired differences, only when ``cv="loo"``.
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen ridge, of each target with ``alpha_per_target``.
    time_ : float or ndarray of shape (n_targets,)
        ``1 / alpha_``, when gradient descent stops, only when ``filter="flow"``.
    alphas_ : ndarray of shape (n_alphas,)
        The grid, ascending.
    best_score_ : float
        Score of the chosen ridge.
    loo_error_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        Weighted mean squared leave-one-out errors, only when ``cv="loo"``.
    fold_error_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        Mean over the folds of their mean squared errors, only when ``cv`` is folds.
    train_error_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        Weighted mean squared training errors.
    gcv_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        Generalised cross-validation errors, not when ``filter="flow"``, of whose errors
        they are biased.
    dof_path_ : ndarray of shape (n_alphas,)
        Effective degrees of freedom, intercept included.
    overfitting_cost_ : float
        Held-out error at the smallest ridge over that at the best.
    cv_results_ : ndarray of shape (n_rows, n_alphas) or (n_rows, n_targets, n_alphas)
        Squared held-out errors, only when ``store_cv_results=True``.
    loo_residuals_ : ndarray of shape (n_rows,) or (n_rows, n_targets)
        Leave-one-out residuals at the chosen ridge, only when ``cv="loo"``.
    loo_predictions_ : ndarray of shape (n_rows,) or (n_rows, n_targets)
        Leave-one-out predictions, only when ``cv="loo"``.
    loo_indices_ : ndarray of shape (n_rows,)
        The rows of these results, only when ``cv="loo"``: all copies in the data, of
        blocks the first ones. Of ``fit_blocks`` their positions in their blocks.
    component_coef_, dual_coef_, X_fit_, intercept_, solver_ : see RandomFeatureRidge
    n_samples_seen_, effective_dof_, kappa_, fitting_ratio_ : see RandomFeatureRidge
    n_iter_, n_features_in_, feature_names_in_ : see RandomFeatureRidge

    See Also
    --------
    RandomFeatureRidge : A given ridge, by Cholesky.
    RandomFeatureRidgeClassifierCV : The classifier.
    sklearn.linear_model.RidgeCV : The linear model.

    References
    ----------
    .. [1] Simon, Karkada, Ghosh and Belkin, "More is better in modern machine
       learning: when infinite overparameterization is optimal and overfitting is
       obligatory", ICLR 2024.
    .. [2] Rahimi and Recht, "Random features for large-scale kernel machines", 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.random_features import RandomFeatureRidgeCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidgeCV(random_state=0).fit(X, y)
    >>> float(model.loo_error_path_.min() / y.var()) < 0.55
    True
    """

    _parameter_constraints: dict = {**CV_CONSTRAINTS, "alpha_per_target": ["boolean"]}

    def __init__(
        self,
        n_components=1024,
        alphas=None,
        *,
        filter="ridge",
        cv="loo",
        scoring=None,
        alpha_per_target=False,
        refine=False,
        loo_subset=20_000,
        store_cv_results=False,
        kernel="auto",
        map="auto",
        fourier="phase",
        feature_map=None,
        sampling="auto",
        gamma="auto",
        nu=1.5,
        length_scale="auto",
        bias_scale=0.5,
        fit_intercept=True,
        standardize="auto",
        search_components=256,
        tie_break="best",
        solver="auto",
        precision="auto",
        batch_size=None,
        device=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.alphas = alphas
        self.filter = filter
        self.cv = cv
        self.scoring = scoring
        self.alpha_per_target = alpha_per_target
        self.refine = refine
        self.loo_subset = loo_subset
        self.store_cv_results = store_cv_results
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
        self.search_components = search_components
        self.tie_break = tie_break
        self.solver = solver
        self.precision = precision
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def predict_interval(self, X, confidence_level=0.9):
        """Predict an interval for each row, from leave-one-out residuals.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        confidence_level : float, default=0.9
            Share of new targets that the intervals shall hold.

        Returns
        -------
        ndarray of shape (n_samples, 2) or (n_samples, 2, n_targets)
            Lower and upper ends. The width is the same for all rows; it is infinite
            where there are too few rows for the level.

        Raises
        ------
        AttributeError
            When there are no leave-one-out residuals, that is unless ``cv="loo"``.
        """
        check_level(confidence_level)
        centre = self._decision(X, "predict_interval")
        solution = self._left_out()
        w = solution.held.w
        width = [
            covering_quantile(np.abs(r), w, confidence_level) for r in solution.loo.T
        ]
        width, xp = like(np.array(width), centre), namespace(centre)
        ends = xp.stack([centre - width, centre + width], axis=1)
        return ends[:, :, 0] if self._encoder.one else ends
