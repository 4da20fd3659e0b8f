"""
Stream the rows, keep the probabilities honest
==============================================

Rows arrive in blocks, too many to keep. A ridge on random features adds up two matrices
and forgets the rows, except for a small sample, on which the *exact* leave-one-out
errors of the model of all rows are known: for the choice of the ridge, and for
probabilities that were never fitted to their own rows.
"""

# %%
# One pass over blocks
# --------------------
# Handwritten digits in blocks of 200. Two machines see half of the blocks each, and
# their models are merged. The result is that of a single fit.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from sklearn_ext.random_features import (
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
)

X, y = load_digits(return_X_y=True)
X = X / 16
order = np.random.default_rng(0).permutation(len(X))
train, test = order[:1200], order[1200:]
blocks = [train[start : start + 200] for start in range(0, 1200, 200)]

one, two = (RandomFeatureRidgeClassifierCV(512, random_state=0) for _ in range(2))
for block in blocks[:3]:
    one.partial_fit(X[block], y[block], classes=range(10))
for block in blocks[3:]:
    two.partial_fit(X[block], y[block], classes=range(10))
one.merge(two)

given = {"kernel": "relu", "map": "random", "standardize": False}  # as in blocks
whole = RandomFeatureRidgeClassifierCV(512, **given, random_state=0)
whole.fit(X[train], y[train])
gap = np.abs(one.decision_function(X[test]) - whole.decision_function(X[test])).max()
print(
    f"merged against one fit: ridge {one.alpha_:.3g} and {whole.alpha_:.3g}, ", end=""
)
print(f"scores differ by {gap:.0e} at most")
print(f"accuracy on new digits {one.score(X[test], y[test]):.3f}")

# %%
# Probabilities without refits
# ----------------------------
# The scores of a ridge are not probabilities, and its scores on training rows are too
# good to be calibrated on. The usual way out is to fit five times on parts of the data.
# Leave-one-out scores are held out as well, and they are free.

fixed = RandomFeatureRidgeClassifier(512, alpha=whole.alpha_, random_state=0)
peer = CalibratedClassifierCV(fixed, cv=5).fit(X[train], y[train])
for name, model in [("leave-one-out", whole), ("five refits", peer)]:
    print(f"{name:14s} log-loss {log_loss(y[test], model.predict_proba(X[test])):.3f}")

# %%
# Among digits that were given a probability near ``p`` a share of about ``p`` should be
# right.

ax = plt.subplots(layout="constrained")[1]
edges = np.array([0, 0.5, 0.7, 0.85, 0.95, 1.0])
for name, model, marker in [
    ("leave-one-out", whole, "o-"),
    ("five refits", peer, "s--"),
]:
    P = model.predict_proba(X[test])
    sure, right = P.max(axis=1), model.classes_[P.argmax(axis=1)] == y[test]
    bins = np.digitize(sure, edges[1:-1])
    filled = [b for b in range(len(edges) - 1) if (bins == b).sum() >= 5]
    at = [sure[bins == b].mean() for b in filled]
    ax.plot(at, [right[bins == b].mean() for b in filled], marker, label=name)
ax.axline((0.5, 0.5), slope=1, color="0.7")
ax.set(xlabel="probability of the predicted digit", ylabel="share that is right")
ax.legend()
plt.show()

# %%
# Both are right in 98 of 100 cases. Five refits are too modest: their points lie above
# the line, and for most digits they claim less than 95 %. The leave-one-out
# probabilities are above 95 % for nine digits in ten, and nearly always right there;
# each of their other points stands for six to 23 digits, so that little can be
# said of their distance from the line.
