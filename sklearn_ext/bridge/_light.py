"""The estimator of light Schrödinger bridges."""

import math
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, fields
from numbers import Integral, Real

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    check_same_namespace,
)
from sklearn_ext._core._optional import require, torch_device
from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._arrays import like, namespace, to_numpy
from sklearn_ext.bridge._checks import NeedsStoredSource, check_times, plain
from sklearn_ext.bridge._draws import as_generator
from sklearn_ext.bridge._mixture import COVARIANCE_TYPES, shifted
from sklearn_ext.bridge._plan import ClosedForms, EntropicPlan, draw_each
from sklearn_ext.bridge._samples import (
    around,
    check_domain,
    choose_epsilon,
    float_types,
    mean_square_gap,
    two_samples,
    warn_about_data,
)
from sklearn_ext.bridge._solvers._fixed_point import Options, problem_of
from sklearn_ext.bridge._solvers._held_out import Holdout, split
from sklearn_ext.bridge._solvers._lbfgs import fit_lbfgs
from sklearn_ext.bridge._solvers._start import most_passes, solve
from sklearn_ext.bridge._solvers._stream import Stream

STORED_ROWS = 10_000  # of the source, for the way back
TORCH_PARAMS = {"max_epochs": 30, "lr": 0.01, "batch_size": 256}  # of "adam"
ANNEAL_BELOW = 0.005  # epsilon in mean variances of a feature
SOLVER_PARAMETERS = {f.name for f in fields(Options)} - {"epsilon", "anneal"}


class LightSchrodingerBridge(
    CallbackSupportMixin,
    ClosedForms,
    OneToOneFeatureMixin,
    TransformerMixin,
    ExtEstimator,
):
    r"""Stochastic map between two unpaired populations.

    Learns the plan pi(y|x) that turns the rows of the source into the law of the
    target while it moves every row as little as possible, with a chosen amount of
    randomness: it minimises ``E|x - y|^2 / 2 - epsilon H(y | x)`` over couplings. The
    adjusted potential v of the plan, pi(y|x) = exp(<x,y>/epsilon) v(y) / c(x), is a
    Gaussian mixture, so that means, densities, samples, paths and the drift of the
    Schrödinger bridge dX = g dt + sqrt(epsilon) dW are closed forms for any row. The
    fit minimises L = mean log c(x) - mean log v(y), the Kullback-Leibler divergence
    from the optimal plan up to a constant. Time and memory of a fit are linear in
    rows, components and features (in features squared for full scales).

    Parameters
    ----------
    n_components : int, default=10
        Components of the mixture. Surplus ones over-fit: choose by held-out ``score``.
    epsilon : float or "scale", default="scale"
        Entropic regularisation: the variance that the bridge adds on its way, in
        squared units of the data. "scale" is a tenth of the mean variance of a
        feature. Other libraries take the cost ``|x - y|^2`` and then twice this value.
    covariance_type : {"diag", "full", "tied", "spherical"}, default="diag"
        Scale matrices S_k: diagonal, full, one full for all, or multiples of the
        identity.
    solver : {"fixed_point", "lbfgs", "adam"}, default="fixed_point"
        Balanced fixed-point iteration; quasi-Newton from ten of its passes; or
        minibatch Adam as published, on torch through skorch.
    prior_strength : float, default=20.0
        Rows of the pooled covariance that every component is shrunk by, beside the
        distinct rows of the data.
    reg_covar : float, default=1e-6
        Added to variances, relative to the mean variance of a feature.
    n_init : int, default=2
        Starts, of which the best after five passes goes on; "adam" makes one.
    init_params : {"kmeans", "k-means++"}, default="kmeans"
        Start from clusters of the target, of which a surplus is merged, or from rows of
        it far from each other, each with the covariance of all. The latter first finds
        what many components have in common: with ``early_stopping`` it over-fits least.
    max_iter : int, default=300
        Passes at most.
    tol : float, default=1e-5
        Stop when a pass lowers the penalised loss by less than this for each feature.
    balance_iter : int, default=8
        Scaling steps a pass that balance the weights.
    epsilon_annealing : {"auto"} or bool, default="auto"
        Start with larger values of epsilon; "auto" does it below 0.005 times the mean
        variance of a feature.
    early_stopping : bool, default=False
        Hold rows out and keep the pass with the lowest loss on them.
    validation_fraction : float, default=0.1
        Part of both sides that is held out with ``early_stopping``.
    n_iter_no_change : int, default=3
        Passes without improvement, or epochs of "adam", before ``early_stopping`` ends
        the fit.
    fit_inverse_transform : bool, default=False
        Store source rows and fit a swapped bridge, for ``inverse_transform`` and
        ``score_samples``.
    default_domain : {"source", "target"} or None, default=None
        What ``transform`` takes rows for that come without ``sample_domain`` after a
        fit with it: "source" maps all, "target" leaves all as they are, None refuses.
    warm_start : bool, default=False
        Start from the last fit when components and features are the same in number.
    torch_params : dict or None, default=None
        For ``solver="adam"``: ``max_epochs``, ``lr``, ``batch_size`` and other
        parameters of :class:`~skorch.net.NeuralNet`.
    device : str or None, default=None
        Torch device to solve on, such as "cuda". None works where the rows are.
    random_state : int, RandomState, Generator or None, default=None
        Source of the starts, of the held-out rows and of draws.

    Attributes
    ----------
    epsilon_ : float
        Entropic regularisation that was used.
    n_components_ : int
        Components left; those with hardly any rows are dropped.
    log_weights_ : ndarray of shape (n_components,)
        Logarithms of the weights a_k of the adjusted potential.
    means_ : ndarray of shape (n_components, n_features)
        Vectors r_k; component k maps x to r_k + S_k x.
    scales_ : ndarray
        Matrices S_k, (K, D, D), or in the shape of the covariance type: (K, D) for
        "diag", (K,) for "spherical", (D, D) for "tied".
    source_mean_ : ndarray of shape (n_features,)
        Weighted mean of the source.
    target_mean_ : ndarray of shape (n_features,)
        Weighted mean of the target.
    loss_ : float
        Loss L after the last pass.
    loss_curve_ : list of float
        Loss after each pass over all rows.
    n_iter_ : int
        Passes made.
    converged_ : bool
        Whether the last pass changed less than ``tol``.
    ot_value_ : float
        Entropic transport cost, a lower bound that is tight at the optimum.
    kl_to_prior_ : float
        Divergence of the bridge from Brownian motion that starts at the source.
    n_batches_seen_ : int
        Calls of ``fit`` or ``partial_fit`` that this state rests on.
    X_fit_ : ndarray of shape (n_stored, n_features)
        Source rows, when ``fit_inverse_transform=True``.
    source_weight_ : ndarray of shape (n_stored,)
        Their weights, which sum to one, when ``fit_inverse_transform=True``.
    inverse_ : LightSchrodingerBridge
        Bridge with roles swapped, when ``fit_inverse_transform=True``.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when all are strings.

    See Also
    --------
    SchrodingerBridgeTrajectory : Several snapshots in time.
    gaussian_entropic_plan : The plan between two Gaussians.
    sklearn.preprocessing.QuantileTransformer : Matches each feature alone.

    References
    ----------
    Korotin, Gushchin, Burnaev. Light Schrödinger Bridge. ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.bridge import LightSchrodingerBridge
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> bridge = LightSchrodingerBridge(1, random_state=0).fit(X, X_target=X + 3)
    >>> (bridge.transform(X).mean(axis=0) - X.mean(axis=0)).round(6)
    array([3., 3.])
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "epsilon": [StrOptions({"scale"}), Interval(Real, 0, None, closed="neither")],
        "covariance_type": [StrOptions(set(COVARIANCE_TYPES))],
        "solver": [StrOptions({"fixed_point", "lbfgs", "adam"})],
        "prior_strength": [Interval(Real, 0, None, closed="left")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions({"kmeans", "k-means++"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "balance_iter": [Interval(Integral, 1, None, closed="left")],
        "epsilon_annealing": [StrOptions({"auto"}), "boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "fit_inverse_transform": ["boolean"],
        "default_domain": [StrOptions({"source", "target"}), None],
        "warm_start": ["boolean"],
        "torch_params": [dict, None],
        "device": [str, None],
        "random_state": ["random_state", np.random.Generator],
    }

    def __init__(
        self,
        n_components=10,
        *,
        epsilon="scale",
        covariance_type="diag",
        solver="fixed_point",
        prior_strength=20.0,
        reg_covar=1e-6,
        n_init=2,
        init_params="kmeans",
        max_iter=300,
        tol=1e-5,
        balance_iter=8,
        epsilon_annealing="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=3,
        fit_inverse_transform=False,
        default_domain=None,
        warm_start=False,
        torch_params=None,
        device=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.epsilon = epsilon
        self.covariance_type = covariance_type
        self.solver = solver
        self.prior_strength = prior_strength
        self.reg_covar = reg_covar
        self.n_init = n_init
        self.init_params = init_params
        self.max_iter = max_iter
        self.tol = tol
        self.balance_iter = balance_iter
        self.epsilon_annealing = epsilon_annealing
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.fit_inverse_transform = fit_inverse_transform
        self.default_domain = default_domain
        self.warm_start = warm_start
        self.torch_params = torch_params
        self.device = device
        self.random_state = random_state

    @fit_context()
    def fit(
        self,
        X,
        y=None,
        *,
        X_target=None,
        sample_domain=None,
        sample_weight=None,
        target_weight=None,
    ):
        """Learn the bridge from source to target.

        The target comes as ``X_target``, or in X with ``sample_domain`` to tell its
        rows apart; without either it is X itself, with a warning. For cross-validation
        and searches take ``sample_domain``: splitters slice it with X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows, or rows of both domains.
        y : object, default=None
            Ignored.
        X_target : array-like of shape (m_samples, n_features) or None, default=None
            Target rows, not paired with those of X.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            0 for source rows, 1 for target rows of X.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            What each row of X stands for; within a side only ratios matter.
        target_weight : array-like of shape (m_samples,) or None, default=None
            What each row of X_target stands for; only ratios matter.

        Returns
        -------
        LightSchrodingerBridge
            The fitted estimator.
        """
        came_as = _told_by(X_target, sample_domain)
        source, target = two_samples(
            self, X, X_target, sample_domain, sample_weight, target_weight
        )
        epsilon = choose_epsilon(self.epsilon, source, target)
        warn_about_data(X, y, came_as, (source, target))
        whole = kept = source.distinct(), target.distinct()
        rng, held = as_generator(self.random_state), None
        mixture = self._first_mixture(whole, epsilon, rng)
        if self.early_stopping:
            kept, held = split(whole, self.validation_fraction, rng)
        centre = [side.mean for side in kept]
        sides = around(kept, centre)
        options = self._options(epsilon, sides)
        if held is not None:
            problem = problem_of(*around(held, centre), options)
            held = Holdout(problem, self.n_iter_no_change)

        def described(mixture):
            return _described(mixture, centre, source.X, came_as)

        fit, n_iter = self._solve((X, y), sides, options, rng, mixture, described, held)
        _warn_about_fit(fit, sides[1], options)
        vars(self).update(described(fit.state.mixture))
        self.loss_ = fit.state.loss
        self.loss_curve_ = list(fit.curve) or [self.loss_]
        self.ot_value_ = mean_square_gap(*kept) / 2 - epsilon * self.loss_
        noise = source.X.shape[1] / 2 * math.log(2 * math.pi * epsilon)
        self.kl_to_prior_ = self.ot_value_ / epsilon + noise
        self.n_iter_, self.converged_ = max(n_iter, 1), bool(fit.converged)
        self.n_batches_seen_ = 1
        self._stream = Stream.after(fit.state, centre, whole)
        self._store_source(*whole)
        return self

    @fit_context()
    def partial_fit(
        self,
        X,
        y=None,
        *,
        X_target=None,
        sample_domain=None,
        sample_weight=None,
        target_weight=None,
    ):
        """Update the bridge with one more batch of both sides.

        Running moments of every component move towards those of the batch by twice the
        batch's share of all weight seen so far, and are solved as in a pass of ``fit``;
        so early rows fade slowly, and a small batch moves little. The first call makes
        a short fit, of two rows at least on each side; after ``fit`` it goes on from
        there. A later batch may hold one row on each side, but a hundred at once tell
        more than one a hundred times. Weights of all batches are on one scale.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows of the batch, or rows of both domains.
        y : object, default=None
            Ignored.
        X_target : array-like of shape (m_samples, n_features) or None, default=None
            Target rows of the batch.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            0 for source rows, 1 for target rows of X.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            What each row of X stands for.
        target_weight : array-like of shape (m_samples,) or None, default=None
            What each row of X_target stands for.

        Returns
        -------
        LightSchrodingerBridge
            The updated estimator.
        """
        data = {
            "X_target": X_target,
            "sample_domain": sample_domain,
            "sample_weight": sample_weight,
            "target_weight": target_weight,
        }
        if not hasattr(self, "_stream"):
            return self._fit_shortly(X, y, data)
        came_as = _told_by(X_target, sample_domain)
        if came_as is None and self._target_came_as is not None:
            raise ValueError(
                "This batch has no target rows, as earlier ones had: pass X_target or "
                "sample_domain."
            )
        source, target = two_samples(self, X, **data, reset=False)
        whole, centre = (source.distinct(), target.distinct()), self._stream.centre
        sides = around(whole, centre)
        options = self._options(self.epsilon_, sides)
        self._stream, loss = self._stream.updated(sides, options)
        mixture = self._stream.mixture
        vars(self).update(_described(mixture, centre, source.X, came_as))
        gaps = (to_numpy(side.double_mean) for side in sides)
        self.loss_ = loss - float(np.dot(*gaps)) / self.epsilon_
        self.loss_curve_ = [*self.loss_curve_, self.loss_]
        self.n_iter_ += 1
        self.n_batches_seen_ += 1
        self._store_source(*whole, go_on=True)
        return self

    def _fit_shortly(self, X, y, data):
        """Take over what a fit of three passes to the first batch has learnt."""
        short = clone(self).set_params(
            max_iter=3, early_stopping=False, tol=0.0, warm_start=False
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=ConvergenceWarning)
            short.fit(X, y, **data)
        learnt = {k: v for k, v in vars(short).items() if k.endswith("_")}
        hidden = ("_plan", "_stream", "_target_came_as")
        vars(self).update(learnt, **{k: getattr(short, k) for k in hidden})
        return self

    def fit_transform(
        self,
        X,
        y=None,
        *,
        X_target=None,
        sample_domain=None,
        sample_weight=None,
        target_weight=None,
    ):
        """Learn the bridge and map the source rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows, or rows of both domains.
        y : object, default=None
            Ignored.
        X_target : array-like of shape (m_samples, n_features) or None, default=None
            Target rows.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            0 for source rows, 1 for target rows, which are returned unchanged.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            What each row of X stands for; within a side only ratios matter.
        target_weight : array-like of shape (m_samples,) or None, default=None
            What each row of X_target stands for; only ratios matter.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Conditional means E[Y | X = x].
        """
        self.fit(
            X,
            y,
            X_target=X_target,
            sample_domain=sample_domain,
            sample_weight=sample_weight,
            target_weight=target_weight,
        )
        return self.transform(X, sample_domain=sample_domain)

    def transform(self, X, sample_domain=None):
        """Map source rows to where they are expected in the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            0 for source rows, 1 for target rows, which are returned unchanged. After a
            fit with ``sample_domain``, None takes ``default_domain``; else it takes all
            rows for source rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Conditional means E[Y | X = x].

        Raises
        ------
        ValueError
            When the fit had ``sample_domain``, none is given here, and
            ``default_domain`` is None.
        """
        plan, X = self._asked(X, "transform")
        if sample_domain is not None:
            stays = like(check_domain(sample_domain, X.shape[0]), X)[:, None]
            return plan.conditional_mean(X) * (1 - stays) + X * stays
        if self._domain_of_all() == "target":
            return namespace(X).asarray(X, copy=True)
        return plan.conditional_mean(X)

    @NeedsStoredSource
    def inverse_transform(self, X):
        """Map target rows back to where they are expected in the source.

        Rows of the source are averaged with weights P(x_i | y); where these rest on
        fewer than 20 rows, a bridge fitted with roles swapped answers, and up to 40
        both are mixed. Exists only with ``fit_inverse_transform=True``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Target rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Means of X given Y.
        """
        plan, Y = self._asked(X, "inverse_transform")
        mean, size = plan.source_mean_given(Y, self.X_fit_, self.source_weight_)
        trust = namespace(Y).clip(size / 20 - 1, 0.0, 1.0)[:, None]
        return mean * trust + self.inverse_._plan.conditional_mean(Y) * (1 - trust)

    def score(
        self,
        X,
        y=None,
        *,
        X_target=None,
        sample_domain=None,
        sample_weight=None,
        target_weight=None,
    ):
        """Return minus the loss L on these rows, higher is better.

        Both sides are taken around their means. Up to a constant that depends on the
        rows and on epsilon, the score is minus the Kullback-Leibler divergence from the
        true entropic plan: compare values on the same rows, at one ``epsilon`` only.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows, or rows of both domains with ``sample_domain``.
        y : object, default=None
            Ignored.
        X_target : array-like of shape (m_samples, n_features) or None, default=None
            Target rows.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            0 for source rows, 1 for target rows.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows of X.
        target_weight : array-like of shape (m_samples,) or None, default=None
            Weights of the rows of X_target.

        Returns
        -------
        float
            The score.

        Raises
        ------
        ValueError
            When the fit had a target and none is given here.
        """
        check_is_fitted(self, "means_")
        check_same_namespace(X, self, attribute="means_", method="score")
        came = self._target_came_as is not None
        if came and X_target is None and sample_domain is None:
            raise ValueError(
                "score needs target rows, as fit had: pass X_target or sample_domain. "
                "A search passes sample_domain on with metadata routing, after "
                "set_fit_request(sample_domain=True) and "
                "set_score_request(sample_domain=True)."
            )
        given = X_target, sample_domain, sample_weight, target_weight
        return -self._loss(*two_samples(self, X, *given, reset=False))

    def ot_value(self, X, X_target):
        """Return a lower bound on the entropic transport cost between two samples.

        It is ``E|x|^2 / 2 + E|y|^2 / 2 - epsilon L``, and exact for the optimal plan.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows.
        X_target : array-like of shape (m_samples, n_features)
            Target rows.

        Returns
        -------
        float
            The value.
        """
        check_is_fitted(self, "means_")
        source, target = two_samples(self, X, X_target, reset=False)
        squares = mean_square_gap(source, target)
        return squares / 2 - self.epsilon_ * self._loss(source, target)

    def sample(self, X, n_samples=None, *, random_state=None):
        """Draw target rows from the conditional law of each source row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows.
        n_samples : int or None, default=None
            Draws for each row; None draws one, without an axis for it.
        random_state : int, RandomState, Generator or None, default=None
            Source of randomness; None takes the estimator's own.

        Returns
        -------
        ndarray of shape (n_rows, n_features) or (n_rows, n_samples, n_features)
            Draws.
        """
        plan, X = self._asked(X, "sample")
        rng = self._drawing(random_state)
        return draw_each(lambda X: plan.sample(X, random_state=rng), X, n_samples)

    def interpolate(self, X, t, *, kind="mean", random_state=None):
        """Move source rows part of the way to the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows.
        t : float
            Time in [0, 1].
        kind : {"mean", "sample"}, default="mean"
            The mean (1 - t) x + t E[Y | x], or a draw of X_t given x.
        random_state : int, RandomState, Generator or None, default=None
            Source of randomness; None takes the estimator's own.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows at time t.
        """
        if kind not in ("mean", "sample"):
            raise ValueError(f"kind must be 'mean' or 'sample', got {plain(kind)}.")
        t = check_times(t)
        plan, X = self._asked(X, "interpolate")
        if kind == "mean":
            return X * (1 - t) + plan.conditional_mean(X) * t
        if t == 0:
            return X
        return plan.sample(X, 0.0, t, random_state=self._drawing(random_state))

    @NeedsStoredSource
    def score_samples(self, X, t=1.0):
        """Return the log-density of the bridge at time t.

        Exists only with ``fit_inverse_transform=True``, which stores the source rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows at time t.
        t : float, default=1.0
            Time in (0, 1].

        Returns
        -------
        ndarray of shape (n_samples,)
            Log-densities.
        """
        if not check_times(t) > 0:
            raise ValueError("t must be positive: the source is a sample, got t=0.")
        plan, X = self._asked(X, "score_samples")
        return plan.log_marginal(X, float(t), self.X_fit_, self.source_weight_)

    def _domain_of_all(self):
        """Return what rows are that come without their domain."""
        if self._target_came_as != "sample_domain":
            return "source"
        if self.default_domain is None:
            raise ValueError(
                "This bridge was fitted with sample_domain, and transform was not told "
                "whose the rows are. Pass sample_domain (0 source rows, which are "
                "mapped, 1 target rows, which stay), or set default_domain to 'source' "
                "or 'target' for rows that come without. Pipelines pass it on with "
                "metadata routing, after set_transform_request(sample_domain=True)."
            )
        return self.default_domain

    def _loss(self, source, target):
        """Return L, both sides around their means: no sum of large numbers."""
        mixture, means = self._plan.mixture, []
        sides = (
            (source, self._plan.source_mean, lambda X: mixture.log_normalizer(X)[0]),
            (target, self._plan.target_mean, mixture.log_adjusted),
        )
        gaps = []
        for side, centre, potential in sides:
            xp = namespace(side.X)
            X = xp.astype(side.X, self.means_.dtype, copy=False) - centre
            w = side.w / xp.sum(side.w)
            means.append(float(xp.sum(w * potential(X), dtype=xp.float64)))
            gaps.append(xp.sum(w[:, None] * X, axis=0))
        return means[0] - means[1] - float(gaps[0] @ gaps[1]) / self.epsilon_

    def _asked(self, X, method):
        check_is_fitted(self, "means_")
        check_same_namespace(X, self, attribute="means_", method=method)
        X = validate_data(self, X, dtype=float_types(X), reset=False)
        return self._plan, namespace(X).astype(X, self.means_.dtype, copy=False)

    def _drawing(self, random_state):
        return as_generator(random_state, self.random_state)

    def _options(self, epsilon, sides):
        """Return what the solver is told; "auto" anneals to small values of epsilon."""
        anneal = self.epsilon_annealing
        if anneal == "auto":
            anneal = epsilon < ANNEAL_BELOW * sum(s.mean_variance for s in sides) / 2
        return Options(epsilon=epsilon, anneal=bool(anneal), **self._settings())

    def _settings(self):
        return {name: getattr(self, name) for name in SOLVER_PARAMETERS}

    def _first_mixture(self, sides, epsilon, rng):
        """Return where to start, around the means of both sides; None starts afresh."""
        plan = getattr(self, "_plan", None) if self.warm_start else None
        if plan is None or plan.mixture.covariance_type != self.covariance_type:
            return None
        if plan.mixture.means.shape != (self.n_components, sides[0].X.shape[1]):
            return None
        return recentred(plan.mixture, (plan.source_mean, plan.target_mean), sides)

    def _solve(self, data, sides, options, rng, mixture, described, held):
        """Run the solver, and tell callbacks and the rows held out of every pass."""
        adam, training = self.solver == "adam", TORCH_PARAMS | (self.torch_params or {})
        most = training["max_epochs"] if adam else most_passes(*sides, options)
        unit = "epoch" if adam else "iteration"
        if adam:  # before callbacks hear of a fit
            require("skorch", extra="torch", user="solver='adam'")
        tasks = FitTasks(self, *data, max_subtasks=most, task_name=unit)
        passes = Passes(tasks, described, held)
        if adam:
            from sklearn_ext.bridge._solvers._adam_torch import fit_adam

            training = {"device": torch_device(self.device or "cpu")[1], **training}
            fit, n_iter = fit_adam(sides, options, rng, mixture, passes, training)
        else:
            sides = [side.on(self.device) for side in sides]
            if mixture is not None:
                mixture = mixture.like(sides[0].X, namespace(sides[0].X).float64)
            make_passes = fit_lbfgs if self.solver == "lbfgs" else solve
            fit, n_iter = make_passes(
                *sides,
                options,
                rng,
                mixture=mixture,
                report=lambda state: passes.end(lambda: state),
            )
        if held is not None:
            fit = held.best(fit)
        tasks.close(**described(fit.state.mixture))
        return fit, n_iter

    def _store_source(self, source, target, *, go_on=False):
        if not self.fit_inverse_transform:
            for name in ("X_fit_", "source_weight_", "inverse_"):
                vars(self).pop(name, None)
            return
        kept = source.represented(STORED_ROWS)
        self.X_fit_ = kept.X
        self.source_weight_ = kept.w / namespace(kept.w).sum(kept.w)
        swapped = clone(self).set_params(
            fit_inverse_transform=False, epsilon=self.epsilon_
        )
        learn = swapped.fit
        if go_on:  # one batch after others, from which the way back has learnt too
            learn = deepcopy(getattr(self, "inverse_", swapped)).partial_fit
        data = {"X_target": source.X, "sample_weight": target.w}
        self.inverse_ = learn(target.X, target_weight=source.w, **data)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@dataclass(frozen=True)
class Passes:
    """Passes of a fit, which callbacks or rows held out may end."""

    tasks: FitTasks
    described: Callable  # a mixture as fitted attributes
    held: Holdout | None

    def begin(self):
        """Open a pass, or an epoch."""
        self.tasks.begin()

    def end(self, look):
        """Close it; ``look`` returns its state, and is called by who wants to know."""
        stop = self.tasks.end(lambda: self.described(look().mixture))
        return stop or (self.held is not None and self.held.no_better(look()))


def recentred(mixture, centre, sides):
    """Return a mixture around one centre as one around the means of both sides."""
    X = sides[0].X
    wide = namespace(X).float64
    moves = (
        like(was, X, wide) - like(side.mean, X, wide)
        for was, side in zip(centre, sides, strict=True)
    )
    return shifted(mixture.like(X, wide), *moves)


def _told_by(X_target, sample_domain):
    """Return the name of the argument that told the target, or None."""
    if X_target is not None:
        return "X_target"
    return None if sample_domain is None else "sample_domain"


def _described(mixture, centre, X, target_came_as):
    """Return the fitted attributes that every method needs, in the library of X."""
    plan = EntropicPlan(mixture.like(X), *(like(mean, X) for mean in centre))
    parameters = plan.parameters
    return {
        "_plan": plan,
        "_target_came_as": target_came_as,
        "epsilon_": plan.epsilon,
        "n_components_": parameters.means.shape[0],
        "log_weights_": parameters.log_weights,
        "means_": parameters.means,
        "scales_": parameters.scales,
        "source_mean_": plan.source_mean,
        "target_mean_": plan.target_mean,
    }


def _warn_about_fit(fit, target, options):
    """Warn when the target has too few rows, or the passes were too few."""
    wanted, found = options.n_components, fit.state.mixture.means.shape[0]
    distinct, messages = target.X.shape[0], []
    if found < wanted and distinct < wanted:
        messages.append(
            f"n_components={wanted} is more than the {distinct} distinct target "
            f"rows: {found} are used."
        )
    if held := _held_by_floor(fit.state, target, options):
        messages.append(
            f"{held} of {found} components have fewer target rows than features, and "
            "only reg_covar keeps their full scales from being singular. Take "
            "covariance_type='diag', fewer components, or a larger prior_strength."
        )
    if not (fit.converged or fit.stopped):
        messages.append(
            f"max_iter={options.max_iter} reached; the last pass lowered the penalised "
            f"loss by {fit.drop:.2g}. Increase max_iter or tol."
            if fit.drop > 0
            else "No step lowers the penalised loss any more, but the fit is not "
            "stationary. Increase balance_iter or prior_strength, or take fewer "
            "components or covariance_type='diag'."
        )
    for message in messages:
        warn(message, ConvergenceWarning)


def _held_by_floor(state, target, options):
    """Count full components in a subspace though each of their features varies."""
    if options.covariance_type != "full" or options.prior_strength > 0:
        return 0  # the prior fills the missing directions
    mass, C = to_numpy(state.target.mass), to_numpy(state.target.spread)
    few = mass * target.size < C.shape[1]
    floor = options.reg_covar * target.mean_variance
    flat = np.linalg.eigvalsh(C)[:, 0] < floor
    varied = np.diagonal(C, axis1=1, axis2=2).min(axis=1) > floor
    return int((few & flat & varied).sum())
