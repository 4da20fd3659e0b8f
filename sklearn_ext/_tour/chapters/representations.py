"""Representations: what thousands of rows without a label are worth."""

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from sklearn_ext._tour._chapter import Chapter, clock
from sklearn_ext.representations import PretrainedClassifier, PretrainingGainDisplay

TEXT = (
    "{source}. {n_labels} rows of each class have a label, {n} have none, the rest is "
    "new. Views of a row are learnt from all rows and set side by side under a ridge, "
    "which also says from the labels alone whether that helped (last column, with a 90 "
    "% interval)."
)
N_LABELS = 8


def chapter(data):
    """Classify with a handful of labels.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        Accuracies of ways to use rows without a label, and a figure.
    """
    X, y, source = _table(data)
    order = np.random.default_rng(0).permutation(len(y))
    new, rows = order[: len(y) // 3], order[len(y) // 3 :][:3000]
    scaler = StandardScaler().fit(X[rows])
    A, t, B, u = scaler.transform(X[rows]), y[rows], scaler.transform(X[new]), y[new]
    known = np.concatenate([np.flatnonzero(t == c)[:N_LABELS] for c in np.unique(t)])
    few = np.full(len(t), -1)
    few[known] = t[known]
    story = Chapter(
        "Many rows, few labels",
        TEXT.format(source=source, n_labels=N_LABELS, n=int(np.sum(few < 0))),
        ["way", "by", "accuracy, new rows", "seconds", "did the rows help?"],
    )
    for name, owner, model, alone in _ways():
        with clock() as timer, warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"sklearn\.")  # of few labels
            model.fit(A[known], t[known]) if alone else model.fit(A, few)
        said = "-"
        if isinstance(model, PretrainedClassifier):
            low, high = model.gain_interval_
            said = f"{model.gain_:+.3f} ({low:+.3f} to {high:+.3f})"
            fitted = model
        story.rows.append([name, owner, model.score(B, u), timer.seconds, said])
    picture = PretrainingGainDisplay.from_estimator(fitted)
    caption = "What all views save of the error, and what the error grows without one."
    story.figures = [(caption, picture.figure_)]
    return story


def _table(data):
    try:
        found = data.load("satimage")
    except data.DatasetUnavailable:
        X, y = load_digits(return_X_y=True)
        X = X[:, X.std(axis=0) > 0]
        return X, y, "Handwritten digits"
    classes = np.unique(found.target.astype(str), return_inverse=True)[1]
    return found.data.to_numpy(float), classes, "What a satellite sees of six soils"


def _ways():
    theirs, ours = "scikit-learn", "ours"
    trees = RandomForestClassifier(random_state=0)
    spreading = LabelSpreading(kernel="knn", n_neighbors=10)
    self_training = SelfTrainingClassifier(LogisticRegression(max_iter=1000))
    return [
        (
            "ridge, labelled rows",
            theirs,
            RidgeClassifierCV(np.logspace(-3, 5, 33)),
            True,
        ),
        ("forest, labelled rows", theirs, trees, True),
        ("label spreading", theirs, spreading, False),
        ("self-training", theirs, self_training, False),
        ("three views", ours, PretrainedClassifier(random_state=0), False),
        ("all views", ours, PretrainedClassifier("all", random_state=0), False),
    ]
