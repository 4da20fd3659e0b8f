"""
Which of six land covers? A campaign before it begins
=====================================================

Pixels of a satellite, six covers of the land. Suppose that nobody had labelled them:
for each pixel we may claim one cover, and are told whether the claim was right, nothing
else. Would a bandit have learnt it, at what price, and what can its log tell of a
policy that nobody has tried?
"""

# %%
# A table with labels becomes a world in which the right label earns one. The table
# ships inside a package of data (``benchmarks/real_data.txt``); without it handwritten
# digits take its place.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier

from sklearn_ext.bandits import (
    ExplorationDisplay,
    RegretDisplay,
    RidgeBandit,
    make_bandit_from_classification,
    simulate,
)

# sphinx_gallery_thumbnail_number = 1

try:
    from benchmarks.real_data_readers import keel

    table = keel("satimage")
    X, y = table.iloc[:, :-1].to_numpy(float), table["class"].astype(str).to_numpy()
except ImportError:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
rows = np.random.default_rng(0).permutation(len(X))
campaign, later = rows[:3000], rows[3000:]
problem = make_bandit_from_classification(X[campaign], y[campaign])

# %%
# Four policies
# -------------
# Each decides batches of fifty pixels and learns after each batch. The default puts
# random waves beside the columns and explores as little as it can afford. One gives
# every cover at least two per cent, so that its log can judge policies that are unlike
# it; one does without the waves; and one draws at random.

policies = {
    "default": RidgeBandit(),
    "2 % each": RidgeBandit(min_probability=0.02),
    "no waves": RidgeBandit(feature_map=None),
    "at random": DummyClassifier(strategy="uniform").fit(problem.X, y[campaign]),
}
runs = {
    name: simulate(policy, problem, batch_size=50, n_repeats=2, random_state=0)
    for name, policy in policies.items()
}
for name, run in runs.items():
    print(f"{name:12} wrong claims: {run.mean_regret.mean():.3f} of all")
RegretDisplay.from_runs(runs)
ExplorationDisplay.from_run(runs["default"])
plt.show()

# %%
# What the log knows
# ------------------
# A log has the claim, what came back, and the probability with which the claim was
# drawn. A fifth policy was never used: a forest that is fitted to the claims that were
# right. Its self-normalised value, the rewards of the rows where it would have said the
# same, each divided by its propensity, can be read off the log. Because the pixels are
# labelled, we can look up the truth.

for name in ("default", "2 % each"):
    log = runs[name].log().query("repeat == 0")
    seen = problem.X[log["row"]]
    half = len(log) // 2  # the policy is made from one half, and judged on the other
    right = (log["reward"] == 1).to_numpy() & (np.arange(len(log)) < half)
    forest = RandomForestClassifier(100, random_state=0)
    forest.fit(seen[right], log["action"][right])

    judge = log.iloc[half:]
    same = forest.predict(seen[half:]) == judge["action"]
    weight = same / judge["propensity"]
    value = (weight * judge["reward"]).sum() / weight.sum()
    error = np.sqrt((weight**2 * (judge["reward"] - value) ** 2).sum()) / weight.sum()
    truth = np.mean(forest.predict(X[later]) == y[later])
    print(f"{name:9} value on the log {value:.3f}, standard error {error:.3f}")
    print(f"{name:9} share of right claims later {truth:.3f}")

# %%
# The log of the default flatters the forest by more than its standard error admits:
# where the two disagree, the bandit was so sure that it hardly ever tried the forest's
# claim, and mostly the rows in which both agree are left, which are the easy ones. The
# log with two per cent for everything has seen some of the disagreements, and its wider
# error says how few. What this costs while learning is in the first table; it is the
# price of being able to judge.
