"""Every display draws a pipeline as it draws the model at its end."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ext import aggregate, bridge, probes, rashomon, submodular
from sklearn_ext import random_features as rf

FAMILIES = [aggregate, bridge, probes, rf, rashomon, submodular]
N = 60
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "age": RNG.normal(40, 10, N),
        "income": RNG.lognormal(3, 1, N),
        "place": RNG.choice(["north", "south"], N),
    }
)
LABEL = (TABLE.age + RNG.normal(0, 5, N) > 40).to_numpy()
Y = (TABLE.age + 5 * (TABLE.place == "north")).to_numpy() + RNG.normal(0, 3, N)
BAGS = np.arange(N) // 3
MEANS = pd.Series(Y).groupby(BAGS).transform("mean").to_numpy()
SUMS = 3 * MEANS


def head():
    return make_column_transformer(
        (StandardScaler(), ["age", "income"]),
        (OneHotEncoder(drop="if_binary", sparse_output=False), ["place"]),
        verbose_feature_names_out=False,
    )


def tree():
    return rashomon.RashomonTreeClassifier(1, random_state=0)


TUNED = rf.RandomFeatureRidgeCV(20, kernel="relu", map="random", random_state=0)
CHOSEN = rf.RandomFeatureRidgeCV(20, random_state=0)
SUM = aggregate.BagRegressor(aggregate="sum")
SELECTOR = submodular.DynamicSubmodularSelector(4)
ROWS, LABELLED, MEASURED = (TABLE,), (TABLE, LABEL), (TABLE, Y)
CASES = {  # by display: model, target, keywords of fit, tables of the display, keywords
    "RidgePathDisplay": (TUNED, Y, {}, (), {}),
    "KernelChoiceDisplay": (CHOSEN, Y, {}, (), {}),
    "FittingRatioDisplay": (TUNED, Y, {}, (), {"a": 1.3, "b": 1.2, "s_rel": 1}),
    "RFLearningCurveDisplay": (TUNED, Y, {}, MEASURED, {"random_state": 0}),
    "TrainingTimeDisplay": (
        TUNED,
        Y,
        {},
        MEASURED,
        {"times": [1.0, 10.0], "n_repeats": 2, "random_state": 0},
    ),
    "EigenspectrumDisplay": (TUNED, Y, {}, MEASURED, {}),
    "RhoPathDisplay": (
        aggregate.InterpolatingAggregateRegressorCV(),
        MEANS,
        {"bags": BAGS},
        (),
        {},
    ),
    "BagCalibrationDisplay": (
        SUM,
        SUMS,
        {"bags": BAGS},
        (TABLE, SUMS),
        {"bags": BAGS},
    ),
    "TwoRegimesDisplay": (
        probes.TwoRegimes(n_repeats=2, n_bootstrap=20, random_state=0),
        LABEL,
        {},
        (),
        {},
    ),
    "ProbeSearchDisplay": (probes.ProbeSearchCV(), LABEL, {}, (), {}),
    "ProbeDiagnosticsDisplay": (probes.NaiveBayesProbe(), LABEL, {}, LABELLED, {}),
    "CollapseDisplay": (probes.LogisticProbe(), LABEL, {}, LABELLED, {}),
    "RashomonRatioDisplay": (tree(), LABEL, {}, (), {}),
    "MultiplicityDisplay": (tree(), LABEL, {}, ROWS, {}),
    "MultiplicityCurveDisplay": (tree(), LABEL, {}, ROWS, {"theta": [0.0, 0.05]}),
    "CoefficientRangeDisplay": (rashomon.RashomonRidge(), Y, {}, (), {}),
    "VariableImportanceCloudDisplay": (rashomon.RashomonRidge(), Y, {}, (), {}),
    "SchrodingerBridgeDisplay": (
        bridge.LightSchrodingerBridge(2, random_state=0),
        None,
        {"sample_domain": LABEL.astype(int)},
        (TABLE[~LABEL], TABLE[LABEL]),
        {"features": (0, 1)},
    ),
    "SelectionCurveDisplay": (SELECTOR, None, {}, (), {"n_draws": 3}),
    "ExemplarDisplay": (SELECTOR, None, {}, ROWS, {}),
}


def displays():
    for family in FAMILIES:
        for name in family.__all__:
            if hasattr(getattr(family, name), "from_estimator"):
                yield name


def display(name):
    return next(getattr(f, name) for f in FAMILIES if name in f.__all__)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def drawn(shown):
    """Return the numbers that a display was made from, by name."""
    numbers = {}
    for name, value in vars(shown).items():
        if name.endswith("_") or value is None:
            continue
        if isinstance(value, dict):
            for key, part in value.items():
                parts = part if isinstance(part, dict) else {"": part}
                numbers |= {f"{name} {key} {sub}": x for sub, x in parts.items()}
        elif name == "diagnostics":
            known = "margins", "beta", "cosines", "norms", "nc3"
            numbers |= {at: getattr(value, at) for at in known if hasattr(value, at)}
        elif name == "ellipses":
            numbers |= {"centres": value[0], "covariances": value[1]}
        elif name not in ("labels", "names", "label", "space", "candidates"):
            numbers[name] = value
    return numbers


def test_every_display_is_tested():
    assert set(displays()) == set(CASES)


@pytest.mark.parametrize("searched", [False, True], ids=["pipeline", "search"])
@pytest.mark.parametrize("name", CASES)
def test_a_pipeline_is_drawn_as_its_last_step(name, searched):
    model, y, params, tables, options = CASES[name]
    step = type(model).__name__.lower()
    given = make_pipeline(head(), model)
    params = {f"{step}__{key}": value for key, value in params.items()}
    given.fit(TABLE, y, **params)
    pipeline = given
    if searched:  # what a search leaves, without its cost
        given = GridSearchCV(given, {})
        given.best_estimator_ = pipeline
    own = [
        pipeline[:-1].transform(t)
        if t is not None and isinstance(t, pd.DataFrame)
        else t
        for t in tables
    ]
    expected = drawn(display(name).from_estimator(pipeline[-1], *own, **options))
    shown = drawn(display(name).from_estimator(given, *tables, **options))
    assert set(shown) == set(expected)
    for key, value in expected.items():
        if isinstance(value, str | bool):
            assert shown[key] == value
        else:
            assert_allclose(shown[key], value, err_msg=key)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"BagCalibrationDisplay"}))
def test_other_pipelines_are_refused_by_name(name):
    tables, options = CASES[name][3:]
    pipeline = make_pipeline(head(), DummyClassifier()).fit(TABLE, LABEL)
    message = (
        r"takes a fitted \w+.*, or a Pipeline that ends in one, got "
        r"Pipeline\(\.\.\. DummyClassifier\)\."
    )
    with pytest.raises(TypeError, match=message):
        display(name).from_estimator(pipeline, *tables, **options)


@pytest.mark.parametrize(
    ("name", "model", "y", "tables"),
    [
        ("CoefficientRangeDisplay", rashomon.RashomonRidge(), Y, ()),
        ("VariableImportanceCloudDisplay", tree(), LABEL, LABELLED),
    ],
)
def test_names_of_the_transformed_table_reach_the_axes(name, model, y, tables):
    pipeline = make_pipeline(head(), model).fit(TABLE, y)
    shown = display(name).from_estimator(pipeline, *tables)
    labels = {tick.get_text() for tick in shown.ax_.get_yticklabels()}
    assert labels == {"age", "income", "place_south"}


def test_names_reach_the_axes_of_a_bridge():
    model, y, _, tables, options = CASES["SchrodingerBridgeDisplay"]
    domain = LABEL.astype(int)
    pipeline = make_pipeline(head(), model)
    pipeline.fit(TABLE, y, lightschrodingerbridge__sample_domain=domain)
    shown = bridge.SchrodingerBridgeDisplay.from_estimator(pipeline, *tables, **options)
    assert shown.labels == ("age", "income")


@pytest.mark.parametrize("function", ["kernel_eigenstructure", "scaling_report"])
def test_theory_takes_pipelines(function):
    pipeline = make_pipeline(head(), TUNED).fit(TABLE, Y)
    call = getattr(rf, function)
    grids = ([10, 20], [5, 50]) if function == "scaling_report" else ()
    shown = call(pipeline, TABLE, Y, *grids)
    expected = call(pipeline[-1], pipeline[:-1].transform(TABLE), Y, *grids)
    for key, value in expected.items():
        assert_allclose(shown[key], value)
    with pytest.raises(TypeError, match=f"{function} takes a fitted RandomFeatureRid"):
        call(DummyClassifier(), TABLE, Y, *grids)
