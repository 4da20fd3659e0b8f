"""
When does it pay to stop training?
==================================

Networks are stopped early, on rows that are set aside for it. For the last layer of a
wide network, trained by gradient descent of small steps, the error can be known at
*all* times at once: from data by exact leave-one-out, and before any training from
theory. Advani, Saxe and Sompolinsky [1]_ found that training on does the most harm
where there are as many features as rows. Here is the peak, on real rows.

.. [1] Advani, Saxe and Sompolinsky (2020). "High-dimensional dynamics of generalization
   error in neural networks". Neural Networks 132.
"""

# %%
# Errors over time
# ----------------
# The progress of diabetes in 110 of 442 patients, by random ReLU neurons. The
# eigenvalues of their kernel, and what of the target lies along each, were measured on
# all patients; lines are what theory makes of them, points are trained on 110 rows and
# tested on the others. With 20 neurons there is little to overfit with. With as many
# as rows, training on is ruinous (a little more so than theory says, which is exact
# for Gaussian features). With infinitely many it is bad, but no more than that. And
# whoever stops at the circle is fine with all three.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RidgePathDisplay,
    TrainingTimeDisplay,
    kernel_eigenstructure,
    optimal_stopping,
    overtraining,
    rf_eigenframework,
)

# sphinx_gallery_thumbnail_number = 1

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)
n_rows = 110
model = RandomFeatureRidge(random_state=0).fit(X, y)
TrainingTimeDisplay.from_estimator(
    model, X, y, n_rows=n_rows, widths=[20, n_rows, "infinite"], random_state=0
)
plt.show()

# %%
# The peak
# --------
# The error of endless training over that of the best time, for many widths, and beside
# it the two errors. The peak belongs to endless training alone: at the best time more
# features are better, all the way.

pool = kernel_eigenstructure(model, X, y)
task = pool.eigenvalues, pool.eigencoefs, n_rows
widths = np.array([10, 20, 40, 60, 80, 95, 105, 125, 160, 250, 500, 2000])
best = [optimal_stopping(*task, k, n_pool=pool.n_pool)[1] for k in widths]
endless = rf_eigenframework(*task, widths, n_pool=pool.n_pool).test

_, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
axes[0].plot(widths, endless / best, ".-")
axes[0].set_ylabel("error of endless training / of the best time")
axes[1].plot(widths, endless, ".-", label="endless training")
axes[1].plot(widths, best, ".--", label="best time")
axes[1].set_ylabel("predicted test mean squared error")
axes[1].legend()
for ax in axes:
    ax.axvline(n_rows, color="0.8", zorder=0)
    ax.set(xscale="log", yscale="log", xlabel="number of features (line: of rows)")
plt.show()
for k in (20, n_rows, 2000):
    harm = overtraining(*task, k, n_pool=pool.n_pool)
    print(f"{k:5d} features: endless training costs {harm:.3g} times the best error")

# %%
# The time to stop, without rows set aside
# ----------------------------------------
# ``filter="flow"`` makes a model gradient descent until the time ``1 / alpha``, and
# leave-one-out chooses the time. Each of its errors is what that many trainings, each
# without one row, would have measured; they come from one factorisation.

given = {"kernel": "relu", "map": "random", "standardize": False, "random_state": 0}
train, test = np.split(np.random.default_rng(0).permutation(len(y)), [300])
stopped = RandomFeatureRidgeCV(500, filter="flow", **given).fit(X[train], y[train])
RidgePathDisplay.from_estimator(stopped)
plt.show()
print(f"stop at {stopped.time_:.3g}, leave-one-out error {-stopped.best_score_:.3f}")

# %%
# And does it win?
# ----------------
# Ridge is tuned by the same leave-one-out, from the same grid. The errors lie within
# two percent: early stopping and a ridge are two ways to say nearly the same, and
# neither is better on tables as a rule (the user guide has the figures), so the default
# is the ridge. Stopping is here to be understood, and for those whose model is trained
# by gradient descent anyway.

for name in ("ridge", "flow", "iterated"):
    tuned = RandomFeatureRidgeCV(500, filter=name, **given).fit(X[train], y[train])
    error = np.mean((tuned.predict(X[test]) - y[test]) ** 2)
    print(f"{name:9s} error on {len(test)} new rows {error:.3f}")
