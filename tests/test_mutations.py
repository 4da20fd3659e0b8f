"""The promises can fail: a healthy model keeps all, each planted defect breaks one."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn.base import ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._validation import FLOATS, check_weights
from tests._promises import PROMISES

# not ours, so it is no trusted type
KEPT = {name: check for name, check in PROMISES.items() if name != "r17_skops"}


class Centroids(ClassifierMixin, ExtEstimator):
    """A healthy classifier: softmax of distances to weighted class means."""

    _parameter_constraints: dict = {"sharpness": [int, float]}

    def __init__(self, sharpness=1.0):
        self.sharpness = sharpness

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        X, y = validate_data(self, X, y, dtype=FLOATS)
        w = check_weights(sample_weight, X)
        self.classes_, codes = np.unique(y, return_inverse=True)
        onehot = np.eye(len(self.classes_))[codes] * w[:, None]
        self.means_ = (onehot.T @ X) / np.maximum(onehot.sum(axis=0), 1e-9)[:, None]
        return self

    def predict_proba(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        far = ((X[:, None, :] - self.means_) ** 2).sum(axis=2)
        near = np.exp(-self.sharpness * (far - far.min(axis=1, keepdims=True)))
        return near / near.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Line(RegressorMixin, ExtEstimator):
    """A healthy regressor: weighted ridge."""

    _parameter_constraints: dict = {}

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        X, y = validate_data(self, X, y, dtype=FLOATS, y_numeric=True)
        w = check_weights(sample_weight, X)
        self.mean_, self.x_mean_ = np.average(y, weights=w), w @ X / w.sum()
        A = (X - self.x_mean_) * np.sqrt(w)[:, None]
        target = np.sqrt(w) * (y - self.mean_)
        self.coef_ = np.linalg.solve(A.T @ A + np.eye(A.shape[1]), A.T @ target)
        self.intercept_ = self.mean_ - self.x_mean_ @ self.coef_
        return self

    def predict(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        return (X - self.x_mean_) @ self.coef_ + self.mean_


class Shift(TransformerMixin, ExtEstimator):
    """A healthy transformer: centring."""

    _parameter_constraints: dict = {}

    @fit_context()
    def fit(self, X, y=None):
        self.mean_ = validate_data(self, X, dtype=FLOATS).mean(axis=0)
        return self

    def transform(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=FLOATS, reset=False) - self.mean_

    def get_feature_names_out(self, input_features=None):
        names = getattr(self, "feature_names_in_", None)
        plain = [f"x{j}" for j in range(self.n_features_in_)]
        return np.array(plain if names is None else names, dtype=object)


class MutatesParameter(Centroids):
    def __init__(self, sharpness=1.0):
        self.sharpness = np.asarray(sharpness) + 0


class ReturnsNone(Centroids):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)


class Unpicklable(Centroids):
    def fit(self, X, y, sample_weight=None):
        self.link_ = lambda z: z
        return super().fit(X, y, sample_weight)


class LosesState(Centroids):
    def __getstate__(self):
        return {k: v for k, v in super().__getstate__().items() if k != "means_"}


class WritesInput(Centroids):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        if isinstance(X, np.ndarray):
            X -= 1e-3
        return self


class NumpyOnly(Centroids):
    def fit(self, X, y, sample_weight=None):
        X[:, 0]  # a list or a table fails here
        return super().fit(X, y, sample_weight)


class IgnoresNames(Centroids):
    def predict(self, X):
        return super().predict(np.asarray(X))

    def predict_proba(self, X):
        return super().predict_proba(np.asarray(X))


class IndexForLabel(Centroids):
    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


class NotNormalised(Centroids):
    def predict_proba(self, X):
        return 2 * super().predict_proba(X)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class ColumnOutput(Line):
    def predict(self, X):
        return super().predict(X)[:, None]


class IgnoresIntercept(Line):
    def predict(self, X):
        return super().predict(X) - self.mean_


class CoefficientsOfFeatures(Line):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.coef_ = np.repeat(self.coef_, 2)
        return self

    def predict(self, X):
        return super().predict(np.repeat(X, 2, axis=1)) - self.mean_


class TakesNegativeWeights(Centroids):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, None if sample_weight is None else abs(sample_weight))


class Scratch(Centroids):
    def predict(self, X):
        self.last_ = np.asarray(X)
        return super().predict(X)


class Noisy(Line):
    def predict(self, X):
        return super().predict(X) + np.random.normal(size=len(X))


class SeedsGlobally(Line):
    def fit(self, X, y, sample_weight=None):
        np.random.seed(0)
        return super().fit(X, y, sample_weight)


class HalfFitted(Centroids):
    def fit(self, X, y, sample_weight=None):
        self.n_features_in_ = -1
        return super().fit(X, y, sample_weight)


class WrongNames(Shift):
    def get_feature_names_out(self, input_features=None):
        return super().get_feature_names_out()[:-1]


class UpcastsFloat32(Shift):
    def transform(self, X):
        return super().transform(X).astype(np.float64)


HEALTHY = [Centroids, Line, Shift]
DEFECTS = [
    cls
    for cls in list(globals().values())
    if inspect.isclass(cls) and issubclass(cls, tuple(HEALTHY)) and cls not in HEALTHY
]


def broken_promises(cls, tmp_path):
    broken = []
    for name, check in KEPT.items():
        extra = [tmp_path] if "tmp_path" in inspect.signature(check).parameters else []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(cls(), *extra)
        except (Exception, pytest.fail.Exception):
            broken.append(name)
    return broken


@pytest.mark.parametrize("cls", HEALTHY)
def test_healthy_models_keep_every_promise(cls, tmp_path):
    assert broken_promises(cls, tmp_path) == []


@pytest.mark.parametrize("cls", DEFECTS)
def test_each_defect_breaks_a_promise(cls, tmp_path):
    assert broken_promises(cls, tmp_path)
