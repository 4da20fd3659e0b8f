"""
The world changed
=================

Offers whose appeal depends on the customer, and one day the customers change. A bandit
that remembers everything goes on believing the past; ``forget`` lets older rows fade.
We look at what that costs while nothing happens, and what it saves afterwards.
"""

# %%
# Two worlds of the same customers, one after the other.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_ext.bandits import (
    BanditProblem,
    RegretDisplay,
    RidgeBandit,
    make_linear_bandit,
    simulate,
)

before, after = (make_linear_bandit(3000, 5, 4, random_state=s) for s in (0, 1))
problem = BanditProblem(
    np.vstack([before.X, after.X]),
    np.vstack([before.rewards, after.rewards]),
    np.vstack([before.expected, after.expected]),
    before.actions,
)

# %%
# Memories of different lengths
# -----------------------------
# A factor of 0.999 a row remembers about a thousand rows, 0.99 about a hundred. The
# rows keep their order.

runs = {
    f"forget={forget:g}": simulate(
        RidgeBandit(feature_map=None, forget=forget),
        problem,
        batch_size=50,
        n_repeats=3,
        shuffle=False,
        random_state=0,
    )
    for forget in (1.0, 0.999, 0.99)
}
for name, run in runs.items():
    calm, changed = run.expected_regret[:, :3000], run.expected_regret[:, 3000:]
    print(f"{name:12} regret: {calm.mean():.3f} before, {changed.mean():.3f} after")
fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
RegretDisplay.from_runs(runs, ax=ax)
ax.axvline(3000, color="0.6", lw=1)

# %%
# The price of a memory that is too short is paid every day; the price of one that is
# too long only once. Where changes are rare, 0.999 is a cheap insurance.
