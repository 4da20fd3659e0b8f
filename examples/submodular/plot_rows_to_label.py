"""
Which rows to label?
====================

A thousand pictures of digits have no labels, and somebody can label a few. Random ones
are the usual answer. Exemplars, rows that represent the others, are another; so are the
rows nearest to the centres of KMeans, and rows that are as diverse as possible. We
measure what a classifier learns from each, on pictures that nobody chose from, for
several draws of the pool. Then we label in rounds, where it matters that a selection
can know what is labelled already.
"""

# %%
# Compare where the classifier works
# ----------------------------------
# Pictures are compared as the classifier will see them, by 20 principal components.
# With ``encoder=`` the selector fits these itself and stores the pictures beside, so
# that ``exemplars_`` are pictures that can be shown to a person. A frozen network would
# go the same way, in a ``FrozenEstimator``. The order of selection is greedy: the first
# 10 of 160 exemplars are the ones to label if there is time for 10.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances_argmin

from sklearn_ext.submodular import (
    DynamicSubmodularSelector,
    FacilityLocation,
    LogDet,
    maximize,
)

# sphinx_gallery_thumbnail_number = 1

X, y = load_digits(return_X_y=True)
X = X / 16
draws = []
for seed in range(6):
    order = np.random.default_rng(seed).permutation(len(X))
    pool, rest = order[:1000], order[1000:]
    selector = DynamicSubmodularSelector(160, encoder=PCA(20), random_state=0)
    selector.fit(X[pool])
    draws.append((pool, rest, selector))

fig, axes = plt.subplots(4, 10, figsize=(8, 3.6), layout="constrained")
pool, _, selector = draws[0]
shown = [*selector.exemplars_[:20], *X[pool[:20]]]
for ax, picture in zip(axes.flat, shown, strict=True):
    ax.imshow(picture.reshape(8, 8), cmap="gray_r")
    ax.set(xticks=[], yticks=[])
axes[0, 0].set_title("the first 20 exemplars", loc="left", fontsize=9)
axes[2, 0].set_title("20 random pictures", loc="left", fontsize=9)
digits = {
    "exemplars": len(set(y[pool[selector.selected_ids_[:20]]])),
    "random": len(set(y[pool[:20]])),
}
print("different digits among the 20:", digits)

# %%
# One batch
# ---------
# The same logistic regression is fitted to the labels of each choice. The pool is in
# random order, so that its first rows are the random ones. KMeans runs anew for each
# number of labels; so do exemplars that are exchanged until no exchange helps, by
# :func:`~sklearn_ext.submodular.maximize`. The diverse rows maximise
# :class:`~sklearn_ext.submodular.LogDet`.

budgets = [10, 20, 40, 80, 160]


def accuracy(draw, chosen):
    """Learn from the labels of chosen rows; score on pictures out of the pool."""
    pool, rest, selector = draw
    encode = selector.encoder_.transform
    rows = pool[np.unique(chosen)]
    model = LogisticRegression(C=10, max_iter=1000).fit(encode(X[rows]), y[rows])
    return model.score(encode(X[rest]), y[rest])


def near_centres(Z, k, seed):
    """Choose the rows nearest to the centres of KMeans."""
    centres = KMeans(k, n_init=3, random_state=seed).fit(Z).cluster_centers_
    return pairwise_distances_argmin(centres, Z)


def exchanged(Z, k):
    """Choose exemplars, and exchange them while that helps."""
    return maximize(FacilityLocation(), Z, k, n_swaps=None, random_state=0).indices


scores = {}
for i, draw in enumerate(draws):
    pool, _, selector = draw
    frozen = FrozenEstimator(selector.encoder_)
    diverse = DynamicSubmodularSelector(
        160, LogDet(10.0), encoder=frozen, random_state=0
    ).fit(X[pool])
    Z = frozen.transform(X[pool])
    for j, k in enumerate(budgets):
        choice = {
            "exemplars": selector.selected_ids_[:k],
            "KMeans, nearest rows": near_centres(Z, k, i),
            "diverse": diverse.selected_ids_[:k],
            "random": np.arange(k),
            "exemplars, exchanged": exchanged(Z, k),
        }
        for name, chosen in choice.items():
            values = scores.setdefault(name, np.zeros((len(draws), len(budgets))))
            values[i, j] = accuracy(draw, chosen)


def draw_curves(ax, x, scores):
    """Draw means, and the range over the draws of the pool."""
    styles = ["o-", "s--", "^-.", "x:", "d-"]
    for style, (name, values) in zip(styles, scores.items(), strict=False):
        (line,) = ax.plot(x, values.mean(axis=0), style, label=name)
        low, high = values.min(axis=0), values.max(axis=0)
        ax.fill_between(x, low, high, color=line.get_color(), alpha=0.12, lw=0)
    ax.set(xlabel="labels", ylabel="accuracy on other pictures")
    ax.legend()


fig, ax = plt.subplots(layout="constrained")
draw_curves(ax, budgets, scores)
ax.set_xscale("log")
ax.set_xticks(budgets, budgets)
ax.minorticks_off()


def print_table(columns, scores, against):
    """Print means, and in how many draws each beats one of them."""
    print(f"{'labels':>22}", *(f"{c:>12}" for c in columns))
    for name, values in scores.items():
        wins = (values > scores[against]).sum(axis=0)
        cells = [
            f"{mean:.3f} ({won}/{len(values)})"
            for mean, won in zip(values.mean(axis=0), wins, strict=True)
        ]
        print(f"{name:>22}", *(f"{c:>12}" for c in cells))


print("mean accuracy (draws in which it beats random rows)")
print_table(budgets, scores, "random")

# %%
# With ten to forty labels, exemplars are far ahead of random rows, which miss whole
# digits; with 160 labels less than three points are left of it. Three things do not
# speak for the selector. With ten labels its greedy order, which is what makes every
# beginning useful, costs some points that exchanges win back. *KMeans and the nearest
# rows are as good as exemplars*, and up to forty labels one to three points behind
# exchanged ones: who labels one batch, once, needs little else. And *diverse is not
# representative*: a log determinant seeks the outermost pictures, odd ones, whose
# labels say little about the others.
#
# Rounds
# ------
# Labels come in batches of 20, and each batch should add to those before. Rows that are
# labelled are ``initial``: they are in the set already, and the gains of others are
# counted beyond them. KMeans has no such notion; it gets the rows without a label. The
# usual active learner asks for the rows whose two best classes are closest, the
# *least certain* ones; it has no notion of rows being alike. Both can be combined:
# exemplars among the 200 least certain rows, given the labelled ones, where
# ``forbidden`` bars the rest.

rounds = 6


def by_round(next_rows):
    """Return accuracies after each round; ``next_rows`` chooses 20 more rows."""
    values = np.zeros((len(draws), rounds))
    for i, draw in enumerate(draws):
        pool, _, selector = draw
        frozen = FrozenEstimator(selector.encoder_)
        labelled = np.empty(0, dtype=int)
        for j in range(rounds):
            new = next_rows(pool, frozen, labelled, i)
            labelled = np.concatenate([labelled, new])
            values[i, j] = accuracy(draw, labelled)
    return values


def exemplars(pool, frozen, labelled, seed, barred=None):
    """Choose exemplars beyond the labelled rows."""
    selector = DynamicSubmodularSelector(
        20, encoder=frozen, initial=labelled, forbidden=barred, random_state=0
    )
    return selector.fit(X[pool]).selected_ids_[len(labelled) :]


def kmeans(pool, frozen, labelled, seed):
    """Choose rows near the centres of those without a label."""
    others = np.setdiff1d(np.arange(len(pool)), labelled)
    return others[near_centres(frozen.transform(X[pool[others]]), 20, seed)]


def by_certainty(pool, frozen, labelled):
    """Order the rows by what the classifier is unsure of, labelled ones last."""
    rows = pool[labelled]
    model = LogisticRegression(C=10, max_iter=1000)
    model.fit(frozen.transform(X[rows]), y[rows])
    chances = np.sort(model.predict_proba(frozen.transform(X[pool])), axis=1)
    margin = chances[:, -1] - chances[:, -2]
    margin[labelled] = np.inf
    return np.argsort(margin)


def least_certain(pool, frozen, labelled, seed):
    """Choose what the classifier is least sure of; exemplars at first."""
    if not len(labelled):
        return exemplars(pool, frozen, labelled, seed)
    return by_certainty(pool, frozen, labelled)[:20]


def exemplars_of_uncertain(pool, frozen, labelled, seed):
    """Choose exemplars among uncertain rows, beyond the labelled ones."""
    if not len(labelled):
        return exemplars(pool, frozen, labelled, seed)
    barred = by_certainty(pool, frozen, labelled)[200:]
    return exemplars(pool, frozen, labelled, seed, barred)


def at_random(pool, frozen, labelled, seed):
    """Choose the next rows of the pool, which is in random order."""
    return np.arange(len(labelled), len(labelled) + 20)


chosen_by = {
    "exemplars": exemplars,
    "KMeans, nearest rows": kmeans,
    "least certain": least_certain,
    "random": at_random,
    "exemplars of uncertain": exemplars_of_uncertain,
}
in_rounds = {name: by_round(function) for name, function in chosen_by.items()}

labels = 20 * np.arange(1, rounds + 1)
fig, ax = plt.subplots(layout="constrained")
draw_curves(ax, labels, in_rounds)
ax.set_ylim(0.75, 0.97)

print("mean accuracy (draws in which it beats the least certain rows)")
print_table(labels, in_rounds, "least certain")

# %%
# Now there is a difference to KMeans: its later batches repeat what is known, and after
# six of them it is no better than random rows. The least certain rows come in groups
# that resemble each other; exemplars that know what is labelled lead them by one to two
# and a half points, and by less at the end, when what the classifier is unsure of may
# matter more than what is not yet covered. Exemplars among the uncertain rows are about
# as good as exemplars of all, or a point better. So take KMeans if one batch is all
# that will be labelled, and exemplars with ``initial`` if more batches follow.

plt.show()
