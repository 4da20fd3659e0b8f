"""Random-feature ridge: kernel quality in seconds, its error foretold."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from sklearn_ext._tour._chapter import Chapter, best, clock
from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RFLearningCurveDisplay,
    RidgePathDisplay,
)

TEXT = (
    "Prices of 4000 diamonds, learnt from 1500 of them. Ours choose their ridge by "
    "exact leave-one-out from one factorisation; others by grid search over three "
    "folds, or by one inverse a ridge. From these rows {name} predicts best (R2 "
    "{score:.3f}). The last line streams 3000 rows through partial_fit, twice as many. "
    "The second figure shows the error that theory predicts for each number of rows "
    "beside the one measured afterwards."
)
COLUMNS = ["model", "by", "test R2", "seconds to fit"]


def chapter(data):
    """Fit ours and others to real prices, and compare forecast with measurement.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        Accuracy and time of ours beside others', and two figures.
    """
    X, y = _prices(data)
    train, rest, test = slice(0, 1500), slice(0, 3000), slice(3000, None)
    story = Chapter("What would another thousand rows buy?", "", COLUMNS)
    for label, owner, model in _models(X.shape[1]):
        with clock() as timer:
            model.fit(X[train], y[train])
        score = model.score(X[test], y[test])
        story.rows.append([label, owner, float(score), timer.seconds])
    with clock() as timer:
        stream = RandomFeatureRidgeCV(random_state=0)
        for start in range(0, len(y[rest]), 500):
            rows = slice(start, start + 500)
            stream.partial_fit(X[rest][rows], y[rest][rows])
        score = stream.score(X[test], y[test])
    name, reached = best(story.rows, 2)
    story.text = TEXT.format(name=name, score=reached)
    label = "random features, 3000 rows streamed"
    story.rows.append([label, "ours", float(score), timer.seconds])
    story.figures = _figures(stream, X[rest], y[rest])
    return story


def _prices(data):
    bunch = data.load("diamonds", n_rows=4000)
    columns = pd.get_dummies(bunch.data, dtype=float)
    y = np.log(bunch.target.to_numpy(float))
    order = np.random.default_rng(0).permutation(len(y))
    X = StandardScaler().fit_transform(columns)
    return X[order], (y[order] - y.mean()) / y.std()


def _models(p):
    common = {"standardize": False, "random_state": 0}
    plain = {"kernel": "relu", "map": "random"} | common
    boosting = GridSearchCV(
        HistGradientBoostingRegressor(random_state=0),
        {"learning_rate": [0.05, 0.2], "max_leaf_nodes": [7, 31]},
        cv=3,
    )
    vectors = GridSearchCV(SVR(), {"C": [1, 30], "gamma": [1 / p, 0.2 / p]}, cv=3)
    sampler = RBFSampler(gamma=0.2 / p, n_components=1024, random_state=0)
    inverses = make_pipeline(sampler, RidgeCV(np.logspace(-6, 2, 25)))
    landmarks = {"map": "landmarks", "kernel": "laplacian"}
    return [
        ("gradient boosting, 4 settings x 3 folds", "scikit-learn", boosting),
        ("SVR, 4 settings x 3 folds", "scikit-learn", vectors),
        ("RBFSampler + RidgeCV, 25 ridges", "scikit-learn", inverses),
        ("random features, 31 ridges", "ours", RandomFeatureRidgeCV(**plain)),
        (
            "1024 landmarks, Laplacian kernel",
            "ours",
            RandomFeatureRidgeCV(**landmarks, **common),
        ),
        ("infinite width", "ours", RandomFeatureRidgeCV("infinite", **plain)),
        ("the default", "ours", RandomFeatureRidgeCV(random_state=0)),
    ]


def _figures(tuned, X, y):
    path, ax = plt.subplots(figsize=(5, 4), layout="constrained")
    RidgePathDisplay.from_estimator(tuned, ax=ax)
    ax.set_ylim(top=1)
    curve, ax = plt.subplots(figsize=(5, 4), layout="constrained")
    fixed = RandomFeatureRidge(512, tuned.alpha_, random_state=0).fit(X, y)
    RFLearningCurveDisplay.from_estimator(
        fixed,
        X,
        y,
        n_grid=[50, 100, 200, 400, 800],
        n_repeats=3,
        max_pool=2000,
        random_state=0,
        ax=ax,
    )
    return [
        ("Errors over the ridge: leave-one-out of all ridges at once.", path),
        ("The learning curve, predicted (lines) and measured (points).", curve),
    ]
