"""Gradient-boosted trees fitted to aggregates."""

from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext.aggregate._bags._partition import encode_bags
from sklearn_ext.aggregate._base import BagRegressorMixin
from sklearn_ext.aggregate._boosting._trees import Bins, grow, leaves

_AUTO_STOP_ROWS = 10_000  # as in HistGradientBoostingRegressor


class AggregateBoostingRegressor(CallbackSupportMixin, BagRegressorMixin, ExtEstimator):
    r"""Gradient-boosted trees from aggregates of bags.

    Boosts the interpolated squared loss. Each tree is grown on the pseudo-residuals
    :math:`(1-\rho)(\bar y_a - \bar f_a) + \rho(\bar y_a - f_i)` of the rows; then all
    its leaf values are refitted *jointly* to the bags: with P the share of each leaf
    in each bag,

    .. math::
        [(1-\rho) P^\top S P + \rho\,\mathrm{diag}(w) + \lambda I]\, v =
        (1-\rho) P^\top S (\bar y - \bar f) + \rho\, C^\top (\bar y - f).

    A tree costs O(n d max_depth) on binned features; memory is O(n d).

    Parameters
    ----------
    rho : float, default=0.001
        Weight of the instance-level loss. Small values help; as the fit improves a
        fixed weight shrinks predictions inside bags, so tune it on a log grid.
    n_estimators : int, default=300
        Most trees.
    learning_rate : float, default=0.1
        Factor of the leaf values.
    max_depth : int, default=3
        Depth of a tree.
    min_samples_leaf : float, default=20
        Least total weight of the rows of a leaf: weights count rows, so their scale
        matters here and for ``l2_regularization``.
    l2_regularization : float, default=1.0
        Ridge penalty of leaf values.
    max_bins : int, default=255
        Most bins of a feature.
    subsample_bags : float, default=1.0
        Share of the bags, drawn for each tree, that it is grown and refitted on.
    early_stopping : bool or "auto", default="auto"
        Whether to hold bags out and stop when their loss no longer falls; ``"auto"``
        does so beyond 10 000 rows.
    validation_fraction : float, default=0.1
        Share of the bags held out.
    n_iter_no_change : int, default=10
        Trees without improvement after which to stop.
    random_state : int, RandomState instance or None, default=None
        Seed of held-out and subsampled bags.

    Attributes
    ----------
    baseline_ : float
        Mean response.
    features_ : ndarray of shape (n_iter, 2 ** max_depth - 1)
        Split features of each tree, level by level.
    thresholds_ : ndarray of shape (n_iter, 2 ** max_depth - 1)
        Split thresholds; infinite where a node is not split.
    values_ : ndarray of shape (n_iter, 2 ** max_depth)
        Leaf values, times the learning rate.
    train_score_ : ndarray of shape (n_iter,)
        Mean squared error of bag means after each tree.
    n_bags_ : int
        Number of bags.
    n_iter_ : int
        Number of trees.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when all are strings.

    See Also
    --------
    AggregateMetaRegressor : Any other regressor, refitted a few times.
    sklearn.ensemble.HistGradientBoostingRegressor : When rows have responses.

    References
    ----------
    .. [1] Javanmard, Chen, Mirrokni, Badanidiyuru, Fu, "Learning from Aggregate
       responses: Instance Level versus Bag Level Loss Functions", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import AggregateBoostingRegressor
    >>> X = np.random.default_rng(0).uniform(-2, 2, size=(900, 1))
    >>> model = AggregateBoostingRegressor().fit(
    ...     X, X[:, 0] ** 2, bags=np.arange(900) // 3
    ... )
    >>> model.score(X, X[:, 0] ** 2) > 0.9
    True
    """

    _parameter_constraints: dict = {
        "rho": [Interval(Real, 0, 1, closed="both")],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_depth": [Interval(Integral, 1, 12, closed="both")],
        "min_samples_leaf": [Interval(Real, 0, None, closed="neither")],
        "l2_regularization": [Interval(Real, 0, None, closed="left")],
        "max_bins": [Interval(Integral, 2, None, closed="left")],
        "subsample_bags": [Interval(Real, 0, 1, closed="right")],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        rho=0.001,
        *,
        n_estimators=300,
        learning_rate=0.1,
        max_depth=3,
        min_samples_leaf=20,
        l2_regularization=1.0,
        max_bins=255,
        subsample_bags=1.0,
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=10,
        random_state=None,
    ):
        self.rho = rho
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.max_bins = max_bins
        self.subsample_bags = subsample_bags
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    @fit_context()
    def fit(self, X, y, bags=None, sample_weight=None):
        """Grow trees.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Aggregates replicated on the rows of their bag; individual responses do as
            well, since only bag means are used.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags; None makes every row a bag.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        AggregateBoostingRegressor
            The fitted estimator.
        """
        data = X, y
        X, y, bags = self._take(X, y, bags, sample_weight, y_numeric=True)
        rng = check_random_state(self.random_state)
        stop = self.early_stopping
        if stop == "auto":
            stop = len(X) > _AUTO_STOP_ROWS
        train, held = (X, y, bags), None
        if stop:
            train, held = bags.hold_out(X, y, self.validation_fraction, rng)
        state = _Boosting(*train, self)
        watch = _Watch(*held, state.baseline) if stop else None
        tasks = FitTasks(self, *data, max_subtasks=self.n_estimators, task_name="tree")
        for kept in range(1, self.n_estimators + 1):
            state.add_tree(rng)
            if stop and watch.worse(state, self.n_iter_no_change):
                kept = watch.best
                break
            if tasks.end(partial(state.fitted, kept)):
                break
        for name, value in state.fitted(kept).items():
            setattr(self, name, value)
        self.n_iter_ = kept
        tasks.close(**state.fitted(kept))
        return self

    def predict(self, X):
        """Predict the response of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predictions.
        """
        X = self._rows(X)
        predicted = np.full(len(X), self.baseline_)
        for tree in zip(self.features_, self.thresholds_, self.values_, strict=True):
            predicted += tree[2][leaves(X, *tree[:2])]
        return predicted


class _Boosting:
    """The running model: predictions of rows, their bag means, and the trees."""

    def __init__(self, X, y, bags, params):
        self.bags, self.params, self.means = bags, params, bags.means(y)
        self.bins = Bins.of(X, bags.weights, params.max_bins)
        self.flat, self.rows = self.bins.flat(X), bags.spread(self.means)
        self.baseline = float(np.average(self.means, weights=bags.sizes))
        self.f = np.full(len(X), self.baseline)
        self.f_bag = np.full(len(self.means), self.baseline)
        self.trees, self.errors = [], []

    def fitted(self, n_trees):
        """Return the fitted attributes after so many trees."""
        features, thresholds, values = zip(*self.trees[:n_trees], strict=True)
        return {
            "baseline_": self.baseline,
            "features_": np.array(features),
            "thresholds_": np.array(thresholds),
            "values_": np.array(values),
            "train_score_": np.array(self.errors[:n_trees]),
        }

    def add_tree(self, rng):
        """Grow a tree, refit its leaves to the bags and move the predictions."""
        params, bags, rho = self.params, self.bags, self.params.rho
        residual = (1 - rho) * bags.spread(self.means - self.f_bag)
        residual += rho * (self.rows - self.f)
        in_bag, rows = self._draw(rng)
        tree, leaf = grow(
            self.flat,
            residual,
            bags.weights,
            self.bins,
            depth=params.max_depth,
            least=params.min_samples_leaf,
            l2=params.l2_regularization,
            rows=rows,
        )
        used, leaf = encode_bags(leaf, len(leaf))
        shares = self._shares(leaf, len(used))
        values = params.learning_rate * self._refit(shares, leaf, in_bag, rows)
        self.f = self.f + values[leaf]
        self.f_bag = self.f_bag + shares @ values
        at_leaves = np.zeros(2**params.max_depth)
        at_leaves[used] = values
        self.trees.append((tree.feature, tree.threshold, at_leaves))
        self.errors.append(_loss(self.means - self.f_bag, bags))

    def _draw(self, rng):
        if self.params.subsample_bags == 1:
            return slice(None), slice(None)
        n_bags = len(self.means)
        n_drawn = max(1, round(self.params.subsample_bags * n_bags))
        drawn = np.zeros(n_bags, dtype=bool)
        drawn[rng.permutation(n_bags)[:n_drawn]] = True
        return drawn, np.flatnonzero(drawn[self.bags.codes])

    def _shares(self, leaf, n_leaves):
        """Share of the weight of each bag that lies in each leaf."""
        bags = self.bags
        where = bags.codes * n_leaves + leaf
        size = len(bags.ids) * n_leaves
        weight = np.bincount(where, bags.weights, minlength=size)
        return weight.reshape(-1, n_leaves) / bags.sizes[:, None]

    def _refit(self, shares, leaf, in_bag, rows):
        """Solve for all leaf values at once."""
        rho, bags = self.params.rho, self.bags
        P, sizes = shares[in_bag], bags.sizes[in_bag]
        own, weights = leaf[rows], bags.weights[rows]
        gap = weights * (self.rows - self.f)[rows]
        L = shares.shape[1]
        A = (1 - rho) * (P.T @ (sizes[:, None] * P))
        ridge = self.params.l2_regularization + 1e-10 * sizes.sum()
        A[np.diag_indices(L)] += rho * np.bincount(own, weights, minlength=L) + ridge
        right = (1 - rho) * (P.T @ (sizes * (self.means - self.f_bag)[in_bag]))
        return np.linalg.solve(A, right + rho * np.bincount(own, gap, minlength=L))


class _Watch:
    """Loss of the held-out bags."""

    def __init__(self, X, y, bags, baseline):
        self.X, self.means, self.bags = X, bags.means(y), bags
        self.f = np.full(len(X), baseline)
        self.least, self.best = np.inf, 0

    def worse(self, state, patience):
        """Take in the newest tree; True when the loss has not fallen for long."""
        feature, threshold, values = state.trees[-1]
        self.f = self.f + values[leaves(self.X, feature, threshold)]
        loss = _loss(self.means - self.bags.means(self.f), self.bags)
        if loss < (1 - 1e-9) * self.least:  # by more than rounding
            self.least, self.best = loss, len(state.trees)
        return len(state.trees) - self.best >= patience


def _loss(errors, bags):
    return np.average(errors**2, weights=bags.sizes)
