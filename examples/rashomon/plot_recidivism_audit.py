"""
Who would get a different answer from an equally good tree?
===========================================================

A court may use a small decision tree to foretell whether somebody will be charged
again. Suppose that the best tree of depth three has been found. It is not alone: other
trees are as good, or as good for every practical purpose, and they do not all say the
same about everybody. Here we count them, without enumerating a single one, and find the
people whose answer depends on the choice.

The data are those that ProPublica collected on 6172 defendants in Broward County.
"""

# %%
# The set
# -------
# Ten yes-or-no features give ten splits; two of them are equal here, since nobody is
# under 18, and trees that differ in them only count twice. A tree of depth three makes
# seven splits and labels eight leaves. "As good" shall mean at most half a point of
# accuracy below the best. The ratio is the share of all such trees that are as good; it
# is exact, and so is their number.

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.real_data import load
from sklearn_ext.rashomon import (
    MultiplicityDisplay,
    RashomonCurveDisplay,
    RashomonRatioDisplay,
    RashomonTreeClassifier,
    VariableImportanceCloudDisplay,
    rashomon_curve,
)

# sphinx_gallery_thumbnail_number = 2

people = load("compas_binary")
X, y = people.data.astype(float), np.asarray(people.target).astype(int)
trees = RashomonTreeClassifier(
    max_depth=3, theta=0.005, split_prior="split", exact_counts=True, random_state=0
).fit(X, y)
print(trees.summary())
print(f"{trees.count_:,} trees are as good as the best one, which says:\n")
print(trees.best_.to_text())

# %%
# One fit answers for every smaller slack as well (left). On the right are spaces of
# trees from depth zero to three: the first split removes most of the risk, and each
# further level makes the set a smaller share of its space. The star marks the elbow,
# by our rule; the audit goes on with depth three, as the court would.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
RashomonRatioDisplay.from_estimator(trees, ax=left)
curve = rashomon_curve(
    RashomonTreeClassifier(n_members=10, random_state=0),
    X,
    y,
    param_range=[0, 1, 2, 3],
    theta=0.005,
    cv=3,
)
_ = RashomonCurveDisplay(curve=curve).plot(right)

# %%
# Do they agree?
# --------------
# For every person the share of all trees in the set that foretell a new charge is exact
# too. Where it is neither zero nor one, some equally good tree decides otherwise. That
# is possible for many; the number of people on whom *one* tree differs from the best is
# smaller.

share = trees.vote_share(X)[:, 1]
best = trees.best_.predict(X.to_numpy())
print(f"ambiguity:   {trees.ambiguity(X):.1%} of the people, over all trees")
print(f"discrepancy: {trees.discrepancy(X):.1%} of the people, for one tree")
_ = MultiplicityDisplay.from_estimator(trees, X)

# %%
# What may a good tree rely on?
# -----------------------------
# Permuting a feature costs a tree accuracy if the tree relies on it. Each bar spans
# the least and the most that any tree of the set relies on the feature. A bar that
# starts above zero is a feature that no good tree can do without.
# ``age18-20`` equals ``age<21`` here. A tree may take either, so both have the same
# bar: a copy is not hidden, but it lets every tree do without the original.

_ = VariableImportanceCloudDisplay.from_estimator(trees, X, y)

# %%
# The choice of the tree also moves the rates of groups. The range below is over all
# trees in the set: nobody need give up accuracy for either end of it.

groups = load("compas").data["race"].to_numpy()
group = groups == "African-American"
low, high = trees.parity_range(X, group)
gap = best[group].mean() - best[~group].mean()
print("African-American rate of positive answers minus the rate of the others:")
print(f"best tree {gap:.3f}, equally good trees from {low:.3f} to {high:.3f}")

# %%
# Who would get a different answer?
# ---------------------------------
# At last the people themselves: profiles about which the equally good trees are most
# divided, with the answer of the best tree, the share of the others that contradict it,
# and how many people share the profile.

profiles, place, count = np.unique(
    X.to_numpy(), axis=0, return_inverse=True, return_counts=True
)
first = np.array([np.flatnonzero(place == i)[0] for i in range(len(profiles))])
against = np.where(best[first] == 1, 1 - share[first], share[first])
divided = np.argsort(-np.minimum(against, 1 - against) * np.sqrt(count))[:8]
print("people  best tree  contradicted by  reoffended  profile")
for i in divided:
    named = [n for n, v in zip(X.columns, profiles[i], strict=True) if v]
    print(
        f"{count[i]:6d}  {best[first[i]]:9d}  {against[i]:15.1%}  "
        f"{y[place == i].mean():10.1%}  {', '.join(named)}"
    )
changed = np.minimum(share, 1 - share) > 0.05
print(
    f"\n{changed.mean():.1%} of the people ({changed.sum()}) get another answer from "
    "at least one in twenty of the trees that are as good as the best one."
)

# %%
# For most people the choice of the tree does not matter. For those 211 it does, and the
# data cannot say which tree is right: such a decision should not rest on the tree, or
# should at least come with the share of equally good trees that contradict it.
