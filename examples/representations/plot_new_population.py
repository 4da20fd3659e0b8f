"""
Labels from another population
==============================

Every picture of one collection has a label. Another collection shows the same things in
another style of drawing, and only a few of its pictures have one. What should be learnt
from which rows?
"""

# %%
# Emoji by two vendors, as a frozen network sees them. Without the packages of the
# pictures the story is told on handwritten digits: sharp at first, then as a shaky
# camera sees them.

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sklearn_ext.representations import PretrainedClassifier

try:
    from benchmarks.representations_data import emoji

    (X, y), (Z, z) = emoji("google"), emoji("twitter")
    # 1,280 columns say little more than their first 100 components, in a tenth of time
    turn = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:100].T
    X, Z = X @ turn, Z @ turn
    styles, wide = ("Google", "Twitter"), True
except ImportError:
    X, y = load_digits(return_X_y=True)
    pictures = X.reshape(-1, 8, 8)
    Z = gaussian_filter(np.roll(pictures, 1, axis=2), (0, 0.7, 1.2)).reshape(X.shape)
    z, styles, wide = y, ("sharp", "shaken"), False  # pixels share a unit

# %%
# Half of the things are shown in both styles, the other half is new: the same picture
# in the other style must not be the answer.

rng = np.random.default_rng(0)
order = rng.permutation(len(y))
shown, new = order[: len(order) // 2], order[len(order) // 2 :]
scaler = StandardScaler(with_std=wide).fit(X[shown])
A, B, C = (scaler.transform(rows) for rows in (X[shown], Z[shown], Z[new]))
kept = X[shown].std(axis=0) > 0
A, t, B, u, C, v = A[:, kept], y[shown], B[:, kept], z[shown], C[:, kept], z[new]


def few_of(u, n_labels, seed):
    """Leave some labels of each class, and mark the rest by -1."""
    draw = np.random.default_rng(seed).permutation(len(u))
    few = np.full(len(u), -1)
    for label in np.unique(u):
        few[draw[u[draw] == label][:n_labels]] = label
    return few


# %%
# Four ways
# ---------
# The model of the first style, as it is. The few labels of the second style alone, with
# views of its rows. Both labels together, in one fit with all rows in the views. And
# the same, where a label of the second style weighs more.


def ways(few, seed):
    """Return what each way says of new pictures in the second style."""
    known = few >= 0
    both, labels = np.vstack([A, B]), np.r_[t, few]
    weight = np.ones(len(labels))
    weight[len(t) :][known] = len(t) / known.sum() / 4
    model = PretrainedClassifier(standardize=False, random_state=seed)
    return {
        "the new labels alone": model.fit(B, few).score(C, v),
        "pooled": model.fit(both, labels).score(C, v),
        "pooled, new ones weighted": model.fit(both, labels, weight).score(C, v),
    }


old = LogisticRegression(C=0.01, max_iter=300).fit(A, t)
print(f"{styles[0]} model: {old.score(A, t):.2f} at home, {old.score(C, v):.2f} away")

sizes, curves = (2, 4, 8, 16), {}
for n_labels in sizes:
    draws = [ways(few_of(u, n_labels, seed), seed) for seed in range(3)]
    for name in draws[0]:
        curves.setdefault(name, []).append(np.mean([d[name] for d in draws]))

fig, ax = plt.subplots(layout="constrained")
ax.axhline(old.score(C, v), ls="--", color="0.35", label=f"{styles[0]} model as it is")
for (name, scores), style in zip(curves.items(), ("s:", "o-", "^-."), strict=True):
    ax.plot(sizes, scores, style, label=name)
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, [str(size) for size in sizes])
ax.set_xlabel(f"labels of each class in the style of {styles[1]}")
ax.set_ylabel("accuracy on new pictures in that style")
ax.legend()

# %%
# Rows without labels do not move a population
# --------------------------------------------
# Nothing but the rows of the second style in the views, and all labels from the first:
# what the views learn from new rows makes next to no difference. A row without a label
# says where rows are, not what they are called there.

for name, rows, labels in (
    ("the first style", A, t),
    ("both styles", np.vstack([A, B]), np.r_[t, np.full(len(u), -1)]),
):
    model = PretrainedClassifier(standardize=False, random_state=0).fit(rows, labels)
    print(f"views of rows in {name}: {model.score(C, v):.3f}")
plt.show()
