"""Calibration: which predictions of a model that must stay can be trusted."""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext._tour._chapter import Chapter, clock
from sklearn_ext.calibration import (
    CorrectnessCalibratedClassifier,
    ReliabilityDisplay,
    RiskCoverageDisplay,
    SelectiveClassifierCV,
    correctness_auc,
    log_loss_split,
)

TEXT = (
    "{source}. A logistic regression must stay as it is; its predictions are the same "
    "in all rows. What differs is the confidence beside them: its loss, and the share "
    "of pairs in which a right prediction has more of it than a wrong one. Last, the "
    "share of rows that may be answered with at most {target:.0%} errors, a promise "
    "that holds nine times in ten."
)
TARGET = 0.08


def chapter(data):
    """Calibrate a model that must stay, and let it abstain.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        What each confidence is worth, and two figures.
    """
    X, y, source = _table(data)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:2000], order[2000:]
    base = make_pipeline(StandardScaler(), LogisticRegression())
    story = Chapter(
        "Which predictions to trust",
        TEXT.format(source=source, target=TARGET),
        ["confidence", "by", "seconds", "log-loss", "right above wrong", "answered"],
    )
    ways = [
        ("own probability", "scikit-learn", base),
        (
            "temperature",
            "scikit-learn",
            CalibratedClassifierCV(base, method="temperature", ensemble=False),
        ),
        (
            "own score",
            "ours",
            CorrectnessCalibratedClassifier(base, opinions=None),
        ),
        ("with the nearest rows", "ours", CorrectnessCalibratedClassifier(base)),
    ]
    for name, owner, model in ways:
        with clock() as timer:
            picky = SelectiveClassifierCV(model, target_error=TARGET)
            picky.fit(X[train], y[train])
        c, said = picky.confidence(X[test]), picky.predict(X[test])
        loss = log_loss_split(y[test], picky.predict_proba(X[test])).correctness
        auc = correctness_auc(y[test], said, c)
        kept = float(picky.accept(X[test]).mean())
        story.rows.append([name, owner, timer.seconds, loss, auc, kept])
    reliability = ReliabilityDisplay.from_estimator(
        picky, X[test], y[test], name="with the nearest rows", random_state=0
    )
    curve = RiskCoverageDisplay.from_estimator(
        picky, X[test], y[test], name="with the nearest rows"
    )
    story.figures = [
        ("Accuracy against confidence on new rows.", reliability.figure_),
        ("Errors among answered rows against their share.", curve.figure_),
    ]
    return story


def _table(data):
    try:
        homes = data.load("california", n_rows=6000)
        X, y = homes.data.to_numpy(float), homes.target.to_numpy()
        return X, y, "Homes in California, dear or not"
    except data.DatasetUnavailable:
        X, y = make_classification(6000, 8, n_informative=6, random_state=0)
        return X, y, "Rows that were drawn at random, as no data are installed"
