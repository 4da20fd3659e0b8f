"""A chain of bridges through several snapshots of a population."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext.bridge._checks import check_count, check_time
from sklearn_ext.bridge._draws import as_generator
from sklearn_ext.bridge._light import LightSchrodingerBridge
from sklearn_ext.bridge._mixture import COVARIANCE_TYPES
from sklearn_ext.bridge._samples import Sample, checked_weights


class SchrodingerBridgeTrajectory(ExtEstimator):
    """Schrödinger bridges between consecutive snapshots of a population.

    Rows of X were observed at the times y, different individuals each time. One
    :class:`LightSchrodingerBridge` joins each pair of consecutive times; over a span
    dt it has the regularisation ``epsilon * dt``, so that the noise per unit of time is
    the same throughout. Cost is that of the bridges.

    Parameters
    ----------
    n_components : int, default=10
        Components of each bridge.
    epsilon : float or "scale", default="scale"
        Variance that the process adds per unit of time. "scale" is a tenth of the mean
        variance of a feature within a snapshot, divided by the mean span.
    covariance_type : {"diag", "full", "tied", "spherical"}, default="diag"
        Scale matrices of each bridge.
    prior_strength : float, default=20.0
        Shrinkage of each bridge, in rows.
    max_iter : int, default=300
        Passes of each bridge.
    random_state : int, RandomState, Generator or None, default=None
        Source of starts and draws.

    Attributes
    ----------
    times_ : ndarray of shape (n_times,)
        Times of the snapshots, in order.
    bridges_ : list of LightSchrodingerBridge
        One bridge for each span between them.
    epsilon_ : float
        Variance per unit of time that was used.
    snapshots_ : list of ndarray
        Rows of each snapshot.
    snapshot_weights_ : list of ndarray
        Their weights; those of a snapshot sum to one.
    n_iter_ : int
        Passes of the bridge that needed most.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when all are strings.

    See Also
    --------
    LightSchrodingerBridge : Two populations.

    References
    ----------
    Korotin, Gushchin, Burnaev. Light Schrödinger Bridge. ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.bridge import SchrodingerBridgeTrajectory
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> y = np.repeat([0, 1, 3], 100)
    >>> model = SchrodingerBridgeTrajectory(1, random_state=0).fit(X + y[:, None], y)
    >>> model.interpolate(2.0, 50).shape
    (50, 2)
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "epsilon": [StrOptions({"scale"}), Interval(Real, 0, None, closed="neither")],
        "covariance_type": [StrOptions(set(COVARIANCE_TYPES))],
        "prior_strength": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state", np.random.Generator],
    }

    def __init__(
        self,
        n_components=10,
        *,
        epsilon="scale",
        covariance_type="diag",
        prior_strength=20.0,
        max_iter=300,
        random_state=None,
    ):
        self.n_components = n_components
        self.epsilon = epsilon
        self.covariance_type = covariance_type
        self.prior_strength = prior_strength
        self.max_iter = max_iter
        self.random_state = random_state

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Join the snapshots.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Time at which each row was observed; two different times or more.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            What each row stands for; within a snapshot only ratios matter.

        Returns
        -------
        SchrodingerBridgeTrajectory
            The fitted estimator.
        """
        X, y = validate_data(
            self, X, y, dtype=FLOATS, y_numeric=True, ensure_min_samples=2
        )
        weight = _weights(sample_weight, X)
        kept = weight > 0
        X, y, weight = X[kept], y[kept], weight[kept]
        times = np.unique(y)
        if len(times) < 2:
            raise ValueError(
                "y holds the times of the snapshots and needs two or more, got only "
                f"{times.tolist()}."
            )
        samples = [_snapshot(X, weight, y == t) for t in times]
        self.times_ = times.astype(float)
        self.snapshots_ = [sample.X for sample in samples]
        self.snapshot_weights_ = [sample.w / sample.w.sum() for sample in samples]
        self.epsilon_ = self._choose_epsilon()
        rng = as_generator(self.random_state)
        self.bridges_ = []
        for i, dt in enumerate(np.diff(self.times_)):
            bridge = LightSchrodingerBridge(
                min(self.n_components, len(np.unique(self.snapshots_[i + 1], axis=0))),
                epsilon=float(self.epsilon_ * dt),
                covariance_type=self.covariance_type,
                prior_strength=self.prior_strength,
                max_iter=self.max_iter,
                random_state=int(rng.random() * 2**31),
            )
            self.bridges_.append(bridge.fit(**_between(*samples[i : i + 2])))
        self.n_iter_ = max(bridge.n_iter_ for bridge in self.bridges_)
        return self

    def _choose_epsilon(self):
        if self.epsilon != "scale":
            return float(self.epsilon)
        samples = zip(self.snapshots_, self.snapshot_weights_, strict=True)
        variance = np.mean([Sample(X, w).mean_variance for X, w in samples])
        return float(0.1 * variance / np.diff(self.times_).mean()) or 1.0

    def interpolate(self, t, n_samples=100, *, random_state=None):
        """Draw rows of the population at a time between the snapshots.

        Parameters
        ----------
        t : float
            Time, from the first to the last snapshot.
        n_samples : int, default=100
            Rows to draw; each starts at a random row of the snapshot before.
        random_state : int, RandomState, Generator or None, default=None
            Source of randomness; None takes the estimator's own.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows.
        """
        check_is_fitted(self)
        first, last = self.times_[0], self.times_[-1]
        check_time(t, first, last, "interpolate(t, n_samples)")
        check_count(n_samples)
        rng = as_generator(random_state, self.random_state)
        i = np.searchsorted(self.times_[1:-1], t, "right")
        rows = self.snapshots_[i]
        start = rows[rng.choice(len(rows), n_samples, p=self.snapshot_weights_[i])]
        share = (t - self.times_[i]) / (self.times_[i + 1] - self.times_[i])
        return self.bridges_[i].interpolate(
            start, share, kind="sample", random_state=rng
        )

    def sample_path(self, X, times=None, *, random_state=None):
        """Draw paths through all spans from rows at the first time.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows at the first time.
        times : array-like of shape (n_times,) or None, default=None
            Increasing times within the observed range; None takes the snapshots'.
        random_state : int, RandomState, Generator or None, default=None
            Source of randomness; None takes the estimator's own.

        Returns
        -------
        ndarray of shape (n_samples, n_times, n_features)
            Paths.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        times = self.times_ if times is None else np.asarray(times, dtype=float)
        first, last = self.times_[0], self.times_[-1]
        inside = len(times) and times.min() >= first and times.max() <= last
        if not inside or (np.diff(times) <= 0).any():
            raise ValueError(
                f"times must increase within [{first}, {last}], got {times}."
            )
        rng = as_generator(random_state, self.random_state)
        parts = []
        for i, bridge in enumerate(self.bridges_):
            low, high = self.times_[i], self.times_[i + 1]
            last_span = i == len(self.bridges_) - 1
            here = times[(times >= low) & ((times < high) | last_span)]
            grid = np.unique(np.append((here - low) / (high - low), 1.0))
            path = bridge.sample_path(X, grid, random_state=rng)
            parts.append(path[:, : len(here)])
            X = path[:, -1]
        return np.concatenate(parts, axis=1)

    def score(self, X, y, sample_weight=None):
        """Return minus the mean loss of the bridges on other rows, higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Their times, out of those of the fit; times that are missing are left out.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            What each row stands for; within a snapshot only ratios matter.

        Returns
        -------
        float
            The score; compare values at one ``epsilon`` only.
        """
        check_is_fitted(self)
        X, y = validate_data(self, X, y, dtype=FLOATS, y_numeric=True, reset=False)
        weight = _weights(sample_weight, X)
        if not np.isin(y, self.times_).all():
            raise ValueError(f"y must hold times of the fit, {self.times_.tolist()}.")
        X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
        scores = []
        for i, bridge in enumerate(self.bridges_):
            here = (y == t for t in self.times_[i : i + 2])
            sides = [Sample(X[rows], weight[rows]) for rows in here]
            if min(len(side.X) for side in sides) >= 2:
                scores.append(bridge.score(**_between(*sides)))
        if not scores:
            raise ValueError("No two consecutive times of the fit have two rows each.")
        return float(np.mean(scores))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _snapshot(X, weight, rows):
    """Return a sample; a single row is a point, of which two halves make one."""
    if rows.sum() == 1:
        return Sample(np.repeat(X[rows], 2, axis=0), np.repeat(weight[rows] / 2, 2))
    return Sample(X[rows], weight[rows])


def _between(source, target):
    """Return two samples as a bridge takes them."""
    data = {"X": source.X, "X_target": target.X}
    return data | {"sample_weight": source.w, "target_weight": target.w}


def _weights(sample_weight, X):
    """Check weights in the words of a single bridge, and that not all are zero."""
    return check_weights(checked_weights(sample_weight, X, "sample_weight", "X"), X)
