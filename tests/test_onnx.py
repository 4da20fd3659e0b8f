"""What onnxruntime computes is what we compute."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sklearn_ext import (
    aggregate,
    all_estimators,
    bandits,
    calibration,
    losses,
    networks,
    probes,
    random_features,
    rashomon,
    representations,
    submodular,
    tasks,
)
from sklearn_ext.onnx import register_converters
from tests._instances import FEW_ERRORS

skl2onnx = pytest.importorskip("skl2onnx", reason="the onnx extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="no onnxruntime")
pytestmark = pytest.mark.filterwarnings(FEW_ERRORS)

# what the tuned ridges may choose from that is not to be had in ONNX is given
PLAIN = {"kernel": "relu", "map": "random", "standardize": True, "random_state": 0}
NAIVE = probes.NaiveBayesProbe(var_shrinkage=0.0)
NET = {"hidden_units": 16, "n_members": 3, "learning_rate": 0.02, "random_state": 0}
CLASSIFIERS = [
    probes.NaiveBayesProbe(),
    probes.NaiveBayesProbe(covariance="class", temperature=3.0),
    probes.NaiveBayesProbe(temperature="loo"),
    probes.ShrinkageDiscriminantProbe(),
    probes.LogisticProbe(),
    probes.LogisticProbeCV(Cs=3),
    random_features.RandomFeatureRidgeClassifier(n_components=30, random_state=0),
    random_features.RandomFeatureRidgeClassifierCV(n_components=30, **PLAIN),
    aggregate.LabelProportionClassifier(),
    losses.CompSumClassifier(),
    losses.CompSumClassifier(tau=1.5),
    losses.CompSumClassifierCV(Cs=2, taus=(1.0, 1.7), cv=3),
    losses.SphericalClassifier(),
    losses.SphericalClassifier(loss="taylor"),
    losses.WorstGroupClassifier(),
    calibration.CorrectnessCalibratedClassifier(probes.LogisticProbe(), opinions=None),
    calibration.CorrectnessCalibratedClassifier(
        probes.LogisticProbe(), opinions=[probes.NaiveBayesProbe()]
    ),
    calibration.LogLossMixtureClassifier(
        [("naive", probes.NaiveBayesProbe()), ("linear", probes.LogisticProbe())]
    ),
    calibration.SelectiveClassifierCV(probes.LogisticProbe(), target_error=0.4),
    probes.ProbeSearchCV({"naive": NAIVE, "linear": probes.LogisticProbe()}, cv=3),
    networks.MuMLPClassifier(**NET),
    networks.MuMLPClassifier(**NET, n_layers=3, numeric="robust"),
    probes.TwoRegimes(preprocessor=None, n_repeats=2, n_bootstrap=20),
    rashomon.RashomonTreeClassifier(max_depth=2, n_members=20, random_state=0),
    representations.PretrainedClassifier(random_state=0),
    representations.PretrainedClassifier("tilt", n_components=31, random_state=0),
    rashomon.RashomonTreeClassifier(max_depth=2, voting="best"),
    rashomon.RashomonTreeClassifier(max_depth=2, voting="simplest", random_state=0),
    rashomon.RashomonSearchCV(
        {"a": probes.LogisticProbe(), "b": probes.LogisticProbe(C=0.3)}, cv=3, theta=0.1
    ),
]
BINARY = [
    rashomon.RashomonLogisticRegression(n_members=20, random_state=0),
    rashomon.RashomonLogisticRegression(
        n_members=20, predict_with="members", random_state=0
    ),
    rashomon.RashomonLinearClassifier(n_members=20, random_state=0),
    rashomon.RashomonLinearClassifier(predict_with="best", random_state=0),
]
REGRESSORS = [
    aggregate.BagRegressor(),
    aggregate.InstanceRegressor(),
    aggregate.InterpolatingAggregateRegressor(),
    aggregate.InterpolatingAggregateRegressorCV(),
    networks.MuMLPRegressor(**NET),
    networks.MuMLPRegressor(**NET, laziness=4.0, numeric="standard"),
    networks.HierarchicalPolynomialRegressor(1, min_gain=0.0),
    networks.HierarchicalPolynomialRegressor(2, monotonic=True, standardize=False),
    networks.HierarchicalPolynomialRegressor(
        feature_map=random_features.RandomFeatures(n_components=30, random_state=0)
    ),
    random_features.RandomFeatureRidgeCV(n_components=30, **PLAIN),
    rashomon.RashomonRidge(),
    rashomon.RashomonRidge(predict_with="members", n_members=5, random_state=0),
    representations.PretrainedRegressor(n_components=31, random_state=0),
    tasks.TaskRidge(),
    rashomon.RashomonSearchCV(
        {
            "a": rashomon.RashomonRidge(alpha=1.0),
            "b": rashomon.RashomonRidge(alpha=9.0),
        },
        cv=3,
        theta=0.1,
    ),
]
MAPS = [
    *({"kernel": name} for name in ("relu", "step", "relu2", "erf", "ntk")),
    *({"kernel": name} for name in ("rbf", "laplacian", "matern")),
    {"kernel": "rbf", "fourier": "pair"},
    {"kernel": "relu", "standardize": False, "fit_intercept": False},
]


def named(model):
    return repr(model).replace("\n", "").replace(" ", "")


def run(model, X, dtype=np.float32):
    register_converters()
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    options = {id(last): {"zipmap": False}} if is_classifier(last) else None
    stored = skl2onnx.to_onnx(model, X[:1].astype(dtype), options=options)
    session = onnxruntime.InferenceSession(
        stored.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"X": X.astype(dtype)})


FAR = {
    "RandomFeatureRidgeClassifier": {"standardize": True, "map": "random"},
}


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 2.0**17), (np.float64, 1e9)])
@pytest.mark.parametrize("model", CLASSIFIERS + BINARY + REGRESSORS, ids=named)
def test_columns_far_from_zero_keep_their_digits(model, dtype, far):
    """Years, pascals, seconds since 1970: an intercept in single precision is lost."""
    classifies = is_classifier(model)
    binary = load_breast_cancer if model in BINARY else load_wine
    X, y = (binary if classifies else load_diabetes)(return_X_y=True)
    X = (StandardScaler().fit_transform(X[:, :10]).round(1) + far).astype(dtype)
    model = clone(model).set_params(**FAR.get(type(model).__name__, {}))
    model.fit(X.astype(float), y)
    said = run(model, X, dtype)[-1]
    expected = (
        model.predict_proba(X.astype(float))
        if classifies
        else model.predict(X.astype(float))
    )
    scale = np.ptp(expected)
    assert_allclose(said, expected.reshape(said.shape), atol=1e-4 * scale, rtol=1e-4)


@pytest.mark.parametrize("names", [None, np.array(["zebra", "ant", "bee"])])
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize("model", CLASSIFIERS + BINARY, ids=named)
def test_classifiers(model, load, names):
    X, y = load(return_X_y=True)
    X, y = X[:, :10], y[:] if model not in BINARY else np.minimum(y, 1)
    y = y if names is None else names[y]
    pipe = make_pipeline(StandardScaler(), model).fit(X, y)
    label, chances = run(pipe, X)
    assert_allclose(chances, pipe.predict_proba(X), atol=1e-3)
    clear = np.ptp(np.sort(chances, axis=1)[:, -2:], axis=1) > 1e-3
    assert_array_equal(label[clear], pipe.predict(X)[clear])


def assert_predicts(model, X):
    (said,) = run(model, X)
    expected = model.predict(X).reshape(said.shape)
    assert_allclose(said, expected, rtol=1e-3, atol=1e-3 * abs(expected).max())


@pytest.mark.parametrize("model", REGRESSORS, ids=named)
def test_regressors(model):
    X, y = load_diabetes(return_X_y=True)
    assert_predicts(make_pipeline(StandardScaler(), model).fit(X, y), X)
    if get_tags(model).target_tags.multi_output:
        assert_predicts(clone(model).fit(X, np.c_[y, -y, 2 * y]), X)


@pytest.mark.parametrize("n_components", [30, 31])
@pytest.mark.parametrize("params", MAPS, ids=str)
def test_every_map_of_random_features(params, n_components):
    X, y = load_diabetes(return_X_y=True)
    model = random_features.RandomFeatureRidge(
        n_components=n_components, random_state=0, **params
    )
    assert_predicts(model.fit(10 * X, y), 10 * X)


def test_structured_weights():
    X, y = load_digits(return_X_y=True)
    model = random_features.RandomFeatureRidge(
        n_components=100, sampling="structured", random_state=0
    )
    assert_predicts(model.fit(X, y), X)


@pytest.mark.parametrize("params", [{"map": "landmarks"}, {"n_components": np.inf}])
def test_models_that_keep_rows_are_refused(params):
    X, y = load_diabetes(return_X_y=True)
    model = random_features.RandomFeatureRidge(random_state=0, **params).fit(X, y)
    with pytest.raises(NotImplementedError, match="Only map='random' with a finite"):
        run(model, X)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("allocation", ["mutual", "feature"])
def test_sparse_codes_of_a_linear_encoder(allocation, positive):
    X, _ = load_digits(return_X_y=True)
    model = representations.SparseAutoencoder(
        40,
        n_nonzero_coefs=4,
        encoder="linear",
        allocation=allocation,
        positive_code=positive,
        max_iter=3,
        random_state=0,
    ).fit(X)
    (said,) = run(model, X)
    expected = model.transform(X).toarray()
    # a code that is as large as its price may fall on either side
    clear = abs(expected**2 - model.price_) > 1e-3 * np.max(model.price_)
    assert_allclose(said[clear], expected[clear], atol=1e-3)
    assert clear.mean() > 0.99


def test_codes_by_pursuit_are_refused():
    X, _ = load_digits(return_X_y=True)
    for params in ({}, {"encoder": "linear", "allocation": "row"}):
        model = representations.SparseAutoencoder(
            10, n_nonzero_coefs=2, max_iter=1, random_state=0, **params
        ).fit(X)
        with pytest.raises(NotImplementedError, match="Only encoder='linear'"):
            run(model, X)


def test_registering_twice_changes_nothing():
    register_converters()
    register_converters()


def test_missing_skl2onnx_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"sklearn-ext\[onnx\]"):
        register_converters()


BANDITS = [
    bandits.RidgeBandit(random_state=0),
    bandits.RidgeBandit(feature_map=None),
    bandits.RidgeBandit(feature_map=StandardScaler()),
    bandits.AdversarialLinearBandit(),
]


@pytest.mark.parametrize("names", [None, np.array(["zebra", "ant", "bee"])])
@pytest.mark.parametrize("model", BANDITS, ids=named)
def test_bandits_say_the_best_action_and_all_rewards(model, names):
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = clone(model).fit(X, y if names is None else names[y])
    label, rewards = run(model, X)
    expected = model.predict_reward(X) if hasattr(model, "predict_reward") else None
    expected = model.decision_function(X) if expected is None else expected
    assert_allclose(rewards, expected, atol=1e-4 * np.ptp(expected))
    clear = np.ptp(np.sort(rewards, axis=1)[:, -2:], axis=1) > 1e-3 * np.ptp(expected)
    assert_array_equal(label[clear], model.predict(X)[clear])


@pytest.mark.parametrize("model", BANDITS[:2] + BANDITS[3:], ids=named)
@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 2.0**17), (np.float64, 1e9)])
def test_bandits_far_from_zero(model, dtype, far):
    X, y = load_wine(return_X_y=True)
    X = (StandardScaler().fit_transform(X).round(1) + far).astype(dtype)
    model = clone(model).fit(X.astype(float), y)
    expected = model.decision_function(X.astype(float))
    said = run(model, X, dtype)[1]
    assert_allclose(said, expected, atol=1e-4 * np.ptp(expected))


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 2.0**17), (np.float64, 1e9)])
@pytest.mark.parametrize("column", [0, 2, -1])
@pytest.mark.parametrize("shared", [None, rashomon.RashomonRidge()], ids=str)
def test_tasks_whose_label_is_a_column(dtype, far, column, shared):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4)).round(1) + far
    task = rng.integers(0, 9, 300)
    y = (X - far) @ [1, 2, 3, 4] + task * (X[:, 1] - far)
    X[:, column] = task
    X = X.astype(dtype)
    model = tasks.TaskRidge(group_feature=column, estimator=shared)
    model.fit(X[:250].astype(float), y[:250])
    X[-1, column] = 77  # a new task
    expected = model.predict(X.astype(float))
    said = run(model, X, dtype)[0].ravel()
    assert_allclose(said, expected, atol=1e-4 * np.ptp(expected))


def test_tasks_with_names_or_without_a_column():
    rng = np.random.default_rng(0)
    X, groups = rng.standard_normal((90, 3)), np.repeat(np.arange(9), 10)
    y = X.sum(axis=1) + groups
    model = tasks.TaskRidge().fit(X, y, groups=groups)
    with pytest.warns(UserWarning, match="No groups: all rows are predicted"):
        expected = model.predict(X)
    assert_allclose(run(model, X)[0].ravel(), expected, rtol=1e-5, atol=1e-5)
    named = np.column_stack([X.astype(object), groups.astype(str)])
    model = tasks.TaskRidge(group_feature=3).fit(named, y)
    with pytest.raises(NotImplementedError, match="where its labels are numbers"):
        run(model, np.ones((2, 4)))


def test_a_curve_behind_another_transformer():
    X, y = load_diabetes(return_X_y=True)
    X, y = 20 * X, np.exp(y / 100)
    model = networks.HierarchicalPolynomialRegressor(feature_map=PCA(4))
    with pytest.raises(NotImplementedError, match="standardize=False"):
        run(model.fit(X, y), X)
    model.set_params(standardize=False).fit(X, y)
    assert len(model.link_.knots)
    assert_predicts(model, X)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("monotonic", [False, True])
def test_a_curve_behind_monomials_inside_and_beyond_its_knots(degree, monotonic):
    X = np.random.default_rng(0).standard_normal((300, 4)).round(2)
    y = np.exp(X[:, 0] + X[:, 1])
    model = networks.HierarchicalPolynomialRegressor(degree, monotonic=monotonic)
    assert len(model.fit(X, y).link_.knots)
    for rows in (X, 4 * X):
        (said,) = run(model, rows)
        expected = model.predict(rows)
        atol = 1e-6 * np.ptp(expected)
        assert_allclose(said.ravel(), expected, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("params", MAPS[:-1], ids=str)
def test_features_alone(params, dtype):
    X, _ = load_diabetes(return_X_y=True)
    model = random_features.RandomFeatures(n_components=30, random_state=0, **params)
    X = (20 * X).round(3).astype(dtype)
    expected = model.fit(X.astype(float)).transform(X.astype(float))
    assert_allclose(run(model, X, dtype)[0], expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_selected_features(dtype):
    X, y = load_wine(return_X_y=True)
    X = X.astype(dtype)
    model = submodular.SubmodularFeatureSelector(n_features_to_select=4).fit(X, y)
    said = run(model, X, dtype)[0]
    assert said.dtype == dtype
    assert_array_equal(said, model.transform(X))


def test_trees_vote_alike_to_the_last_row():
    """At cuts and at ties, too: the votes are counted, not added up."""
    X, y = load_wine(return_X_y=True)
    model = rashomon.RashomonTreeClassifier(max_depth=2, n_members=20, random_state=0)
    model.fit(X, y)
    at_cuts = X[:60].copy()
    at_cuts[:, model._splits.feature[:3]] = model._splits.threshold[:3]
    label, chances = run(model, at_cuts, np.float64)
    assert_array_equal(label, model.predict(at_cuts))
    assert_allclose(chances, model.predict_proba(at_cuts), rtol=1e-6)
    constant = rashomon.RashomonTreeClassifier(max_depth=0, random_state=0).fit(X, y)
    assert_array_equal(run(constant, X)[0], constant.predict(X))


def test_scores_where_there_are_no_probabilities():
    X, y = load_wine(return_X_y=True)
    model = losses.SphericalClassifier(loss="squared_error").fit(X, y)
    label, scores = run(model, X)
    assert_allclose(scores, model.decision_function(X), atol=1e-4)
    assert_array_equal(label, model.predict(X))


def test_what_keeps_rows_says_what_converts():
    X, y = load_wine(return_X_y=True)
    near = calibration.CorrectnessCalibratedClassifier(probes.LogisticProbe()).fit(X, y)
    with pytest.raises(NotImplementedError, match="use opinions=None or classifiers"):
        run(near, X)
    every = rashomon.RashomonTreeClassifier(max_depth=1, voting="exact").fit(X, y)
    with pytest.raises(NotImplementedError, match="voting='members', 'best' or"):
        run(every, X)


def test_views_that_keep_rows_say_what_converts():
    X, y = load_wine(return_X_y=True)
    model = representations.PretrainedClassifier(("raw", "triangle"), random_state=0)
    with pytest.raises(NotImplementedError, match="Only views 'raw', 'tilt'"):
        run(model.fit(X, y), X)


def test_the_winner_of_a_comparison_may_be_the_majority():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((120, 6)), (rng.uniform(size=120) > 0.8).astype(int)
    model = probes.TwoRegimes(n_repeats=2, n_bootstrap=20, random_state=0).fit(X, y)
    assert model.recommended_ == "majority class"
    label, chances = run(model, X)
    assert_array_equal(label, model.predict(X))
    assert_allclose(chances, model.predict_proba(X), rtol=1e-6)


NO_FORMULA = {
    "AggregateBoostingRegressor": "trees of its own",
    "AggregateMetaRegressor": "a regressor of the user's",
    "AggregateNetClassifier": "a torch net: torch.onnx exports net_.module_",
    "AggregateNetRegressor": "a torch net: torch.onnx exports net_.module_",
    "ConcatenatedRepresentations": "views or networks of the user's",
    "ContrastiveEncoder": "draws; torch.onnx exports the module of its net",
    "CorruptionComponents": "takes categories and numbers in bins",
    "DynamicSubmodularSelector": "keeps rows",
    "FrozenFeatures": "a frozen model of the user's",
    "HiddenLayer": "a network of the user's, which converts itself",
    "LightSchrodingerBridge": "draws",
    "LightSchrodingerBridgeCV": "draws",
    "NeuralBandit": "a torch net",
    "NoPropRegressor": "a flow of tables",
    "ProxySearchCV": "an estimator of the user's: best_estimator_ converts",
    "RegressorBandit": "regressors of the user's",
    "SchrodingerBridgeTrajectory": "predicts nothing",
    "SubmodularSampler": "predicts nothing",
}


def test_every_estimator_converts_or_has_a_reason():
    from skl2onnx._supported_operators import sklearn_operator_name_map

    register_converters()
    lacking = {
        name for name, cls in all_estimators() if cls not in sklearn_operator_name_map
    }
    assert lacking == set(NO_FORMULA)


def test_nets_with_missing_numbers_and_without_categories():
    X, y = load_diabetes(return_X_y=True)
    X[::5, 0] = np.nan
    assert_predicts(networks.MuMLPRegressor(**NET).fit(X, y), X)
    model = networks.MuMLPRegressor(**NET, categorical_features=[1]).fit(X, y)
    with pytest.raises(NotImplementedError, match="categorical columns do not"):
        run(model, X)
