"""The Rashomon set of depth-limited decision trees as a classifier."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._blocks import fit_blocks
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._validation import check_weights
from sklearn_ext.rashomon._results import RatioMixin
from sklearn_ext.rashomon._trees_audit import TreeAuditMixin
from sklearn_ext.rashomon._trees_cost import check_members_fit
from sklearn_ext.rashomon._trees_fitted import DATA
from sklearn_ext.rashomon._trees_plan import TreePlan, is_whole, solve_trees
from sklearn_ext.rashomon._trees_problem import (
    TreeStatistics,
    places_of,
    tree_problem,
)


def _fixed_thresholds(estimator):
    return estimator.thresholds is not None


class RashomonTreeClassifier(TreeAuditMixin, RatioMixin, ClassifierMixin, ExtEstimator):
    """All decision trees of limited depth that are nearly as good as the best one.

    The Rashomon set holds the trees whose training error exceeds the smallest one by
    at most ``theta``; the Rashomon ratio is its share of all trees of the space. Both
    follow exactly from a recursion on loss polynomials, as do independent uniform
    draws, the share of trees that vote for each class, and extremes of additive
    scores, although sets of 1e30 trees are never enumerated. For depth D, m splits
    and L losses inside the threshold the cost is about
    ``min(C(m, D-2) 2**(D-2), distinct subsets) * (2 m L**2 + n m**2)`` operations;
    memory is a table of that many subsets by L. Deep trees are sampled instead.

    Parameters
    ----------
    max_depth : int, default=3
        Depth of the trees; zero allows constant trees only.
    theta : float, default=0.05
        Slack of the mean loss.
    theta_mode : {"absolute", "relative"}, default="absolute"
        Whether the threshold is the smallest loss plus theta or times one plus theta.
    reference_loss : float or None, default=None
        Mean loss that replaces the smallest one of the space, for instance the best
        cross-validated one of several algorithms.
    space : {"full", "sparse"}, default="full"
        Complete trees, or trees whose nodes may all be leaves; the loss of the latter
        is the error plus ``alpha`` for each leaf.
    alpha : float, default=0.01
        Cost of a leaf when ``space="sparse"``, rounded to whole rows.
    n_thresholds : int or "auto", default="auto"
        Quantile cuts of each feature; "auto" shares about 64 among the features.
    thresholds : list of array-like or None, default=None
        Fixed cuts of every feature; needed for ``partial_fit``.
    split_prior : {"feature", "split", "gap"}, default="feature"
        Uniform over features and their cuts, uniform over all cuts, or uniform over
        features and proportional to the gaps around their cuts. Complete trees only.
    repeats : bool, default=True
        Whether a split may occur twice on a path.
    trivial_splits : bool, default=True
        Whether trees with empty leaves count when ``space="sparse"``; the size of the
        space counts them in any case.
    method : {"auto", "exact", "mc", "smc"}, default="auto"
        The recursion, Monte Carlo over structures with exact labels, or its tempered
        form for rare sets. "auto" predicts the cost and takes the first that fits.
    exact_budget : float, default=2e11
        Operations that the recursion may take; 2e10 are about a second.
    loss_grid : {"auto", "unit"} or int, default="auto"
        Grid of the recursion. Losses that are whole numbers need no rounding (unit);
        otherwise leaf losses are rounded both ways to this many cells between the
        smallest loss and the threshold, which bounds the ratio.
    n_draws : int, default=10_000
        Structures of ``method="mc"``.
    n_particles : int, default=300
        Structures in each run of ``method="smc"``.
    n_replicates : int, default=8
        Independent runs of ``method="smc"``.
    exact_counts : bool, default=False
        Whether to count the trees in exact integers too.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; they multiply ``sample_weight``.
    n_members : int, default=200
        Trees drawn from the set at the end of ``fit``.
    voting : {"members", "exact", "best", "simplest"}, default="members"
        Who predicts: the drawn members, all trees of the set by recursion, the
        optimal tree, or the member with the fewest leaves.
    confidence_level : float, default=0.95
        Coverage of intervals of sampled ratios.
    device : str or None, default=None
        Torch device that routes rows through sampled structures and members; None
        uses numpy.
    n_jobs : int or None, default=None
        Threads for the runs of ``method="smc"``.
    random_state : int, RandomState instance or None, default=None
        Source of members and samples.

    Attributes
    ----------
    log_ratio_ : float
        Natural logarithm of the Rashomon ratio.
    log10_ratio_ : float
        Its decimal logarithm.
    ratio_ : float
        The ratio; zero where it underflows.
    information_bits_ : float
        Minus the binary logarithm of the ratio.
    log_ratio_interval_ : tuple of float
        Interval of ``log_ratio_``.
    interval_kind_ : {"exact", "bound", "confidence"}
        What the interval means.
    exact_ : bool
        Whether the ratio is exact.
    ess_ : float
        Effective number of draws; nan where nothing was sampled.
    method_ : {"exact", "bracket", "mc", "smc"}
        How the ratio was found.
    min_loss_ : float
        Smallest mean loss; the best found when sampled.
    threshold_loss_ : float
        Largest mean loss in the set.
    loss_grid_ : ndarray of shape (n_losses,)
        Mean losses at which the distribution is known.
    log_cdf_ : ndarray of shape (n_losses,)
        Logarithm of the share of trees with at most these losses.
    hypothesis_space_ : dict
        Name, size, prior and parameters of the space.
    log_count_ : float
        Logarithm of the number of trees in the set; nan for non-uniform priors
        without ``exact_counts``.
    count_ : int or None
        Exact number of trees in the set, when ``exact_counts=True``.
    members_ : TreeMembers
        Drawn trees.
    best_ : RashomonTree
        An optimal tree.
    splits_ : list of tuple
        Feature and threshold of every split, constant ones left out.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, only when ``X`` has string names.

    See Also
    --------
    RashomonLinearClassifier : The set of linear classifiers.
    RashomonSearchCV : The set among any candidate estimators.
    sklearn.tree.DecisionTreeClassifier : One greedy tree.

    References
    ----------
    .. [1] L. Semenova, C. Rudin, R. Parr, "On the Existence of Simpler Machine
       Learning Models", FAccT 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.rashomon import RashomonTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = RashomonTreeClassifier(max_depth=2, random_state=0).fit(X, y)
    >>> print(f"{clf.log10_ratio_:.2f}", clf.exact_, f"{clf.min_loss_:.3f}")
    -3.57 True 0.053
    """

    _parameter_constraints: dict = {
        "max_depth": [Interval(Integral, 0, None, closed="left")],
        "theta": [Interval(Real, 0, None, closed="left")],
        "theta_mode": [StrOptions({"absolute", "relative"})],
        "reference_loss": [Real, None],
        "space": [StrOptions({"full", "sparse"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "n_thresholds": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "thresholds": ["array-like", None],
        "split_prior": [StrOptions({"feature", "split", "gap"})],
        "repeats": ["boolean"],
        "trivial_splits": ["boolean"],
        "method": [StrOptions({"auto", "exact", "mc", "smc"})],
        "exact_budget": [Interval(Real, 0, None, closed="neither")],
        "loss_grid": [
            Interval(Integral, 8, None, closed="left"),
            StrOptions({"auto", "unit"}),
        ],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "n_particles": [Interval(Integral, 2, None, closed="left")],
        "n_replicates": [Interval(Integral, 1, None, closed="left")],
        "exact_counts": ["boolean"],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "voting": [StrOptions({"members", "exact", "best", "simplest"})],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "device": [str, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        max_depth=3,
        *,
        theta=0.05,
        theta_mode="absolute",
        reference_loss=None,
        space="full",
        alpha=0.01,
        n_thresholds="auto",
        thresholds=None,
        split_prior="feature",
        repeats=True,
        trivial_splits=True,
        method="auto",
        exact_budget=2e11,
        loss_grid="auto",
        n_draws=10_000,
        n_particles=300,
        n_replicates=8,
        exact_counts=False,
        class_weight=None,
        n_members=200,
        voting="members",
        confidence_level=0.95,
        device=None,
        n_jobs=None,
        random_state=None,
    ):
        self.max_depth = max_depth
        self.theta = theta
        self.theta_mode = theta_mode
        self.reference_loss = reference_loss
        self.space = space
        self.alpha = alpha
        self.n_thresholds = n_thresholds
        self.thresholds = thresholds
        self.split_prior = split_prior
        self.repeats = repeats
        self.trivial_splits = trivial_splits
        self.method = method
        self.exact_budget = exact_budget
        self.loss_grid = loss_grid
        self.n_draws = n_draws
        self.n_particles = n_particles
        self.n_replicates = n_replicates
        self.exact_counts = exact_counts
        self.class_weight = class_weight
        self.n_members = n_members
        self.voting = voting
        self.confidence_level = confidence_level
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Find the Rashomon set.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights; whole numbers equal repeated rows.

        Returns
        -------
        self : RashomonTreeClassifier
            Fitted estimator.
        """
        return self._solve(self._summarize(X, y, sample_weight, reset=True))

    @available_if(_fixed_thresholds)
    @fit_context()
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Add the rows of one more block; only with fixed ``thresholds``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Classes.
        classes : array-like of shape (n_classes,) or None, default=None
            All classes; needed at the first call.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights.

        Returns
        -------
        self : RashomonTreeClassifier
            Fitted estimator.
        """
        first = not hasattr(self, "_statistics")
        if first and classes is None:
            raise ValueError(
                "classes must be given at the first call of partial_fit, got None."
            )
        block = self._summarize(X, y, sample_weight, reset=first, classes=classes)
        return self._solve(block if first else self._statistics + block)

    @available_if(_fixed_thresholds)
    @fit_context()
    def merge(self, other):
        """Add the rows of another fitted model; only with fixed ``thresholds``.

        Parameters
        ----------
        other : RashomonTreeClassifier
            A model fitted to other rows with the same thresholds and classes.

        Returns
        -------
        self : RashomonTreeClassifier
            The model of all rows.
        """
        check_is_fitted(self)
        check_is_fitted(other)
        mine, theirs = self._statistics.splits, other._statistics.splits
        same_classes = np.array_equal(self.classes_, other.classes_)
        if not (same_classes and mine.cut_like(theirs)):
            raise ValueError(
                "merge needs models with equal thresholds and classes; classes are "
                f"{self.classes_.tolist()} and {other.classes_.tolist()}, numbers of "
                f"thresholds {len(mine)} and {len(theirs)}."
            )
        return self._solve(self._statistics + other._statistics)

    @available_if(_fixed_thresholds)
    def fit_blocks(self, blocks, *, classes, n_jobs=None):
        """Fit to blocks of rows as if they were one table; needs ``thresholds``.

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
        self : RashomonTreeClassifier
            Fitted estimator.
        """
        return fit_blocks(self, blocks, n_jobs=n_jobs, classes=classes)

    def estimate_cost(self, X, y, sample_weight=None):
        """Predict the cost of the exact recursion, without running it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights.

        Returns
        -------
        CostEstimate
            Operations, bytes, row subsets and losses; ``print`` shows one line.
        """
        self._validate_params()
        other = type(self)(**self.get_params())
        other._set_up(other._summarize(X, y, sample_weight, reset=True))
        rows, space, plan = other._problem
        return plan.cost(rows, space, plan.n_cells(is_whole(rows, space)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _summarize(self, X, y, sample_weight=None, *, reset=True, classes=None):
        check_members_fit(self.max_depth, self.n_members)
        X, y = validate_data(self, X, y, reset=reset, **DATA)
        check_classification_targets(y)
        weight = check_weights(sample_weight, X, dtype=np.float64)
        kept = weight > 0
        X, y, weight = X[kept], y[kept], weight[kept]
        if reset:
            self.classes_ = np.unique(y if classes is None else classes)
        return TreeStatistics.of(
            X,
            places_of(y, self.classes_),
            weight,
            len(self.classes_),
            n_thresholds=self.n_thresholds,
            thresholds=self.thresholds,
            prior=self.split_prior,
        )

    def _solve(self, statistics):
        seed = check_random_state(self.random_state).randint(2**31 - 1, size=2)
        with threadpool_limits(1, user_api="blas"):  # the products are small
            self._set_up(statistics)
            rows, space, plan = self._problem
            self._set, self.method_ = solve_trees(
                rows,
                space,
                plan,
                seed=np.random.SeedSequence(int(seed[0])),
                n_jobs=self.n_jobs,
            )
            self._describe(rows, space)
            self._draw_members(np.random.default_rng(int(seed[1])))
        return self

    def _set_up(self, statistics):
        """Turn statistics into merged rows, a space of trees and a plan."""
        self._statistics = statistics
        rows, splits, equal, space = tree_problem(
            statistics,
            self.classes_,
            max_depth=self.max_depth,
            complete=self.space == "full",
            alpha=self.alpha,
            repeats=self.repeats,
            trivial_splits=self.trivial_splits,
            class_weight=self.class_weight,
        )
        names = TreePlan.__dataclass_fields__
        plan = TreePlan(**{name: getattr(self, name) for name in names})
        self._splits, self._equal = splits, equal
        self._problem = rows, space, plan
