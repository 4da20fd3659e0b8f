"""What a fitted bridge answers; every method is a closed form of its plan."""

from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._compat import check_same_namespace
from sklearn_ext.bridge._checks import (
    NeedsStoredSource,
    check_count,
    check_grid,
    check_times,
    plain,
)
from sklearn_ext.bridge._domains import check_domain, float_types, two_samples
from sklearn_ext.bridge._frames import array_namespace
from sklearn_ext.bridge._preparation import mean_squares
from sklearn_ext.bridge._sampling import like


class PlanMethods(OneToOneFeatureMixin, TransformerMixin):
    """Mixin for estimators that keep an EntropicPlan in ``_plan``."""

    def _rows(self, X, method):
        check_is_fitted(self, "means_")
        check_same_namespace(X, self, attribute="means_", method=method)
        X = validate_data(self, X, dtype=float_types(X), reset=False)
        xp = array_namespace(X)
        return xp.astype(X, self.means_.dtype, copy=False)

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
        X = self._rows(X, "transform")
        if sample_domain is None:
            if self._domain_of_all() == "target":
                return array_namespace(X).asarray(X, copy=True)
            return self._plan.conditional_mean(X)
        mapped = self._plan.conditional_mean(X)
        stays = like(check_domain(sample_domain, X.shape[0]), X)[:, None]
        return mapped * (1 - stays) + X * stays

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
        Y = self._rows(X, "inverse_transform")
        xp = array_namespace(Y)
        mean, size = self._plan.source_mean_given(Y, self.X_fit_, self.source_weight_)
        trust = xp.clip(size / 20 - 1, 0.0, 1.0)[:, None]
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
        source, target = two_samples(
            self,
            X,
            X_target=X_target,
            sample_domain=sample_domain,
            sample_weight=sample_weight,
            target_weight=target_weight,
            reset=False,
        )
        return -self._loss(source, target)

    def _loss(self, source, target):
        """Return L, both sides around their means: no sum of large numbers."""
        mixture, means = self._plan.mixture, []
        sides = (
            (source, self._plan.source_mean, lambda X: mixture.log_normalizer(X)[0]),
            (target, self._plan.target_mean, mixture.log_adjusted),
        )
        gaps = []
        for side, centre, potential in sides:
            xp = array_namespace(side.X)
            X = xp.astype(side.X, self.means_.dtype, copy=False) - centre
            w = side.w / xp.sum(side.w)
            means.append(float(xp.sum(w * potential(X), dtype=xp.float64)))
            gaps.append(xp.sum(w[:, None] * X, axis=0))
        return means[0] - means[1] - float(gaps[0] @ gaps[1]) / self.epsilon_

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
        source, target = two_samples(self, X, X_target=X_target, reset=False)
        squares = mean_squares(source, target)
        return squares / 2 - self.epsilon_ * self._loss(source, target)

    def transport_cost(self, X):
        """Return ``E[|x - Y|^2 / 2 | X = x]``, how far each row is moved.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Expected costs.
        """
        return self._plan.transport_cost(self._rows(X, "transport_cost"))

    def gate_proba(self, X):
        """Return the probability of each component given a source row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Probabilities.
        """
        return self._plan.gate_proba(self._rows(X, "gate_proba"))

    def conditional(self, X, t=0.0, s=1.0):
        """Describe X_s given X_t = x, a Gaussian mixture.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows at time t.
        t, s : float, default=0.0 and 1.0
            Times, 0 <= t < s <= 1.

        Returns
        -------
        Bunch
            ``weights`` (n_samples, K), ``means`` (n_samples, K, D) and ``covariances``,
            the same for all rows: (K, D, D), or variances (K, D).
        """
        times, X = check_times(t, s), self._rows(X, "conditional")
        return self._plan.conditional(X, *times)

    def conditional_mean_cov(self, X):
        """Return mean and covariance of Y given X = x.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows.

        Returns
        -------
        means : ndarray of shape (n_samples, n_features)
            Conditional means.
        covariances : ndarray of shape (n_samples, n_features, n_features)
            Conditional covariances.
        """
        X = self._rows(X, "conditional_mean_cov")
        return self._plan.conditional_mean_cov(X)

    def log_density(self, X, Y, t=0.0, s=1.0):
        """Return log p(X_s = y | X_t = x) of paired rows.

        Parameters
        ----------
        X, Y : array-like of shape (n_samples, n_features)
            Rows at time t and at time s.
        t, s : float, default=0.0 and 1.0
            Times, 0 <= t < s <= 1.

        Returns
        -------
        ndarray of shape (n_samples,)
            Log-densities.
        """
        X, Y = (self._rows(rows, "log_density") for rows in (X, Y))
        if X.shape[0] != Y.shape[0]:
            raise ValueError(
                f"X and Y are paired, got {X.shape[0]} and {Y.shape[0]} rows."
            )
        return self._plan.log_density(X, Y, *check_times(t, s))

    def log_potential(self, X, t):
        """Return log phi_t(x), the Schrödinger potential at time t.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows at time t.
        t : float
            Time in [0, 1].

        Returns
        -------
        ndarray of shape (n_samples,)
            Values.
        """
        t, X = check_times(t), self._rows(X, "log_potential")
        return self._plan.log_potential(X, t)

    def drift(self, X, t):
        """Return the drift g(x, t) of dX = g dt + sqrt(epsilon) dW.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows at time t.
        t : float
            Time in [0, 1].

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Drift.
        """
        t, X = check_times(t), self._rows(X, "drift")
        return self._plan.drift(X, t)

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
        X = self._rows(X, "score_samples")
        return self._plan.log_marginal(X, float(t), self.X_fit_, self.source_weight_)

    def _random(self, random_state):
        return self.random_state if random_state is None else random_state

    def _repeated(self, X, n_samples):
        if n_samples is None:
            return X
        check_count(n_samples)
        return array_namespace(X).repeat(X, n_samples, axis=0)

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
        X = self._rows(X, "sample")
        drawn = self._plan.sample(
            self._repeated(X, n_samples), random_state=self._random(random_state)
        )
        if n_samples is None:
            return drawn
        return array_namespace(X).reshape(drawn, (X.shape[0], n_samples, X.shape[1]))

    def sample_path(
        self, X, times=21, *, n_samples=None, method="exact", random_state=None
    ):
        """Draw paths of the bridge from each source row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows at time 0.
        times : int or array-like of shape (n_times,), default=21
            Increasing times in [0, 1], or how many at equal steps from 0 to 1.
        n_samples : int or None, default=None
            Paths from each row; None draws one, without an axis for it.
        method : {"exact", "euler"}, default="exact"
            Exact at any times, or one Euler step of the stochastic differential
            equation for each interval.
        random_state : int, RandomState, Generator or None, default=None
            Source of randomness; None takes the estimator's own.

        Returns
        -------
        ndarray of shape (n_rows[, n_samples], n_times, n_features)
            Paths.
        """
        if method not in ("exact", "euler"):
            raise ValueError(f"method must be 'exact' or 'euler', got {plain(method)}.")
        times, X = check_grid(times), self._rows(X, "sample_path")
        paths = self._plan.sample_path(
            self._repeated(X, n_samples),
            times,
            method=method,
            random_state=self._random(random_state),
        )
        if n_samples is None:
            return paths
        shape = (X.shape[0], n_samples, len(times), X.shape[1])
        return array_namespace(X).reshape(paths, shape)

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
        t, X = check_times(t), self._rows(X, "interpolate")
        if kind == "mean":
            return X * (1 - t) + self._plan.conditional_mean(X) * t
        if t == 0:
            return X
        return self._plan.sample(X, 0.0, t, random_state=self._random(random_state))
