"""
How many components? Ask rows that were held out
================================================

Surplus components fit the noise of the sample. The held-out score tells, at a fixed
epsilon, and a grid search over pooled rows finds the number.
"""

# %%
# A pair whose plan is known
# --------------------------
# Five components generated the target. Source and target are pooled, and a third array,
# the domain, says which is which: cross-validation splits it with the rows.

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sklearn_ext.bridge import (
    LightSchrodingerBridge,
    LightSchrodingerBridgeCV,
    conditional_bures_uvp,
    make_entropic_ot,
)

pair = make_entropic_ot(800, 800, 8, kind="diagonal", radius=3, random_state=0)
X = np.vstack([pair.X, pair.Y])
domain = np.repeat([0, 1], 800)

bridge = LightSchrodingerBridge(epsilon=1.0, max_iter=300, random_state=0)
sizes = [1, 2, 3, 5, 8, 15, 30]
with sklearn.config_context(enable_metadata_routing=True):
    bridge.set_fit_request(sample_domain=True)
    bridge.set_score_request(sample_domain=True)
    search = GridSearchCV(bridge, {"n_components": sizes}, cv=StratifiedKFold(4))
    search.fit(X, domain, sample_domain=domain)
print(search.best_params_)

# %%
# The held-out score and the error against the truth
# --------------------------------------------------
# The error is known here because the plan is. Score and error improve steeply up to
# five components, and change little beyond.

errors = []
for K in sizes:
    model = LightSchrodingerBridge(K, epsilon=1.0, max_iter=300, random_state=0)
    model.fit(pair.X, X_target=pair.Y)
    errors.append(conditional_bures_uvp(model, pair.plan, pair.X[:200], pair.Y))

fig, axes = plt.subplots(2, 1, figsize=(6, 5), sharex=True, layout="constrained")
axes[0].plot(sizes, search.cv_results_["mean_test_score"], "o-")
axes[0].set(ylabel="held-out score")
axes[1].loglog(sizes, errors, "s-")
axes[1].set(xlabel="n_components", ylabel="cBW2-UVP in %")
axes[1].set_xticks(sizes, sizes)
axes[1].set_yticks([1, 2, 5, 10, 20], [1, 2, 5, 10, 20])
axes[1].minorticks_off()
print("cBW2-UVP in %:", dict(zip(sizes, np.round(errors, 2).tolist(), strict=True)))
plt.show()

# %%
# The search finds the five that made the data. Surplus components are a small harm,
# missing ones a large one: in doubt take more, and let the held-out score say when it
# no longer pays.
#
# The same choice in one fit
# --------------------------
# ``LightSchrodingerBridgeCV`` holds out one part of the rows, and chooses scales, prior
# and start as well as the number.

chosen = LightSchrodingerBridgeCV(epsilon=1.0, random_state=0)
chosen.fit(pair.X, X_target=pair.Y)
error = conditional_bures_uvp(chosen, pair.plan, pair.X[:200], pair.Y)
print(chosen.best_params_, f"cBW2-UVP {error:.2f} %")
