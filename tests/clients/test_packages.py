"""Our estimators in the hands of other packages."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils import shuffle
from sklearn.utils.validation import has_fit_parameter

from sklearn_ext.bandits import (
    AdversarialLinearBandit,
    RidgeBandit,
    make_bandit_from_classification,
    make_bandit_log,
    policy_value,
)
from sklearn_ext.networks import MuMLPClassifier
from sklearn_ext.probes import LogisticProbe, NaiveBayesProbe
from sklearn_ext.random_features import RandomFeatureRidge
from sklearn_ext.tasks import TaskRidge
from tests._instances import FEW_ERRORS, data_for
from tests._promises import trusted_for
from tests.clients._models import CLASSIFIERS, REGRESSORS, each

# of the packages themselves; our own raise in the rest of the suite
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings(FEW_ERRORS),
]


@each(CLASSIFIERS)
def test_imbalanced_learn_resamples_inside_a_pipeline(model):
    pytest.importorskip("imblearn", reason="needs imbalanced-learn")
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import make_pipeline

    X, y = load_breast_cancer(return_X_y=True)
    rare = np.r_[np.flatnonzero(y == 1)[:100], np.flatnonzero(y == 0)[:15]]
    pipe = make_pipeline(StandardScaler(), SMOTE(random_state=0), model)
    scores = cross_val_score(pipe, X[rare], y[rare], cv=3, scoring="roc_auc")
    assert scores.mean() > 0.8


@pytest.mark.parametrize(
    ("model", "name", "low", "high"),
    [
        (LogisticProbe(), "C", 1e-3, 1e3),
        (NaiveBayesProbe(), "var_smoothing", 1e-12, 1e-1),
        (RandomFeatureRidge(n_components=50, random_state=0), "alpha", 1e-3, 1e3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_optuna_tunes(model, name, low, high):
    optuna = pytest.importorskip("optuna", reason="needs optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    X, y = data_for(model)

    def objective(trial):
        value = trial.suggest_float(name, low, high, log=True)
        return cross_val_score(
            clone(model).set_params(**{name: value}), X, y, cv=3
        ).mean()

    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=5)
    assert np.isfinite(study.best_value)


@each(CLASSIFIERS)
def test_mapie_makes_sets_of_classes(model):
    pytest.importorskip("mapie", reason="needs mapie")
    from mapie.classification import SplitConformalClassifier

    X, y = shuffle(*load_breast_cancer(return_X_y=True), random_state=0)
    X = scale(X[:, :6])
    fitted = clone(model).fit(X[:200], y[:200])
    conformal = SplitConformalClassifier(fitted, confidence_level=0.9, prefit=True)
    conformal.conformalize(X[200:400], y[200:400])
    _, sets = conformal.predict_set(X[400:])
    covered = sets[np.arange(len(X) - 400), y[400:], 0]
    assert covered.mean() > 0.8


@each(REGRESSORS)
def test_mapie_makes_intervals(model):
    pytest.importorskip("mapie", reason="needs mapie")
    from mapie.regression import SplitConformalRegressor

    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    y = X[:, 0] + 0.5 * rng.normal(size=400)
    fitted = clone(model).fit(X[:150], y[:150])
    conformal = SplitConformalRegressor(fitted, confidence_level=0.9, prefit=True)
    conformal.conformalize(X[150:275], y[150:275])
    _, intervals = conformal.predict_interval(X[275:])
    low, high = intervals[:, 0, 0], intervals[:, 1, 0]
    assert np.mean((low <= y[275:]) & (y[275:] <= high)) > 0.8


@each(CLASSIFIERS + REGRESSORS)
def test_shap_values_add_up_to_the_prediction(model):
    shap = pytest.importorskip("shap", reason="needs shap")
    X, y = data_for(model, n_features=4)
    fitted = clone(model).fit(X, y)
    predict = fitted.predict_proba if is_classifier(fitted) else fitted.predict
    explainer = shap.explainers.Exact(predict, X[:20])
    found = explainer(X[:3])
    total = found.base_values + found.values.sum(axis=1)
    expected = predict(X[:3])
    assert_allclose(total, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


@each(CLASSIFIERS + REGRESSORS)
def test_shap_chooses_an_explainer_that_explains_the_predictions(model):
    """What has a `coef_` is explained as a linear model: it has to be one."""
    shap = pytest.importorskip("shap", reason="needs shap")
    X, y = data_for(model, n_features=4)
    fitted = clone(model).fit(X, y)
    linear = hasattr(fitted, "coef_")
    explained = fitted if linear else fitted.predict
    if not linear and is_classifier(fitted):
        explained = fitted.predict_proba
    found = shap.Explainer(explained, X)(X[:3])
    assert len(found.values) == 3
    if linear and not is_classifier(fitted):
        total = found.base_values + found.values.sum(axis=1)
        assert_allclose(total, fitted.predict(X[:3]), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred")  # at its import
@each(CLASSIFIERS + REGRESSORS)
def test_mlflow_stores_and_loads(model, tmp_path):
    mlflow = pytest.importorskip("mlflow.sklearn", reason="needs mlflow-skinny")
    X, y = data_for(model)
    fitted = clone(model).fit(X, y)
    mlflow.save_model(
        fitted,
        tmp_path / "model",
        serialization_format="skops",
        skops_trusted_types=sorted(trusted_for(model)),
        pip_requirements=[],
    )
    loaded = mlflow.load_model(str(tmp_path / "model"))
    assert_array_equal(loaded.predict(X), fitted.predict(X))


@each([m for m in CLASSIFIERS if has_fit_parameter(m, "sample_weight")])
def test_fairlearn_reduces_by_weights(model):
    pytest.importorskip("fairlearn", reason="needs fairlearn")
    from fairlearn.reductions import DemographicParity, ExponentiatedGradient

    X, y = load_breast_cancer(return_X_y=True)
    X, y, group = scale(X[:150, :5]), y[:150], X[:150, 6] > np.median(X[:150, 6])
    fair = ExponentiatedGradient(model, DemographicParity(), max_iter=3)
    fair.fit(X, y, sensitive_features=group)
    assert set(np.unique(fair.predict(X, random_state=0))) <= {0, 1}


@each([m for m in CLASSIFIERS if type(m).__module__.startswith("sklearn_ext.losses")])
def test_cleanlab_finds_wrong_labels(model):
    pytest.importorskip("cleanlab", reason="needs cleanlab")
    from cleanlab.classification import CleanLearning

    X, y = shuffle(*load_breast_cancer(return_X_y=True), random_state=0)
    X, y = scale(X[:300, :8]), y[:300]
    wrong = np.random.default_rng(0).uniform(size=300) < 0.15
    learning = CleanLearning(model, cv_n_folds=3, seed=0)
    learning.fit(X, np.where(wrong, 1 - y, y))
    found = learning.get_label_issues()["is_label_issue"].to_numpy()
    assert wrong[found].mean() > 0.5  # by chance .15
    assert found[wrong].mean() > 0.6
    assert np.mean(learning.predict(X) == y) > 0.88


@pytest.mark.parametrize(
    "model", [RidgeBandit(random_state=0), AdversarialLinearBandit()], ids=repr
)
def test_obp_values_policies_as_we_do(model):
    pytest.importorskip("obp", reason="needs obp")
    from obp import ope

    X, y = shuffle(*load_wine(return_X_y=True), random_state=0)
    X = scale(X)
    problem = make_bandit_from_classification(X, y)
    _, action, reward, propensity = make_bandit_log(problem, random_state=0)
    policy = clone(model).fit(X[:90], y[:90]).predict_proba(X)
    log = {
        "n_rounds": len(X),
        "n_actions": 3,
        "action": action,
        "reward": reward,
        "pscore": propensity,
        "position": np.zeros(len(X), dtype=int),
        "context": X,
        "action_context": np.eye(3),
    }
    estimators = [
        ope.InverseProbabilityWeighting(estimator_name="ips"),
        ope.SelfNormalizedInverseProbabilityWeighting(estimator_name="snips"),
    ]
    theirs = ope.OffPolicyEvaluation(log, estimators).estimate_policy_values(
        policy[:, :, None]
    )
    for name, value in theirs.items():
        ours = policy_value(action, reward, propensity, policy, estimator=name)
        assert_allclose(ours.value, value, rtol=1e-9)


def test_skforecast_forecasts_many_series_as_tasks():
    pytest.importorskip("skforecast", reason="needs skforecast")
    from skforecast.recursive import ForecasterRecursiveMultiSeries

    rng, t = np.random.default_rng(0), np.arange(80)
    days = pd.date_range("2024-01-01", periods=80, freq="D")
    waves = {
        f"shop {i}": 3 * np.sin(t / 5 + i) + i + 0.1 * rng.normal(size=80)
        for i in range(6)
    }
    past = {name: pd.Series(wave[:70], days[:70]) for name, wave in waves.items()}
    model = TaskRidge(group_feature="_level_skforecast")
    forecaster = ForecasterRecursiveMultiSeries(model, lags=7, encoding="ordinal")
    forecaster.fit(past)
    found = forecaster.predict(steps=10).pivot(columns="level", values="pred")
    far = (found - pd.DataFrame(waves, days)[70:]).abs().mean()
    assert (far < 0.3).all()  # the waves are 2.1 high, in root mean square


def test_skrub_codes_dates_and_words_for_a_net():
    skrub = pytest.importorskip("skrub", reason="needs skrub")
    rng, n = np.random.default_rng(0), 200
    days = pd.date_range("2024-01-01", periods=n, freq="D")
    X = pd.DataFrame({"day": days, "shop": rng.choice([*"abc"], n)})
    X["size"] = rng.normal(size=n)
    y = np.where((X["shop"] == "a") ^ (X["size"] > 0), "yes", "no")
    net = MuMLPClassifier(n_members=3, max_iter=20, random_state=0)
    assert cross_val_score(skrub.tabular_pipeline(net), X, y, cv=3).mean() > 0.8
