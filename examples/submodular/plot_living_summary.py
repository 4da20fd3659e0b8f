"""
A summary that stays good while rows come and go
================================================

Handwritten digits arrive writer by writer, and only the last 900 are kept: every step
one image comes and the oldest goes. We keep 20 of the living images as a summary. After
each update we read it, and now and then we solve the whole window anew to see what the
summary is worth, and what that costs. Then we ask what a classifier learns from the
summary when only those 20 images get a label.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from sklearn_ext.submodular import (
    DynamicSubmodularSelector,
    FacilityLocation,
    SelectionCurveDisplay,
    UpdateTraceDisplay,
    maximize,
)

X, y = load_digits(return_X_y=True)  # in the order of the writers
X = X / 16
window, n_select = 900, 20

# %%
# The stream
# ----------
#
# The reference set, the images that are to be represented, is drawn from the first
# window and stays fixed. ``refine="pool"`` makes an answer from the sets that the
# engine keeps and 200 random images, never from all.

selector = DynamicSubmodularSelector(
    n_select, refine="pool", pool_size=200, random_state=0
).fit(X[:window])
trace = {"calls": [], "seconds": [], "certificate": [], "share of a re-run": []}
changes, rerun_seconds, share = [], [], np.nan
accuracy = {"summary": [], "random": []}
rng = np.random.default_rng(0)

for step, new in enumerate(range(window, len(X))):
    calls, start = selector.n_oracle_calls_, time.perf_counter()
    selector.update((X[new][None], [new]), forget=[new - window])
    trace["seconds"].append(time.perf_counter() - start)
    trace["calls"].append(selector.n_oracle_calls_ - calls)
    trace["certificate"].append(selector.certificate_)
    changes.append(selector.n_changes_)
    if step % 50 == 0:
        living = X[selector.active_ids_]
        coordinates = selector.objective_model_.represent(living)
        start = time.perf_counter()
        again = maximize(FacilityLocation("precomputed"), coordinates, n_select)
        rerun_seconds.append(time.perf_counter() - start)
        share = selector.objective_ / again.value
        # 20 labels: those of the summary, or of 20 random images
        ids = selector.active_ids_
        for name in accuracy:
            scores = []
            for _ in range(1 if name == "summary" else 10):
                rows = (
                    selector.selected_ids_
                    if name == "summary"
                    else rng.choice(ids, n_select, replace=False)
                )
                model = LogisticRegression().fit(X[rows], y[rows])
                rest = np.setdiff1d(ids, rows)
                scores.append(model.score(X[rest], y[rest]))
            accuracy[name].append(np.mean(scores))
    trace["share of a re-run"].append(share)

# %%
# Most updates look at a few dozen gains; the peaks are rebuilds. The certificate is
# what is *proven* without looking at all images: the share of a re-run's value shows
# how much better the summary really is.

trace["calls"] = np.maximum(trace["calls"], 1)  # for the log scale
display = UpdateTraceDisplay.from_trace(trace)
display.axes_[1].axhline(np.median(rerun_seconds), ls="--", color="k")
display.axes_[1].set_title("dashed: solving anew", fontsize=9)
display.figure_.tight_layout()

print(f"update, median: {1e3 * np.median(trace['seconds']):.2f} ms")
print(f"update, mean: {1e3 * np.mean(trace['seconds']):.2f} ms")
print(f"solving anew: {1e3 * np.median(rerun_seconds):.2f} ms")
print(f"least share of a re-run's value: {np.nanmin(trace['share of a re-run']):.3f}")
print(f"changed images per update: {np.mean(changes):.2f} of {n_select}")

# %%
# What a classifier gains
# -----------------------
#
# A random set has near copies and misses digits. With 20 labels this costs several
# points of accuracy on the other images of the window.

fig, ax = plt.subplots()
ax.plot(accuracy["summary"], "o-", label="labels of the summary")
ax.plot(accuracy["random"], "s:", color="0.4", label="20 random labels, mean of 10")
ax.set(xlabel="Every 50th update", ylabel="Accuracy on the rest of the window")
ax.legend()
print({name: round(float(np.mean(values)), 3) for name, values in accuracy.items()})

# %%
# Value by size
# -------------
#
# Random sets reach a large part of the value, as always with facility location:
# compare with them, not with zero.

SelectionCurveDisplay.from_estimator(selector)
plt.show()
