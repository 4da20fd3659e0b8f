"""Losses: three labels in ten are wrong."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import scale

from sklearn_ext._tour._chapter import Chapter, clock
from sklearn_ext.losses import (
    CertifiedAccuracyDisplay,
    CompSumClassifier,
    CompSumClassifierCV,
    NoiseReportDisplay,
    noise_report,
)

TEXT = (
    "Handwritten digits ({source}), 1,000 of them to learn from. Three in ten of their "
    "labels were moved to another digit; nobody tells the models which, and settings "
    "are chosen on the wrong labels. The test labels are right. CompSumClassifierCV "
    "chooses its loss and may leave out rows that it does not believe; its report "
    "estimates {estimate:.0%} wrong labels ({low:.0%} to {high:.0%}), where there are "
    "{truth:.0%}. Of the hundred rows that it would look at first, {hits} are wrong."
)


def chapter(data):
    """Learn digits from labels of which three in ten are wrong.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        Accuracies of ways to treat wrong labels, and two figures.
    """
    X, y = load_digits(return_X_y=True)
    X, rng = scale(X), np.random.default_rng(0)
    order = rng.permutation(len(y))
    train, test = order[:1000], order[1000:]
    wrong = rng.random(1000) < 0.3
    labels = np.where(wrong, (y[train] + rng.integers(1, 10, 1000)) % 10, y[train])
    ways = [
        ("logistic regression", "scikit-learn", LogisticRegression(max_iter=1000)),
        (
            "logistic regression, C by cross-validation",
            "scikit-learn",
            GridSearchCV(
                LogisticRegression(max_iter=1000), {"C": np.logspace(-4, 2, 9)}
            ),
        ),
        ("CompSumClassifier(C=0.1)", "ours", CompSumClassifier(C=0.1)),
        ("CompSumClassifierCV", "ours", CompSumClassifierCV()),
    ]
    rows = []
    for name, owner, model in ways:
        with clock() as timer:
            model.fit(X[train], labels)
        error = 1 - model.score(X[test], y[test])
        rows.append([name, owner, error, timer.seconds])
    report = noise_report(model, X[train], labels, random_state=0)
    first = np.argsort(-report.wrong_proba)[:100]
    low, high = report.noise_rate_interval
    text = TEXT.format(
        source="scikit-learn",
        estimate=report.noise_rate,
        low=low,
        high=high,
        truth=wrong.mean(),
        hits=int(wrong[first].sum()),
    )
    story = Chapter(
        "Three labels in ten are wrong", text, ["way", "by", "error", "seconds"], rows
    )
    robust = CompSumClassifier(1.0, epsilon=0.1, norm=np.inf).fit(X[train], y[train])
    plain = CompSumClassifier(1.0).fit(X[train], y[train])
    display = None
    for name, fitted in (("plain", plain), ("trained for 0.1", robust)):
        display = CertifiedAccuracyDisplay.from_estimator(
            fitted, X[test], y[test], norm=np.inf, name=name, ax=display and display.ax_
        )
    story.figures = [
        (
            "Which digits bear which labels.",
            NoiseReportDisplay(report=report).plot().figure_,
        ),
        ("Right under every change of a column by so much.", display.figure_),
    ]
    return story
