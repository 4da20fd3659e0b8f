"""What other packages fit to grouped rows: training rows in, predictions out.

Each function takes columns, target and groups of the training rows, and columns and
groups of the test rows; every group of a test row has training rows. Settings are
those that the package's own documentation recommends; what was kept small is said in
the note of the benchmark.
"""

import warnings
from importlib import metadata

import numpy as np


def _standardised(X, new):
    mean, scale = X.mean(axis=0), X.std(axis=0)
    return (X - mean) / scale, (new - mean) / scale


def _with_constant(X):
    return np.column_stack([np.ones(len(X)), X])


def statsmodels(X, y, groups, new, new_groups):
    """Mixed model with a random intercept and slopes, by restricted likelihood."""
    import statsmodels.api as sm

    Z, N = map(_with_constant, _standardised(X, new))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"statsmodels\.")  # singular fits
        fit = sm.MixedLM((y - y.mean()) / y.std(), Z, groups, exog_re=Z).fit(reml=True)
        effects = fit.random_effects
    own = np.array([effects[group] for group in new_groups])
    said = N @ fit.fe_params + (N * own).sum(axis=1)
    return y.mean() + y.std() * said


def gpboost_slopes(X, y, groups, new, new_groups):
    """Linear mixed model with a random intercept and random slopes."""
    import gpboost as gpb

    Z, N = _standardised(X, new)
    model = gpb.GPModel(
        group_data=groups,
        group_rand_coef_data=Z,
        ind_effect_group_rand_coef=[1] * Z.shape[1],
        likelihood="gaussian",
        num_parallel_threads=1,
    )
    model.fit(y=y, X=_with_constant(Z))
    said = model.predict(
        X_pred=_with_constant(N),
        group_data_pred=new_groups,
        group_rand_coef_data_pred=N,
    )
    return said["mu"]


def gpboost_trees(X, y, groups, new, new_groups):
    """Boosted trees with a random intercept, rounds by cross-validation."""
    import gpboost as gpb

    model = gpb.GPModel(
        group_data=groups, likelihood="gaussian", num_parallel_threads=1
    )
    params = {
        "learning_rate": 0.1,
        "max_depth": 3,
        "min_data_in_leaf": 10,
        "num_leaves": 1024,
        "verbose": -1,
        "num_threads": 1,
    }
    options = {"num_boost_round": 500, "early_stopping_rounds": 10, "nfold": 4}
    found = gpb.cv(
        params,
        gpb.Dataset(X, y),
        gp_model=model,
        use_gp_model_for_validation=True,
        seed=0,
        **options,
    )
    rounds = max(1, len(next(iter(found.values()))))
    trees = gpb.train(params, gpb.Dataset(X, y), gp_model=model, num_boost_round=rounds)
    said = trees.predict(new, group_data_pred=new_groups, pred_latent=False)
    return said["response_mean"]


def lightgbm(X, y, groups, new, new_groups):
    """Boosted trees with the group as a category, rounds by cross-validation."""
    import lightgbm as lgb

    labels = np.unique(groups)
    column = X.shape[1]
    table, rows = (
        np.column_stack([A, np.searchsorted(labels, g)])
        for A, g in ((X, groups), (new, new_groups))
    )
    params = {"objective": "regression", "verbose": -1, "num_threads": 1, "seed": 0}
    params["learning_rate"] = 0.05

    def data():
        return lgb.Dataset(table, y, categorical_feature=[column], params=params)

    found = lgb.cv(
        params,
        data(),
        num_boost_round=1000,
        nfold=4,
        stratified=False,
        callbacks=[lgb.early_stopping(20, verbose=False)],
    )
    rounds = max(1, len(next(iter(found.values()))))
    return lgb.train(params, data(), num_boost_round=rounds).predict(rows)


def merf(X, y, groups, new, new_groups):
    """Random forest with a random intercept and random slopes."""
    import logging

    import pandas as pd
    from merf import MERF
    from sklearn.ensemble import RandomForestRegressor

    logging.disable(logging.INFO)
    Z, N = map(_with_constant, _standardised(X, new))
    forest = RandomForestRegressor(n_estimators=100, random_state=0)
    model = MERF(fixed_effects_model=forest, max_iterations=10)
    model.fit(X, Z, pd.Series(groups), y)
    return model.predict(new, N, pd.Series(new_groups))


PEERS = {
    "statsmodels": ("statsmodels", statsmodels),
    "GPBoost, slopes": ("gpboost", gpboost_slopes),
    "GPBoost, trees": ("gpboost", gpboost_trees),
    "LightGBM, category": ("lightgbm", lightgbm),
    "merf": ("merf", merf),
}


def installed():
    """Return the packages of peers that are installed."""
    found = []
    for package in dict.fromkeys(package for package, _ in PEERS.values()):
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        found.append(package)
    return tuple(found)
