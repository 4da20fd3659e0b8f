"""The Rashomon set of depth-limited decision trees as a classifier."""

from functools import cache
from math import log
from numbers import Integral, Real

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import ThreadpoolController

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._blocks import check_mergeable, fit_blocks
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext._numerics._classes import classes_of_stream, places_of
from sklearn_ext.rashomon._information._certificates import unit_rows
from sklearn_ext.rashomon._information._tree_certificates import (
    certify_trees,
    gibbs_of_trees,
)
from sklearn_ext.rashomon._ratio import CONSTRAINTS, PathMixin, check_count
from sklearn_ext.rashomon._trees._members import TreeMembers
from sklearn_ext.rashomon._trees._patterns import chao1, pattern_losses, tree_patterns
from sklearn_ext.rashomon._trees._plan import (
    PARTS,
    Progress,
    TreePlan,
    check_members_fit,
    solve_trees,
)
from sklearn_ext.rashomon._trees._problem import (
    TreeStatistics,
    describe_trees,
    make_splits,
    merge_rows,
    tree_problem,
)
from sklearn_ext.rashomon._trees._readings import MemberReadings
from sklearn_ext.rashomon._trees._sampled import random_labelled
from sklearn_ext.rashomon._trees._sets import ExactTreeSet

STATE = ("classes_", "log_ratio_", "threshold_loss_", "_splits", "_plan")
STATE += ("_set", "_draws", "_read")  # what predictions need
DATA = {"accept_sparse": ("csr", "csc"), "dtype": FLOATS}
find_threads = cache(ThreadpoolController)  # looks at every loaded library


def _fixed_thresholds(estimator):
    return estimator.thresholds is not None


class RashomonTreeClassifier(
    PathMixin, CallbackSupportMixin, ClassifierMixin, ExtEstimator
):
    """All decision trees of limited depth that are nearly as good as the best one.

    The Rashomon set holds the trees whose training error exceeds the smallest one by
    at most ``theta``; the Rashomon ratio is its share of all trees of the space. Both
    follow exactly from a recursion on loss polynomials, as do independent uniform
    draws, the share of trees that vote for each class, and extremes of additive
    scores, although sets of 1e30 trees are never enumerated. For depth D, m splits
    and L losses inside the threshold the cost is about
    ``min(C(m, D-2) 2**(D-2), distinct subsets) * (2 m L**2 + n m**2)`` operations;
    memory is a table of that many subsets by L. Deep trees are sampled instead.
    Members, counts and vote shares are computed when they are first read. What will
    take more than ten seconds says so beforehand, and callbacks hear of every twentieth
    of the work; there is no answer before its end.

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
        Cost of a leaf when ``space="sparse"``, as a share of all weight. It is rounded
        by five per cent at most, so that losses stay whole numbers;
        ``hypothesis_space_`` tells the result.
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
        Grid of the recursion. Losses that are multiples of one unit, whatever the
        scale of the weights, need no rounding (unit); otherwise leaf losses are rounded
        both ways to this many cells between the smallest loss and the threshold, which
        bounds the ratio.
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

    _takes_sparse = True
    _parameter_constraints: dict = {
        **CONSTRAINTS,
        "max_depth": [Interval(Integral, 0, None, closed="left")],
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
        "voting": [StrOptions({"members", "exact", "best", "simplest"})],
        "device": [str, None],
        "n_jobs": [Integral, None],
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
        statistics = self._summarize(X, y, sample_weight, reset=True)
        weights = None if sample_weight is None else {"sample_weight": sample_weight}
        tasks = FitTasks(
            self,
            X,
            y,
            max_subtasks=PARTS,
            task_name=f"{100 // PARTS} % of the work",
            metadata=weights,
        )

        def tell():
            if tasks.end():
                raise RuntimeError(
                    "A callback stopped the fit, which has no answer before its end; "
                    "the estimator is as it was before."
                )

        self._solve(statistics, Progress(tell))
        tasks.close(**{name: getattr(self, name) for name in STATE})
        return self

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
        classes = classes_of_stream(classes, None if first else self.classes_)
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
        check_mergeable(self, other)
        mine, theirs = self._statistics.splits, other._statistics.splits
        pairs = [(self.classes_, other.classes_), (mine.feature, theirs.feature)]
        pairs.append((mine.threshold, theirs.threshold))
        if not all(np.array_equal(*pair) for pair in pairs):
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
        known = other._plan.measure()
        return other._plan.cost(other._plan.n_cells(known), known)

    def predict(self, X):
        """Predict the class with the most votes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X):
        """Share of votes for each class, by the trees that ``voting`` names.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Shares in the order of ``classes_``.
        """
        bits = self._bits(X)
        if self.voting == "exact":
            return self._readings().votes(bits)
        if self.voting == "members":
            return self._member_readings().votes(bits)
        trees = self._best
        if self.voting == "simplest":
            trees = self._once("simplest", self.members_.simplest)
        return np.eye(len(self.classes_))[trees.predict(bits)[0]]

    def vote_share(self, X):
        """Share of all trees of the set that vote for each class, exactly.

        Where the loss was bounded or sampled, it is the share among the trees of the
        upper bound, or among ``members_``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; unknown patterns cost another recursion.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Shares; rows sum to one.
        """
        bits = self._bits(X)
        return self._readings().votes(bits)

    def member_predictions(self, X):
        """Predict with every stored member.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_members, n_samples)
            Class labels.
        """
        bits = self._bits(X)
        return self.classes_[self._member_readings().labels(bits)]

    def feature_usage(self):
        """How often the trees of the set use each feature.

        Returns
        -------
        Bunch
            ``root``: share of trees with the feature at the root. ``nodes``: mean
            number of nodes of a tree that split on it. Exact where the ratio is; else
            over ``members_``. Both have shape (n_features,).
        """
        check_is_fitted(self)
        root, nodes = (
            np.bincount(self._splits.feature, usage, minlength=self.n_features_in_)
            for usage in self._readings().usage()
        )
        return Bunch(root=root, nodes=nodes)

    def ambiguity(self, X):
        """Share of rows to which some tree of the set gives another class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        float
            Exact where the ratio is; else a lower bound from ``members_``.
        """
        return float(((self.vote_share(X) > 0).sum(axis=1) > 1).mean())

    def discrepancy(self, X, baseline=None):
        """Largest share of rows on which one tree of the set differs from a baseline.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        baseline : array-like of shape (n_samples,) or None, default=None
            Class labels; None takes the optimal tree ``best_``.

        Returns
        -------
        float
            Exact where the ratio is; else a lower bound from ``members_``.
        """
        bits = self._bits(X)
        if baseline is None:
            label = self._best.predict(bits)[0]
        else:
            label = self._places(baseline, len(bits), "baseline")
        differs = np.arange(len(self.classes_)) != label[:, None]
        return self._readings().extremes(bits, differs)[1] / len(bits)

    def multiplicity_at(self, X, theta):
        """Ambiguity, and discrepancy from ``best_``, at several thresholds.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        theta : array-like of shape (n_thetas,)
            Slacks, measured as in ``theta_mode``.

        Returns
        -------
        Bunch
            ``theta``, ``ambiguity`` and ``discrepancy``, each of shape (n_thetas,).
            Exact where the ratio is; else lower bounds from ``members_``. nan where
            no tree is inside.
        """
        theta, bits = np.ravel(theta), self._bits(X)
        thresholds = np.array([self._threshold_at(t) for t in theta])
        best = self._best.predict(bits)[0]
        pairs = self._readings().multiplicity(bits, best, thresholds)
        return Bunch(theta=theta, ambiguity=pairs[:, 0], discrepancy=pairs[:, 1])

    def extremes(self, X, values):
        """Range over the set of an additive score of the predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        values : array-like of shape (n_samples, n_classes)
            Score of predicting each class for each row.

        Returns
        -------
        low, high : float
            Smallest and largest total score of any tree of the set. Exact where the
            ratio is, an outer bound where losses were rounded, and the range over
            ``members_`` where the set was sampled.
        """
        bits, values = self._bits(X), np.asarray(values, dtype=float)
        shape = len(bits), len(self.classes_)
        if values.shape != shape:
            raise ValueError(
                f"values must have one row for each of X and one column for each "
                f"class, shape {shape}; got {values.shape}."
            )
        if not np.isfinite(values).all():
            raise ValueError("values must be finite numbers, got nan or inf.")
        return self._readings().extremes(bits, values)

    def parity_range(self, X, group, *, positive=None):
        """Range over the set of the difference in positive rates of two groups.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        group : array-like of bool, shape (n_samples,)
            Membership of the first group, such as ``X["sex"] == "female"``.
        positive : object or None, default=None
            The class whose rate is compared; None takes the last of ``classes_``.

        Returns
        -------
        low, high : float
            Extreme values of rate in the group minus rate outside.
        """
        bits = self._bits(X)
        group = _as_mask(group, len(bits))
        if group.all() or not group.any():
            raise ValueError(
                "group must have rows inside and outside, got "
                f"{int(group.sum())} of {len(group)} inside."
            )
        positive = self.classes_[-1] if positive is None else positive
        if positive not in self.classes_:
            raise ValueError(
                f"positive must be one of {self.classes_.tolist()}, got {positive!r}."
            )
        weight = np.where(group, 1 / group.sum(), -1 / (~group).sum())
        values = weight[:, None] * (self.classes_ == positive)
        return self._readings().extremes(bits, values)

    def model_class_reliance(self, X, y, *, n_repeats=5, random_state=None):
        """Range over the set of the loss added by permuting each feature.

        Trees may take any of several equal features, so each of these has the same
        range, which begins at zero or below: a tree can do without it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Classes.
        n_repeats : int, default=5
            Permutations of each feature.
        random_state : int, RandomState instance or None, default=None
            Source of the permutations.

        Returns
        -------
        ndarray of shape (n_features, 2)
            Smallest and largest reliance; zero for features without splits.
        """
        check_count("n_repeats", n_repeats)
        bits, rng = self._bits(X), check_random_state(random_state)
        label = self._places(y, len(bits), "y")
        wrong = (np.arange(len(self.classes_)) != label[:, None]) / len(bits)
        order = np.concatenate([rng.permutation(len(bits)) for _ in range(n_repeats)])
        values = np.concatenate([-wrong, np.tile(wrong / n_repeats, (n_repeats, 1))])
        reliance = np.zeros((self.n_features_in_, 2))
        for feature in np.unique(self._splits.feature):
            columns = self._splits.feature == feature
            moved = np.tile(bits, (n_repeats, 1))
            moved[:, columns] = bits[order][:, columns]
            every = np.concatenate([bits, moved])
            reliance[feature] = self._readings().extremes(every, values)
        return reliance

    def pattern_ratio(
        self, max_patterns=10**6, *, method="exact", n_samples=10_000, random_state=None
    ):
        """Share of distinct prediction vectors on the training rows.

        Parameters
        ----------
        max_patterns : int, default=10**6
            Limit of the enumeration.
        method : {"exact", "sampled"}, default="exact"
            Enumerate, or complete the distinct patterns of draws from the set and
            from the space by the Chao1 estimate of unseen ones.
        n_samples : int, default=10_000
            Draws of the estimate.
        random_state : int, RandomState instance or None, default=None
            Source of randomness of the estimate.

        Returns
        -------
        Bunch
            ``ratio``, ``n_inside``, ``n_total`` and whether they are ``exact``.

        Raises
        ------
        ValueError
            For ``space="sparse"``, or when there are too many patterns.
        """
        check_is_fitted(self)
        check_count("max_patterns", max_patterns)
        check_count("n_samples", n_samples)
        rows, space = self._plan.rows, self._plan.space
        if not space.complete:
            raise ValueError("pattern_ratio needs space='full', got space='sparse'.")
        if method not in ("exact", "sampled"):
            raise ValueError(f"method must be 'exact' or 'sampled', got {method!r}.")
        if method == "exact":
            label = tree_patterns(rows, space, max_patterns)
            threshold = self.threshold_loss_ * rows.total + rows.slip
            inside = int((pattern_losses(label, rows.weight) <= threshold).sum())
            total = len(label)
        else:
            seed = check_random_state(random_state).randint(2**31, size=2)
            drawn = self.sample(n_samples, random_state=seed[0]).arrays
            every = random_labelled(space, n_samples, np.random.default_rng(seed[1]))
            drawn = drawn.renamed(self._plan.equal.group)
            inside, total = (chao1(t.predict(rows.bits)) for t in (drawn, every))
        ratio, exact = min(inside / total, 1.0), method == "exact"
        return Bunch(ratio=ratio, n_inside=inside, n_total=total, exact=exact)

    def generalization_bound(
        self, theta=None, *, confidence_level=0.95, posterior="uniform"
    ):
        """Certify the mean error of the trees of the set on new rows.

        With probability ``confidence_level`` over training tables of independent rows
        the mean true error of the set is at most ``bound``, by the theorem of
        PAC-Bayes with the exact ratio; the majority of its trees errs at most twice as
        often. The fit needs ``thresholds`` that were chosen without its rows, and
        weights of one.

        Parameters
        ----------
        theta : float or None, default=None
            Slack of the set; None takes the one of least bound, at most 0.12 or the
            fitted one, which costs no confidence.
        confidence_level : float, default=0.95
            Probability with which the bound holds.
        posterior : {"uniform", "gibbs"}, default="uniform"
            All trees of the set alike, or by ``exp(-beta errors)`` with the ``beta`` of
            least bound.

        Returns
        -------
        CertificateResult
            ``bound``, ``theta``, ``mean_loss``, ``bits``, ``confidence_level``,
            ``posterior``, ``beta`` and ``vote_bound``.

        Raises
        ------
        ValueError
            When cuts were chosen by the training rows, when rows or classes were
            weighted, or when the law of the loss was sampled.
        """
        check_is_fitted(self)
        return certify_trees(self, theta, confidence_level, posterior)

    def evidence(self, beta):
        """Logarithm of the evidence: of the prior mean of ``exp(-beta errors)``.

        The integral of ``n beta exp(-n beta theta) r(theta)`` over all thresholds: the
        Rashomon curve is the evidence. Small ``beta`` need the law of all losses.

        Parameters
        ----------
        beta : float or array-like
            Inverse temperature of one training error, not negative. With
            ``space="sparse"`` the cost of leaves counts as errors.

        Returns
        -------
        float or ndarray
            Natural logarithm.
        """
        check_is_fitted(self)
        return gibbs_of_trees(self, beta)[0]

    def gibbs_loss(self, beta):
        """Mean training loss of all trees, weighted by ``exp(-beta errors)``.

        Parameters
        ----------
        beta : float or array-like
            Inverse temperature of one training error, not negative.

        Returns
        -------
        float or ndarray
            Mean loss; that of random trees at zero, the smallest one at infinity.
        """
        check_is_fitted(self)
        return gibbs_of_trees(self, beta)[1]

    def __getstate__(self):
        state = super().__getstate__()
        return state | {"_read": {}} if "_read" in state else state

    def _summarize(self, X, y, sample_weight=None, *, reset=True, classes=None):
        check_members_fit(self.max_depth, self.n_members)
        X, y = validate_data(self, X, y, reset=reset, **DATA)
        check_classification_targets(y)
        weight = check_weights(sample_weight, X, dtype=np.float64)
        kept = weight > 0
        X, y, weight = X[kept], y[kept], weight[kept]
        if reset:
            self.classes_ = np.unique(y if classes is None else classes)
        label = places_of(y, self.classes_, advice="name all at the first call")
        splits = make_splits(
            X, weight, self.n_thresholds, self.thresholds, self.split_prior
        )
        rows = merge_rows(splits.bits(X), label, weight, len(self.classes_))
        return TreeStatistics(rows, splits, unit_rows(weight))

    def _solve(self, statistics, progress=None):
        seed = check_random_state(self.random_state).randint(2**31 - 1, size=2)
        with find_threads().limit(limits=1, user_api="blas"):  # products are small
            self._set_up(statistics)
            root = np.random.SeedSequence(int(seed[0]))
            found = solve_trees(self._plan, root, progress or Progress())
            self._set, self.method_ = found
        self._draws, self._read = int(seed[1]), {}
        self._describe()
        return self

    def _set_up(self, statistics):
        """Turn statistics into merged rows, a space of trees and a plan."""
        params = type(self)(**self.get_params())  # whatever set_params says later
        rows, splits, equal, space = tree_problem(statistics, self.classes_, params)
        self._statistics, self._splits = statistics, splits
        self._plan = TreePlan(rows, space, equal, params)

    def _describe(self):
        space, total, found = self._plan.space, self._plan.rows.total, self._set
        self.min_loss_ = found.best_loss / total
        self.threshold_loss_ = self._threshold_at(self.theta) / total
        self._store_ratio(
            found.estimate(total * self.threshold_loss_, self.confidence_level)
        )
        self.hypothesis_space_ = describe_trees(space, total, self.split_prior)
        feature, threshold = self._splits.feature, self._splits.threshold
        self.splits_ = list(zip(feature.tolist(), threshold.tolist(), strict=True))
        if self.exact_counts and self.method_ != "exact":
            raise ValueError(
                f"exact_counts=True needs the exact recursion, got method "
                f"{self.method_!r}. Use whole weights and a smaller space."
            )
        if self.log_ratio_ == -np.inf:
            self._warn_empty()

    def _waiting(self):
        read = self.__dict__.get("_read", {})
        found = {"members_": "members", "best_": "best", "_best": "best"}
        found |= {"loss_grid_": "law", "log_cdf_": "law"}
        if self.exact_counts:
            found |= {"count_": "count", "log_count_": "count"}
        return [name for name, key in found.items() if key not in read]

    def _once(self, name, find):
        """Compute what is read for the first time, and keep it."""
        if name not in self._read:
            self._read[name] = find()
        return self._read[name]

    @property
    def loss_grid_(self):
        """Mean losses at which the distribution is known."""
        losses, _ = self._once("law", self._set.log_cdf)
        return losses / self._plan.rows.total

    @property
    def log_cdf_(self):
        """Logarithm of the share of trees with at most these losses."""
        return self._once("law", self._set.log_cdf)[1]

    @property
    def count_(self):
        """Exact number of trees in the set, when it was asked for."""
        if not self.exact_counts:
            return None
        return self._once("count", self._set.count)

    @property
    def log_count_(self):
        """Logarithm of the number of trees in the set."""
        space = self._plan.space
        if self.exact_counts:
            return log(self.count_) if self.count_ else -np.inf
        return self.log_ratio_ + space.log_size if space.is_uniform else np.nan

    @property
    def members_(self):
        """Drawn trees."""
        return self._named(self._once("members", self._draw_members))

    @property
    def best_(self):
        """An optimal tree."""
        return self._named(self._best)[0]

    @property
    def _best(self):
        first = self._plan.equal.first
        return self._once("best", lambda: self._set.best_tree().renamed(first))

    def _sample(self, n_samples, theta, seed):
        return self._named(self._draw(n_samples, self._asked_threshold(theta), seed))

    def _draw(self, n_trees, mean_loss, seed):
        rng, threshold = np.random.default_rng(seed), mean_loss * self._plan.rows.total
        trees = self._set.widened(threshold).draw(n_trees, rng, threshold)
        return self._plan.equal.with_any(trees, rng)

    def _draw_members(self):
        if self.log_ratio_ == -np.inf:
            return self._best
        n_members = self._plan.params.n_members
        return self._draw(n_members, self.threshold_loss_, self._draws)

    def _named(self, trees):
        names = getattr(self, "feature_names_in_", None)
        return TreeMembers(trees, self._splits, self.classes_, names)

    def _bits(self, X):
        """Truth values of all splits, one row for each of X, of a fitted model."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **DATA)
        return self._splits.bits(X)

    def _readings(self):
        """Return what all trees of the set, or else the members, say about rows."""
        if isinstance(self._set, ExactTreeSet) and not self._set.upper.ranges.empty:
            return self._set
        return self._member_readings()

    def _member_readings(self):
        trees = self.members_.arrays
        return MemberReadings(self._set, self._plan, trees, self.device)

    def _threshold_at(self, theta):
        return self._plan.rows.total * self._mean_threshold(theta)

    def _ratios_at(self, thetas):
        """Widen the set once; that reruns the recursion, and a sample refuses it."""
        thresholds = np.array([self._threshold_at(theta) for theta in thetas])
        found = self._set.widened(thresholds.max(initial=0.0))
        return [found.estimate(t, self.confidence_level) for t in thresholds]

    def _places(self, labels, n_rows, name):
        """Places of labels among the classes, one for each row."""
        labels = np.asarray(labels)
        if labels.shape != (n_rows,):
            raise ValueError(
                f"{name} must hold one of the classes {self.classes_.tolist()} for "
                f"each of the {n_rows} rows, got shape {labels.shape}."
            )
        return places_of(labels, self.classes_, name=name)


def _as_mask(group, n_rows):
    """Membership as truth values, one for each row."""
    group = np.asarray(group)
    shape_fits = group.shape == (n_rows,) and group.dtype.kind not in "US"
    if not (shape_fits and np.isin(group, (False, True)).all()):
        first = ", ".join(map(repr, group.ravel()[:3].tolist()))
        raise ValueError(
            f"group must be a boolean mask of the {n_rows} rows, e.g. X['sex'] == "
            f"'female'; got {first}, ... of shape {group.shape} and dtype "
            f"{group.dtype}."
        )
    return group.astype(bool)
