"""Draws from the distribution of a numeric target, row by row."""

from itertools import combinations
from numbers import Integral, Real

import numpy as np
from scipy.stats import norm
from sklearn.base import RegressorMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import HasMethods, Interval, StrOptions
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext.networks._noprop._chain import fit_chain, noise_levels
from sklearn_ext.networks._noprop._rows import Rows
from sklearn_ext.networks._noprop._tables import (
    LEVELS,
    Tail,
    interpolation,
    normal_values,
    read,
)

ROWS = 1024  # worked on at a time
LARGEST = 1e300  # target


class NoPropRegressor(RegressorMixin, ExtEstimator):
    r"""Predict the whole distribution of a numeric target, by blocks trained apart.

    A first regression predicts the target; :math:`e` is what it leaves. Then blocks
    :math:`t = 1, \dots, T` see the row and :math:`z_t = a_t e + s_t \varepsilon`, from
    nearly pure noise to nearly none, and predict :math:`e`. No block waits for another
    and nothing is propagated: each is a ridge regression on random waves of
    :math:`(x, z)`, with the expectation over :math:`\varepsilon` in closed form. At
    prediction noise enters the first block, each hands on what it made of it, and what
    leaves the last is a draw from the distribution of the target given the row, which
    may be skewed, wide here and narrow there, or have two humps.

    What the means of blocks would lose of the variance is put back by Tweedie's
    formula, :math:`\operatorname{var}(e \mid z) = (s^2 / a) \, \partial E[e \mid z] /
    \partial z`. The map from noise to target rises, so quantiles cost no draws and
    never cross.

    ``n_members`` chains are fitted, each to the rows outside of one fold, and their
    quantiles are averaged. So every row has a prediction by a chain that has not seen
    it, from which the intervals are calibrated, as in [2]_.

    Columns are brought to one scale; folds and held rows depend on the values of rows,
    never on their order. Equal rows count as one with their summed weight. Cost:
    ``n_members * n_blocks`` eigendecompositions of matrices of ``n_components`` rows,
    and ``n_samples * n_components**2`` operations for each.

    Parameters
    ----------
    n_blocks : int, default=8
        Blocks after the first regression.
    estimator : regressor, default=None
        The first regression; boosted trees where rules decide. Clones of it are fitted
        without each pair of folds, so that no chain is told anything of the rows it
        leaves out: ``n_members * (n_members - 1) / 2`` fits. None is ridge regression
        on a Laplacian kernel at landmarks and on the columns, with its leave-one-out
        residuals.
    n_components : int, default=300
        Random waves of a chain; its first regression has twice as many landmarks.
    alpha : float or "auto", default="auto"
        Penalty of the first regression and of every block, times the mean diagonal of
        the products of its features; "auto" takes the one with the least leave-one-out
        error, for each block on at most 256 distinct rows with all their noise.
    gamma : float or "auto", default="auto"
        Rate of the kernel :math:`\exp(-\gamma |x - x'|^2)` that the blocks' waves of
        the standardised columns stand for; "auto" is one over four times the number
        of columns.
    n_draws : int, default=100
        Equally likely values whose mean and deviation ``predict`` returns.
    n_members : int, default=5
        Chains, each of which leaves out a fold: at least 2, with an ``estimator`` 3.
    n_jobs : int, default=None
        Chains that are fitted at a time.
    random_state : int, RandomState instance or None, default=None
        Seed of the waves.

    Attributes
    ----------
    chains_ : list of Chain
        A chain a fold; ``alphas`` and ``gain`` (left-out error over that of a block
        that knows z alone) of its blocks tell what they have learnt.
    estimators_ : dict
        Clones of ``estimator`` by the pair of folds that they have not seen; empty
        without one.
    noise_levels_ : ndarray of shape (n_blocks,)
        Ratio of noise to signal that each block sees.
    oof_prediction_ : ndarray of shape (n_samples,)
        Mean by the chain that has not seen the row; NaN where its weight is zero.
    oof_levels_ : ndarray of shape (n_samples,)
        Probability, by the same chain, of a target below that of the row: uniform
        where the distributions are right.
    oof_crps_ : float
        Mean continuous ranked probability score of these predictions.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, only where they are strings.

    See Also
    --------
    crps_loss : Judges draws and quantiles.
    ConditionalDistributionDisplay : Draws what is predicted.
    sklearn.ensemble.HistGradientBoostingRegressor : With ``loss="quantile"``, one fit
        for each level.

    References
    ----------
    .. [1] Q. Li, Y. W. Teh and R. Pascanu, "NoProp: Training neural networks without
       full back-propagation or full forward-propagation", 2025.
    .. [2] R. F. Barber, E. J. Candès, A. Ramdas and R. J. Tibshirani, "Predictive
       inference with the jackknife+", Annals of Statistics 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.networks import NoPropRegressor
    >>> rng = np.random.default_rng(0)
    >>> X, side = rng.uniform(size=(400, 1)), rng.choice([-1.0, 1.0], 400)
    >>> model = NoPropRegressor(random_state=0).fit(X, side * (1 + X[:, 0]))
    >>> model.predict_quantiles([[0.5]], [0.1, 0.4, 0.6, 0.9]).round(1).shape
    (1, 4)
    """

    _parameter_constraints: dict = {
        "n_blocks": [Interval(Integral, 1, None, closed="left")],
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "gamma": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "n_members": [Interval(Integral, 2, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_blocks=8,
        *,
        estimator=None,
        n_components=300,
        alpha="auto",
        gamma="auto",
        n_draws=100,
        n_members=5,
        n_jobs=None,
        random_state=None,
    ):
        self.n_blocks = n_blocks
        self.estimator = estimator
        self.n_components = n_components
        self.alpha = alpha
        self.gamma = gamma
        self.n_draws = n_draws
        self.n_members = n_members
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Fit the chains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; dense, numbers, without missing values.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; an integer counts as that many equal rows. Their
            common factor does not matter.

        Returns
        -------
        NoPropRegressor
            The fitted model.
        """
        given = sample_weight
        X, y = validate_data(self, X, y, dtype=FLOATS, y_numeric=True)
        w = check_weights(given, X, dtype=np.float64)
        y, w = np.asarray(y, dtype=np.float64), w / w.max()
        if (largest := abs(y).max()) > LARGEST:
            raise ValueError(
                f"y must not exceed {LARGEST:g} in size, or its spread overflows; got "
                f"{largest:g}. Divide it by a constant."
            )
        rows = Rows.of(X, y, w, self.n_members)
        n_folds = self._folds_of(rows)
        predictors = self._fit_pairs(X, y, w, given is not None, rows, n_folds)
        wide = np.asarray(X, dtype=np.float64)[rows.first]
        left = self._left(X, y, rows, predictors, n_folds)
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=n_folds)
        chains = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._fit_chain)(wide, y, rows, k, seeds[k], left)
            for k in range(n_folds)
        )
        self.chains_, self.estimators_ = list(chains), predictors
        self.noise_levels_ = noise_levels(self.n_blocks)
        self._look_back(X, y, rows)
        return self

    def _folds_of(self, rows):
        sizes = np.bincount(rows.fold)
        sizes = sizes[sizes > 0]
        least = 2 if self.estimator is None else 3
        # a chain learns from what is outside its fold, a clone from outside a pair
        kept = len(rows.first) - np.sort(sizes)[1 - least :].sum()
        if len(sizes) < least or kept < least:
            raise ValueError(
                f"NoPropRegressor leaves out folds of distinct rows: it needs at least "
                f"{least} folds{' with an estimator' if least == 3 else ''}, and as "
                f"many rows outside of those left out; got n_members={self.n_members} "
                f"and {len(rows.first)} distinct rows of positive weight "
                f"(n_samples = {len(rows.place)})."
            )
        return len(sizes)

    def _fit_pairs(self, X, y, w, weighted, rows, n_folds):
        if self.estimator is None:
            return {}
        if weighted and not has_fit_parameter(self.estimator, "sample_weight"):
            raise ValueError(
                f"sample_weight was given, but {type(self.estimator).__name__} does "
                "not take it; pass an estimator that does, or no weights."
            )
        fold = np.where(rows.place < 0, -1, rows.fold[rows.place])

        def fitted(pair):
            seen = (fold >= 0) & ~np.isin(fold, pair)
            options = {"sample_weight": w[seen]} if weighted else {}
            return clone(self.estimator).fit(X[seen], y[seen], **options)

        pairs = list(combinations(range(n_folds), 2))
        found = Parallel(n_jobs=self.n_jobs)(delayed(fitted)(pair) for pair in pairs)
        return {f"{a}, {b}": model for (a, b), model in zip(pairs, found, strict=True)}

    def _left(self, X, y, rows, predictors, n_folds):
        """Return what is left of targets (n_folds, n): by models that saw neither."""
        if not predictors:
            return None
        left = np.full((n_folds, len(rows.first)), np.nan)
        for pair, model in predictors.items():
            pair = [int(k) for k in pair.split(", ")]
            for mine, other in (pair, pair[::-1]):
                at = np.flatnonzero(rows.fold == other)
                said = self._said(model, X[rows.first[at]])
                left[mine, at] = y[rows.first[at]] - said
        return left

    @staticmethod
    def _said(model, X):
        said = np.asarray(model.predict(X), dtype=np.float64)
        if said.size != len(X) or not np.isfinite(said).all():
            what = (
                f"of shape {said.shape}" if said.size != len(X) else "with NaN or inf"
            )
            raise ValueError(
                f"estimator must predict one finite number a row, but "
                f"{type(model).__name__} predicted {what} for {len(X)} rows."
            )
        return said.reshape(len(X))

    def _fit_chain(self, X, y, rows, k, seed, left):
        seen = np.flatnonzero(rows.fold != k)
        return fit_chain(
            X[seen],
            y[rows.first[seen]],
            rows.weight[seen],
            n_blocks=self.n_blocks,
            n_components=self.n_components,
            alpha=self.alpha,
            gamma=self.gamma,
            rng=np.random.RandomState(seed),
            left=None if left is None else left[k, seen],
        )

    def _look_back(self, X, y, rows):
        """Predict every row by the chain that has not seen it."""
        n = len(rows.first)
        value, mean, loss = np.empty(n), np.empty(n), np.empty(n)
        points = interpolation(self._points(self.n_draws))
        level = (np.arange(self.n_draws) + 0.5) / self.n_draws
        for k in range(len(self.chains_)):
            out = np.flatnonzero(rows.fold == k)
            for at in np.array_split(out, -(-len(out) // ROWS)):
                table, truth = self._tables(X[rows.first[at]], [k])[0], rows.first[at]
                value[at] = normal_values(table, y[truth])
                drawn = table @ points
                mean[at] = drawn.mean(axis=1)
                gap = y[truth][:, None] - drawn
                pinball = np.maximum(level * gap, (level - 1) * gap)
                loss[at] = 2 * pinball.mean(axis=1)
        share = rows.weight / rows.weight.sum()
        self._oof = [
            (value[rows.fold == k], share[rows.fold == k])
            for k in range(len(self.chains_))
        ]
        self.oof_crps_ = float(share @ loss)
        here = rows.place >= 0
        self.oof_prediction_ = np.where(here, mean[rows.place], np.nan)
        self.oof_levels_ = np.where(here, norm.cdf(value)[rows.place], np.nan)

    @staticmethod
    def _points(n):
        """Return the normal values of ``n`` equally likely draws."""
        return norm.ppf((np.arange(n) + 0.5) / n)

    def _tables(self, X, which):
        """Return what LEVELS become in each row by some chains: (chains, n, levels)."""
        wide = np.asarray(X, dtype=np.float64)
        said = {name: self._said(model, X) for name, model in self.estimators_.items()}
        tables = []
        for k in which:
            chain = self.chains_[k]
            if said:
                mine = [v for name, v in said.items() if str(k) in name.split(", ")]
                centre = np.mean(mine, axis=0)
            else:
                centre = chain.centre(wide)
            tables.append(centre[:, None] + chain.deviations(wide, LEVELS))
        return np.array(tables)

    def _checked(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=FLOATS, reset=False)

    def _each(self, X, say):
        """Apply ``say`` to tables of some rows at a time, and join the results."""
        parts = np.array_split(np.arange(len(X)), -(-len(X) // ROWS))
        everybody = range(len(self.chains_))
        found = [say(self._tables(X[rows], everybody), rows) for rows in parts]
        return np.concatenate(found, axis=0)

    def predict(self, X, return_std=False):
        """Predict the mean of each row's target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        return_std : bool, default=False
            Whether to return the standard deviation of the target, too.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Means of ``n_draws`` equally likely values.
        std : ndarray of shape (n_samples,)
            Their standard deviations. Only with ``return_std``.
        """
        X = self._checked(X)
        points = interpolation(self._points(self.n_draws))

        def say(tables, _):
            drawn = tables.mean(axis=0) @ points
            mean = drawn.mean(axis=1)
            gap = drawn - mean[:, None]
            size = abs(gap).max(axis=1)  # squares of 1e200 overflow
            gap /= np.where(size > 0, size, 1.0)[:, None]
            return np.stack([mean, size * np.sqrt((gap**2).mean(axis=1))], axis=1)

        found = self._each(X, say)
        return (found[:, 0], found[:, 1]) if return_std else found[:, 0]

    def member_predictions(self, X):
        """Predict the mean of each row's target by every chain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_members, n_samples)
            Their predictions; `predict` is their mean.
        """
        X = self._checked(X)
        mean = interpolation(self._points(self.n_draws)).mean(axis=1)
        return self._each(X, lambda tables, _: (tables @ mean).T).T

    def predict_quantiles(self, X, quantiles=(0.05, 0.25, 0.5, 0.75, 0.95)):
        """Predict quantiles of each row's target; they do not cross.

        They are the chains' own; a range that shall hold a share of new targets is
        better asked of `predict_interval`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        quantiles : array-like of shape (n_quantiles,), \
                default=(0.05, 0.25, 0.5, 0.75, 0.95)
            Levels between 0 and 1, in any order.

        Returns
        -------
        ndarray of shape (n_samples, n_quantiles)
            The quantiles.
        """
        X = self._checked(X)
        levels = np.atleast_1d(np.asarray(quantiles, dtype=np.float64))
        if levels.ndim != 1 or not ((levels > 0) & (levels < 1)).all():
            raise ValueError(
                f"quantiles must be levels between 0 and 1, got {quantiles!r}."
            )
        order = np.argsort(levels)
        at = interpolation(norm.ppf(levels[order]))
        said = self._each(X, lambda tables, _: tables.mean(axis=0) @ at)
        # equal but for rounding, they do not cross either
        return np.maximum.accumulate(said, axis=1)[:, np.argsort(order)]

    def sample(self, X, n_samples=None, *, random_state=None):
        """Draw targets from the distribution of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        n_samples : int or None, default=None
            Draws for each row; None draws one, without an axis for it.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_samples)
            Draws.
        """
        X = self._checked(X)
        if n_samples is not None and not (
            isinstance(n_samples, Integral) and n_samples >= 1
        ):
            raise ValueError(
                f"n_samples must be a positive integer or None, got {n_samples!r}."
            )
        rng = check_random_state(random_state)
        z = rng.standard_normal((len(X), 1 if n_samples is None else int(n_samples)))
        drawn = self._each(X, lambda tables, at: read(tables.mean(axis=0), z[at]))
        return drawn[:, 0] if n_samples is None else drawn

    def predict_interval(self, X, confidence_level=0.9):
        r"""Predict an interval for the target of each row, calibrated out of fold.

        Every row that was fitted has a level: where its target lies in the distribution
        that the chain without its fold predicts for it. For a new row that chain says
        what target has this level there; the ends are quantiles of these targets over
        all fitted rows, :math:`\alpha / 2` of them on each side, with the correction
        for finite samples: CV+ of distributions, see the class. Whatever the chains
        are worth, if rows are drawn independently from one law and weights are
        equal, a new target is inside with a probability of about :math:`1 - 2 \alpha`
        at least (less :math:`\sqrt{2 / n}` where folds are few and large, see there),
        :math:`\alpha` being one less the confidence level; what is measured on tables
        is :math:`1 - \alpha`. The promise is one over all rows, not for each. Rows that
        were measured several times with equal columns are not independent: keep their
        mean, or new ones may lie outside more often.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        confidence_level : float, default=0.9
            Share of new targets that the intervals shall hold.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends; infinite where there are too few rows for the level.
        """
        if not (isinstance(confidence_level, Real) and 0 < confidence_level < 1):
            raise ValueError(
                f"confidence_level must lie between 0 and 1, got {confidence_level!r}."
            )
        X = self._checked(X)
        equal = 1 / sum(w @ w for _, w in self._oof)
        n = round(equal, 9)  # as many rows of equal weight tell as much
        share = (1 + confidence_level) / 2 * (1 + 1 / n)
        if share > 1:
            return np.tile([-np.inf, np.inf], (len(X), 1))
        upper = Tail.of(self._oof, 1 - share)
        lower = Tail.of([(-z, w) for z, w in self._oof], 1 - share)

        def say(tables, _):
            low = -lower.end(-tables[:, :, ::-1])
            return np.stack([low, upper.end(tables)], axis=1)

        return self._each(X, say)
