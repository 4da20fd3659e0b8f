"""The regressor: a polynomial, or any linear model of columns, behind a curve."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import RegressorMixin, clone
from sklearn.utils.validation import (
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    StrOptions,
    _check_feature_names_in,
)
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext.networks._hierarchical._model import (
    Monomials,
    Standard,
    Transformed,
    n_monomials,
    row_blocks,
)
from sklearn_ext.networks._hierarchical._single_index import (
    TIE,
    Problem,
    WholeRows,
    choose,
)

LITTLE = 0.05  # of the variance: who leaves less needs no products of columns
MANY, MOST = 1000, 5000  # features that "auto" makes, and that anybody may ask for


class HierarchicalPolynomialRegressor(
    CallbackSupportMixin, RegressorMixin, ExtEstimator
):
    r"""A polynomial seen through an unknown curve: ridge that learns its link.

    :math:`y = g(\phi(x)^\top c) + e`, with all monomials :math:`\phi` up to a degree
    (or the columns of any transformer), and a curve :math:`g`: a natural cubic spline.
    Prices, counts and whatever else is multiplied, saturates or starts at a threshold
    looks so. The curve need not be monotone, nor have a slope on average.

    All is closed form. A ridge on the target, or on its normal scores, gives an index
    :math:`t = \phi^\top c`; a spline through it, the curve. Then rounds: with
    :math:`g` linearised at :math:`t`,

    .. math:: \sum_i w_i \left(y_i - g(t_i) - g'(t_i) (\phi_i^\top c - t_i)\right)^2
        + \alpha \|c\|^2

    is a ridge with weights :math:`g'(t_i)^2`, whose index gets a new curve. Ridge,
    smoothness of the curve, degree and round are chosen by errors of rows that were
    left out, from the diagonals of hat matrices: equal rows (of X) are left out
    together, so integer weights equal repetition. These errors take the linearisation
    as given, hence are a little optimistic after some rounds: a curve must earn its
    place, see ``min_gain``.

    Each round costs :math:`O(n k^2 + k^3)` for k features, or :math:`O(n^2 k)` where
    there are more features than rows; features are made block by block and not kept.

    Parameters
    ----------
    degree : int or "auto", default="auto"
        Degree of the polynomial. ``"auto"`` is 1, or 2 where that errs less on rows
        that were left out; it is tried where it makes no more than 1,000 monomials and
        degree 1 leaves a twentieth of the variance.
    feature_map : transformer, "linear" or None, default=None
        What makes the features: None the monomials, ``"linear"`` the columns
        themselves, a transformer its output (``degree`` and ``interaction_only`` then
        do not matter). It is fitted to distinct rows, on one scale with
        ``standardize``, and gets their weights if it takes any.
    interaction_only : bool, default=False
        Whether to leave powers of a column out.
    n_knots : int, default=20
        Knots of the curve at most, half of them at quantiles of the index. The curve is
        penalised, hence more do no harm.
    max_iter : int, default=12
        Rounds at most from each start. With 0 the index is that of the first ridge.
        Rounds end earlier when three in a row gain nothing.
    alphas : array-like of shape (n_alphas,) or None, default=None
        Ridges to choose from in every round; None is a grid relative to the features,
        so that weights times a constant choose the same model.
    min_gain : float, default=0.02
        Share by which the error of rows left out must fall for a curve to be taken; the
        gain in squared or in absolute errors must also exceed 2.5 standard errors of
        the paired differences. Otherwise the plain ridge is the answer.
    monotonic : bool, default=False
        Whether the curve may not fall: for scores, prices, and whoever must explain.
    standardize : bool, default=True
        Whether columns, and the monomials of them, are brought to variance one. Without
        it the answer depends on the units of the columns.

    Attributes
    ----------
    component_coef_ : ndarray of shape (n_features_out,)
        Coefficients of the index on the features, which are centred and, with
        ``standardize``, of variance one; in the order of ``get_feature_names_out``.
    intercept_ : float
        The index at the mean of the features.
    link_ : Link
        The curve: ``knots``, ``values`` and ``slopes``; straight beyond the last knots,
        without knots the identity. Index and target share a unit: the mean square slope
        is one.
    alpha_ : float
        Ridge of the last round that was taken.
    degree_ : int
        Degree of the polynomial, only without a transformer.
    best_stage_ : {"ridge", "link", "refined"}
        What was taken: the first ridge, the curve through an index, or a further round.
    n_iter_ : int
        Ridges of the route that was taken, the first included.
    loo_error_path_ : ndarray of shape (n_stages,)
        Mean squared error of rows left out: of the ridge, the first curve, each round.
    loo_error_ : float
        That of the stage that was taken.
    feature_map_ : object
        What turns rows into features.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Names of the columns; only when ``X`` has names that are strings.

    See Also
    --------
    sklearn.linear_model.RidgeCV : The same without a curve.
    sklearn.compose.TransformedTargetRegressor : For a curve that is known, such as exp.
    sklearn.ensemble.HistGradientBoostingRegressor : Where interactions are rules.
    sklearn_ext.random_features.RandomFeatureRidgeCV : Where no one index says it all.

    References
    ----------
    .. [1] Z. Wang, E. Nichani and J. D. Lee, "Learning hierarchical polynomials with
       three-layer neural networks", ICLR 2024.
    .. [2] H. Ichimura, "Semiparametric least squares (SLS) and weighted SLS estimation
       of single-index models", Journal of Econometrics 58, 1993.
    .. [3] Y. Lu and G. Li, "Phase transitions of spectral initialization for
       high-dimensional non-convex estimation", Information and Inference 9, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.networks import HierarchicalPolynomialRegressor
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> y = np.exp(X[:, 0] + X[:, 1] * X[:, 2])
    >>> model = HierarchicalPolynomialRegressor().fit(X, y)
    >>> model.best_stage_, model.score(X, y) > 0.99
    ('refined', True)
    """

    _takes_sparse = True

    _parameter_constraints: dict = {
        "degree": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "feature_map": [
            HasMethods(["fit", "transform"]),
            StrOptions({"linear"}),
            None,
        ],
        "interaction_only": ["boolean"],
        "n_knots": [Interval(Integral, 4, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "alphas": ["array-like", None],
        "min_gain": [Interval(Real, 0, 1, closed="left")],
        "monotonic": ["boolean"],
        "standardize": ["boolean"],
    }

    def __init__(
        self,
        degree="auto",
        *,
        feature_map=None,
        interaction_only=False,
        n_knots=20,
        max_iter=12,
        alphas=None,
        min_gain=0.02,
        monotonic=False,
        standardize=True,
    ):
        self.degree = degree
        self.feature_map = feature_map
        self.interaction_only = interaction_only
        self.n_knots = n_knots
        self.max_iter = max_iter
        self.alphas = alphas
        self.min_gain = min_gain
        self.monotonic = monotonic
        self.standardize = standardize

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Find the index and its curve.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; sparse ones are made dense.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; an integer counts as that many equal rows.

        Returns
        -------
        HierarchicalPolynomialRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            When there would be more than 5,000 features, or ``alphas`` are no positive
            numbers.
        """
        table, target = X, y
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=FLOATS, y_numeric=True
        )
        w = check_weights(sample_weight, X, dtype=np.float64)
        alphas, degrees = self._ridges(), self._degrees(X.shape[1])
        there = w > 0
        rows = WholeRows.of(_dense(X)[there], _float64(y)[there], w[there])
        if alphas is not None:
            alphas = alphas / rows.unit
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        tasks = FitTasks(self, table, target, max_subtasks=None, metadata=metadata)
        report, found, least = _Report(tasks, rows), None, np.inf
        for degree in degrees:
            if report.stopped or least < LITTLE:
                break
            features = self._features(rows, degree)
            problem = Problem(rows, features, alphas, self.n_knots, self.monotonic)
            report.features, report.degree = features, degree
            stages = problem.solve(self.max_iter, report)
            taken = choose(stages, rows.share, self.min_gain)
            if not taken.link.rescaled(rows.center, rows.scale).is_resolved:
                taken = stages[0]  # the target is constant but for its last bits
            if found is None or taken.error < (1 - TIE) * least:
                found, least = (features, degree, stages, taken), taken.error
        state = _state(rows, *found)
        vars(self).pop("degree_", None)  # of a fit without a transformer
        vars(self).update(state)
        tasks.close(**state)
        return self

    def _ridges(self):
        if self.alphas is None:
            return None
        alphas = np.asarray(self.alphas, dtype=np.float64)
        if alphas.ndim != 1 or not len(alphas) or not (alphas > 0).all():
            raise ValueError(
                f"alphas must be a list of positive numbers, got {self.alphas!r}."
            )
        if not np.isfinite(alphas).all():
            raise ValueError(f"alphas must be finite, got {self.alphas!r}.")
        return np.unique(alphas)

    def _degrees(self, d):
        """Return the degrees to try; None stands for a transformer."""
        if not (self.feature_map is None or self.feature_map == "linear"):
            return (None,)
        if self.feature_map == "linear":
            degrees = (1,)
        elif self.degree == "auto":
            few = n_monomials(d, 2, interaction_only=self.interaction_only) <= MANY
            degrees = (1, 2) if few else (1,)
        else:
            degrees = (self.degree,)
        made = n_monomials(d, degrees[-1], interaction_only=self.interaction_only)
        if made > MOST:
            raise ValueError(
                f"{d} columns have {made:,} monomials of degree {degrees[-1]} and "
                f"less, more than {MOST:,}. Take a smaller degree, "
                "interaction_only=True, or feature_map=RandomFeatures(...)."
            )
        return degrees

    def _features(self, rows, degree):
        X, share = rows.X, rows.share
        if degree is not None:
            return Monomials.of(
                X,
                share,
                degree,
                interaction_only=self.interaction_only,
                standardize=self.standardize,
            )
        d = X.shape[1]
        columns = Standard.of(X, share) if self.standardize else Standard.none(d)
        transformer = clone(self.feature_map)
        weighted = has_fit_parameter(transformer, "sample_weight")
        fitted = transformer.fit(
            columns(X), **({"sample_weight": rows.w} if weighted else {})
        )
        made = Transformed(columns, fitted, np.zeros(1))
        Phi = made.raw(X)
        if Phi.ndim != 2 or Phi.shape[1] > MOST:
            raise ValueError(
                f"feature_map may make {MOST:,} columns at most, got an output of "
                f"shape {Phi.shape}."
            )
        return Transformed(columns, fitted, share @ Phi)

    def index(self, X):
        """Return the index of each row: what the curve is a function of.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            The index.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        features, index = self.feature_map_, np.empty(X.shape[0])
        for at in row_blocks(X.shape[0], len(features)):
            index[at] = features(_dense(X[at])) @ self.component_coef_
        return index + self.intercept_

    def link(self, t):
        """Return the curve at values of the index.

        Parameters
        ----------
        t : array-like of shape (n,)
            Values of the index.

        Returns
        -------
        ndarray of shape (n,)
            The curve there.
        """
        check_is_fitted(self)
        return self.link_(np.asarray(t, dtype=np.float64))

    def predict(self, X):
        """Predict the target of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predictions: the curve at the index.
        """
        index = self.index(X)
        return self.link_(index)

    def get_feature_names_out(self, input_features=None):
        """Name the features, in the order of ``component_coef_``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None takes ``feature_names_in_``, or "x0", "x1", ...

        Returns
        -------
        ndarray of str
            Names such as "x0 x1" and "x2^2".
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        return self.feature_map_.names(names)

    def summary(self, n_terms=10):
        """Write the model down as text.

        Parameters
        ----------
        n_terms : int, default=10
            Terms of the index that are written, those of the largest coefficients.

        Returns
        -------
        str
            The index as a sum of standardised features, and the curve as a table.
        """
        check_is_fitted(self)
        coef, names = self.component_coef_, self.get_feature_names_out()
        order = np.argsort(-np.abs(coef), kind="stable")[:n_terms]
        lines = [f"t = {self.intercept_:.4g}"]
        lines += [f"    {coef[j]:+.4g} * {names[j]}" for j in order]
        if len(coef) > n_terms:
            lines.append(f"    ... and {len(coef) - n_terms} smaller terms")
        if not len(self.link_.knots):
            return "\n".join([*lines, "y = t"])
        some = np.linspace(0, len(self.link_.knots) - 1, 6).round().astype(int)
        lines.append("y = g(t), a curve through")
        knots, values = self.link_.knots, self.link_.values
        lines += [f"    g({knots[j]:.4g}) = {values[j]:.4g}" for j in np.unique(some)]
        return "\n".join(lines)


class _Report:
    """Tell callbacks of each round, and remember whether one wants to stop."""

    def __init__(self, tasks, rows):
        self.tasks, self.rows, self.stopped = tasks, rows, False

    def __call__(self, stage):
        about = self.rows, self.features, self.degree, [stage], stage
        self.stopped = self.tasks.end(lambda: _state(*about))


def _state(rows, features, degree, stages, taken):
    """Return the fitted attributes, in units of the target."""
    center, scale = rows.center, rows.scale
    with np.errstate(over="ignore"):  # squares of a huge target
        path = np.array([stage.error for stage in stages]) * np.square(scale)
        error = float(taken.error * np.square(scale))
    state = {
        "component_coef_": scale * taken.coef,
        "intercept_": center + scale * taken.intercept,
        "link_": taken.link.rescaled(center, scale),
        "alpha_": taken.alpha * rows.unit,
        "best_stage_": taken.name,
        "n_iter_": len(stages),
        "loo_error_path_": path,
        "loo_error_": error,
        "feature_map_": features,
    }
    return state if degree is None else {**state, "degree_": degree}


def _dense(X):
    return _float64(X.toarray() if sparse.issparse(X) else X)


def _float64(X):
    return np.asarray(X, dtype=np.float64)
