"""The table of defaults knows every predictor."""

from sklearn_ext import all_estimators

ELSEWHERE = {
    "AdversarialLinearBandit",  # bandits need rewards: benchmarks/bench_bandits.py
    "HierarchicalPolynomialRegressor",  # raw tables: benchmarks/bench_networks.py
    "MuMLPClassifier",
    "MuMLPRegressor",
    "NeuralBandit",
    "NoPropRegressor",
    "ProxySearchCV",  # searches for what is given
    "RegressorBandit",
    "RidgeBandit",
    "TaskRidge",  # needs groups: benchmarks/bench_tasks.py
}


def test_every_predictor_has_a_baseline():
    from benchmarks.bench_defaults import BENCHMARKS

    compared = {name for study in BENCHMARKS for name in study.pairs}
    predictors = {
        name for kind in ("classifier", "regressor") for name, _ in all_estimators(kind)
    }
    assert predictors - compared - ELSEWHERE == set()
    assert compared <= {name for name, _ in all_estimators()}
