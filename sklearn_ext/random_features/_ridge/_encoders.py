"""How targets become columns of numbers, and columns predictions."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._arrays import (
    device_of,
    float64,
    is_numpy,
    like,
    namespace,
    to_numpy,
)
from sklearn_ext._numerics._classes import (
    class_factors,
    classes_of_stream,
    places_of,
)
from sklearn_ext._numerics._held_out import best_temperature, probabilities

LIMITS = 1e-3, 1e3  # of temperatures, where held-out scores separate the classes


@dataclass(frozen=True)
class Numbers:
    """Targets of a regression: one or several columns of numbers."""

    n_targets: int
    one: bool  # whether y has one dimension

    checks = {"multi_output": True, "y_numeric": True}
    stratified = False

    @classmethod
    def of(cls, y, classes=None):
        """Look at the targets of the first rows."""
        return cls(1 if y.ndim == 1 else y.shape[1], y.ndim == 1)

    def encode(self, y, s, *, class_weight=None, streaming=False):
        """Return columns of numbers, and weights of the rows in the fit."""
        if Numbers.of(y) != self:
            raise ValueError(
                f"y must have the {self.n_targets} target(s) of the first block, got "
                f"shape {y.shape}."
            )
        return namespace(y).reshape(float64(y), (y.shape[0], self.n_targets)), s

    def squeezed(self, Y):
        """Return columns as the user gave them."""
        return Y[:, 0] if self.one else Y

    decode = labels = squeezed

    def shaped(self, coef):
        """Return coefficients of shape (k, t) as scikit-learn shapes them."""
        return coef[:, 0] if self.one else coef.T

    def check_same(self, other):
        """Refuse targets of another kind."""
        if self != other:
            raise ValueError(
                f"merge needs models of as many targets, got {self.n_targets} and "
                f"{other.n_targets} (or y of one and of two dimensions)."
            )

    def held_model(self, Y, w):
        """Return an estimator that hands a scorer predictions made before."""
        return HeldNumbers()

    def temperature(self, scores, Y, w):
        """Return nothing: numbers have no probabilities."""

    @staticmethod
    def warn_beyond(scores, span):
        """Warn where predictions leave the targets by more than twice their range.

        Neurons are linear far outside the training rows: what is odd there is the row.
        """
        low, high = (like(end, scores) for end in span)
        reach = 2 * (high - low)
        xp = namespace(scores)
        beyond = (reach > 0) & ((scores < low - reach) | (scores > high + reach))
        if n := int(xp.sum(xp.astype(xp.any(beyond, axis=1), xp.int64))):
            warn(
                f"{n} of {scores.shape[0]} predictions lie beyond the training targets "
                "by more than twice their range: either these rows are unlike those of "
                "training, or the ridge is too small. standardize='clip' and "
                "'quantile' do not extrapolate."
            )


@dataclass(frozen=True)
class Classes:
    """Classes: one column of ``{-1, 1}`` for two, one a class for more."""

    classes: np.ndarray

    checks = {}
    one = False
    stratified = True

    @classmethod
    def of(cls, y, classes=None):
        """Look at the labels of the first rows, or take all there may be."""
        check_classification_targets(y)
        found = np.unique(to_numpy(y if classes is None else classes))
        if len(found) < 2:
            raise ValueError(
                "A classifier needs at least two classes, got one class: "
                f"{found.tolist()}."
            )
        return cls(found)

    def encode(self, y, s, *, class_weight=None, streaming=False):
        """Return columns of signs, and weights of the rows in the fit."""
        check_classification_targets(y)
        y, n_classes = to_numpy(y), len(self.classes)
        codes = places_of(y, self.classes, advice="the first partial_fit names all")
        Y = np.where(codes[:, None] == np.arange(n_classes), 1.0, -1.0)
        Y = Y[:, 1:] if n_classes == 2 else Y
        if streaming and isinstance(class_weight, str):
            raise ValueError(
                "class_weight='balanced' needs all rows at once. Pass a dict of "
                "weights to partial_fit and fit_blocks."
            )
        total = np.bincount(codes, to_numpy(s), n_classes)
        factors = class_factors(class_weight, self.classes, total)
        return like(Y, s), s * like(factors[codes], s)

    def check_stay(self, classes):
        """Refuse classes that are not those of the first block."""
        classes_of_stream(to_numpy(classes), self.classes)

    def codes(self, scores):
        """Return the position of the class of highest score, or of the columns."""
        if scores.shape[1] == 1:
            return (scores[:, 0] > 0).astype(int)
        return scores.argmax(axis=1)

    def labels(self, scores):
        """Return the class of highest score, or of the columns."""
        return self.classes[self.codes(scores)]

    def decode(self, scores):
        """Return labels, in the namespace of the scores where it can hold them."""
        labels = self.labels(to_numpy(scores))
        if is_numpy(scores) or labels.dtype.kind not in "biuf":
            return labels
        return namespace(scores).asarray(labels, device=device_of(scores))

    def squeezed(self, scores):
        """Return the decision values: of two classes those of the second."""
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def shaped(self, coef):
        """Return coefficients of shape (k, t) as scikit-learn shapes them."""
        return coef.T

    def check_same(self, other):
        """Refuse other classes."""
        if not np.array_equal(self.classes, other.classes):
            raise ValueError(
                f"merge needs models of the same classes, got {self.classes.tolist()} "
                f"and {other.classes.tolist()}."
            )

    def held_model(self, Y, w):
        """Return an estimator that hands a scorer scores made before."""
        return HeldClasses(self, Y, w)

    def temperature(self, scores, Y, w):
        """Return the divisor of held-out scores that minimises their log-loss."""
        smoothing = 1 / (len(scores) + 1)  # one row more, of any class
        return best_temperature(scores, self.codes(Y), w, LIMITS, smoothing)


class HeldNumbers(RegressorMixin, BaseEstimator):
    """Hands a scorer predictions that were made before."""

    def predict(self, X):
        """Return the predictions."""
        return X


class HeldClasses(ClassifierMixin, BaseEstimator):
    """Hands a scorer decision values that were made before."""

    def __init__(self, encoder, Y, w):
        self.encoder, self.Y, self.w = encoder, Y, w
        self.classes_ = encoder.classes

    def decision_function(self, X):
        """Return the decision values."""
        return X

    def predict(self, X):
        """Return the class of the highest."""
        return self.encoder.labels(X.reshape(len(X), -1))

    def predict_proba(self, X):
        """Return probabilities at the temperature that suits the scores best."""
        X = X.reshape(len(X), -1)
        return probabilities(X, self.encoder.temperature(X, self.Y, self.w))
