"""Aggregates of bags: what published means still tell about rows."""

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from sklearn_ext._tour._chapter import Chapter, clock
from sklearn_ext.aggregate import (
    AggregateBoostingRegressor,
    BagCalibrationDisplay,
    BagKFold,
    BagRegressor,
    InterpolatingAggregateRegressorCV,
    RhoPathDisplay,
    make_bags,
    privatize_aggregates,
)

SIZE = 25
TEXT = (
    "{rows} pupils, {source}. Of every {size} pupils only the mean score is published; "
    "the table asks how well single pupils of a test set are predicted. Every score "
    "would give a ridge an R² of {shown:.2f}, the means give ours {means:.2f}, and the "
    "replicated mean as a label, which lets every tool run, {copied:.2f}. Splines go "
    "through a Pipeline and a grid search that keeps bags whole. The last line fits a "
    "release that protects each score with epsilon = 1."
)


def chapter(data):
    """Fit rows from published means, with what one would otherwise do beside it.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        Test R² and time, and two figures.
    """
    X, y, source = _pupils(data)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    bags = make_bags(len(X), SIZE, random_state=0)
    means = (np.bincount(bags, y) / np.bincount(bags))[bags]
    columns = ["model", "by", "is shown", "test R² of rows", "seconds to fit"]
    story = Chapter("What do published means tell about rows?", "", columns)
    for label, owner, shown, fit in _fits(X, y, means, bags):
        with clock() as timer:
            model = fit()
        score = model.score(X_test, y_test)
        story.rows.append([label, owner, shown, score, timer.seconds])
        if label.startswith("InterpolatingAggregateRegressorCV"):
            path = RhoPathDisplay.from_estimator(model[-1])
            bagged = BagCalibrationDisplay.from_estimator(model, X, means, bags=bags)
    shown, copied, found = (row[3] for row in story.rows[:3])
    story.text = TEXT.format(
        rows=len(y) + len(y_test),
        source=source,
        size=SIZE,
        shown=shown,
        copied=copied,
        means=found,
    )
    story.figures = [
        ("Leave-one-bag-out error over both penalties, in closed form.", path.figure_),
        ("Published means against predicted means.", bagged.figure_),
    ]
    return story


def _pupils(data):
    try:
        bunch = data.load("chem97")
    except data.DatasetUnavailable:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(31_022, 3))
        y = np.clip(6 + 2.2 * X[:, 0] + 2 * rng.normal(size=len(X)), 0, 10).round()
        return X, y, "simulated"
    X = pd.get_dummies(bunch.data, drop_first=True).astype(float).to_numpy()
    return X, np.asarray(bunch.target, dtype=float), "chemistry A-level of 1997"


def _fits(X, y, means, bags):
    """List ``(label, owner, what it is shown, how to fit it)``."""
    release = privatize_aggregates(y, bags, 1.0, bounds=(0, 10), random_state=0)
    linear = make_pipeline(StandardScaler(), InterpolatingAggregateRegressorCV())
    name = "interpolatingaggregateregressorcv__bags"
    private = BagRegressor(100.0, bag_weight="precision")
    noise = {"response_noise_var": release.noise_var}
    boosted = AggregateBoostingRegressor(max_depth=2, learning_rate=0.05)
    trees = HistGradientBoostingRegressor()
    return [
        ("Ridge", "scikit-learn", "every score", lambda: Ridge().fit(X, y)),
        ("Ridge", "scikit-learn", "replicated means", lambda: Ridge().fit(X, means)),
        (
            "InterpolatingAggregateRegressorCV, 256 pairs",
            "ours",
            "means",
            lambda: linear.fit(X, means, **{name: bags}),
        ),
        (
            "splines and BagRegressor, grid search",
            "ours",
            "means",
            lambda: _search(X, means, bags),
        ),
        (
            "HistGradientBoostingRegressor",
            "scikit-learn",
            "every score",
            lambda: trees.fit(X, y),
        ),
        (
            "AggregateBoostingRegressor",
            "ours",
            "means",
            lambda: boosted.fit(X, means, bags=bags),
        ),
        (
            "BagRegressor, weights by precision",
            "ours",
            "private means",
            lambda: private.fit(X, release.rows, bags=bags, **noise),
        ),
    ]


def _search(X, means, bags):
    pipe = make_pipeline(StandardScaler(), SplineTransformer(), BagRegressor())
    grid = {"splinetransformer__n_knots": [3, 5], "bagregressor__alpha": [0.1, 1, 10]}
    with config_context(enable_metadata_routing=True):
        return GridSearchCV(pipe, grid, cv=BagKFold(4)).fit(X, means, bags=bags)
