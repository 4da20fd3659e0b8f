"""
A population between its snapshots
==================================

Cells are destroyed when they are measured: every snapshot shows other cells. Bridges
between the snapshots say where the population was in between. One snapshot is held out
to see whether that is true.
"""

# %%
# Blood cells that differentiate
# ------------------------------
# A published model of eleven genes, ``krumsiek11``, as it comes with scanpy: four
# courses of 160 steps, from a progenitor to different fates. Sixteen steps make a
# snapshot of 64 rows, and nobody says which row continues which.

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.real_data import load
from sklearn_ext.bridge import SchrodingerBridgeTrajectory, energy_distance

cells = load("krumsiek11")
genes = cells.data.to_numpy()
times = np.asarray(cells.target) // 16.0


def fit_without(held_out):
    """Join all snapshots but one."""
    kept = times != held_out
    model = SchrodingerBridgeTrajectory(
        4, prior_strength=2.0, max_iter=300, random_state=0
    )
    return model.fit(genes[kept], times[kept])


# %%
# Is the held-out time predicted?
# -------------------------------
# The energy distance to the snapshot that was left out, for our interpolation, for the
# snapshots beside it, and for both of these mixed, which is hard to beat when a
# population spreads to its fates without moving much.

print("snapshot    bridge    before     after     mixed")
for held_out in (2, 4):
    truth = genes[times == held_out]
    before, after = genes[times == held_out - 1], genes[times == held_out + 1]
    drawn = fit_without(held_out).interpolate(held_out, 400, random_state=0)
    guesses = drawn, before, after, np.vstack([before, after])
    row = (energy_distance(guess, truth) for guess in guesses)
    print(f"{held_out:8d}", *(f"{value:9.4f}" for value in row))

# %%
# The bridge is far closer than either snapshot. Beside the mixture it is behind for one
# time, and hardly ahead for the other: where only the population in between is asked
# for, mix its neighbours. What a mixture cannot say is how a single cell moves on. Each
# line is a course that the bridge draws for a cell of the first snapshot (the dots, by
# time): both fates are open to it.

model = fit_without(4)
start = genes[times == 0]
paths = model.sample_path(start, np.linspace(0, 9, 46), random_state=0)
names = list(cells.feature_names)
i, j = names.index("Gata1"), names.index("Pu.1")
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.plot(paths[:, :, i].T, paths[:, :, j].T, c="C0", lw=0.4, alpha=0.5)
points = ax.scatter(genes[:, i], genes[:, j], c=times, s=8)
fig.colorbar(points, label="snapshot")
ax.set(xlabel="Gata1 (expression)", ylabel="Pu.1 (expression)")
plt.show()
