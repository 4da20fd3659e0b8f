"""A summary of flights that follows the calendar."""

import time

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import pairwise_distances_argmin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext._tour._chapter import Chapter, clock
from sklearn_ext.submodular import (
    DynamicSubmodularSelector,
    FacilityLocation,
    SelectionCurveDisplay,
    UpdateTraceDisplay,
    maximize,
)

COLUMNS = ["dep_time", "dep_delay", "arr_delay", "air_time", "distance", "hour"]
WINDOW, N_SELECT, N_UPDATES = 8000, 25, 1000

TEXT = (
    "Flights out of New York as they departed, a window of {window} of them, and 25 "
    "that stand for the window. Each update forgets the oldest flight and adds the "
    "next. Value is the mean similarity to the nearest of the 25, as a share of what "
    "solving the whole window anew reaches; random flights reach {random:.2f} of it. "
    "K-means follows the stream but forgets nothing, and its centres are no flights: "
    "the nearest ones are taken. A grid search over the scale of the kernel, in a "
    "pipeline, chose gamma={gamma:g}."
)


def chapter(data):
    """Follow a stream of flights.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        Value and time by way of keeping up, and two figures.
    """
    X = _flights(data)
    gamma = _search(X[:1000])
    objective = FacilityLocation(gamma=gamma, n_reference=300)
    selector = DynamicSubmodularSelector(
        N_SELECT, objective=objective, refine="pool", random_state=0
    ).fit(X[:WINDOW])
    selector.update(forget=[0])  # builds the structures
    trace = _follow(selector, X)
    rows = selector.objective_model_.represent(X[N_UPDATES : N_UPDATES + WINDOW])
    with clock() as again:
        found = maximize(FacilityLocation("precomputed"), rows, N_SELECT)
    columns = ["way", "share of re-run's value", "ms per update", "proven share"]
    story = Chapter("Which rows stand for a stream?", "", columns)
    ms = 1000 * np.array(trace["seconds"])
    mean = f"dynamic, ours (mean; median {np.median(ms):.2f})"
    proven = trace["certificate"][-1]
    story.rows = [[mean, selector.objective_ / found.value, ms.mean(), proven]]
    story.rows.append(
        ["lazy greedy anew", 1.0, 1000 * again.seconds, found.certificate]
    )
    for name, chosen, cost in _others(X):
        value = rows[chosen].max(axis=0).mean()
        story.rows.append([name, value / found.value, cost, "-"])
    random = story.rows[-1][1]
    story.text = TEXT.format(window=WINDOW, gamma=gamma, random=random)
    curve = SelectionCurveDisplay.from_estimator(selector)
    story.figures = [
        (
            "Calls, seconds and proven share",
            UpdateTraceDisplay.from_trace(trace).figure_,
        ),
        ("Value by number of flights", curve.figure_),
    ]
    return story


def _flights(data):
    frame = data.load("flights").frame
    frame = frame[COLUMNS].dropna().iloc[: WINDOW + N_UPDATES + 1]
    return StandardScaler().fit_transform(frame.to_numpy(np.float64))


def _search(X):
    selector = DynamicSubmodularSelector(
        N_SELECT, objective=FacilityLocation(), algorithm="greedy", random_state=0
    )
    grid = {"dynamicsubmodularselector__objective__gamma": [0.05, 0.1, 0.2]}
    pipe = make_pipeline(StandardScaler(), selector)
    search = GridSearchCV(pipe, grid, cv=2, scoring=_typical).fit(X)
    return next(iter(search.best_params_.values()))


def _typical(pipe, X, y=None):
    """Score similarities by how little they vary: neither all alike nor all zero."""
    near = pipe.transform(X).max(axis=1)
    return -abs(np.median(near) - 0.7)


def _follow(selector, X):
    trace = {"calls": [], "seconds": [], "certificate": []}
    for step in range(1, N_UPDATES):
        calls, start = selector.n_oracle_calls_, time.perf_counter()
        new = WINDOW + step
        selector.update((X[new][None], [new]), forget=[step])
        trace["seconds"].append(time.perf_counter() - start)
        trace["calls"].append(max(1, selector.n_oracle_calls_ - calls))
        if step % 100 == 1:
            proven = selector.certificate_
        trace["certificate"].append(proven)
    return trace


def _others(X):
    """Yield (name, chosen rows of the last window, ms per update)."""
    kmeans = MiniBatchKMeans(N_SELECT, n_init=1, random_state=0)
    with clock() as spent:
        for start in range(0, len(X), 500):
            kmeans.partial_fit(X[start : start + 500])
    living = X[N_UPDATES : N_UPDATES + WINDOW]
    nearest = pairwise_distances_argmin(kmeans.cluster_centers_, living)
    yield "MiniBatchKMeans, nearest flights", nearest, 1000 * spent.seconds / len(X)
    rng = np.random.default_rng(0)
    yield "random", rng.choice(WINDOW, N_SELECT, replace=False), 0.0
