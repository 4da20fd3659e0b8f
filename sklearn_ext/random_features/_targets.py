"""How targets become columns of numbers, and columns predictions."""

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MultiOutputMixin,
    RegressorMixin,
)
from sklearn.utils.multiclass import check_classification_targets

from sklearn_ext._core._compat import MIXED_NAMESPACES, array_api_compat, move_to
from sklearn_ext.random_features._arrays import (
    float64,
    is_numpy,
    like,
    namespace,
    to_numpy,
)
from sklearn_ext.random_features._calibration import (
    fit_temperature,
    probabilities,
)


class HeldRegressor(RegressorMixin, BaseEstimator):
    """Hands a scorer predictions that were made before."""

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def predict(self, X):
        """Return the predictions."""
        return X


class HeldClassifier(ClassifierMixin, BaseEstimator):
    """Hands a scorer decision values that were made before."""

    def __init__(self, classes, codes, w):
        self.classes_, self.codes, self.w = classes, codes, w

    def decision_function(self, X):
        """Return the decision values."""
        return X

    def predict(self, X):
        """Return the class of the highest."""
        codes = (X > 0).astype(int) if X.ndim == 1 else X.argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X):
        """Return probabilities at the temperature that suits the scores best."""
        X = X.reshape(len(X), -1)
        return probabilities(X, fit_temperature(X, self.codes, self.w))


class RegressionTarget(MultiOutputMixin, RegressorMixin):
    """Targets of a regression: one or several columns of numbers."""

    _target_checks = {"multi_output": True, "y_numeric": True}

    def _move_target(self, y, xp, device):
        return move_to(y, xp=xp, device=device)

    def _encode(self, y, s, X, *, reset):
        y = float64(y)
        if reset:
            self._one_target = y.ndim == 1
            self._n_targets = 1 if y.ndim == 1 else y.shape[1]
        columns = 1 if y.ndim == 1 else y.shape[1]
        if columns != self._n_targets or (y.ndim == 1) != self._one_target:
            raise ValueError(
                f"y must have the {self._n_targets} target(s) of the first block, got "
                f"shape {y.shape}."
            )
        return namespace(y).reshape(y, (y.shape[0], columns)), s

    def predict(self, X):
        """Predict the target of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            The predictions.
        """
        out = self._decision(X, "predict")
        return self._squeezed(out)

    def _squeezed(self, Y):
        return Y[:, 0] if self._one_target else Y

    _labels = _squeezed

    def _held_model(self, Y, w):
        return HeldRegressor()

    def _check_same_target(self, other):
        mine, theirs = (
            (model._n_targets, model._one_target) for model in (self, other)
        )
        if mine != theirs:
            raise ValueError(
                f"merge needs models of as many targets, got {mine[0]} and "
                f"{theirs[0]} (or y of one and of two dimensions)."
            )


class ClassTarget(ClassifierMixin):
    """Classes: one column of ``{-1, 1}`` for two, one a class for more."""

    _target_checks = {}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = MIXED_NAMESPACES  # classes_ stay in NumPy
        return tags

    def _move_target(self, y, xp, device):
        return y  # labels may be strings, which have no namespace but NumPy's

    def _encode(self, y, s, X, *, reset, classes=None):
        check_classification_targets(y)
        y = to_numpy(y)
        if reset:
            self.classes_ = np.unique(y if classes is None else to_numpy(classes))
            if len(self.classes_) < 2:
                raise ValueError(
                    f"{type(self).__name__} needs at least two classes, got one class: "
                    f"{self.classes_.tolist()}."
                )
        elif classes is not None and not np.array_equal(
            np.unique(to_numpy(classes)), self.classes_
        ):
            raise ValueError(
                f"classes must stay {self.classes_.tolist()} as in the first block, "
                f"got {np.unique(to_numpy(classes)).tolist()}."
            )
        codes = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        if (unknown := self.classes_[codes] != y).any():
            raise ValueError(
                f"y holds labels {np.unique(y[unknown]).tolist()} that are not among "
                f"the classes {self.classes_.tolist()}. Pass all of them as classes to "
                "the first partial_fit."
            )
        Y = np.where(codes[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)
        Y = Y[:, 1:] if len(self.classes_) == 2 else Y
        streaming = classes is not None or not reset
        factors = self._class_factors(codes, to_numpy(s), streaming=streaming)
        return like(Y, s), s * like(factors[codes], s)

    def _class_factors(self, codes, s, *, streaming):
        n_classes, weight = len(self.classes_), self.class_weight
        if weight is None:
            return np.ones(n_classes)
        if isinstance(weight, str):
            if streaming:
                raise ValueError(
                    "class_weight='balanced' needs all rows at once. Pass a dict of "
                    "weights to partial_fit and fit_blocks."
                )
            return s.sum() / (n_classes * np.bincount(codes, s, n_classes))
        labels = self.classes_.tolist()
        unknown = [label for label in weight if label not in labels]
        if unknown and len(weight) - len(unknown) < n_classes:
            raise ValueError(
                f"class_weight has keys {unknown} that are not among the classes "
                f"{labels}."
            )
        factors = np.array([weight.get(label, 1.0) for label in labels], dtype=float)
        if not (np.isfinite(factors) & (factors > 0)).all():
            raise ValueError(
                f"class_weight must be positive for each class, got {weight!r}. Leave "
                "out the rows of a class that shall not count."
            )
        return factors

    def decision_function(self, X):
        """Return the score of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores; for two classes those of the second.
        """
        return self._squeezed(self._decision(X, "decision_function"))

    def predict(self, X):
        """Predict the class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            The classes.
        """
        scores = self._decision(X, "predict")
        labels = self.classes_[self._codes(to_numpy(scores))]
        if is_numpy(scores) or labels.dtype.kind not in "biuf":
            return labels
        device = array_api_compat.device(scores)
        return namespace(scores).asarray(labels, device=device)

    def predict_proba(self, X):
        """Return the probability of each class.

        Scores are multiplied by ``temperature_`` and pass through a softmax (two
        classes: a sigmoid).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        scores = self._decision(X, "predict_proba")
        P = probabilities(to_numpy(scores), self.temperature_)
        return like(P, scores)

    @staticmethod
    def _codes(scores):
        if scores.shape[1] == 1:
            return (scores[:, 0] > 0).astype(int)
        return scores.argmax(axis=1)

    def _squeezed(self, scores):
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def _labels(self, Y):
        return self.classes_[self._codes(Y)]

    def _held_model(self, Y, w):
        return HeldClassifier(self.classes_, self._codes(Y), w)

    def _check_same_target(self, other):
        if not np.array_equal(self.classes_, other.classes_):
            raise ValueError(
                f"merge needs models of the same classes, got {self.classes_.tolist()} "
                f"and {other.classes_.tolist()}."
            )

    def _temperature(self, loo, held):
        if loo is None:
            return 1.0
        return fit_temperature(held.Y - loo, self._codes(held.Y), held.w)

    @property
    def _one_target(self):
        return False

    @property
    def temperature_(self):
        """Factor of the scores in ``predict_proba``."""
        return self._solution().temperature
