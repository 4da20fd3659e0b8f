"""
What can be promised about new rows, without a test set?
========================================================

A bank wants a small tree that foretells which applications for a card are approved, and
has a few hundred decided ones. Test rows cost training rows. But all trees that are
nearly as good as the best one can vouch for each other: if they are a large share of
all trees that could have been, training can hardly have picked them by luck. The
theorem of PAC-Bayes turns this share, the Rashomon ratio, into a bound of the mean
error of the set on new rows. Here we look at what it is worth, beside a test set.

The applications are the Australian ones of the UCI repository.
"""

# %%
# Cuts that have not seen the rows
# --------------------------------
# The theorem speaks of trees that were there before the rows came. Quantiles of the
# training rows would break it, so the cuts come from other applications, whose outcome
# is not needed. Two in five serve as these; in the end their outcomes tell how far the
# bound is from the truth.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.tree import DecisionTreeClassifier

from benchmarks.real_data import load
from sklearn_ext.rashomon import (
    RashomonTreeClassifier,
    pac_bayes_bound,
    thresholds_from,
)

# sphinx_gallery_thumbnail_number = 1

cards = load("australian")
X = pd.get_dummies(cards.data, dtype=float).to_numpy()
y = (np.asarray(cards.target) == np.unique(cards.target)[-1]).astype(int)
order = np.random.default_rng(0).permutation(len(X))
own, other = order[:414], order[414:]
cuts = thresholds_from(X[other])

trees = RashomonTreeClassifier(2, thresholds=cuts, random_state=0).fit(X[own], y[own])
found = trees.generalization_bound()
print(f"All {len(own)} rows: mean error of the set at most {found.bound:.3f}")
print(f"at theta {found.theta:.3f}, {found.bits:.1f} bits away from the prior.")
gibbs = trees.generalization_bound(posterior="gibbs")
print(f"Weighted by exp(-{gibbs.beta:.2f} errors): at most {gibbs.bound:.3f}.")

# %%
# Which set?
# ----------
# A small set is good on the training rows, but a small share of all trees; a large one
# the other way round. The bound has its least value between the two, and since the
# theorem holds for all sets at once, looking for it costs no confidence.

thetas = np.linspace(0, 0.12, 25)
bounds = [trees.generalization_bound(theta) for theta in thetas]


def error_elsewhere(theta):
    """Mean error of the set on the other rows, exactly."""
    trees.set_params(theta=theta).fit(X[own], y[own])
    share = trees.vote_share(X[other])
    return 1 - share[np.arange(len(other)), y[other]].mean()


elsewhere = [error_elsewhere(theta) for theta in thetas]
ax = plt.subplots()[1]
ax.plot(thetas, [b.bound for b in bounds], label="certificate, 95 %")
ax.plot(thetas, elsewhere, "--", label="on other rows")
ax.plot(thetas, [b.mean_loss for b in bounds], ":", label="on training rows")
ax.axvline(found.theta, color="0.7", linewidth=1, zorder=0)
ax.set_xlabel(r"slack $\theta$")
ax.set_ylabel("mean error of the set")
ax.set_ylim(0, 0.35)
ax.legend(loc="lower right")

# %%
# Beside a test set
# -----------------
# The usual way keeps a fifth of the rows to test a tree that was fitted to the others.
# With few rows the test set is small and its limit wide, and the certificate, which
# uses all rows, is ahead; with many it falls behind, since it also pays for the search.


def held_out(rows, seed):
    """Limit for a greedy tree of depth two that a fifth of the rows tests."""
    part = len(rows) * 4 // 5
    tree = DecisionTreeClassifier(max_depth=2, random_state=seed)
    tree.fit(X[rows[:part]], y[rows[:part]])
    wrong = int((tree.predict(X[rows[part:]]) != y[rows[part:]]).sum())
    return stats.beta.ppf(0.95, wrong + 1, len(rows) - part - wrong)


sizes, repeats = [50, 80, 120, 200, 300, 414], 30
both = np.empty((2, len(sizes), repeats))
for i, n in enumerate(sizes):
    for seed in range(repeats):
        rows = np.random.default_rng(seed).permutation(own)[:n]
        clf = RashomonTreeClassifier(2, thresholds=cuts, theta=0.12, n_members=1)
        both[0, i, seed] = clf.fit(X[rows], y[rows]).generalization_bound().bound
        both[1, i, seed] = held_out(rows, seed)
ax = plt.subplots()[1]
for limits, name, style in zip(
    both, ("certificate", "held-out fifth"), ("-", "--"), strict=True
):
    ax.plot(sizes, limits.mean(axis=1), style, marker="o", label=name)
majority = min(y.mean(), 1 - y.mean())
ax.axhline(majority, color="0.7", linewidth=1, zorder=0)
ax.annotate("error of the majority class", (200, majority + 0.005), color="0.4")
ax.set_xlabel("rows")
ax.set_ylabel("limit of the error, 95 %")
ax.legend()
plt.show()

# %%
# Which depth?
# ------------
# A choice among spaces does cost something, though little: with three depths the
# confidence is shared by three. Here the promise is nearly the same for all of them:
# what the deeper trees gain in error they lose in bits.

for depth in (1, 2, 3):
    clf = RashomonTreeClassifier(depth, thresholds=cuts, n_members=1)
    best = clf.fit(X[own], y[own]).generalization_bound()
    shared = pac_bayes_bound(
        -best.bits * np.log(2), best.mean_loss, len(own), delta=0.05, n_choices=3
    )
    print(f"depth {depth}: error on training rows {best.mean_loss:.3f}, ", end="")
    print(f"{best.bits:4.1f} bits, bound {shared:.3f}")

# %%
# What it does not say
# --------------------
# The bound is about the mean over the set, and about rows that are drawn like the
# training rows, one independently of the other: not about other years, and not about
# one person. The majority vote of the set errs at most twice as often, which is rarely
# worth printing. Where there are thousands of rows, keep some of them for a test.

print(f"Vote of the whole set: at most {found.vote_bound:.3f}")
