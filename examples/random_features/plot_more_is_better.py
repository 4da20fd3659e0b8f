"""
What would another thousand rows buy?
=====================================

A model is fitted, its ridge is chosen, its error is known. Then come the questions that
cost money. Would more rows help? More features? Is the ridge too strong? For ridge
regression on random features a theory [1]_ answers them from one eigenvalue problem.
Here it is put to the test on handwritten digits: it forecasts, then we measure.

.. [1] Simon, Karkada, Ghosh and Belkin (2024). "More is better in modern machine
   learning: when infinite overparameterization is optimal and overfitting is
   obligatory". ICLR.
"""

# %%
# Tune without refits
# -------------------
# The task is to tell odd from even digits. The model sees 800 of the 1797 pictures.
# One factorisation gives the exact leave-one-out error of every ridge of the grid.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_ext.random_features import (
    EigenspectrumDisplay,
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RFLearningCurveDisplay,
    RidgePathDisplay,
    kernel_eigenstructure,
    rf_eigenframework,
    scaling_report,
)

# sphinx_gallery_thumbnail_number = 3

X, digit = load_digits(return_X_y=True)
X, y = X / 16, np.where(digit % 2, 1.0, -1.0)
order = np.random.default_rng(0).permutation(len(X))
train, test = order[:800], order[800:]

# the theory below is of independent neurons, so these are asked for
neurons = {"kernel": "relu", "map": "random", "standardize": False}
model = RandomFeatureRidgeCV(**neurons, random_state=0).fit(X[train], y[train])
error = np.mean((model.predict(X[test]) - y[test]) ** 2)
print(f"ridge {model.alpha_:.2g}, leave-one-out error {-model.best_score_:.3f}")
print(f"error on {len(test)} new rows {error:.3f}")
print(f"no ridge at all would cost {model.overfitting_cost_:.1f} times the error")

# %%
# The training error (dotted) keeps falling where the held-out error turns. Generalised
# cross-validation (dashed) follows leave-one-out, except close to interpolation. On the
# right the same errors over the *fitting ratio*, training error over test error: the
# best model fits its training rows much more closely than new ones.

_, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
RidgePathDisplay.from_estimator(model, ax=axes[0])
RidgePathDisplay.from_estimator(model, x="fitting_ratio", ax=axes[1])
for ax in axes:
    ax.set_ylim(1e-3, 3)

# %%
# Intervals that hold
# -------------------
# The same leave-one-out residuals give intervals that hold on new rows.

for level in (0.5, 0.9):
    low, high = model.predict_interval(X[test], confidence_level=level).T
    inside = np.mean((low <= y[test]) & (y[test] <= high))
    print(f"promised {level:.0%}, found {inside:.1%}")

# %%
# The task in two spectra
# -----------------------
# All the theory needs are the eigenvalues of the kernel on a pool of rows, and the
# coefficients of the target on its eigenvectors. Both fall roughly as powers.

_ = EigenspectrumDisplay.from_estimator(model, X, y)

# %%
# Forecast, then measure
# ----------------------
# The lines are predictions from these spectra, the points measurements: fits to five
# random subsets of each size, tested on the rest. No line was fitted to a point.

fixed = RandomFeatureRidge(400, alpha=0.3, random_state=0).fit(X[train], y[train])
curve = RFLearningCurveDisplay.from_estimator(
    fixed, X, y, ridges=[3e-3], n_grid=[50, 100, 200, 400, 800], random_state=0
)
gap = curve.predicted["alpha=0.3"] / curve.measured.mean(axis=0) - 1
print("relative difference by size:", np.round(gap, 3))

# %%
# The same for the width, with 200 rows. With next to no ridge the error peaks where
# there are as many features as rows; with a better ridge more features only help. The
# theory knows both, and where to trust it shows here too: with the better ridge it is
# within 8 % from a hundred features on, with the tiny one it finds the place of the
# peak and is off by up to a half.

pool = kernel_eigenstructure(fixed, X, y)
widths = np.array([50, 100, 200, 400, 800, 1600])
# at the peak some predictions leave the range of the targets, and say so
warnings.filterwarnings("ignore", ".*beyond the training targets")
n = 200
ax = plt.subplots(layout="constrained")[1]
for alpha, colour in [(1e-5, "C0"), (0.01, "C1")]:
    fine = np.geomspace(40, 2000, 60)
    point = rf_eigenframework(
        pool.eigenvalues, pool.eigencoefs, n, fine, alpha, n_pool=pool.n_pool
    )
    style = "--" if alpha < 0.01 else "-"
    ax.plot(fine, point.test, style, color=colour, label=f"predicted, alpha={alpha:g}")
    measured = []
    for seed in range(5):
        rows = np.random.default_rng(seed).permutation(len(X))
        for k in widths:
            one = RandomFeatureRidge(int(k), alpha, random_state=seed)
            one.fit(X[rows[:n]], y[rows[:n]])
            measured.append(np.mean((one.predict(X[rows[n:]]) - y[rows[n:]]) ** 2))
    measured = np.reshape(measured, (5, -1)).mean(axis=0)
    marker = "s" if alpha < 0.01 else "o"
    ax.plot(widths, measured, marker, color=colour, label=f"measured, alpha={alpha:g}")
ax.set(xscale="log", yscale="log", xlabel="features", ylabel="test mean squared error")
ax.set_xticks(widths, widths)
ax.set_yticks([0.2, 0.3, 0.5, 1.0], ["0.2", "0.3", "0.5", "1"])
ax.minorticks_off()
_ = ax.legend()

# %%
# So, what to buy?
# ----------------
# The report lists the error at the best ridge, and the share of it that twice the rows
# or twice the features would remove. With 200 rows and 400 features the next pictures
# remove more than twice what the next features do. With 400 rows and 100 features it is
# the other way round: more features, which need no labels, are the better buy.

report = scaling_report(fixed, X, y, n_grid=[100, 200, 400], k_grid=[100, 400, 1600])
print("  rows  features  error  twice the rows  twice the features")
for i, rows in enumerate(report.n_grid):
    for j, k in enumerate(report.k_grid):
        gain, other = report.gain_of_rows[i, j], report.gain_of_features[i, j]
        error = report.error[i, j]
        print(f"{rows:6d} {k:9d} {error:6.3f} {-gain:15.0%} {-other:19.0%}")
plt.show()
