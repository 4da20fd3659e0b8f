"""
A population between its snapshots
==================================

Cells are destroyed when they are measured: every snapshot shows other cells. Bridges
between the snapshots say where the population was in between. One snapshot is held out
to see whether that is true.
"""

# %%
# A branching population
# ----------------------
# Five snapshots in ten dimensions, simulated; the third one is left out of the fit.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_ext.bridge import SchrodingerBridgeTrajectory, energy_distance

rng = np.random.default_rng(0)
times = np.repeat([0.0, 1.0, 2.0, 3.0, 4.0], 400)
branch = rng.choice([-1.0, 1.0], size=len(times))
X = rng.normal(size=(len(times), 10)) * 0.3
X[:, 0] += times
X[:, 1] += branch * np.maximum(times - 1, 0)
X[:, 2] += 0.5 * np.sin(times)

kept = times != 2
model = SchrodingerBridgeTrajectory(6, max_iter=300, random_state=0).fit(
    X[kept], times[kept]
)

# %%
# Is the held-out time predicted?
# -------------------------------
# The energy distance to the snapshot that was left out, for our interpolation and for
# the snapshots beside it; the first number to beat is that between two halves of it.

truth = X[times == 2]
drawn = model.interpolate(2.0, 400, random_state=0)
rows = {
    "two halves of the snapshot": energy_distance(truth[:200], truth[200:]),
    "bridge at t = 2": energy_distance(drawn, truth),
    "snapshot at t = 1": energy_distance(X[times == 1], truth),
    "snapshot at t = 3": energy_distance(X[times == 3], truth),
}
for name, value in rows.items():
    print(f"{name:28s} {value:.3f}")

# %%
# Paths
# -----

paths = model.sample_path(X[times == 0][:60], np.linspace(0, 4, 41), random_state=0)
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.plot(paths[:, :, 0].T, paths[:, :, 1].T, c="tab:blue", lw=0.5, alpha=0.6)
ax.scatter(*truth[:, :2].T, s=8, c="tab:orange", marker="^", label="held-out snapshot")
ax.set(xlabel="feature 0", ylabel="feature 1")
ax.legend()
plt.show()
