"""What the user guide says about pipelines and searches, each statement a test."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.bridge import (
    LightSchrodingerBridge,
)
from tests._marks import DEFAULT_SCORES
from tests.bridge._small import make, pooled


@DEFAULT_SCORES
def test_pooled_search_through_a_pipeline(pair):
    X, domain = pooled(pair)
    X, domain = X[::5], domain[::5]
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(sample_domain=True)
        step.set_transform_request(sample_domain=True)
        step.set_score_request(sample_domain=True)
        pipe = Pipeline([("scale", StandardScaler()), ("bridge", step)])
        grid = {"bridge__n_components": [1, 3]}
        search = GridSearchCV(pipe, grid, cv=StratifiedKFold(3), error_score="raise")
        search.fit(X, domain, sample_domain=domain)
        mapped = search.best_estimator_.transform(X, sample_domain=domain)
        with pytest.raises(TypeError, match="sample_domain"):
            search.transform(X, sample_domain=domain)
    assert search.best_params_ == {"bridge__n_components": 3}
    scaled = search.best_estimator_["scale"].transform(X)
    assert_allclose(mapped[domain == 1], scaled[domain == 1])


def test_a_search_that_was_not_given_domains_warns(pair):
    X, _ = pooled(pair)
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(sample_domain=True)
        step.set_score_request(sample_domain=True)
        search = GridSearchCV(step, {"tol": [1e-3]}, cv=2, error_score="raise")
        match = r"no X_target and no sample_domain.*set_fit_request"
        with pytest.warns(UserWarning, match=match) as seen:
            search.fit(X[::9])
    assert len(seen) == 3  # two folds and the last fit


def test_a_classifier_can_follow_in_the_pipeline(pair):
    X, domain = pooled(pair)
    y = (X[:, 0] > 0).astype(int)
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(sample_domain=True)
        step.set_transform_request(sample_domain=True)
        pipe = make_pipeline(step, LogisticRegression())
        pipe.fit(X, y, sample_domain=domain)
        assert pipe.predict(pair.X, sample_domain=np.zeros(len(pair.X))).shape == (
            len(pair.X),
        )


def test_transform_input_carries_the_target_through_earlier_steps(pair):
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(X_target=True)
        pipe = Pipeline(
            [("scale", StandardScaler()), ("bridge", step)],
            transform_input=["X_target"],
        )
        pipe.fit(pair.X, X_target=pair.Y)
    scaler = pipe.named_steps["scale"]
    direct = make().fit(scaler.transform(pair.X), X_target=scaler.transform(pair.Y))
    assert_allclose(
        pipe.transform(pair.X), direct.transform(scaler.transform(pair.X)), atol=1e-10
    )


def test_pipeline_score_does_not_carry_the_target_through_earlier_steps(pair):
    X, Y = pair.X * 3 + 5, pair.Y * 3 + 5
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(X_target=True).set_score_request(X_target=True)
        steps = [("scale", StandardScaler()), ("bridge", step)]
        pipe = Pipeline(steps, transform_input=["X_target"]).fit(X, X_target=Y)
        score = pipe.score(X, X_target=Y)
    scaler, bridge = pipe.named_steps.values()
    raw = bridge.score(scaler.transform(X), X_target=Y)
    right = bridge.score(scaler.transform(X), X_target=scaler.transform(Y))
    assert score == pytest.approx(raw)
    assert score < right - 1


def test_search_slices_a_target_of_equal_length_and_only_that(pair):
    seen = []

    class Spy(LightSchrodingerBridge):
        def fit(self, X, y=None, *, X_target=None, **params):
            seen.append(len(X_target))
            return super().fit(X, y, X_target=X_target, **params)

        def score(self, X, y=None, *, X_target=None):
            return 0.0

    with config_context(enable_metadata_routing=True):
        for n_target in (200, 300):
            spy = Spy(1, random_state=0).set_fit_request(X_target=True)
            spy.set_score_request(X_target=False)
            search = GridSearchCV(spy, {"n_components": [1]}, cv=2, refit=False)
            search.fit(pair.X[:300], X_target=pair.Y[:n_target])
    assert seen == [200, 200, 150, 150]


def test_pipeline_score_forwards_weights_even_when_none(pair):
    X, domain = pooled(pair)
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(sample_domain=True)
        step.set_score_request(sample_domain=True)
        pipe = Pipeline([("bridge", step)]).fit(X, sample_domain=domain)
        score = pipe.score(X, sample_domain=domain)
    direct = make().fit(X, sample_domain=domain)
    assert score == pytest.approx(direct.score(X, sample_domain=domain))


def test_refusing_weights_in_score_breaks_pipeline_score(pair):
    X, domain = pooled(pair)
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(sample_domain=True)
        step.set_score_request(sample_domain=True, sample_weight=False)
        pipe = Pipeline([("bridge", step)]).fit(X, sample_domain=domain)
        with pytest.raises(TypeError, match="sample_weight"):
            pipe.score(X, sample_domain=domain)


def test_weights_can_be_meant_for_the_classifier_alone(pair):
    X, domain = pooled(pair)
    y = (X[:, 0] > 0).astype(int)
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(sample_domain=True, sample_weight=False)
        step.set_transform_request(sample_domain=True)
        last = LogisticRegression().set_fit_request(sample_weight=True)
        pipe = make_pipeline(step, last)
        pipe.fit(X, y, sample_domain=domain, sample_weight=1 - domain)
    alone = make().fit(X, sample_domain=domain)
    mapped = alone.transform(X, sample_domain=domain)[domain == 0]
    assert_allclose(pipe[0].means_, alone.means_, rtol=1e-10)
    direct = LogisticRegression().fit(mapped, y[domain == 0])
    assert_allclose(pipe[1].coef_, direct.coef_, rtol=1e-3)


def test_domains_reach_a_step_by_prefix_without_routing(pair):
    X, domain = pooled(pair)
    pipe = Pipeline([("scale", StandardScaler()), ("bridge", make())])
    pipe.fit(X, bridge__sample_domain=domain)
    assert pipe.named_steps["bridge"].target_mean_.shape == (3,)


def test_search_without_routing_cannot_score_something_else(pair):
    X, domain = pooled(pair)
    grid = {"n_components": [1, 3]}
    search = GridSearchCV(make(), grid, refit=False, error_score="raise")
    with pytest.raises(ValueError, match=r"score needs target rows.*metadata routing"):
        search.fit(X[::9], domain[::9], sample_domain=domain[::9])
