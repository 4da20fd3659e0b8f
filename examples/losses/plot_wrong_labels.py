"""
Which labels would you check first?
===================================

A third of the labels of a thousand handwritten digits is wrong. How much does that
cost, how many are wrong, and which rows should somebody look at first? Test labels are
right, and no model is told which training labels are not.
"""

# %%
# Flip three labels in ten
# ------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import scale

from sklearn_ext.losses import (
    CompSumClassifier,
    CompSumClassifierCV,
    LabelQualityDisplay,
    NoiseReportDisplay,
    NoiseRobustnessDisplay,
    noise_report,
)

# sphinx_gallery_thumbnail_number = 4

X, y = load_digits(return_X_y=True)
images, X = X, scale(X)
rng = np.random.default_rng(0)
order = rng.permutation(len(y))
train, test = order[:1000], order[1000:]


def flip(rate):
    """Move a share of the training labels to another digit."""
    rng = np.random.default_rng(1)
    wrong = rng.random(1000) < rate
    return np.where(wrong, (y[train] + rng.integers(1, 10, 1000)) % 10, y[train])


labels = flip(0.3)
wrong = labels != y[train]

# %%
# What wrong labels cost
# ----------------------
# Log-loss (``tau=1``) follows rows that disagree with it the more, the more they
# disagree. With ``tau=1.7`` they pull less. The cross-validated form chooses between
# them, on the wrong labels, and may leave rows out. At zero noise all are alike: there
# logistic regression is the better choice, for its probabilities.

rates = [0.0, 0.1, 0.2, 0.3, 0.4]
models = {
    "log-loss, C by CV": CompSumClassifierCV(taus=(1.0,), prune=False, Cs=5),
    "tau 1.7": CompSumClassifier(1.7, C=0.1),
    "CompSumClassifierCV": CompSumClassifierCV(Cs=5, taus=(1.0, 1.7)),
}
figure, ax = plt.subplots(layout="constrained")
for (name, model), marker in zip(models.items(), "os^", strict=True):
    errors = [
        1 - model.fit(X[train], flip(rate)).score(X[test], y[test]) for rate in rates
    ]
    ax.plot(rates, errors, marker=marker, label=name)
ax.set(xlabel="share of wrong training labels", ylabel="test error", ylim=(0, None))
ax.legend()

# %%
# Why it chose what it chose: the held-out score on the wrong labels, over C, one curve
# for each loss.

model = CompSumClassifierCV(Cs=5, taus=(1.0, 1.7)).fit(X[train], labels)
NoiseRobustnessDisplay.from_estimator(model)

# %%
# How many are wrong?
# -------------------
# The report does not know the rate. It compares held-out probabilities with the labels
# and explains their quarrel by errors of the model and errors of the labels, whichever
# is likelier.

report = noise_report(model, X[train], labels, random_state=0)
print(f"truth {wrong.mean():.3f}, estimate {report.noise_rate:.3f}")
NoiseReportDisplay(report=report).plot()

# %%
# Which rows first?
# -----------------
# Rows in the order of the probability that their label is wrong.

first = np.argsort(-report.wrong_proba)
print("wrong among the first 100:", wrong[first[:100]].sum())
sure = report.wrong_proba > 0.5
print("found", (wrong & sure).sum(), "of", wrong.sum(), "by looking at", sure.sum())

figure, axes = plt.subplots(2, 6, figsize=(9, 3.6), layout="constrained")
for ax, row in zip(axes.ravel(), first[:12], strict=True):
    ax.imshow(images[train][row].reshape(8, 8), cmap="Greys")
    ax.set_title(f"label {labels[row]}: {report.likely[row]}?", size=9)
    ax.axis("off")

# %%
# One fit knows nearly as much: the probability of each row's own label, digit by digit.
# Crosses are rows for which another digit is likely enough.

one = CompSumClassifier(C=0.1).fit(X[train], labels)
LabelQualityDisplay.from_estimator(one, X[train], labels)
