"""Linear classifier for thousands of classes, at a cost that does not feel them."""

from numbers import Integral, Real

import numpy as np
from scipy.special import log_softmax
from sklearn import get_config
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core import _blocks
from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext._core._optional import ConditionalMethod
from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._arrays import (
    flat,
    like,
    namespace,
    rounding,
    to_device,
    to_numpy,
)
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._held_out import best_temperature
from sklearn_ext._numerics._lbfgs import Stopping, minimise
from sklearn_ext.losses._linear import check_rows, labelled
from sklearn_ext.losses._spherical_terms import (
    FLOOR,
    SphericalObjective,
    SphericalStatistics,
)

SCORED = 1 << 20  # scores from which the temperature is found
IN_DOUBLE = 1 << 22  # cells of float32 rows up to which the search is in float64


class OfSquares(ConditionalMethod):
    """A method of the loss that is solved from sums."""

    def missing(self, instance):
        """Return what is missing with another loss."""
        if instance.loss == "squared_error":
            return None
        return (
            f"loss='squared_error', got loss={instance.loss!r}, which needs all rows "
            "at once."
        )


class OfProbabilities(ConditionalMethod):
    """A method of the losses that have probabilities."""

    def missing(self, instance):
        """Return what is missing with least squares."""
        if instance.loss != "squared_error":
            return None
        return "loss='z' or loss='taylor', got loss='squared_error'."


class SphericalClassifier(CallbackSupportMixin, ClassifierMixin, ExtEstimator):
    r"""Linear classifier for thousands of classes, at a cost that does not feel them.

    A spherical loss of a row depends on the score of its label, the sum of all scores
    and the sum of their squares. All three, and the exact gradient, follow from
    ``W'W`` and the sum of the rows of W: an iteration costs
    O(n_samples d^2 + n_classes d^2) where a softmax costs O(n_samples n_classes d), and
    no array of n_samples times n_classes is made. Memory holds X twice and
    ``2 memory + 6`` arrays of the size of ``coef_``.

    The Z-loss is :math:`\log(1 + e^{a (b - z)}) / a` with the score of the label
    standardised among all scores, :math:`z = (o_y - \bar o) / s`. It does not feel the
    scale of W, so that a penalty would have no minimum; instead :math:`s^2` grows by
    what noise of variance ``alpha`` on each column would add to it. ``alpha="auto"``
    follows the scale of the columns, but the columns should share it.

    The defaults are for classes that overlap, such as words: no row comes to rest.
    Where each class is a cloud of its own, ``scale=2, target=6`` is better; try both on
    rows that are held out. Below some hundreds of classes a softmax is the better tool,
    for two classes by far.

    Parameters
    ----------
    loss : {"z", "squared_error", "taylor"}, default="z"
        "z" ranks best; "taylor" is the logarithm of the Taylor softmax, which has
        probabilities of its own; "squared_error" is least squares on one-hot labels,
        solved from sums: it has ``partial_fit``, ``merge`` and ``fit_blocks``, where
        new classes may come at any time.
    scale : float, default=0.1
        Sharpness a of the Z-loss.
    target : float, default=10.0
        The z score b at which a row is at rest; it cannot exceed the square root of
        ``n_classes - 1``.
    alpha : float or "auto", default="auto"
        Variance of the noise for "z", strength of the L2 penalty for the others; "auto"
        is a hundredth of the mean variance of the columns.
    fit_intercept : bool, default=True
        Whether the scores have intercepts, which are not penalised.
    tol : float, default=1e-4
        Stop when the objective lies above its minimum by this part of itself, as its
        last decreases foretell.
    max_iter : int, default=50
        Iterations at most.
    memory : int, default=5
        Steps that L-BFGS remembers.
    device : str or None, default=None
        A torch device on which the losses but "squared_error" are minimised; None
        computes on the host. Rows are scored on the host.
    batch_size : int or None, default=None
        Rows worked on at a time; None is chosen from ``working_memory``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    coef_ : ndarray of shape (n_classes, n_features)
        Coefficients, in the dtype of X; also two classes have two rows.
    intercept_ : ndarray of shape (n_classes,)
        Intercepts.
    class_count_ : ndarray of shape (n_classes,)
        Weight of each class.
    alpha_ : float
        ``alpha`` that was used.
    temperature_ : float
        Divides the z scores for probabilities; only with "z".
    sufficient_statistics_ : SphericalStatistics
        Sums that ``partial_fit`` and ``merge`` add to; only with "squared_error".
    n_iter_ : int
        Iterations.
    n_evaluations_ : int
        Passes over the rows.
    objective_ : float
        Value at the coefficients; only where there were iterations.
    converged_ : bool
        Whether ``tol`` was reached.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when X has string names for them.

    See Also
    --------
    CompSumClassifier : For few classes.
    sklearn.linear_model.LogisticRegression : For hundreds.
    sklearn.linear_model.RidgeClassifier : Least squares with a given penalty.

    References
    ----------
    .. [1] A. de Brébisson, P. Vincent, "The Z-loss: a shift and scale invariant
       classification loss belonging to the spherical family", 2016.
    .. [2] P. Vincent, A. de Brébisson, X. Bouthillier, "Efficient exact gradient update
       for training deep networks with very large sparse targets", NeurIPS 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.losses import SphericalClassifier
    >>> rng = np.random.default_rng(0)
    >>> centres, y = rng.normal(size=(500, 20)), rng.integers(0, 500, 5000)
    >>> X = centres[y] + 0.3 * rng.normal(size=(5000, 20))
    >>> model = SphericalClassifier().fit(X, y)
    >>> model.predict_top_k(X[:2], 5).shape
    (2, 5)
    """

    _parameter_constraints: dict = {
        "loss": [StrOptions({"z", "squared_error", "taylor"})],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "target": [Interval(Real, None, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "memory": [Interval(Integral, 1, None, closed="left")],
        "device": [str, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        loss="z",
        *,
        scale=0.1,
        target=10.0,
        alpha="auto",
        fit_intercept=True,
        tol=1e-4,
        max_iter=50,
        memory=5,
        device=None,
        batch_size=None,
    ):
        self.loss = loss
        self.scale = scale
        self.target = target
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.memory = memory
        self.device = device
        self.batch_size = batch_size

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Fit to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; sparse ones with "squared_error" only.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a weight of two equals a row given twice.

        Returns
        -------
        self : SphericalClassifier
            The fitted classifier.
        """
        data = labelled(self, X, y, sample_weight)
        if self.loss == "z" and len(data.classes) == 2:
            warn(
                "SphericalClassifier(loss='z') was given two classes, for which "
                "CompSumClassifier is the better tool."
            )
        statistics = SphericalStatistics.of(data.X, data.y, data.weight, data.classes)
        for name in ("temperature_", "sufficient_statistics_", "objective_"):
            vars(self).pop(name, None)
        self._dtype = data.X.dtype.name
        if self.loss == "squared_error":
            return self._solve(statistics)
        self.alpha_ = self._alpha(statistics)
        few = data.X.shape[0] <= data.X.shape[1]
        if self.loss == "z" and self.alpha_ == 0 and few:
            raise ValueError(
                f"alpha=0 with {data.X.shape[0]} rows of {data.X.shape[1]} features: "
                "the variance of scores may vanish. Choose alpha > 0, or 'auto'."
            )
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        tasks = FitTasks(self, X, y, max_subtasks=self.max_iter, metadata=metadata)
        self._descend(data, statistics, tasks)
        tasks.close(**self._state())
        if not (self.converged_ or self._interrupted):
            warn(
                f"SphericalClassifier did not converge in max_iter={self.max_iter} "
                "iterations. Increase max_iter, tol or alpha.",
                ConvergenceWarning,
            )
        del self._interrupted
        return self

    def _descend(self, data, statistics, tasks):
        """Start from least squares, with the second moment of rows in front."""
        objective, theta = self._objective(data, statistics)
        K, D = objective.n_classes, objective.X.shape[1]
        w = like(objective.w, objective.X)
        S = to_numpy((objective.X * w[:, None]).T @ objective.X).astype(np.float64)
        ridge = 1e-2 * max(float(np.trace(S[:-1, :-1])) / max(D - 1, 1), FLOOR)
        P = like(np.linalg.inv(S + ridge * np.eye(D)), objective.X)
        mean = statistics.mean if self.fit_intercept else 0 * statistics.mean

        def report(theta, now):
            return tasks.end(
                lambda: self._coefficients(to_numpy(theta), mean, statistics)
            )

        varies = bool(statistics.second.any())  # else there is nothing to learn
        minimum = minimise(
            objective,
            theta,
            lambda vector, now: flat(vector.reshape(K, D) @ P),
            lambda theta, now: np.inf,
            Stopping(self.tol, self.max_iter if varies else 0),
            memory=self.memory,
            noise=rounding(objective.X),
            report=report,
        )
        theta = to_numpy(minimum.theta)
        vars(self).update(self._coefficients(theta, mean, statistics))
        self.n_iter_, self.n_evaluations_ = minimum.n_iter, minimum.n_evaluations
        self.objective_ = minimum.evaluation.value
        self.converged_ = minimum.converged or not varies
        self._interrupted = minimum.interrupted
        if self.loss == "z":
            self.temperature_ = self._temperature(data)

    def _objective(self, data, statistics):
        small = data.X.shape[0] * data.X.shape[1] <= IN_DOUBLE
        dtype = np.float64 if small else data.X.dtype
        W = statistics.solve(max(self.alpha_, 1e-12), self.fit_intercept)
        rows = np.empty((data.X.shape[0], data.X.shape[1] + 1), dtype)
        mean = statistics.mean if self.fit_intercept else 0 * statistics.mean
        np.subtract(data.X, mean.astype(dtype), out=rows[:, :-1])
        rows[:, -1] = 1.0 if self.fit_intercept else 0.0
        rows = to_device(rows, self.device)
        objective = SphericalObjective(
            X=rows,
            y=like(data.y, rows, namespace(rows).int64),
            w=data.weight / data.weight.sum(),
            n_classes=len(data.classes),
            loss=self.loss,
            alpha=self.alpha_,
            scale=self.scale,
            target=self.target,
            fit_intercept=self.fit_intercept,
            batch_size=self.batch_size or max(256, (1 << 20) // rows.shape[1]),
        )
        return objective, flat(like(W, rows))

    def _coefficients(self, theta, mean, statistics):
        K = len(statistics.classes)
        W = theta.reshape(K, -1)
        if self.loss == "z":  # its scale is free: make it that of one-hot labels
            W = W / max(float(np.sqrt(np.mean(W.astype(np.float64) ** 2))), FLOOR)
        coef = np.ascontiguousarray(W[:, :-1])
        offset = W[:, -1] - coef @ mean.astype(coef.dtype)
        total = coef.sum(axis=0, dtype=np.float64)
        size = np.square(coef, dtype=np.float64).sum()
        noise = self.alpha_ * (size - total @ total / K) / K
        return {
            "classes_": statistics.classes,
            "class_count_": statistics.count,
            "coef_": coef.astype(self._dtype, copy=False),
            "intercept_": offset.astype(self._dtype, copy=False),
            "_noise": float(noise),
        }

    def _state(self):
        names = "classes_", "class_count_", "coef_", "intercept_", "_noise"
        return {name: getattr(self, name) for name in names}

    def _temperature(self, data):
        """Minimise the log-loss of training rows, of some where there are many."""
        equal = EqualRows.in_either_precision(data.X, data.y, w=data.weight)
        few = slice(max(64, SCORED // len(data.classes)))
        rows = equal.first[few]
        scores = self._scores(data.X[rows]).astype(np.float64)
        return best_temperature(scores, data.y[rows], equal.weight[few])

    @OfSquares
    @fit_context()
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Add rows, of known classes or new ones, and solve anew.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels; new ones may come at any time.
        classes : array-like of shape (n_classes,), default=None
            Labels that shall be known, seen or not.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : SphericalClassifier
            The updated classifier.
        """
        first = not hasattr(self, "sufficient_statistics_")
        added = self._summarize(X, y, sample_weight, classes=classes, reset=first)
        return self._solve(added if first else self.sufficient_statistics_ + added)

    @OfSquares
    @fit_context()
    def merge(self, other):
        """Take in what another fitted model has seen.

        Parameters
        ----------
        other : SphericalClassifier
            Fitted to other rows of the same columns by "squared_error".

        Returns
        -------
        self : SphericalClassifier
            This estimator, as if it had seen the rows of both.
        """
        check_is_fitted(self)
        check_is_fitted(other, "sufficient_statistics_")
        if other.n_features_in_ != self.n_features_in_:
            raise ValueError(
                "merge needs models of the same columns: this one has "
                f"{self.n_features_in_} features, the other {other.n_features_in_}."
            )
        return self._solve(self.sufficient_statistics_ + other.sufficient_statistics_)

    @OfSquares
    def fit_blocks(self, blocks, *, n_jobs=None):
        """Fit to blocks of rows as if they were one table.

        Parameters
        ----------
        blocks : iterable
            Tuples ``(X, y)`` or ``(X, y, sample_weight)``, or callables that load one.
        n_jobs : int or None, default=None
            Threads, or workers of the active joblib backend.

        Returns
        -------
        self : SphericalClassifier
            The fitted classifier.
        """
        return _blocks.fit_blocks(self, blocks, n_jobs=n_jobs)

    def _summarize(self, X, y, sample_weight=None, *, reset, classes=None):
        data = labelled(self, X, y, sample_weight, reset=reset, alone=True)
        if reset:
            self._dtype = data.X.dtype.name
        found = SphericalStatistics.of(data.X, data.y, data.weight, data.classes)
        if classes is None:
            return found
        known = np.unique(np.asarray(classes))
        if not np.isin(data.classes, known).all():
            new = data.classes[~np.isin(data.classes, known)].tolist()[:5]
            raise ValueError(f"y holds labels that are not in classes: {new}.")
        d = len(found.mean)
        none = np.zeros(len(known)), found.mean, np.zeros((d, d))
        return found + SphericalStatistics(known, *none, np.zeros((len(known), d)))

    def _solve(self, statistics):
        self.alpha_ = self._alpha(statistics)
        W = statistics.solve(self.alpha_, self.fit_intercept)
        coef = W[:, :-1]
        offset = W[:, -1] - (coef @ statistics.mean if self.fit_intercept else 0)
        self.classes_, self.class_count_ = statistics.classes, statistics.count
        self.coef_ = coef.astype(self._dtype)
        self.intercept_ = offset.astype(self._dtype)
        self.sufficient_statistics_ = statistics
        self.n_iter_, self.n_evaluations_, self.converged_ = 0, 1, True
        return self

    def _alpha(self, statistics):
        if self.alpha != "auto":
            return float(self.alpha)
        return 1e-2 * statistics.variance(self.fit_intercept) or 1.0

    def _scores(self, X):
        """Score checked rows: z scores, indicators, or Taylor terms less one."""
        scores = X @ self.coef_.T
        scores += self.intercept_
        if self.loss == "z":
            wide = scores.astype(np.float64, copy=False)
            mean = wide.mean(axis=1, keepdims=True)
            s2 = wide.var(axis=1, keepdims=True) + self._noise
            scores = (wide - mean) / np.sqrt(np.maximum(s2, FLOOR))
            return scores.astype(self.coef_.dtype, copy=False)
        return scores + scores**2 / 2 if self.loss == "taylor" else scores

    def _in_blocks(self, X, work):
        """Apply ``work`` to the scores of blocks of rows that memory has room for."""
        check_is_fitted(self)
        X = check_rows(self, X)
        budget = get_config()["working_memory"] * 2**20
        size = self.batch_size or max(1, int(budget / (24 * len(self.classes_))))
        starts = range(0, X.shape[0], size)
        parts = [work(self._scores(X[start : start + size])) for start in starts]
        return np.concatenate(parts)

    def decision_function(self, X):
        """Score the classes: z scores, indicators or Taylor terms, by the loss.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the score of the second less that of the first.
        """
        scores = self._in_blocks(X, lambda scores: scores)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X):
        """Predict the label of each row; rows are scored block by block.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        best = self._in_blocks(X, lambda scores: scores.argmax(axis=1))
        return self.classes_[best]

    def predict_top_k(self, X, k):
        """Predict the k best labels of each row, the best first.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        k : int
            How many.

        Returns
        -------
        ndarray of shape (n_samples, k)
            Labels.
        """
        check_is_fitted(self)
        n_classes = len(self.classes_)
        if not 1 <= k <= n_classes:
            raise ValueError(f"k must be 1 to {n_classes}, the classes, got {k}.")

        def top(scores):
            found = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            order = np.argsort(
                -np.take_along_axis(scores, found, axis=1), axis=1, kind="stable"
            )
            return np.take_along_axis(found, order, axis=1)

        return self.classes_[self._in_blocks(X, top)]

    @OfProbabilities
    def predict_log_proba(self, X):
        """Return the logarithm of the probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._in_blocks(X, self._log_proba)

    @OfProbabilities
    def predict_proba(self, X):
        """Return probabilities: of "taylor" its own, of "z" a softmax of z scores.

        The Z-loss itself has no probabilities; its scores are divided by
        ``temperature_``, which was fitted to training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; rows sum to one.
        """
        return self._in_blocks(X, lambda scores: np.exp(self._log_proba(scores)))

    def _log_proba(self, scores):
        scores = scores.astype(np.float64, copy=False)
        if self.loss == "z":
            return log_softmax(scores / self.temperature_, axis=1)
        terms = 1 + scores
        return np.log(terms) - np.log(terms.sum(axis=1, keepdims=True))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.loss == "squared_error"
        return tags
