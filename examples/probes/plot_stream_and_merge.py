"""
A head that learns from a stream and merges
===========================================

Naive Bayes is fitted from sums. So it can learn from a stream of batches, or at several
places at once, and end up where one fit to all rows would have ended: exactly, not
approximately. Here it reads food reviews, embedded by the frozen sentence encoder
MiniLM, and tells great ratings from the others.
"""

# %%
# A stream of batches
# -------------------
# Three learners get the same batches of 64 reviews. scikit-learn's ``GaussianNB``
# estimates variances by class, the stochastic gradient of a logistic regression sees
# each row once. For comparison a logistic regression is fitted again from scratch to
# all rows so far, which a real stream would not have kept.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB

from benchmarks.real_data import frozen
from sklearn_ext.probes import LogisticProbe, NaiveBayesProbe

# sphinx_gallery_thumbnail_number = 1

reviews = frozen("food", n_rows=2000)
test = reviews.meta["test"].to_numpy()
X, y = reviews.data[~test], reviews.target[~test]
X_test, y_test = reviews.data[test], reviews.target[test]

learners = {
    "NaiveBayesProbe": NaiveBayesProbe(covariance="shared"),
    "GaussianNB": GaussianNB(),
    "SGD, log loss": SGDClassifier(loss="log_loss", random_state=0),
}
refitted = "logistic, refitted"
accuracy = {name: [] for name in [*learners, refitted]}
seconds = dict.fromkeys(accuracy, 0.0)
seen = np.arange(64, len(X) + 1, 64)
for stop in seen:
    batch = slice(stop - 64, stop)
    for name, learner in learners.items():
        start = time.perf_counter()
        learner.partial_fit(X[batch], y[batch], classes=np.unique(y))
        seconds[name] += time.perf_counter() - start
        accuracy[name].append(learner.score(X_test, y_test))
    start = time.perf_counter()
    logistic = LogisticProbe().fit(X[:stop], y[:stop])
    seconds[refitted] += time.perf_counter() - start
    accuracy[refitted].append(logistic.score(X_test, y_test))

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, curve), style in zip(accuracy.items(), ["-", "--", ":", "-."], strict=True):
    ax.plot(seen, curve, style, label=f"{name} ({1e3 * seconds[name]:.0f} ms)")
ax.axhline(np.mean(y_test == "great"), color="0.6", linewidth=0.8)
ax.text(seen[-1], np.mean(y_test == "great"), "majority", va="top", ha="right")
ax.set(xlabel="reviews seen", ylabel="test accuracy")
_ = ax.legend(frameon=False, loc="lower right")

# %%
# The refitted logistic regression is the most accurate in the end, and pays for it with
# time and with the memory for all rows. Of the learners that may forget their rows the
# two naive Bayes are alike here, without a learning rate and without the jumps of the
# stochastic gradient.
#
# The stream and one fit agree to rounding, whatever the batches were:

stream = learners["NaiveBayesProbe"]
whole = NaiveBayesProbe(covariance="shared").fit(X[: seen[-1]], y[: seen[-1]])
print("largest difference of coefficients:", abs(stream.coef_ - whole.coef_).max())

# %%
# Three places, one probe
# -----------------------
# Each place fits a probe to its own reviews; only sums by class leave the house. One
# of the places has never seen a review that is not great.

places = np.arange(len(X)) % 3
places[(places == 0) & (y != "great")] = 1
probes = [
    NaiveBayesProbe(covariance="shared").fit(X[places == p], y[places == p])
    for p in range(3)
]
merged = probes[0].merge(*probes[1:])
for probe in [*probes, merged]:
    print(probe.classes_.tolist(), f"accuracy {probe.score(X_test, y_test):.3f}")
print(
    "same as one fit:",
    np.allclose(merged.coef_, NaiveBayesProbe(covariance="shared").fit(X, y).coef_),
)

# %%
# Probabilities
# -------------
# Naive Bayes counts correlated features as independent evidence, so it is far too sure
# of itself. One number mends that: the temperature by which the scores are divided.
# Where all rows are at hand, ``temperature="loo"`` finds it from closed-form
# leave-one-out scores. In a stream, calibrate on the latest rows instead.

latest = slice(len(X) - 300, None)
earlier = NaiveBayesProbe(covariance="shared").fit(X[:-300], y[:-300])
calibrated = CalibratedClassifierCV(FrozenEstimator(earlier), method="sigmoid")
models = {
    "temperature 1": NaiveBayesProbe(covariance="shared").fit(X, y),
    'temperature "loo"': NaiveBayesProbe(covariance="shared", temperature="loo").fit(
        X, y
    ),
    "calibrated on 300 rows": calibrated.fit(X[latest], y[latest]),
}
figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
for (name, model), marker in zip(models.items(), "osD", strict=True):
    loss = log_loss(y_test, model.predict_proba(X_test))
    CalibrationDisplay.from_estimator(
        model,
        X_test,
        y_test,
        pos_label="great",
        n_bins=8,
        strategy="quantile",
        name=f"{name}: log-loss {loss:.2f}",
        marker=marker,
        ax=ax,
    )
_ = ax.set(xlabel="predicted probability of great", ylabel="share of great")

# %%
# The first two predict the same labels: a temperature changes probabilities alone, and
# here halves the log-loss. Calibration on the latest 300 rows does as well and fits a
# stream. So: merge and update the sums as rows come, and calibrate before you read a
# probability.
