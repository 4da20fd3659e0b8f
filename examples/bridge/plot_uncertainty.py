"""
What would this row have been? With bands
=========================================

Patients were measured before a treatment, others after it. For a patient before, what
would the values after be? The bridge answers with a distribution.
"""

# %%
# Two unpaired samples
# --------------------
# After the treatment a marker grows with its starting value for some and stays for
# others, so that the answer has two branches.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_ext.bridge import LightSchrodingerBridge, SchrodingerBridgeDisplay

# sphinx_gallery_thumbnail_number = 1

rng = np.random.default_rng(0)


def before(n):
    """Draw patients before the treatment."""
    return np.column_stack([rng.normal(size=n), rng.normal(size=n) * 0.6])


hidden = before(1500)
responds = rng.random(1500) < 1 / (1 + np.exp(-2 * hidden[:, 0]))
after = hidden + np.where(responds[:, None], [1.0, 2.5], [0.5, -0.3])
after += rng.normal(size=after.shape) * 0.25
X = before(1200)

# %%
# Bands from draws
# ----------------
# ``sample`` draws from the conditional law of each row. The band of the second value
# widens where both branches are likely.

bridge = LightSchrodingerBridge(5, epsilon=0.3, random_state=0)
bridge.fit(X, X_target=after)
grid = np.column_stack([np.linspace(-2, 2, 41), np.zeros(41)])
draws = bridge.sample(grid, 2000, random_state=0)[:, :, 1]
low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95], axis=1)

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.fill_between(grid[:, 0], low, high, alpha=0.3, label="5 % to 95 %")
ax.plot(grid[:, 0], middle, label="median")
ax.plot(grid[:, 0], bridge.transform(grid)[:, 1], "k--", label="mean, transform")
ax.set(xlabel="first value before", ylabel="second value after")
ax.legend()
plt.show()

# %%
# Paths and components
# --------------------
# The same model as a process: a path for each of a hundred patients, and what each
# component makes of its share of them. Three components hold the patients whose marker
# stays, two those whose marker grows.

for kind in ("paths", "components"):
    display = SchrodingerBridgeDisplay.from_estimator(
        bridge, X, after, kind=kind, n_rows=100
    )
    display.ax_.set(xlabel="first value", ylabel="second value")
plt.show()

# %%
# The mean of a row near zero lies between the branches, where hardly anybody ends: look
# at draws, not at means alone.
