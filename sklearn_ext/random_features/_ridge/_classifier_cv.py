"""Ridge classification on random features that chooses its ridge."""

from sklearn_ext._core._compat import StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext.random_features._ridge._base import BaseRandomFeatureRidge
from sklearn_ext.random_features._ridge._choice import CV_CONSTRAINTS, ChoosesItsRidge
from sklearn_ext.random_features._ridge._classifier import (
    RandomFeatureRidgeClassifier,
    ScoresClasses,
)
from sklearn_ext.random_features._ridge._ridge_cv import RandomFeatureRidgeCV


@shared_docs(RandomFeatureRidgeClassifier, RandomFeatureRidgeCV)
class RandomFeatureRidgeClassifierCV(
    ScoresClasses, ChoosesItsRidge, BaseRandomFeatureRidge
):
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

    Kernel and scale of the columns are chosen in the same way, see
    :class:`RandomFeatureRidgeCV`; blocks take ``"relu"`` on random features and columns
    as they are for ``"auto"``.

    Parameters
    ----------
    n_components : see RandomFeatureRidgeClassifier
    alphas, filter, cv : see RandomFeatureRidgeCV
    scoring : str, callable or None, default=None
        Scorer of the held-out predictions; None is the negative mean squared error of
        the scores.
    refine, loo_subset, store_cv_results : see RandomFeatureRidgeCV
    class_weight : see RandomFeatureRidgeClassifier
    kernel : str, list of str or "auto", default="auto"
        The kernel, see :class:`RandomFeatures`, or kernels to choose from by held-out
        error; ``"auto"`` is ``["relu", "laplacian", "rbf"]``.
    map, fourier, feature_map, sampling, gamma, nu : see RandomFeatureRidgeCV
    length_scale, bias_scale, fit_intercept, standardize : see RandomFeatureRidgeCV
    search_components, tie_break : see RandomFeatureRidgeCV
    solver, precision : see RandomFeatureRidgeClassifier
    batch_size, device, random_state : see RandomFeatureRidgeClassifier

    Attributes
    ----------
    classes_, temperature_ : see RandomFeatureRidgeClassifier
    kernel_, gamma_, length_scale_, standardize_ : see RandomFeatureRidgeCV
    map_, candidates_, n_candidates_, candidate_errors_ : see RandomFeatureRidgeCV
    candidate_alphas_, choice_is_clear_ : see RandomFeatureRidgeCV
    alpha_ : float
        The chosen ridge.
    time_ : float
        ``1 / alpha_``, when gradient descent stops, only when ``filter="flow"``.
    alphas_, best_score_ : see RandomFeatureRidgeCV
    loo_error_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_scores)
        Weighted mean squared leave-one-out errors, only when ``cv="loo"``.
    fold_error_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_scores)
        Mean over the folds of their mean squared errors, only when ``cv`` is folds.
    train_error_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_scores)
        Weighted mean squared training errors.
    gcv_path_ : ndarray of shape (n_alphas,) or (n_alphas, n_scores)
        Generalised cross-validation errors, not when ``filter="flow"``, of whose errors
        they are biased.
    dof_path_, overfitting_cost_ : see RandomFeatureRidgeCV
    cv_results_ : ndarray of shape (n_rows, n_alphas) or (n_rows, n_scores, n_alphas)
        Squared held-out errors, only when ``store_cv_results=True``.
    loo_residuals_ : ndarray of shape (n_rows,) or (n_rows, n_scores)
        Leave-one-out residuals at the chosen ridge.
    loo_predictions_ : ndarray of shape (n_rows,) or (n_rows, n_scores)
        Leave-one-out predictions of the scores.
    loo_indices_ : ndarray of shape (n_rows,)
        The rows of these results.
    component_coef_, dual_coef_, X_fit_ : see RandomFeatureRidgeClassifier
    intercept_, solver_ : see RandomFeatureRidgeClassifier
    n_samples_seen_, effective_dof_, kappa_ : see RandomFeatureRidgeClassifier
    fitting_ratio_, n_iter_, n_features_in_ : see RandomFeatureRidgeClassifier
    feature_names_in_ : see RandomFeatureRidgeClassifier

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
    >>> model = RandomFeatureRidgeClassifierCV(300, random_state=0)
    >>> model.fit(X[:900], y[:900]).score(X[900:], y[900:]) > 0.9
    True
    """

    _parameter_constraints: dict = {
        **CV_CONSTRAINTS,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        n_components=1024,
        alphas=None,
        *,
        filter="ridge",
        cv="loo",
        scoring=None,
        refine=False,
        loo_subset=20_000,
        store_cv_results=False,
        class_weight=None,
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
        self.search_components = search_components
        self.tie_break = tie_break
        self.solver = solver
        self.precision = precision
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state
