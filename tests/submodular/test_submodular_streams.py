"""Real streams in their own order."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from benchmarks.real_data import available, load
from sklearn_ext.submodular import (
    Coverage,
    DynamicSubmodularSelector,
    FacilityLocation,
    maximize,
)

needs = {
    name: pytest.mark.skipif(not available(name), reason=f"{name} is not installed")
    for name in ("flights", "movielens")
}


@needs["flights"]
def test_a_window_of_flights_stays_near_greedy():
    columns = ["dep_time", "dep_delay", "arr_delay", "air_time", "distance"]
    rows = load("flights").frame[columns].dropna().iloc[:2400]
    X = StandardScaler().fit_transform(rows.to_numpy(np.float64))
    objective = FacilityLocation(gamma=0.1, n_reference=200)
    model = DynamicSubmodularSelector(
        20, objective=objective, refine="pool", random_state=0
    ).fit(X[:2000])
    for new in range(2000, 2400, 10):
        model.update(
            (X[new : new + 10], range(new, new + 10)), range(new - 2000, new - 1990)
        )
    living = model.objective_model_.represent(X[400:])
    best = maximize(FacilityLocation("precomputed"), living, 20)
    assert best.value * 0.96 <= model.objective_ <= best.value * 1.001
    assert model.upper_bound_ >= best.value
    rng = np.random.default_rng(0)
    chance = [
        living[rng.choice(2000, 20, replace=False)].max(axis=0).mean() for _ in "abc"
    ]
    assert model.objective_ > max(chance)


@needs["movielens"]
def test_coverage_of_what_people_watch():
    frame = load("movielens").frame.iloc[:20_000]
    users, films = (
        np.unique(frame[c], return_inverse=True)[1] for c in ("userId", "movieId")
    )
    X = np.zeros((users.max() + 1, films.max() + 1))
    X[users, films] = 1  # which films a user has rated
    model = DynamicSubmodularSelector(10, objective=Coverage(), random_state=0).fit(
        X[:-20]
    )
    model.partial_fit(X[-20:]).forget(model.selected_ids_[:3])
    alive = model.active_ids_
    covered = X[model.selected_ids_].max(axis=0).mean()
    assert np.isclose(model.objective_, covered)
    best = maximize(Coverage(), X[alive], 10)
    assert model.objective_ >= 0.96 * best.value
    assert model.upper_bound_ >= best.value
