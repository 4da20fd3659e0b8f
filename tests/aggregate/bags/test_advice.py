"""What is said to users who forget bags, mix up scores or pass one y per bag."""

import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.aggregate import (
    AggregateBoostingRegressor,
    AggregateMetaRegressor,
    AggregateNetClassifier,
    AggregateNetRegressor,
    BagRegressor,
    InstanceRegressor,
    InterpolatingAggregateRegressor,
    InterpolatingAggregateRegressorCV,
    LabelProportionClassifier,
    aggregate_responses,
    bag_cross_validate,
    bag_log_loss,
    expand_aggregates,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
BAGS = np.arange(60) // 5
VALUES = RNG.normal(size=12)
Y = VALUES[BAGS]
SHARES = np.column_stack([1 - (Y > 0) / 3 - 0.2, (Y > 0) / 3 + 0.2])

REGRESSORS = [
    BagRegressor(),
    InstanceRegressor(),
    InterpolatingAggregateRegressor(),
    InterpolatingAggregateRegressorCV(),
    AggregateBoostingRegressor(n_estimators=2),
    AggregateMetaRegressor(),
]
CLASSIFIERS = [LabelProportionClassifier(classes=[0, 1])]
if find_spec("skorch"):
    REGRESSORS.append(AggregateNetRegressor(max_epochs=1))
    CLASSIFIERS.append(AggregateNetClassifier(max_epochs=1, classes=[0, 1]))
CASES = [(m, Y, 12) for m in REGRESSORS] + [(m, SHARES, 2) for m in CLASSIFIERS]
IDS = [type(model).__name__ for model, _, _ in CASES]


@pytest.mark.parametrize(("model", "y", "distinct"), CASES, ids=IDS)
def test_forgotten_bags_are_asked_for(model, y, distinct):
    message = rf"y repeats \({distinct} values in 60 rows\): were bags= forgotten\?"
    with pytest.warns(UserWarning, match=message) as caught:
        model.fit(X, y)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y, bags=BAGS)
        model.fit(X, y, bags=np.arange(60))  # rows are their own bags


@pytest.mark.parametrize("model", REGRESSORS, ids=IDS[: len(REGRESSORS)])
def test_scores_ask_for_forgotten_bags_too(model):
    fitted = clone(model).fit(X, Y, bags=BAGS)
    pipeline = make_pipeline(StandardScaler(), fitted)
    message = r"were bags= forgotten\? A Pipeline without .* pipeline\[-1\]\.score\("
    with pytest.warns(UserWarning, match=message) as caught:
        fitted.score(X, Y)
    assert caught[0].filename == __file__
    pipeline[0].fit(X)
    with pytest.warns(UserWarning, match=message):
        pipeline.score(X, list(Y))
    fitted.score(X, Y, bags=BAGS)  # a warning is an error
    fitted.score(X, Y, bags=np.arange(60))
    fitted.score(X, X[:, 0])  # responses of rows


def test_proportions_are_scored_in_the_order_of_their_columns():
    names = ["b", "a"]
    for model in CLASSIFIERS:
        ours = clone(model).set_params(classes=names)
        ours.fit(X, SHARES, bags=BAGS)
        flipped = ours.score(X, SHARES, bags=BAGS)
        expected = bag_log_loss(
            SHARES[:, ::-1], ours.predict_proba(X), bags=BAGS, labels=["a", "b"]
        )
        assert_allclose(flipped, -expected)


@pytest.mark.parametrize("y", [np.arange(60) % 2, np.arange(60) % 5 * 1.0, X[:, 0]])
def test_counts_classes_and_distinct_responses_are_left_alone(y):
    BagRegressor().fit(X, y)  # a warning is an error


def test_forgotten_bags_are_asked_for_inside_tools():
    pipeline = make_pipeline(StandardScaler(), BagRegressor())
    message = r"fit\(X, y, step__bags=bags\)"
    with pytest.warns(UserWarning, match=message):
        pipeline.fit(X, Y)
    with pytest.warns(UserWarning, match=message):
        cross_val_score(pipeline, X, Y, groups=BAGS, cv=GroupKFold(3), scoring="r2")
    pipeline.fit(X, Y, bagregressor__bags=BAGS)
    with pytest.warns(UserWarning, match=message):
        BagRegressor().partial_fit(X, Y)


@pytest.mark.parametrize(("model", "y", "distinct"), CASES, ids=IDS)
def test_one_value_per_bag_is_not_one_per_row(model, y, distinct):
    with pytest.raises(
        ValueError, match=r"12 values. One value per bag\? .* y=expand_"
    ):
        model.fit(X, y[::5], bags=BAGS)
    expanded = expand_aggregates(np.arange(12), y[::5], BAGS)
    assert_allclose(expanded, y)
    with pytest.raises(ValueError, match=r"inconsistent|rows but y has 7"):
        model.fit(X, y[:7], bags=BAGS)


def test_a_missing_aggregate_has_a_parameter():
    y = np.where(BAGS == 0, np.nan, Y)
    message = r"Input y contains NaN\. .* BagRegressor\(allow_missing_aggregate=True\)"
    with pytest.raises(ValueError, match=message):
        BagRegressor().fit(X, y, bags=BAGS)
    BagRegressor(allow_missing_aggregate=True).fit(X, y, bags=BAGS)


def test_scores_of_rows_against_aggregates_are_warned_about():
    model = BagRegressor()
    with pytest.warns(UserWarning, match="'r2' compares predictions of rows with the"):
        bag_cross_validate(model, X, Y, bags=BAGS, scoring="r2")
    bag_cross_validate(model, X, X[:, 0], bags=BAGS, scoring="r2")  # y is of rows
    bag_cross_validate(model, X, X[:, 0].round(), bags=np.arange(60), scoring="r2")


def test_several_scores_may_be_of_bags():
    names = ["bag_r2", "neg_bag_mean_squared_error"]
    found = bag_cross_validate(BagRegressor(), X, Y, bags=BAGS, scoring=names)
    alone = bag_cross_validate(BagRegressor(), X, Y, bags=BAGS)["test_score"]
    assert_allclose(found["test_bag_r2"], alone)
    mixed = {"ours": "bag_r2", "theirs": "r2"}
    found = bag_cross_validate(BagRegressor(), X, X[:, 0], bags=BAGS, scoring=mixed)
    assert {"test_ours", "test_theirs"} <= set(found)


def test_a_mistyped_score_lists_those_of_bags():
    message = r"scoring='bag_r2_score' is unknown. Scores of bags are \['bag_r2', 'ins"
    with pytest.raises(ValueError, match=message):
        bag_cross_validate(BagRegressor(), X, Y, bags=BAGS, scoring="bag_r2_score")


def test_labels_are_no_responses():
    labels = np.array(["b", "a", "b", "b"])
    with pytest.raises(ValueError, match=r"y must be numbers, got \['b'\]. Labels go"):
        aggregate_responses(labels, [0, 0, 1, 1])
    indicators = labels[:, None] == np.unique(labels)
    shares = aggregate_responses(indicators, [0, 0, 1, 1]).values
    assert_allclose(shares, [[0.5, 0.5], [0, 1]])
