"""The choice of kernel, rate and scaling by held-out errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import KFold
from sklearn.preprocessing import FunctionTransformer

from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
)

LISTS = {
    "kernel": ["relu", "rbf", "matern", "laplacian"],
    "gamma": [0.1, 1.0],
    "length_scale": [0.5, 2.0],
    "standardize": [False, "standard", "clip", "quantile"],
}


def make(n=80, t=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4))
    y = np.sin(2 * X @ rng.standard_normal((4, t or 1)))
    y += 0.2 * rng.standard_normal(y.shape)
    return X, y if t else y[:, 0]


def classes(y):
    return np.digitize(y, [-0.3, 0.3])


@pytest.mark.parametrize("cv", ["loo", "gcv", 3])
@pytest.mark.parametrize("k", [30, "infinite"])
def test_errors_are_those_of_separate_fits(k, cv):
    X, y = make()
    how = {"cv": cv, "search_components": None, "random_state": 0}
    model = RandomFeatureRidgeCV(k, **LISTS, **how).fit(X, y)
    assert model.n_candidates_ == 4 * (1 + 2 + 2 + 2)
    scores = []
    for i, candidate in enumerate(model.candidates_):
        one = {name: v for name, v in candidate.items() if v is not None}
        alone = RandomFeatureRidgeCV(k, **one, **how).fit(X, y)
        assert alone.candidates_ == [candidate]
        errors = model.candidate_errors_[i]
        errors = errors[~np.isnan(errors)]
        np.testing.assert_array_equal(alone.candidate_errors_[0], errors)
        np.testing.assert_array_equal(
            alone.alphas_, model.candidate_alphas_[i][: len(errors)]
        )
        scores.append(alone.best_score_)
        if scores[-1] == max(scores):
            best = alone
    assert model.best_score_ == max(scores)
    np.testing.assert_array_equal(model.predict(X), best.predict(X))
    for name in ("kernel_", "gamma_", "length_scale_", "standardize_", "map_"):
        assert getattr(model, name) == getattr(best, name)


def test_the_order_of_the_list_does_not_matter():
    X, y = make()
    one = RandomFeatureRidgeCV(30, **LISTS, random_state=0).fit(X, y)
    turned = {name: values[::-1] for name, values in LISTS.items()}
    other = RandomFeatureRidgeCV(30, **turned, random_state=0).fit(X, y)
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


def test_one_candidate_is_no_search():
    X, y = make()
    params = {"map": "landmarks", "gamma": 0.3, "random_state": 0}
    one = RandomFeatureRidgeCV(30, kernel=["rbf"], standardize=[True], **params)
    other = RandomFeatureRidgeCV(30, kernel="rbf", standardize="standard", **params)
    expected = other.fit(X, y).predict(X)
    np.testing.assert_array_equal(one.fit(X, y).predict(X), expected)
    fixed = RandomFeatureRidge(
        30, other.alpha_, kernel="rbf", standardize="standard", **params
    )
    assert_allclose(fixed.fit(X, y).predict(X), expected, rtol=1e-6)
    assert one.choice_is_clear_


def test_the_search_is_narrow_and_the_fit_wide():
    X, y = make(200)
    model = RandomFeatureRidgeCV(150, search_components=20, random_state=0).fit(X, y)
    narrow = RandomFeatureRidgeCV(20, random_state=0).fit(X, y)
    assert model.candidates_ == narrow.candidates_
    np.testing.assert_array_equal(model.candidate_errors_, narrow.candidate_errors_)
    assert model.component_coef_.shape == (150,)
    assert narrow.component_coef_.shape == (20,)


@pytest.mark.parametrize("seed", [0, np.random.RandomState(3)])
def test_a_generator_is_drawn_from_as_without_a_search(seed):
    X, y = make()
    params = {"n_components": 20, "standardize": "standard", "map": "random"}
    model = RandomFeatureRidgeCV(kernel=["relu", "step"], random_state=seed, **params)
    model = clone(model).fit(X, y)
    alone = RandomFeatureRidgeCV(kernel=model.kernel_, random_state=seed, **params)
    np.testing.assert_array_equal(clone(alone).fit(X, y).predict(X), model.predict(X))


def test_rules_follow_the_scaled_columns():
    X, y = make()
    X = 1e3 * X
    params = {"kernel": ["laplacian", "rbf", "matern"], "random_state": 0}
    model = RandomFeatureRidgeCV(20, standardize=[False, "standard"], **params)
    found = model.fit(X, y).candidates_
    raw, scaled = 1 / (4 * X.var()), 1 / 4
    shares = [0.01, 0.03, 0.1, 0.3, 1.0]
    expected = [0.3 * raw] + [s * raw for s in shares] + [None] * 5
    expected += [0.3 * scaled] + [s * scaled for s in shares] + [None] * 5
    assert [c["gamma"] is None for c in found] == [g is None for g in expected]
    pairs = [(c["gamma"], g) for c, g in zip(found, expected, strict=True) if g]
    assert_allclose(*zip(*pairs, strict=True))
    lengths = [c["length_scale"] for c in found[-5:]]
    assert_allclose(lengths, [(s * scaled) ** -0.5 for s in shares])
    old = RandomFeatureRidgeCV(20, gamma="scale", standardize=True, **params).fit(X, y)
    assert_allclose([c["gamma"] for c in old.candidates_[:2]], scaled)


@pytest.mark.parametrize("cls", [RandomFeatureRidgeCV, RandomFeatureRidgeClassifierCV])
def test_weights_are_repetition(cls):
    X, y = make(60)
    y = classes(y) if cls is RandomFeatureRidgeClassifierCV else y
    w = np.random.default_rng(0).integers(0, 4, 60)
    order = np.random.default_rng(1).permutation(w.sum())
    many = np.repeat(X, w, axis=0)[order], np.repeat(y, w)[order]
    for k in (20, 100):
        one, other = cls(k, random_state=0), cls(k, random_state=0)
        one.fit(X, y, w), other.fit(*many)
        assert_allclose(one.predict(X), other.predict(X), rtol=1e-7)
        assert one.kernel_ == other.kernel_
        assert one.standardize_ == other.standardize_
        # the least ridge is 1e-10 of the largest eigenvalue: so much more is rounding
        rtol = 5 * np.finfo(float).eps / 1e-10
        assert_allclose(one.candidate_errors_, other.candidate_errors_, rtol=rtol)


def test_clear_and_unclear_choices():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 2))
    steps = np.sign(X[:, 0]) * np.sign(X[:, 1])
    params = {"kernel": ["relu", "erf", "laplacian"], "random_state": 0}
    clear = RandomFeatureRidgeCV(**params).fit(X[:, :2] * 50, np.sin(9 * X[:, 0]))
    assert clear.kernel_ == "laplacian"
    assert clear.choice_is_clear_
    noise = RandomFeatureRidgeCV(**params).fit(X, rng.permutation(steps))
    assert not noise.choice_is_clear_
    best = RandomFeatureRidgeCV(kernel=["erf", "relu"], random_state=0)
    first = clone(best).set_params(tie_break="first").fit(X, rng.permutation(steps))
    assert first.kernel_ == "erf"
    with pytest.raises(AttributeError, match="needs cv='loo'"):
        _ = clone(best).set_params(cv=3).fit(X, steps).choice_is_clear_
    with pytest.raises(ValueError, match="tie_break='first' needs cv='loo'"):
        clone(first).set_params(cv=KFold(3)).fit(X, steps)


def test_several_targets_have_one_kernel():
    X, y = make(t=3)
    model = RandomFeatureRidgeCV(30, alpha_per_target=True, random_state=0).fit(X, y)
    assert model.alpha_.shape == (3,)
    assert isinstance(model.kernel_, str)


def test_sparse_rows_are_scaled_or_not():
    X, y = make()
    X[abs(X) < 1] = 0
    dense = RandomFeatureRidgeCV(20, random_state=0).fit(X, y)
    model = RandomFeatureRidgeCV(20, random_state=0).fit(sparse.csr_array(X), y)
    assert {c["standardize"] for c in model.candidates_} == {"clip", "quantile"}
    assert_allclose(model.predict(sparse.csr_array(X)), dense.predict(X), rtol=1e-6)
    wide = sparse.hstack([sparse.csr_array(X), sparse.eye_array(80, 1000)])
    model.fit(wide, y)
    assert {c["standardize"] for c in model.candidates_} == {False, "standard"}
    assert model.predict(wide).shape == y.shape


def test_blocks_take_the_first_and_random_features():
    X, y = make()
    model = RandomFeatureRidgeCV(20, random_state=0)
    blocks = clone(model).partial_fit(X[:30], y[:30]).partial_fit(X[30:], y[30:])
    params = {"kernel": "relu", "map": "random", "standardize": False}
    whole = clone(model).set_params(**params).fit(X, y)
    assert_allclose(blocks.predict(X), whole.predict(X), rtol=1e-7)
    assert (blocks.map_, blocks.kernel_, blocks.standardize_) == ("random", "relu", 0)
    for name, values in LISTS.items():
        with pytest.raises(ValueError, match=f"Blocks cannot choose, got {name}="):
            clone(model).set_params(**{name: values}).partial_fit(X, y)


def test_rows_that_come_after_a_choice():
    X, y = make(120)
    model = RandomFeatureRidgeCV(20, [0.1], random_state=0).fit(X[:80], y[:80])
    chosen = model.candidates_, model.kernel_, model.standardize_
    model.partial_fit(X[80:], y[80:])
    assert model.n_samples_seen_ == 120
    assert (model.candidates_, model.kernel_, model.standardize_) == chosen


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kernel": []}, r"kernel must be 'auto', one or a list of 'relu'"),
        ({"kernel": ["relu", "tanh"]}, "'laplacian'.* got .*'tanh'"),
        ({"standardize": ["standard", "robust"]}, "'quantile', False; got"),
        ({"gamma": [1.0, -1.0]}, "gamma must be 'auto', 'scale', one or several"),
        ({"length_scale": []}, "length_scale must be 'auto'"),
        (
            {"kernel": ["relu"], "feature_map": FunctionTransformer()},
            "feature_map replaces the kernel",
        ),
    ],
)
def test_wrong_lists(params, message):
    with pytest.raises(ValueError, match=message):
        RandomFeatureRidgeCV(10, **params).fit(*make())


def test_a_feature_map_sees_columns_as_they_are():
    X, y = make()
    model = RandomFeatureRidgeCV(feature_map=FunctionTransformer()).fit(X, y)
    assert (model.standardize_, model.map_) == (False, "feature_map")
    with pytest.raises(AttributeError, match="not known with a feature_map"):
        _ = model.kernel_


def test_far_rows_do_not_run_away():
    rng = np.random.default_rng(0)
    X = np.exp(3 * rng.standard_normal((300, 5)))
    y = np.log(X[:, 0]) + 0.1 * rng.standard_normal(300)
    model = RandomFeatureRidgeCV(random_state=0).fit(X, y)
    assert model.standardize_ == "quantile"
    far = model.predict(1e6 * X)
    middle, spread = (y.max() + y.min()) / 2, np.ptp(y)
    assert (abs(far - middle) < 1.5 * spread).all()


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("k", [20, 500, "infinite"])
def test_far_rows_that_run_away_are_told(k, blocks):
    X, y = make(t=2)
    if blocks and k == "infinite":
        return
    model = RandomFeatureRidge(k, alpha=1.0, random_state=0)
    if blocks:
        model.partial_fit(X[:40], y[:40]).partial_fit(X[40:], y[40:])
    else:
        model.fit(X, y)
    model.predict(X)
    with pytest.warns(UserWarning, match="1 of 80 predictions lie beyond the training"):
        model.predict(np.r_[X[:79], 1e3 * X[79:]])
    for name in ("clip", "quantile"):  # where that cannot be
        model = RandomFeatureRidge(k, alpha=1.0, standardize=name, random_state=0)
        model.fit(X, y).predict(1e3 * X)
    level = RandomFeatureRidge(20, random_state=0).fit(X, np.ones(80))
    assert_allclose(level.predict(1e3 * X), 1, atol=1e-6)


def test_the_default_classifies():
    X, y = load_wine(return_X_y=True)  # columns of scales that differ by a thousand
    model = RandomFeatureRidgeClassifierCV(random_state=0).fit(X[::2], y[::2])
    assert model.score(X[1::2], y[1::2]) > 0.95
