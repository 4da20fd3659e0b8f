"""
Ten ways of helping, looked at again and again
==============================================

A school board tries ten ways of helping pupils before an examination: each pupil gets
one, drawn at random, and 150 pupils sit it every day. People keep looking at the
numbers and want to stop as soon as one way is better. How often does that fool them
where nothing helps, and how long does it take where something does?
"""

# %%
# Pupils, and what helps them
# ---------------------------
# Scores of pupils in chemistry, with their age, sex and earlier scores; the table ships
# inside a package of data (``benchmarks/real_data.txt``), without it pupils are drawn.
# What each way of helping does is made up: eight do nothing at all, the ninth adds four
# points to the score of pupils whose earlier score was low, the tenth to that of the
# others. To pass, eight points are needed.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_ext.bandits import RidgeBandit, compare_policies

try:
    from benchmarks.real_data import load

    bunch = load("chem97")
    X = pd.get_dummies(bunch.data, drop_first=True).to_numpy(dtype=float)
    score = np.asarray(bunch.target, dtype=float)
except ImportError:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(31_022, 3))
    score = np.clip(6 + 2.2 * X[:, 1] + 2 * rng.normal(size=len(X)), 0, 10).round()
DAYS, PUPILS, WAYS = 60, 150, 10
weak = X[:, 1] < np.median(X[:, 1])


def examination(seed, points):
    """Return pupils, the way that each was helped, and who passed."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(X), DAYS * PUPILS, replace=False)
    way = rng.integers(0, WAYS, len(rows))
    right = np.where(weak[rows], WAYS - 2, WAYS - 1)
    return rows, way, (score[rows] + points * (way == right) >= 8).astype(float)


def first_alarm(log, target, interval):
    """Return the first evening on which the lower end exceeds zero, or none."""
    for day in range(5, DAYS + 1, 5):
        seen = slice(day * PUPILS)
        found = compare_policies(
            *(part[seen] for part in log), target[seen], interval=interval
        )
        if found.lower > 0:
            return day
    return None


# %%
# Nothing helps
# -------------
# Twenty examinations in which all ten ways are alike. Every fifth evening each way is
# compared with the mean of all, by the usual interval and by the one that holds at
# every row.

alarms = {"normal": 0, "betting": 0}
for seed in range(20):
    rows, way, passed = examination(seed, 0.0)
    log = way, passed, np.full(len(way), 1 / WAYS)
    for interval in alarms:
        ways = (np.full(len(way), k) for k in range(WAYS))
        alarms[interval] += any(first_alarm(log, k, interval) for k in ways)
for interval, number in alarms.items():
    print(f"{interval:8} some way was called better in {number} of 20 examinations")

# %%
# Ten ways and twelve looks are a hundred and twenty chances to be fooled. The betting
# interval needs no correction for the looks, however many there are; for the ten ways
# it would, like any other: at 95 % each way may wrongly be called better in one of
# forty examinations at most.

# %%
# Two ways help
# -------------
# Now the last two help, each of them one half of the pupils. A policy that knows whom
# to give which was not part of the plan; but any policy can be judged on a log with
# propensities, also one that a bandit learns from the first twenty days and that is
# judged on the days after.

rows, way, passed = examination(0, 4.0)
start = 20 * PUPILS
learnt = RidgeBandit(random_state=0)
learnt.fit(X[rows[:start]], way[:start], reward=passed[:start])
later = slice(start, None)
log = way[later], passed[later], np.full(len(way) - start, 1 / WAYS)
policies = {
    "the first way for all": np.zeros(len(rows) - start, dtype=int),
    "the tenth way for all": np.full(len(rows) - start, WAYS - 1),
    "what the bandit learnt": learnt.predict(X[rows[later]]),
}
fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharey=True, layout="constrained")
evenings = np.arange(5, DAYS - 20 + 1)
for ax, (name, target) in zip(axes, policies.items(), strict=True):
    for interval, tone in (("normal", "0.55"), ("betting", "C0")):
        found = [
            compare_policies(
                *(part[: PUPILS * day] for part in log),
                target[: PUPILS * day],
                interval=interval,
            )
            for day in evenings
        ]
        ends = np.array([[one.lower, one.upper] for one in found])
        style = {"color": tone, "ls": "--" if interval == "normal" else "-"}
        ax.plot(evenings, ends[:, 0], label=f"{interval} interval", **style)
        ax.plot(evenings, ends[:, 1], **style)
        sure = evenings[ends[:, 0] > 0]
        when = f"first on evening {sure[0]}" if len(sure) else "never"
        print(f"{name:24} {interval:8} better than drawing: {when}")
    ax.plot(evenings, [one.value for one in found], color="k", lw=1, label="estimate")
    ax.axhline(0, color="0.8", lw=1, zorder=0)
    ax.set(title=name, xlabel="evenings", ylim=(-0.5, 0.5))
axes[0].set_ylabel("gain over drawing at random")
axes[0].legend(loc="lower right", fontsize="small")

# %%
# The price of looking whenever one likes is a band that is about twice as wide. Where a
# way helps half of the pupils, the usual interval would have said so weeks earlier; but
# it says so where nothing helps, too. What was learnt for each pupil is far better than
# any single way, and both intervals know it at the first look.
