"""
How much randomness? Three values of epsilon
============================================

The same two populations, a Gaussian cloud and a roll, joined with three amounts of
noise.
"""

# %%
# One parameter, in squared units of the data
# -------------------------------------------
# ``epsilon`` is the variance that the process adds on its way. Small values give nearly
# straight, nearly deterministic paths and need many components; large values forget
# where a row came from.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_swiss_roll

from sklearn_ext.bridge import LightSchrodingerBridge, SchrodingerBridgeDisplay

rng = np.random.default_rng(0)
X = rng.normal(size=(2000, 2))
Y = make_swiss_roll(2000, noise=0.4, random_state=0)[0][:, [0, 2]] / 5

fig, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, epsilon in zip(axes, (0.01, 0.1, 1.0), strict=True):
    bridge = LightSchrodingerBridge(
        40, epsilon=epsilon, tol=1e-3, n_init=1, random_state=0
    )
    bridge.fit(X, X_target=Y)
    SchrodingerBridgeDisplay.from_estimator(bridge, X, Y, n_rows=120, ax=ax)
    spread = bridge.sample(X[:50], 200).std(axis=1).mean()
    ax.set_title(f"epsilon {epsilon:g}, spread {spread:.2f}")
plt.show()

# %%
# The spread of what one row can become is close to the square root of epsilon: that is
# its meaning. The score compares models at one epsilon only, because its constant
# depends on epsilon. Choose epsilon by the spread that the task calls for.
