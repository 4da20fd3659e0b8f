"""Networks: a frame with strings and missing values goes into a net as it is."""

import warnings

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ext._core._optional import require
from sklearn_ext._tour._chapter import Chapter, clock
from sklearn_ext.networks import (
    LearningRateTransferDisplay,
    MuMLPClassifier,
    TrainingDisplay,
)

TEXT = (
    "{source}. {n} rows are known. MuMLPClassifier takes the frame as it is, finds its "
    "learning rate on narrow nets, and says from rows that its members left out how "
    "good it will be (last column), with no fit more."
)
N_KNOWN = 2000


def chapter(data):
    """Classify rows with strings and missing values.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        Scores of nets and of boosting, and two figures.
    """
    X, y, source = _table(data)
    A, B, t, u = train_test_split(X, y, train_size=N_KNOWN, random_state=0, stratify=y)
    story = Chapter(
        "A neural net that works without being set up",
        TEXT.format(source=source, n=N_KNOWN),
        ["way", "by", "accuracy, new rows", "log-loss", "seconds", "said in advance"],
    )
    require("skorch", extra="torch", user="This chapter")  # its import is no training
    for name, owner, model in _ways():
        with clock() as timer, warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of 200 epochs
            model.fit(A, t)
        loss = log_loss(u, model.predict_proba(B))
        said = getattr(model, "oob_score_", "-")
        row = [name, owner, model.score(B, u), loss, timer.seconds, said]
        story.rows.append(row)
    digits, labels = load_digits(return_X_y=True)
    curves = LearningRateTransferDisplay.from_estimator(
        MuMLPClassifier(n_bins=0, weight_decay=0.02, proxy_iter=8, random_state=0),
        digits[:800],
        labels[:800],
        hidden_units=(32, 256),
        learning_rates=2.0 ** np.arange(-11, -2),
    )
    story.figures = [
        (
            "Training of the members: the epoch with the least loss on rows left out "
            "is kept.",
            TrainingDisplay.from_estimator(model).figure_,
        ),
        (
            "Digits, plain nets: the best rate of narrow ones, and of wide ones.",
            curves.figure_,
        ),
    ]
    return story


def _table(data):
    try:
        from benchmarks.networks_tables import table

        found = table("credit")
        return found.X, found.y, "Which loans of a bank were paid back"
    except data.DatasetUnavailable:
        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.normal(size=(4000, 6))).add_prefix("x")
        X["place"] = rng.choice(list("abcdefgh"), len(X))
        score = X.x0 * X.x1 + X.x2 + X.place.isin(["a", "d"])
        y = np.where(score + rng.normal(0, 0.5, len(X)) > 0, "yes", "no")
        X = X.mask(rng.uniform(size=X.shape) < 0.03)
        return X, y, "Rows that were drawn at random, as no data are installed"


def _ways():
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (one_hot, make_column_selector(dtype_exclude="number")),
    )
    strings = make_column_transformer(
        ("passthrough", make_column_selector(dtype_include="number")),
        (one_hot, make_column_selector(dtype_exclude="number")),
    )
    theirs = "scikit-learn"
    net = MLPClassifier((128, 128), random_state=0)
    stopped = MLPClassifier((128, 128), early_stopping=True, random_state=0)
    boosting = HistGradientBoostingClassifier(random_state=0)
    return [
        ("one net, columns prepared", theirs, make_pipeline(columns, net)),
        ("the same, early stopping", theirs, make_pipeline(columns, stopped)),
        ("boosting", theirs, make_pipeline(strings, boosting)),
        ("MuMLPClassifier, the frame", "ours", MuMLPClassifier(random_state=0)),
    ]
