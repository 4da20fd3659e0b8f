"""One model from many blocks: threads, a dask cluster, dask-ml, same numbers."""

import inspect
from functools import partial, reduce
from operator import add
from pathlib import Path

import dask
import dask.array as da
import joblib
import numpy as np
import pytest
from dask.distributed import Client, LocalCluster, get_worker
from dask_ml.wrappers import Incremental
from numpy.testing import assert_allclose
from sklearn.base import clone

from tests._instances import ESTIMATORS, FEW_ERRORS, data_for
from tests._promises import same

# What lets the first block decide nothing, so that blocks equal one fit to all rows.
FIXED_FEATURES = {
    "n_components": 20,
    "kernel": "relu",
    "map": "random",
    "standardize": False,
}
SETTINGS = {
    "RandomFeatureRidge": FIXED_FEATURES,
    "RandomFeatureRidgeCV": FIXED_FEATURES,
    "RandomFeatureRidgeClassifier": FIXED_FEATURES,
    "RandomFeatureRidgeClassifierCV": FIXED_FEATURES,
    "RidgeBandit": {"feature_map": None},
    "SphericalClassifier": {"loss": "squared_error"},
    "RashomonTreeClassifier": {"thresholds": [[-0.5, 0.5]] * 6, "max_depth": 2},
}
OF_WHOLE_FITS = {
    "bag_sizes_",  # documented as None after sums
    "refit_time_",  # a measured time
}
OF_ROWS = {"loo_predictions_"}  # rows of the blocks that are done first come first

FROM_SUMS = [e for e in ESTIMATORS if hasattr(e, "_summarize")]
each_estimator = pytest.mark.parametrize(
    "estimator", FROM_SUMS, ids=lambda e: type(e).__name__
)


@pytest.fixture(scope="module")
def cluster():
    """Two processes of one thread, as if they were two machines."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as local,
        Client(local) as client,
    ):
        yield client


def ready(estimator):
    """Return a clone with a seed and the rows, in bags where it knows bags."""
    model = clone(estimator).set_params(**SETTINGS.get(type(estimator).__name__, {}))
    if "random_state" in model.get_params():
        model.set_params(random_state=0)
    X, y = data_for(model)
    if "bags" in inspect.signature(model.fit).parameters:
        return model, (X, y, np.repeat(np.arange(30), 3))
    return model, (X, y)


def classes_for(method, y):
    asks = "classes" in inspect.signature(method).parameters
    return {"classes": np.unique(y)} if asks else {}


def blocks_of(rows):
    return list(zip(*(np.split(part, 5) for part in rows), strict=True))


def same_model(whole, other, X):
    same(whole, other, X, 1e-8)
    for name, value in vars(whole).items():
        number = isinstance(value, float | np.floating | np.ndarray)
        public = name.endswith("_") and name not in OF_WHOLE_FITS
        if public and number and np.asarray(value).dtype.kind == "f":
            pair = getattr(other, name), value
            if name in OF_ROWS:
                pair = [np.sort(part, axis=0) for part in pair]
            assert_allclose(*pair, rtol=1e-8, atol=1e-9)


def on_threads(model, blocks, y):
    return model.fit_blocks(blocks, n_jobs=2, **classes_for(model.fit_blocks, y))


def on_dask_backend(model, blocks, y):
    with joblib.parallel_config("dask"):
        return on_threads(model, blocks, y)


def on_delayed_tree(model, blocks, y):
    params = classes_for(model._summarize, y)
    first, *others = blocks
    sums = [model._summarize(*first, reset=True, **params)]  # fixes what is shared
    summarize = dask.delayed(type(model)._summarize)
    sums += [summarize(model, *block, reset=False, **params) for block in others]
    while len(sums) > 1:  # a tree of pairs
        pairs = [sums[i : i + 2] for i in range(0, len(sums), 2)]
        sums = [dask.delayed(reduce)(add, pair) for pair in pairs]
    return model._solve(sums[0].compute())


@each_estimator
@pytest.mark.parametrize("engine", [on_threads, on_dask_backend, on_delayed_tree])
def test_blocks_equal_one_fit(cluster, estimator, engine):
    model, rows = ready(estimator)
    whole = clone(model).fit(*rows)
    same_model(whole, engine(model, blocks_of(rows), rows[1]), rows[0])


@each_estimator
def test_incremental_of_dask_ml(cluster, estimator):
    model, (X, y, *_) = ready(estimator)
    chunks = da.from_array(X, chunks=(30, -1)), da.from_array(y, chunks=30)
    scoring = None if hasattr(model, "score") else "r2"  # asked for, but not used
    wrapped = Incremental(clone(model), scoring=scoring, shuffle_blocks=False)
    wrapped.fit(*chunks, **classes_for(model.partial_fit, y))
    same_model(clone(model).fit(X, y), wrapped.estimator_, X)


def loaded_by_a_worker(block):
    get_worker()  # an error anywhere else
    return block


@each_estimator
def test_loaders_run_where_the_workers_are(cluster, estimator):
    model, rows = ready(estimator)
    first, *others = blocks_of(rows)  # the first fixes what is shared, here
    loaders = [first, *(partial(loaded_by_a_worker, block) for block in others)]
    whole = clone(model).fit(*rows)
    same_model(whole, on_dask_backend(model, loaders, rows[1]), rows[0])


IN_PARALLEL = [e for e in ESTIMATORS if "n_jobs" in e.get_params()]


@pytest.mark.filterwarnings(FEW_ERRORS)
@pytest.mark.parametrize("estimator", IN_PARALLEL, ids=lambda e: type(e).__name__)
def test_draws_and_grids_on_dask_equal_one_worker(cluster, estimator):
    model, rows = ready(estimator)
    alone = clone(model).set_params(n_jobs=1).fit(*rows)
    with joblib.parallel_config("dask"):
        same_model(alone, clone(model).set_params(n_jobs=2).fit(*rows), rows[0])


def test_some_estimators_are_fitted_from_sums():
    assert len(FROM_SUMS) >= 9
    for estimator in FROM_SUMS:
        assert callable(ready(estimator)[0].fit_blocks)


PAGE = Path(__file__).parents[1] / "docs" / "user_guide" / "scale_out.rst"


@each_estimator
def test_the_page_names_every_model_of_sums(estimator):
    name = type(estimator).__name__
    which, places = PAGE.read_text().split(
        "Models that were fitted in different places"
    )
    assert f".{name}`" in which
    if hasattr(estimator, "merge"):
        ridge = name.startswith("RandomFeatureRidge")
        named = "the four ridges" if ridge else f".{name}`"
        assert named in places.split("What it costs")[0]
    assert callable(getattr(ready(estimator)[0], "fit_blocks", None))
