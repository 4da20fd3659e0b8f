"""Bridges: drawn by one vendor, recognised among the other's pictures."""

import numpy as np
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext._tour._chapter import Chapter, best, clock
from sklearn_ext.bridge import (
    LightSchrodingerBridge,
    SchrodingerBridgeDisplay,
    energy_distance,
)

TEXT = (
    "{source}. A classifier is trained on the second population and applied to the "
    "first: as it is, after standardising each side, and after a bridge that was "
    "learnt without labels or pairs. The last row is a grid search over components "
    "through a pipeline, by the bridge's own held-out score on the pooled "
    "rows: no label is asked. Energy distance says how alike the populations are "
    "then: {before:.2g} as they are, {distance:.2g} at least ({near}). The classifier "
    "is right in {plain:.1%} as it is, in {standard:.1%} after standardising and in "
    "{most:.1%} after the best bridge for it ({name}). Where populations differ in "
    "what a classifier does not look at, no map helps it."
)


def chapter(data):
    """Carry a classifier from one population to another.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        Accuracy, distance and time of maps, and two figures.
    """
    X, X_labels, Y, labels, source = _populations(data)
    columns = ["map", "by", "accuracy", "energy distance", "seconds"]
    story = Chapter("From one population to another", "", columns)
    classifier = LogisticRegression(C=0.01, max_iter=300)
    classifier = make_pipeline(StandardScaler(), classifier).fit(Y, labels)
    for label, owner, move in _maps(X, Y):
        with clock() as timer:
            Z = move()
        score = float(classifier.score(Z, X_labels))
        story.rows.append([label, owner, score, energy_distance(Z, Y), timer.seconds])
    (near, distance), (name, most) = best(story.rows, 3, True), best(story.rows[2:], 2)
    story.text = TEXT.format(
        source=source,
        near=near,
        distance=distance,
        before=story.rows[0][3],
        plain=story.rows[0][2],
        standard=story.rows[1][2],
        most=most,
        name=name,
    )
    story.figures = _figures(X, Y)
    return story


def _populations(data):
    try:
        google, twitter = (
            data.frozen(f"emoji-{vendor}", encoder="efflite0")
            for vendor in ("google", "twitter")
        )
        X, Y = np.asarray(google.data, float), np.asarray(twitter.data, float)
        labels = np.asarray(google.target)
        source = "Emoji of one vendor and other emoji of another, seen by EfficientNet"
        pca = PCA(50, random_state=0).fit(np.vstack([X, Y]))
        X, Y = pca.transform(X), pca.transform(Y)
    except data.DatasetUnavailable:  # an instrument that mixes and stretches pixels
        bunch = data.load("digits", as_frame=False)
        Y = PCA(20, whiten=True, random_state=0).fit_transform(bunch.data)
        rng = np.random.default_rng(0)
        mixing = np.eye(20) + 0.25 * rng.normal(size=(20, 20)) / np.sqrt(20)
        X = 1.3 * Y @ mixing + 0.8 * rng.normal(size=20)
        labels = np.asarray(bunch.target)
        source = "Digits, and other digits through another instrument"
    rows = np.random.default_rng(0).permutation(len(X))
    ours, theirs = np.array_split(rows, 2)  # no picture is on both sides
    return X[ours], labels[ours], Y[theirs], labels[theirs], source


def _maps(X, Y):
    def standardise():
        return (
            StandardScaler().fit(Y).inverse_transform(StandardScaler().fit_transform(X))
        )

    def bridge(n_components, kind):
        model = LightSchrodingerBridge(
            n_components, covariance_type=kind, max_iter=300, random_state=0
        )
        return lambda: model.fit(X, X_target=Y).transform(X)

    return [
        ("none", "-", lambda: X),
        ("standardise each side", "scikit-learn", standardise),
        ("bridge, 1 full component", "ours", bridge(1, "full")),
        ("bridge, 10 tied components", "ours", bridge(10, "tied")),
        ("bridge, 10 diagonal components", "ours", bridge(10, "diag")),
        ("bridge, searched in a pipeline", "ours", lambda: _searched(X, Y)),
    ]


def _searched(X, Y):
    """Choose the bridge by its score in a pipeline, and map X with it."""
    pooled, domain = np.vstack([X, Y]), np.repeat([0, 1], [len(X), len(Y)])
    with config_context(enable_metadata_routing=True):
        bridge = LightSchrodingerBridge(
            epsilon=0.1,
            covariance_type="tied",
            max_iter=300,
            default_domain="source",
            random_state=0,
        )
        bridge.set_fit_request(sample_domain=True)
        bridge.set_score_request(sample_domain=True)
        pipeline = Pipeline([("scale", StandardScaler()), ("bridge", bridge)])
        grid = {"bridge__n_components": [1, 4]}
        search = GridSearchCV(pipeline, grid, cv=StratifiedKFold(2))
        search.fit(pooled, domain, sample_domain=domain)
    best = search.best_estimator_
    return best["scale"].inverse_transform(best.transform(X))


def _figures(X, Y):
    bridge = LightSchrodingerBridge(10, covariance_type="tied", random_state=0)
    bridge.fit(X, X_target=Y)
    paths = SchrodingerBridgeDisplay.from_estimator(bridge, X, Y, n_rows=80)
    moved = SchrodingerBridgeDisplay.from_estimator(bridge, X, kind="marginals")
    return [
        ("Paths of the bridge, coloured by time.", paths.figure_),
        ("The population on its way.", moved.figure_),
    ]
