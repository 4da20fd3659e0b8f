"""Our estimators inside those of scikit-learn that fit others."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import HalvingGridSearchCV, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils.validation import has_fit_parameter

from tests._instances import FEW_ERRORS, data_for
from tests.clients._models import CLASSIFIERS, REGRESSORS, each

pytestmark = pytest.mark.filterwarnings(FEW_ERRORS)


@each(CLASSIFIERS)
def test_calibration(model):
    X, y = data_for(model)
    chances = CalibratedClassifierCV(model, cv=3).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(chances.sum(axis=1), 1)


@each(CLASSIFIERS)
def test_stacking_classifier(model):
    X, y = data_for(model)
    stack = StackingClassifier([("ours", model)], LogisticRegression(), cv=3)
    assert stack.fit(X, y).score(X, y) > 0.6


@each(REGRESSORS)
def test_stacking_regressor(model):
    X, y = data_for(model)
    stack = StackingRegressor([("ours", model)], RidgeCV(), cv=3)
    assert stack.fit(X, y).score(X, y) > 0.05


@each(REGRESSORS)
def test_bagging_and_many_outputs(model):
    X, y = data_for(model)
    bagged = BaggingRegressor(model, n_estimators=3, random_state=0).fit(X, y)
    assert bagged.predict(X).shape == y.shape
    both = MultiOutputRegressor(model).fit(X, np.c_[y, -y]).predict(X)
    np.testing.assert_allclose(both[:, 0], clone(model).fit(X, y).predict(X))


@each(CLASSIFIERS)
def test_many_outputs_and_one_against_rest(model):
    X, y = data_for(model)
    names = np.array(["no", "yes", "maybe"])[y]
    twice = MultiOutputClassifier(model).fit(X, np.c_[names, names[::-1]])
    assert twice.predict(X).shape == (len(X), 2)
    assert OneVsRestClassifier(model).fit(X, y).score(X, y) > 0.6


@each(CLASSIFIERS)
def test_self_training(model):
    X, y = data_for(model)
    partly = np.where(np.arange(len(y)) % 3 == 0, -1, y)
    trained = SelfTrainingClassifier(model, max_iter=2).fit(X, partly)
    assert trained.score(X, y) > 0.6


@each([m for m in CLASSIFIERS if has_fit_parameter(m, "sample_weight")])
def test_boosting_by_weights(model):
    X, y = data_for(model)
    boosted = AdaBoostClassifier(model, n_estimators=3, random_state=0).fit(X, y)
    assert boosted.score(X, y) > 0.6


@each(CLASSIFIERS + REGRESSORS)
def test_halving_search_and_inspection(model):
    X, y = data_for(model)
    name = next(iter(model.get_params()))
    grid = {name: [model.get_params()[name]]}
    search = HalvingGridSearchCV(model, grid, cv=2, min_resources=60).fit(X, y)
    assert np.isfinite(search.best_score_)
    found = permutation_importance(search, X, y, n_repeats=2, random_state=0)
    assert np.isfinite(found.importances_mean).all()
    curve = partial_dependence(search, X, [0], grid_resolution=5)["average"]
    assert np.isfinite(curve).all()
    assert len(cross_val_predict(model, X, y, cv=3)) == len(X)


def test_the_groups_are_not_empty():
    assert len(CLASSIFIERS) > 5
    assert len(REGRESSORS) > 5
