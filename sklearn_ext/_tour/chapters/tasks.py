"""Tasks: what three labelled rows of a new unit are worth."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

from sklearn_ext._tour._chapter import Chapter, clock
from sklearn_ext.tasks import ContextCurveDisplay, TaskRidge, TaskShrinkageDisplay

TEXT = (
    "{source}. Three in ten units are new: three of their rows are known, and the "
    "others are predicted. TaskRidge learns from all units how far their levels and "
    "slopes differ, and gives every unit its own line. The last column is the share of "
    "the predicted rows inside its 90 % intervals."
)


def chapter(data):
    """Predict new units of which three rows are known.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        Errors of ways to treat groups, and two figures.
    """
    X, y, groups, source = _table(data)
    train, test = _new_units(groups)
    story = Chapter(
        "A few labelled rows of a new unit",
        TEXT.format(source=source),
        ["way", "by", "error over variance", "seconds", "inside 90 %"],
    )
    for name, owner, fit in _ways(X, y, groups, train, test):
        with clock() as timer:
            said, inside = fit()
        error = np.mean((said - y[test]) ** 2) / y.var()
        story.rows.append([name, owner, error, timer.seconds, inside])
    model = TaskRidge().fit(X, y, groups=groups)
    story.figures = [
        (
            "Error for a new unit against its known rows.",
            ContextCurveDisplay.from_estimator(
                TaskRidge(), X, y, groups, n_context=(0, 1, 2, 3, 5, 8), random_state=0
            ).figure_,
        ),
        (
            "One slope: from own least squares to the posterior.",
            TaskShrinkageDisplay.from_estimator(model, coefficient=0).figure_,
        ),
    ]
    return story


def _table(data):
    try:
        from benchmarks.tasks_data import grouped

        X, y, groups = grouped("gapminder")
        return X, y, groups, "Life expectancy in 142 countries by year and income"
    except data.DatasetUnavailable:
        rng = np.random.default_rng(0)
        groups = np.repeat(np.arange(140), 12).astype(str)
        shift = np.repeat(rng.normal(size=(140, 3)), 12, axis=0)
        X = rng.normal(size=(len(groups), 2))
        y = 2 * shift[:, 0] + (X * (1 + shift[:, 1:])).sum(axis=1)
        y += 0.5 * rng.normal(size=len(y))
        return X, y, groups, "Units that were drawn at random, as no data are installed"


def _new_units(groups):
    rng = np.random.default_rng(0)
    labels = np.unique(groups)
    new = np.isin(groups, rng.permutation(labels)[: 3 * len(labels) // 10])
    order = rng.permutation(len(groups))
    rank = np.empty(len(groups), dtype=int)
    for label in labels:
        rows = order[groups[order] == label]
        rank[rows] = np.arange(len(rows))
    test = new & (rank >= 3)
    return np.flatnonzero(~test), np.flatnonzero(test)


def _ways(X, y, groups, train, test):
    A, B, t = X[train], X[test], y[train]
    names, new = groups[train, None], groups[test, None]

    def ours(form):
        model = TaskRidge(form).fit(A, t, groups=groups[train])
        low, high = model.predict_interval(B, groups[test]).T
        inside = np.mean((low <= y[test]) & (y[test] <= high))
        return model.predict(B, groups[test]), float(inside)

    def coded(encoder, model):
        scaler = StandardScaler().fit(A)
        left = np.hstack([scaler.transform(A), encoder.fit_transform(names, t)])
        right = np.hstack([scaler.transform(B), encoder.transform(new)])
        return model.fit(left, t).predict(right), "-"

    alphas = np.logspace(-3, 3, 13)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    boosting = HistGradientBoostingRegressor(random_state=0)
    pooled = make_pipeline(StandardScaler(), RidgeCV(alphas))
    return [
        (
            "one model for all",
            "scikit-learn",
            lambda: (pooled.fit(A, t).predict(B), "-"),
        ),
        ("one-hot units", "scikit-learn", lambda: coded(one_hot, RidgeCV(alphas))),
        (
            "boosting, target code",
            "scikit-learn",
            lambda: coded(TargetEncoder(), boosting),
        ),
        ("TaskRidge, intercepts", "ours", lambda: ours("intercept")),
        ("TaskRidge", "ours", lambda: ours("full")),
    ]
