"""Probes on frozen features: which head, at what cost."""

import warnings

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext._tour._chapter import Chapter, best, clock
from sklearn_ext.probes import (
    LogisticProbe,
    LogisticProbeCV,
    NaiveBayesProbe,
    ShrinkageDiscriminantProbe,
    TwoRegimes,
    TwoRegimesDisplay,
)

TEXT = (
    "600 of {rows} handwritten digits, {source}: what a frozen network sees, with a "
    "cheap classifier on top. Each line of ours stands under what one would otherwise "
    "take: naive Bayes, which updates and merges exactly in streams, a discriminant in "
    "closed form, and a search for C along one path. Most accurate here is {head} "
    "({accuracy:.3f}), and {sure} has the best probabilities (log-loss {loss:.3f})."
)
CS = np.logspace(-4, 2, 13)


def chapter(data):
    """Fit every head to the same features and draw the regimes.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        Accuracy, log-loss and time of ours beside others', and two figures.
    """
    X, y, source = _features(data)
    split = train_test_split(X, y, train_size=600, stratify=y, random_state=0)
    columns = ["head", "by", "test accuracy", "log-loss", "seconds to fit"]
    rows = [[label, by, *_measure(head, *split)] for label, by, head in _heads()]
    (head, accuracy), (sure, loss) = best(rows, 2), best(rows, 3, least=True)
    found = {"head": head, "accuracy": accuracy, "sure": sure, "loss": loss}
    text = TEXT.format(rows=len(X), source=source, **found)
    story = Chapter("Which head on frozen features?", text, columns, rows)
    story.figures = _figures(X, y)
    return story


def _features(data):
    try:
        bunch = data.frozen("mnist5k", n_rows=2000)
        source = "seen by EfficientNet-Lite0 (1280 features)"
    except data.DatasetUnavailable:  # the encoder is not installed
        bunch = data.load("digits", as_frame=False)
        source = "as 64 pixels"
    return np.asarray(bunch.data, np.float32), np.asarray(bunch.target), source


def _heads():
    search = GridSearchCV(LogisticRegression(), {"C": CS}, cv=3)
    discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    shapes = {"covariance": ["shared", "class"]}
    probe = GridSearchCV(NaiveBayesProbe(temperature="loo"), shapes, cv=3)
    return [
        ("GaussianNB", "scikit-learn", GaussianNB()),
        ("NaiveBayesProbe, best of 2", "ours", probe),
        ("LDA, shrinkage='auto'", "scikit-learn", discriminant),
        ("ShrinkageDiscriminantProbe", "ours", ShrinkageDiscriminantProbe()),
        ("LogisticRegression, 13 C x 3 folds", "scikit-learn", search),
        ("LogisticProbeCV, 13 C x 3 folds", "ours", LogisticProbeCV(CS, cv=3)),
    ]


def _measure(head, X, X_test, y, y_test):
    model = make_pipeline(StandardScaler(), head)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # lbfgs stops early
        message = "The y_prob values do not sum to one"  # GaussianNB sums in float32
        warnings.filterwarnings("ignore", message, UserWarning)
        with clock() as timer:
            model.fit(X, y)
        loss = log_loss(y_test, model.predict_proba(X_test))
    return float(model.score(X_test, y_test)), float(loss), timer.seconds


def _figures(X, y):
    heads = {
        "shrinkage": ShrinkageDiscriminantProbe(),
        "logistic": LogisticProbe(C=0.1),
        "naive Bayes": NaiveBayesProbe(),
    }
    sizes = ("per_class", [2, 4, 8, 16, 32, 64])
    model = TwoRegimes(
        heads, train_sizes=sizes, n_repeats=5, refit=False, random_state=0
    ).fit(X, y)
    curves = TwoRegimesDisplay.from_estimator(model)
    difference = TwoRegimesDisplay.from_estimator(model, kind="difference")
    return [
        ("Test error against the number of labels.", curves.figure_),
        ("Above zero the shrinkage head is better.", difference.figure_),
    ]
