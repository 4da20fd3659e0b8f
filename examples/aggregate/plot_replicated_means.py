"""
The trap of replicated means
============================

The response is known as a mean of five rows. Giving this mean to every row as its label
looks harmless, lets every tool run, and destroys the model. So does a grid search whose
score takes the replicated means at face value.
"""

# %%
# Six hundred rows, forty features, one signal
# --------------------------------------------
import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.model_selection import GridSearchCV

from sklearn_ext.aggregate import (
    BagKFold,
    InterpolatingAggregateRegressor,
    RiskCurveDisplay,
    make_bags,
    optimal_rho,
)

# sphinx_gallery_thumbnail_number = 1

rng = np.random.default_rng(0)
X, coef = rng.normal(size=(600, 40)), rng.normal(size=40)
coef /= np.linalg.norm(coef)
bags = make_bags(600, 5, random_state=0)
y = X @ coef + 0.7 * rng.normal(size=600)
y = (np.bincount(bags, y) / 5)[bags]  # all that we get to see

# %%
# Two searches over the same grid
# -------------------------------
# With metadata routing the search passes bags on: no bag is cut, and models are scored
# on bag means.
grid = {"rho": [0.0, 0.03, 0.1, 0.3, 1.0], "alpha": [0.1, 1, 10, 100, 1000]}
model = InterpolatingAggregateRegressor()
naive = GridSearchCV(model, grid, cv=5).fit(X, y, bags=bags)
with sklearn.config_context(enable_metadata_routing=True):
    aware = GridSearchCV(model, grid, cv=BagKFold(5)).fit(X, y, bags=bags)
for name, search in [("replicated means", naive), ("bag means", aware)]:
    risk = np.sum((search.best_estimator_.coef_ - coef) ** 2)
    print(f"scored on {name}: {search.best_params_}, excess risk {risk:.2f}")

# %%
# What theory says
# ----------------
# First the slopes of both winners beside the true ones, then the excess risk over
# ``rho``, without a ridge: bias grows, variance falls, and the best weight is in
# between.
ax = plt.subplots()[1]
ax.plot(coef, naive.best_estimator_.coef_, "x", label="scored on replicated means")
ax.plot(coef, aware.best_estimator_.coef_, ".", label="scored on bag means")
ax.axline((0, 0), slope=1, color="grey", lw=1)
ax.set(xlabel="true slope", ylabel="estimated slope")
ax.legend()

curve = RiskCurveDisplay.from_theory(
    np.logspace(-3, 1, 60),
    n_samples=600,
    bag_size=5,
    n_features=40,
    noise_var=0.49,
)
best, risk = optimal_rho(600, 120, 40, noise_var=0.49)
curve.ax_.plot(best, risk, "ko", label="least risk")
curve.ax_.legend()
plt.show()

# %%
# The search on replicated means has picked the most shrunken model that it was offered,
# because predictions near the mean come close to replicated means. Give the bags to the
# search, or take
# :class:`~sklearn_ext.aggregate.InterpolatingAggregateRegressorCV`, which chooses both
# penalties by leaving out bags in closed form.
