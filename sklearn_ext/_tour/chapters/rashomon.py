"""Rashomon sets: how many trees are as good, and who gets another answer."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_ext._tour._chapter import Chapter, clock
from sklearn_ext.rashomon import (
    MultiplicityDisplay,
    RashomonLogisticRegression,
    RashomonRatioDisplay,
    RashomonSearchCV,
    RashomonTreeClassifier,
)

TEXT = (
    "Will a defendant be charged again? {columns} yes-or-no features of {rows} people. "
    "A tree, a linear model and a forest are right in {low:.1%} to {high:.1%} of new "
    "cases; the nearer these numbers, the larger a Rashomon set is to be expected, and "
    "its share of all trees is exact. The column of other answers is the share of "
    "people who would get another answer from an equally good model of the same kind: "
    "nothing that a single model can tell."
)
COLUMNS = ["model", "by", "test accuracy", "other answers", "log10 ratio", "seconds"]


def chapter(data):
    """Fit ours and others to recidivism data and ask who would be judged otherwise.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        Accuracy, ambiguity and time of ours beside others', and two figures.
    """
    people = data.load("compas_binary")
    X = people.data.to_numpy(float)
    y = np.asarray(people.target).astype(int)
    parts = train_test_split(X, y, test_size=0.3, random_state=0)
    story = Chapter("Who would get another answer?", "", COLUMNS)
    trees = None
    for label, owner, model in _models():
        with clock() as timer:
            model.fit(parts[0], parts[2])
        others, ratio = _multiplicity(model, parts[1])
        score = float(model.score(parts[1], parts[3]))
        story.rows.append([label, owner, score, others, ratio, timer.seconds])
        if isinstance(model, GridSearchCV) and owner == "ours":
            trees = model.best_estimator_
    others = [row[2] for row in story.rows if row[1] == "others"]
    story.text = TEXT.format(
        rows=len(X), columns=X.shape[1], low=min(others), high=max(others)
    )
    story.figures = _figures(trees, parts[1])
    return story


def _models():
    tree = DecisionTreeClassifier(random_state=0)
    depths = {"max_depth": [1, 2, 3]}
    ours = RashomonTreeClassifier(theta=0.005, random_state=0)
    logistic = RashomonLogisticRegression(theta=0.005, n_rays=300, random_state=0)
    candidates = [
        ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
        ("linear", make_pipeline(StandardScaler(), LogisticRegression())),
        ("forest", RandomForestClassifier(50, max_depth=6, random_state=0)),
    ]
    return [
        ("tree, grid search over depth", "others", GridSearchCV(tree, depths, cv=3)),
        (
            "set of trees, grid search over depth",
            "ours",
            GridSearchCV(ours, depths, cv=3),
        ),
        ("logistic regression", "others", candidates[1][1]),
        ("set of logistic models", "ours", make_pipeline(StandardScaler(), logistic)),
        ("forest", "others", RandomForestClassifier(50, max_depth=6, random_state=0)),
        (
            "tree, linear and forest alike",
            "ours",
            RashomonSearchCV(candidates, theta=0.01, cv=3),
        ),
    ]


def _multiplicity(model, X):
    """Share of rows with other answers and the ratio, of sets; blanks of others."""
    if isinstance(model, RashomonSearchCV):
        return model.ambiguity_, float(model.log10_ratio_)
    inner = getattr(model, "best_estimator_", model)
    if hasattr(inner, "steps") and hasattr(inner[-1], "log_ratio_"):
        return inner[-1].ambiguity(inner[:-1].transform(X)), float(
            inner[-1].log10_ratio_
        )
    if hasattr(inner, "log_ratio_"):
        return inner.ambiguity(X), float(inner.log10_ratio_)
    return "", ""


def _figures(trees, X):
    ratio, left = plt.subplots(layout="constrained")
    RashomonRatioDisplay.from_estimator(trees, ax=left)
    votes, right = plt.subplots(layout="constrained")
    MultiplicityDisplay.from_estimator(trees, X, ax=right)
    return [
        ("Share of all trees that are nearly as good as the best one", ratio),
        ("Votes of all equally good trees about the test people", votes),
    ]
