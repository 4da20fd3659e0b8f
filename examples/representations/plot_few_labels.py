"""
Sixty labels, thousands of rows: did the others help?
=====================================================

Somebody has labelled a few pixels of a satellite picture, four of each kind of soil,
and thousands have no label. What can be learnt from the rows that nobody has looked at?
And how would one know that it helped, with so few labels to test on?
"""

# %%
# The table ships inside a package of data (``benchmarks/real_data.txt``). Without it
# the story is told on handwritten digits.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifierCV
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading

from sklearn_ext.representations import PretrainedClassifier, PretrainingGainDisplay

try:
    from benchmarks.representations_data import table

    X, y = table("satimage")
except ImportError:
    X, y = load_digits(return_X_y=True)
    X = X[:, X.std(axis=0) > 0]


def draw(X, y, n_labels, seed):
    """Split into rows that are there, few with a label, and new ones."""
    order = np.random.default_rng(seed).permutation(len(y))
    new, rows = order[: len(y) // 3], order[len(y) // 3 :][:2000]
    scaler = StandardScaler().fit(X[rows])
    t, few = y[rows], np.full(len(rows), -1)  # -1: no label
    for label in np.unique(t):
        known = np.flatnonzero(t == label)[:n_labels]
        few[known] = label
    return scaler.transform(X[rows]), few, scaler.transform(X[new]), y[new]


# %%
# Views of all rows, a ridge on the labelled ones
# -----------------------------------------------
# :class:`~sklearn_ext.representations.PretrainedClassifier` takes all rows. From them
# it learns views: the columns, the columns tilted towards the directions in which rows
# vary, and waves as wide as rows are apart. On these it fits a ridge in closed form.
# Peers are a ridge and a forest that see the labelled rows alone, and label spreading,
# which sees all rows as a graph.

sizes = (4, 8, 16, 32, 64)
ways = {
    "ridge": RidgeClassifierCV(np.logspace(-3, 5, 33)),
    "forest": RandomForestClassifier(60, random_state=0),
    "label spreading": LabelSpreading(kernel="knn", n_neighbors=10),
    "views": PretrainedClassifier(random_state=0),
}
accuracy = {name: [] for name in ways}
for n_labels in sizes:
    said = {name: [] for name in ways}
    for seed in range(3):
        A, few, B, u = draw(X, y, n_labels, seed)
        known = few >= 0
        for name, model in ways.items():
            with warnings.catch_warnings():
                warnings.filterwarnings(
                    "ignore", module=r"sklearn\."
                )  # spreading stops early
                if name in ("ridge", "forest"):
                    model.fit(A[known], few[known])
                else:
                    model.fit(A, few)
                said[name].append(model.score(B, u))
    for name, scores in said.items():
        accuracy[name].append(np.mean(scores))

fig, ax = plt.subplots(layout="constrained")
styles = ("s:", "^-.", "D--", "o-")
for (name, scores), style in zip(accuracy.items(), styles, strict=True):
    ax.plot(sizes, scores, style, label=name)
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, [str(size) for size in sizes])
ax.set_xlabel("labels of each class")
ax.set_ylabel("accuracy on new rows")
ax.legend()

# %%
# Did it help? The labels themselves say so
# -----------------------------------------
# Nobody with sixty labels has a test set. But the head is closed: what it would say of
# each labelled row *without* that row's label is known exactly, and so is the same of a
# plain ridge. The difference of both errors, with its interval, is the answer. The bars
# say how much worse things get without one of the views.

A, few, B, u = draw(X, y, 16, 0)
model = PretrainedClassifier(random_state=0).fit(A, few)
low, high = model.gain_interval_
print(f"error saved: {model.gain_:.3f}, between {low:.3f} and {high:.3f}")
PretrainingGainDisplay.from_estimator(model)

# %%
# And where it does not
# ---------------------
# Columns may already be all that is needed. A target that is linear, and depends on the
# direction in which rows vary *least*, is the worst that can happen to views. Here it
# is planted, and ``standardize=False`` keeps the columns from being brought to one
# scale, which would mend it. The interval lies below zero, and the plain ridge gets the
# larger part of the say (``raw_share_``).

rng = np.random.default_rng(0)
rows = rng.normal(size=(2000, 50)) * np.linspace(3, 0.3, 50)
target = (rows[:, -1] > 0).astype(int)
few = np.where(np.arange(2000) < 120, target, -1)
model = PretrainedClassifier(standardize=False, random_state=0).fit(rows, few)
low, high = model.gain_interval_
print(f"error saved: {model.gain_:.3f}, between {low:.3f} and {high:.3f}")
print(f"share of the plain ridge: {model.raw_share_:.2f}")
PretrainingGainDisplay.from_estimator(model)

# %%
# A strong frozen embedding is the real case: what a network sees of emoji, 16 labels of
# each of nine categories. The labels do not tell that views of the 1,280 columns are
# better than the columns, and the picture says so.

try:
    from benchmarks.representations_data import emoji

    pictures, category = emoji("google")
    A, few, B, u = draw(pictures, category, 16, 0)
    model = PretrainedClassifier(random_state=0).fit(A, few)
    PretrainingGainDisplay.from_estimator(model)
    print(f"gain {model.gain_:.3f}, {model.gain_interval_.round(3)}")
    alone = RidgeClassifierCV(np.logspace(-3, 5, 33)).fit(A[few >= 0], few[few >= 0])
    print(f"accuracy: {model.score(B, u):.3f}, plain ridge {alone.score(B, u):.3f}")
except ImportError:
    pass
plt.show()
