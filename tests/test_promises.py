"""The promises to clients, held by every public estimator."""

import inspect
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

import sklearn_ext
from sklearn_ext._core._compat import CallbackSupportMixin
from tests._instances import (
    ESTIMATORS,
    FEW_ERRORS,
    IDS,
    MAPPED_TO_THEMSELVES,
    data_for,
    fitted,
    plain,
)
from tests._marks import CALLBACKS
from tests._promises import PROMISES


@pytest.mark.filterwarnings(MAPPED_TO_THEMSELVES, FEW_ERRORS)
@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=IDS)
def test_promise(estimator, promise, tmp_path):
    check = PROMISES[promise]
    extra = [tmp_path] if "tmp_path" in inspect.signature(check).parameters else []
    check(estimator, *extra)


LEARNABLE = [e for e in ESTIMATORS if is_classifier(e) or is_regressor(e)]


@pytest.mark.parametrize("estimator", LEARNABLE, ids=lambda e: type(e).__name__)
@pytest.mark.filterwarnings(FEW_ERRORS)
def test_r24_defaults_learn(estimator):
    model = make_pipeline(StandardScaler(), plain(type(estimator)))
    if is_regressor(estimator):
        X, y = load_diabetes(return_X_y=True)
        assert cross_val_score(model, X, y, cv=3).mean() > 0.05
        return
    X, y = load_breast_cancer(return_X_y=True)
    assert cross_val_score(model, X, y, cv=3).mean() > 0.75
    if get_tags(estimator).classifier_tags.multi_class:
        X, y = load_wine(return_X_y=True)
        assert cross_val_score(model, X, y, cv=3).mean() > 0.6


class StopAfter:
    """A callback that asks to stop after some iterations, and counts."""

    def __init__(self, n_iterations):
        self.n_iterations, self.seen, self.states = n_iterations, 0, []

    def setup(self, estimator, context):
        self.seen = 0

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.parent is None:
            return False
        self.seen += 1
        self.states.append(fitted_estimator)
        return self.seen >= self.n_iterations

    def teardown(self, estimator, context):
        pass


# they report progress, but have no answer before the end
ALL_OR_NOTHING = {
    "ProxySearchCV",  # as all of scikit-learn's searches
    "RashomonTreeClassifier",
}
ITERATIVE = [
    e
    for e in ESTIMATORS
    if isinstance(e, CallbackSupportMixin) and type(e).__name__ not in ALL_OR_NOTHING
]


@CALLBACKS
@pytest.mark.parametrize("estimator", ITERATIVE, ids=lambda e: type(e).__name__)
def test_r23_callbacks_follow_and_stop_the_fit(estimator):
    X, y = data_for(estimator)
    stopper = StopAfter(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=UserWarning)  # not converged: we asked
        model = fitted(clone(estimator).set_callbacks(stopper), X, y)
    assert stopper.seen == 1
    assert stopper.states[0] is not None
    for method in ("predict", "transform"):
        if hasattr(model, method):
            assert getattr(stopper.states[0], method)(X).shape[0] == len(X)
            assert getattr(model, method)(X).shape[0] == len(X)
    assert not hasattr(model, "_callback_fit_ctx")


def test_r16_no_estimator_type():
    for _, cls in sklearn_ext.all_estimators():
        assert "_estimator_type" not in vars(cls)


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_r21_import_is_light():
    families = "; ".join(f"import sklearn_ext.{name}" for name in sklearn_ext.FAMILIES)
    loaded = run(
        "import sys, sklearn.ensemble, sklearn.model_selection\n"
        "before = set(sys.modules)\n"  # scikit-learn may bring pandas itself
        f"import sklearn_ext; {families}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    ).split()
    heavy = {"torch", "skorch", "pandas", "matplotlib", "polars", "rich"}
    assert heavy.isdisjoint(loaded)


def test_r21_import_adds_little_time():
    times = [
        float(
            run(
                "import time, sklearn, sklearn.linear_model\n"
                "start = time.process_time(); import sklearn_ext\n"
                "print(time.process_time() - start)"
            )
        )
        for _ in range(3)
    ]
    assert np.min(times) < 0.05
