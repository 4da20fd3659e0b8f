"""Each row of the error table, and the state that a failed call leaves."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
)
from tests.random_features._given import RidgeOnlyCV, given

ALL = [
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
]
HALVES = slice(None, 15), slice(15, None)
FIXED = [RandomFeatureRidge, RandomFeatureRidgeClassifier]
TUNED = [RandomFeatureRidgeCV, RandomFeatureRidgeClassifierCV]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((30, 4)), np.arange(30) % 2


def first_block(model, X, y):
    classes = {"classes": [0, 1]} if hasattr(model, "predict_proba") else {}
    return model.partial_fit(X, y, **classes)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_values(cls, bad, data):
    X, y = data
    X[3, 1] = bad
    advice = "imputer" if np.isnan(bad) else "contains infinity"
    with pytest.raises(ValueError, match=advice):
        given(cls)(10).fit(X, y)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "'n_components' parameter"),
        ({"n_components": 2.5}, "'n_components' parameter"),
        ({"n_components": "many"}, "'n_components' parameter"),
        ({"kernel": "linear"}, "'kernel' parameter"),
        ({"kernel": "matern", "nu": -1}, "'nu' parameter"),
        ({"solver": "magic"}, "'solver' parameter"),
        ({"sampling": "structured"}, "at least 64 columns"),
        ({"sampling": "orthogonal", "kernel": "laplacian"}, "rotation-invariant"),
        (
            {"n_components": "infinite", "feature_map": Nystroem()},
            "feature_map needs finite n_components",
        ),
    ],
)
def test_parameters(cls, params, message, data):
    with pytest.raises(ValueError, match=message):
        given(cls)(**params).fit(*data)


@pytest.mark.parametrize("alpha", [-1.0, [-1.0], np.nan])
@pytest.mark.parametrize("cls", FIXED)
def test_alpha(cls, alpha, data):
    with pytest.raises(ValueError, match="alpha"):
        given(cls)(10, alpha).fit(*data)


@pytest.mark.parametrize("alphas", [[-1.0, 1.0], [], [np.inf]])
@pytest.mark.parametrize("cls", TUNED)
def test_alphas(cls, alphas, data):
    with pytest.raises(ValueError, match="alphas must be one or more non-negative"):
        given(cls)(10, alphas).fit(*data)


def test_an_alpha_for_each_target_needs_as_many(data):
    X, y = data
    with pytest.raises(ValueError, match=r"each of the 2 target\(s\)"):
        RandomFeatureRidge(10, [1.0, 2.0, 3.0]).fit(X, np.c_[y, y])


@pytest.mark.parametrize("cls", ALL)
def test_weights(cls, data):
    X, y = data
    with pytest.raises(ValueError, match=r"Negative values|non-negative"):
        given(cls)(10).fit(X, y, np.r_[-1.0, np.ones(29)])
    with pytest.raises(ValueError, match="at least one non-zero"):
        given(cls)(10).fit(X, y, np.zeros(30))


@pytest.mark.parametrize("cls", ALL)
def test_infinite_width_keeps_no_sums(cls, data):
    X, y = data
    with pytest.raises(ValueError, match="partial_fit needs finite n_components"):
        first_block(given(cls)("infinite"), X, y)
    model = given(cls)("infinite").fit(X, y)
    with pytest.raises(ValueError, match="merge needs finite n_components"):
        model.merge(clone(model).fit(X, y))


def test_infinite_width_warns_of_memory(data, monkeypatch):
    monkeypatch.setattr("sklearn_ext.random_features._maps.MANY_ROWS", 20)
    with pytest.warns(UserWarning, match=r"30 rows needs at least .* GiB"):
        RandomFeatureRidge("infinite").fit(*data)


def test_one_row_cannot_be_left_out(data):
    X, y = data
    with pytest.raises(ValueError, match="at least 2 samples that differ, got n_sam"):
        RidgeOnlyCV(10).fit(X[:1], y[:1])
    with pytest.raises(ValueError, match="at least 2 samples"):
        RidgeOnlyCV(10).fit(X, y, np.r_[1.0, np.zeros(29)])
    model = RidgeOnlyCV(10, random_state=0).fit(X[:2], y[:2])
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("cls", ALL)
def test_blocks_must_agree(cls, data):
    X, y = data
    model = first_block(given(cls)(10, random_state=0), X, y)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :2], y)
    with pytest.raises(ValueError, match=r"\['kernel'\] changed since the first block"):
        clone_of(model).set_params(kernel="rbf").partial_fit(X, y)
    other = first_block(given(cls)(10, random_state=1), X, y)
    with pytest.raises(ValueError, match="merge needs models with the same feature"):
        model.merge(other)
    with pytest.raises(NotFittedError):
        model.merge(given(cls)(10))


def clone_of(model):
    return pickle.loads(pickle.dumps(model))


def test_targets_of_blocks_must_agree(data):
    X, y = data
    model = RandomFeatureRidge(10).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"the 1 target\(s\) of the first block"):
        model.partial_fit(X, np.c_[y, y])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kernel": "rbf"}, "gamma='auto' is measured on the first block"),
        ({"kernel": "matern", "length_scale": "scale"}, "length_scale='scale' is"),
        ({"standardize": True}, "standardize=True is measured on the first block"),
    ],
)
def test_what_is_measured_on_the_first_block_warns(params, message, data):
    with pytest.warns(UserWarning, match=message):
        RandomFeatureRidge(10, **params).partial_fit(*data)


def test_rows_that_fix_their_own_prediction(data):
    X, y = data
    model = RidgeOnlyCV(60, [0.0], solver="primal", random_state=0)
    with pytest.raises(ValueError, match="Add an alpha above 0"):
        model.fit(X, y)
    chosen = model.set_params(alphas=[0.0, 1.0]).fit(X, y)
    assert chosen.alpha_ == 1.0
    assert np.isinf(chosen.loo_error_path_[0])


@pytest.mark.parametrize("cls", TUNED)
def test_folds_need_rows(cls, data):
    X, y = data
    model = given(cls)(10, cv=3).fit(X, y)
    before = model.predict(X)
    for call in (
        lambda: first_block(model, X, y),
        lambda: model.merge(clone_of(model)),
        lambda: first_block(given(cls)(10, cv=3), X, y),
    ):
        with pytest.raises(ValueError, match="Folds need all rows at once"):
            call()
    assert_allclose(model.predict(X), before, rtol=0)


@pytest.mark.parametrize("params", [{"cv": "gcv"}, {"alpha_per_target": True}])
def test_scorers_need_held_out_predictions_of_all_targets(params, data):
    with pytest.raises(ValueError, match="Use scoring=None"):
        RidgeOnlyCV(10, scoring="r2", **params).fit(*data)
    with pytest.raises(ValueError, match="Use scoring=None"):
        RidgeOnlyCV(10, scoring="r2", **params).partial_fit(*data)
    with pytest.raises(ValueError, match="no predictions to score"):
        RidgeOnlyCV(10, scoring="r2", cv="gcv").partial_fit(*data)


@pytest.mark.parametrize("cls", TUNED)
def test_groups(cls, data):
    X, y = data
    with pytest.raises(ValueError, match="groups need folds"):
        given(cls)(10).fit(X, y, groups=np.arange(30) % 5)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        given(cls)(10, cv=GroupKFold(3)).fit(X, y, groups=np.arange(40) % 5)


def test_merged_models_must_agree(data):
    X, y = data
    make = {"n_components": 10, "random_state": 0}
    model = RandomFeatureRidge(**make).fit(X, y)
    for other, message in [
        (RandomFeatureRidge(**make).fit(X, np.c_[y, y]), "as many targets"),
        (RandomFeatureRidge(fit_intercept=False, **make).fit(X, y), "fit_intercept"),
        (RidgeOnlyCV(**make).fit(X, y), "two models of one class"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.merge(other)
    classifier = RandomFeatureRidgeClassifier(**make).fit(X, y)
    with pytest.raises(ValueError, match="the same classes"):
        classifier.merge(RandomFeatureRidgeClassifier(**make).fit(X, y + 5))


@pytest.mark.parametrize(
    ("weight", "message"),
    [({7: 2.0}, "not one of the classes"), ({0: 0.0}, "must be positive")],
)
def test_class_weights(weight, message, data):
    with pytest.raises(ValueError, match=message):
        RandomFeatureRidgeClassifier(10, class_weight=weight).fit(*data)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("n_components", [10, 100, "infinite"])
def test_features_that_overflow(cls, n_components, data):
    X, y = data
    with pytest.raises(ValueError, match=r"squares of the features have no finite sum"):
        given(cls)(n_components).fit(1e200 * X, y)


def test_feature_map_that_returns_nan(data):
    class Broken(StandardScaler):
        def transform(self, X):
            return np.full_like(X, np.nan)

    with pytest.raises(ValueError, match="feature_map returned NaN"):
        RandomFeatureRidge(feature_map=Broken()).fit(*data)


def test_scaling_of_dense_rows_cannot_centre_sparse_ones(data):
    X, y = data
    model = RandomFeatureRidge(10, standardize=True).fit(X, y)
    with pytest.raises(ValueError, match="cannot centre"):
        model.predict(sparse.csr_array(X))


def test_an_alpha_of_wrong_shape_is_refused_before_a_block_is_added(data):
    with pytest.raises(ValueError, match="alpha must be a number or one for each"):
        RandomFeatureRidge(10, [1.0, 2.0]).partial_fit(*data)


def test_intervals_need_leave_one_out_and_a_level(data):
    X, y = data
    with pytest.raises(AttributeError, match="need cv='loo'"):
        RidgeOnlyCV(10, cv="gcv").fit(X, y).predict_interval(X)
    with pytest.raises(ValueError, match="between 0 and 1, got 1"):
        RidgeOnlyCV(10).fit(X, y).predict_interval(X, 1)
    with pytest.raises(ValueError, match=r"between 0 and 1, got '0\.9'"):
        RidgeOnlyCV(10).fit(X, y).predict_interval(X, "0.9")


@pytest.mark.parametrize("cls", ALL)
def test_strings_and_complex_numbers(cls, data):
    X, y = data
    with pytest.raises(ValueError, match="Complex"):
        given(cls)(10).fit(X + 1j, y)
    with pytest.raises(ValueError, match="could not convert"):
        given(cls)(10).fit(np.full((30, 2), "a"), y)


@pytest.mark.parametrize("cls", ALL)
def test_device_needs_dense_rows(cls, data):
    pytest.importorskip("torch")
    X, y = data
    with pytest.raises(TypeError, match="needs dense rows"):
        given(cls)(10, device="cpu").fit(sparse.csr_array(X), y)


def test_a_device_that_is_absent(data):
    pytest.importorskip("torch")
    with pytest.raises(RuntimeError, match=r"'nowhere' is not on .* has \['cpu'"):
        RandomFeatureRidge(10, device="nowhere").fit(*data)


@pytest.mark.parametrize("cls", ALL)
def test_a_feature_map_may_not_see_the_targets(cls, data):
    for supervised in (SelectKBest(k=2), LinearDiscriminantAnalysis()):
        with pytest.raises(
            ValueError, match=r"cannot be fitted to rows alone: .* Pipe"
        ):
            given(cls)(feature_map=supervised).fit(*data)


@pytest.mark.parametrize("cls", ALL)
def test_a_failed_call_keeps_the_fitted_state(cls, data):
    X, y = data
    model = first_block(given(cls)(10, random_state=0), X, y)
    before = model.predict(X)
    bad = np.full((5, 4), np.nan)
    for call in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="NaN"):
            call(bad, y[:5])
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :1], y)
    assert model.n_features_in_ == 4
    assert model.n_samples_seen_ == 30
    assert_allclose(model.predict(X), before, rtol=0)


@pytest.mark.parametrize("cls", ALL)
def test_wrong_attributes_say_which_to_read(cls, data):
    finite, infinite = given(cls)(10).fit(*data), given(cls)("infinite").fit(*data)
    for name in ("dual_coef_", "X_fit_"):
        with pytest.raises(AttributeError, match="n_components='infinite'"):
            getattr(finite, name)
    with pytest.raises(AttributeError, match="see dual_coef_"):
        infinite.component_coef_  # noqa: B018


@pytest.mark.parametrize("name", ["ridge", "flow"])
def test_leave_one_out_of_merged_models_needs_rows(name, data):
    X, y = data
    how = {"kernel": "relu", "map": "random", "standardize": False, "random_state": 0}
    model = RandomFeatureRidgeCV(20, filter=name, **how)
    fitted, other = (clone(model).fit(X[part], y[part]) for part in HALVES)
    before = fitted.predict(X)
    with pytest.raises(ValueError, match="Fit one or both by partial_fit"):
        fitted.merge(other)
    assert_array_equal(fitted.predict(X), before)  # nothing was added
    blocks = clone(model).partial_fit(X[HALVES[1]], y[HALVES[1]])
    assert fitted.merge(blocks).best_score_ < 0
