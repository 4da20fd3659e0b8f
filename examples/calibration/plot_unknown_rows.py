"""
Rows that nobody has seen the like of
=====================================

A model of dear homes was fitted to the south of California and is asked about the
north. A model of employment was fitted to people below 58 and is asked about older
ones. Can the confidence be believed there, and who says that it is *there*?
"""

# %%
# The tables ship inside packages of data (``benchmarks/real_data.txt``); without them
# rows are drawn at random, and "elsewhere" is where one column is large.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier

from sklearn_ext.calibration import CorrectnessCalibratedClassifier

# sphinx_gallery_thumbnail_number = 2


def drawn(seed):
    """Return rows to learn from, rows from home and from elsewhere, with classes."""
    X, y = make_classification(9000, 8, n_informative=6, flip_y=0.05, random_state=seed)
    far = X[:, 0] > np.quantile(X[:, 0], 0.7)
    home, away = np.flatnonzero(~far), np.flatnonzero(far)
    parts = home[:1500], home[1500:4000], away[:2500]
    return *(X[part] for part in parts), *(y[part] for part in parts)


try:
    from benchmarks.calibration_data import elsewhere

    places = {
        "homes, north": elsewhere("homes, north of 36.5", 0),
        "employment, older": elsewhere("employment, older than 57", 0),
        "employment, later": elsewhere("employment, 2018 after 2015", 0),
    }
except (ImportError, OSError):
    places = {f"drawn {seed}": drawn(seed) for seed in range(3)}

# %%
# How near are the nearest rows?
# ------------------------------
# ``familiarity`` is the share of held-out training rows that were no nearer to their
# neighbours: uniform at home, whatever the table. ``drift`` looks at a whole batch and
# warns where clearly more than the usual 5 % are unknown.

models, told = {}, {}
for name, (A, B, there, t, *_) in places.items():
    boosting = HistGradientBoostingClassifier(max_iter=40, random_state=0)
    model = models[name] = CorrectnessCalibratedClassifier(boosting).fit(A, t)
    for place, X in (("home", B), ("away", there)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            told[name, place] = report = model.drift(X)
        word = "WARNS" if caught else "is silent"
        print(f"{name:>18}, {place}: {report.unknown:4.0%} unknown, {word}")

fig, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained", sharey=True)
for ax, (name, (_, B, there, *_)) in zip(axes, places.items(), strict=True):
    for place, X, style in (("home", B, "-"), ("away", there, "--")):
        ordered = np.sort(models[name].familiarity(X))
        ax.plot(ordered, np.linspace(0, 1, len(X)), style, label=place)
    ax.plot([0, 1], [0, 1], ":", color="0.5")
    ax.axvline(0.05, color="0.5", lw=0.8)
    ax.set(title=name, xlabel="familiarity")
axes[0].set_ylabel("share of rows below")
axes[0].legend()

# %%
# What is the confidence worth there?
# -----------------------------------
# A warning says that the rows are others, not that the model errs among them.

print(f"{'':>25}  accuracy  confidence")
fig, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
for name, (_, B, there, _, u, v) in places.items():
    points = []
    for place, X, y in (("home", B, u), ("away", there, v)):
        right = np.mean(models[name].predict(X) == y)
        said = told[name, place].confidence
        points.append((said, right))
        print(f"{name:>18}, {place}  {right:8.2f}  {said:10.2f}")
    ax.plot(*zip(*points, strict=True), "-", lw=0.8, color="0.6")
    (home,) = ax.plot(*points[0], "o", label=name)
    ax.plot(*points[1], "x", color=home.get_color())
ax.plot([0.5, 1], [0.5, 1], ":", color="0.5")
ax.set(xlabel="mean confidence", ylabel="accuracy", title="o home, x away")
ax.legend()

# %%
# In the north nearly all homes are unknown; their neighbours disagree more often, and
# the confidence falls, here further than the accuracy. People above 57 are told to be
# others, but what makes them work has changed, and the confidence stays far too high;
# only labels from there would help. Three years later nothing is unknown and nothing
# has changed.
#
# Familiarity is a piece of evidence as well: unknown rows have less confidence where
# they were wrong more often in training. With boosting they mostly were not, and its
# coefficient is zero; a linear model errs on them more.

for name, model in models.items():
    print(f"{name:>18}: familiarity counts {model.correctness_coef_[-1]:.2f}")

# %%
# So the warning is a reason to have rows labelled, no substitute for it, and its
# absence promises nothing about a relation that has changed among familiar rows.

plt.show()
