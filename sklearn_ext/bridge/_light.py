"""The estimator of light Schrödinger bridges."""

from copy import deepcopy
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext.bridge._adam import fit_adam
from sklearn_ext.bridge._domains import two_samples
from sklearn_ext.bridge._frames import array_namespace
from sklearn_ext.bridge._methods import PlanMethods
from sklearn_ext.bridge._mixture import shifted
from sklearn_ext.bridge._partial_fit import PartialFit
from sklearn_ext.bridge._preparation import (
    centred,
    choose_epsilon,
    described,
    how_target_came,
    plan_of,
    values,
    wants_annealing,
    warn_about_fit,
    warn_about_missing_target,
    warn_about_scales,
    warn_about_target,
)
from sklearn_ext.bridge._sampling import as_generator, like_double
from sklearn_ext.bridge._solve import Options, weighted_mean
from sklearn_ext.bridge._solvers import Holdout, run_solver
from sklearn_ext.bridge._start import principal_order, systematic
from sklearn_ext.bridge._stepwise import Stream

STORED_ROWS = 10_000  # of the source, for the way back


class LightSchrodingerBridge(
    CallbackSupportMixin,
    PlanMethods,
    PartialFit,
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
        parameters of :class:`skorch.NeuralNet`.
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
        "covariance_type": [StrOptions({"full", "tied", "diag", "spherical"})],
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
        warn_about_target(X, y)
        source, target = two_samples(
            self,
            X,
            X_target=X_target,
            sample_domain=sample_domain,
            sample_weight=sample_weight,
            target_weight=target_weight,
        )
        epsilon = choose_epsilon(self.epsilon, source, target)
        warn_about_missing_target(X_target, sample_domain)
        warn_about_scales((source, target))
        source, target = source.distinct(), target.distinct()
        rng = as_generator(self.random_state)
        mixture = self._last_mixture(source, target)
        whole, holdout = (source, target), None
        if self.early_stopping:
            source, target, holdout = Holdout.split(
                source, target, self.validation_fraction, self.n_iter_no_change, rng
            )
        centre, sides = centred(source, target)
        came_as = how_target_came(X_target, sample_domain)

        def described_by(mixture):
            return described(plan_of(mixture, centre, source.X), came_as)

        options = self._options(epsilon, sides)
        if self.solver == "adam":
            fit, n_iter = fit_adam(
                self, X, y, sides, centre, options, rng, mixture, holdout, described_by
            )
        else:
            fit, n_iter = self._iterate(
                X, y, sides, centre, options, rng, mixture, holdout, described_by
            )
        warn_about_fit(fit, sides[1], options)
        state = described_by(fit.state.mixture)
        vars(self).update(state, **values(fit, source, target, epsilon))
        self.n_iter_, self.converged_ = max(n_iter, 1), bool(fit.converged)
        self.n_batches_seen_ = 1
        self._stream = Stream.after(fit.state, centre, whole)
        self._store_source(*whole)
        return self

    def _iterate(
        self, X, y, sides, centre, options, rng, mixture, holdout, described_by
    ):
        """Run a solver that makes passes, and report each of them."""
        tasks = FitTasks(self, X, y, max_subtasks=self.max_iter)

        def report(state):
            stop = tasks.end(lambda: described_by(state.mixture))
            return stop or (holdout is not None and holdout.no_better(state, centre))

        fit, n_iter = run_solver(self, sides, options, rng, mixture, report)
        if holdout is not None:
            fit = holdout.best(fit)
        tasks.close(**described_by(fit.state.mixture))
        return fit, n_iter

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

    def _options(self, epsilon, sides):
        return Options(
            n_components=self.n_components,
            epsilon=epsilon,
            covariance_type=self.covariance_type,
            prior_strength=self.prior_strength,
            reg_covar=self.reg_covar,
            n_init=self.n_init,
            init_params=self.init_params,
            max_iter=self.max_iter,
            tol=self.tol,
            balance_iter=self.balance_iter,
            anneal=wants_annealing(self.epsilon_annealing, epsilon, sides),
        )

    def _last_mixture(self, source, target):
        """Return the last fit around the new means, or None to start afresh."""
        if not (self.warm_start and hasattr(self, "_plan")):
            return None
        plan = self._plan
        mixture = plan.mixture
        same = mixture.means.shape == (self.n_components_, source.X.shape[1])
        if not same or self.n_components_ != self.n_components:
            return None
        if mixture.covariance_type != self.covariance_type:
            return None
        moves = (
            like_double(was, source.X) - like_double(weighted_mean(side), source.X)
            for was, side in (
                (plan.source_mean, source),
                (plan.target_mean, target),
            )
        )
        return shifted(mixture.map(lambda a: like_double(a, source.X)), *moves)

    def _store_source(self, source, target, *, go_on=False):
        if not self.fit_inverse_transform:
            for name in ("X_fit_", "source_weight_", "inverse_"):
                vars(self).pop(name, None)
            return
        kept = source
        if source.X.shape[0] > STORED_ROWS:
            X, w = source.numpy()
            kept = source.take(systematic(principal_order(X, w), w, STORED_ROWS))
        xp = array_namespace(source.X)
        self.X_fit_ = kept.X
        self.source_weight_ = kept.w / xp.sum(kept.w)
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
