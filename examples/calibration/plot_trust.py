"""
Which predictions of a model that must stay can be trusted?
===========================================================

A logistic regression says whether homes in California are dear. It has been audited
and must stay, whatever better models there are. What can be added is a number beside
each of its predictions: how likely is this one right?
"""

# %%
# The table ships inside a package of data (``benchmarks/real_data.txt``). Without it
# the story is told on rows that are drawn at random.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.calibration import (
    CorrectnessCalibratedClassifier,
    ReliabilityDisplay,
    RiskCoverageDisplay,
    correctness_auc,
    log_loss_split,
)

# sphinx_gallery_thumbnail_number = 2

try:
    from benchmarks.real_data import DatasetUnavailable, load
except ImportError:
    from sklearn.datasets import make_classification

    X, y = make_classification(6000, 8, n_informative=6, flip_y=0.05, random_state=0)
else:
    try:
        homes = load("california", n_rows=6000)
        X, y = homes.data.to_numpy(float), homes.target.to_numpy()
    except DatasetUnavailable:
        from sklearn.datasets import make_classification

        X, y = make_classification(6000, 8, n_informative=6, random_state=0)
A, B, t, u = train_test_split(X, y, train_size=2000, random_state=0)

# %%
# The same predictions, two confidences
# -------------------------------------
# Temperature scaling rescales the model's own score. The correctness model asks the
# nearest known homes, too. Neither changes a prediction.

base = make_pipeline(StandardScaler(), LogisticRegression())
rescaled = CalibratedClassifierCV(base, method="temperature", ensemble=False).fit(A, t)
model = CorrectnessCalibratedClassifier(base).fit(A, t)
said = model.predict(B)
assert (said == rescaled.predict(B)).all()
print(f"accuracy of both: {np.mean(said == u):.3f}")
for name, c in (
    ("temperature", rescaled.predict_proba(B).max(axis=1)),
    ("with neighbours", model.confidence(B)),
):
    print(
        f"{name:>16}: right above wrong in {correctness_auc(u, said, c):.3f} of pairs"
    )
for name, fitted in (("temperature", rescaled), ("with neighbours", model)):
    loss = log_loss_split(u, fitted.predict_proba(B)).correctness
    print(f"{name:>16}: log-loss of correctness {loss:.3f}")

# %%
# It was known before a test row was seen: the models of folds measure what each piece
# of evidence is worth.

losses = model.oof_log_loss_
print(f"out of fold: {losses.base:.3f} (own probability), {losses.own:.3f}", end=" ")
print(f"(calibrated), {losses.calibrated:.3f} (with neighbours)")

# %%
# Are the numbers true?
# ---------------------
# The bands show where the points of a calibrated model would lie, each alone and all
# together; the legend has the error with its interval and an exact test.

ReliabilityDisplay.from_estimator(model, B, u, name="neighbours", random_state=0)
curve = RiskCoverageDisplay.from_estimator(rescaled, B, u, name="temperature")
RiskCoverageDisplay.from_estimator(model, B, u, ax=curve.ax_, name="neighbours")

# %%
# In the second figure homes are answered from the most confident on. If half of them
# may go to a person, the error among the others is smaller with the neighbours' help.
#
# Why was this home not trusted?
# ------------------------------
# The log-odds of being right are a sum: of the average home, the model's own score, its
# class, and the neighbours.

c = model.confidence(B)
order = np.argsort(c)[[0, len(c) // 2, -1]]
print("confidence  ", "  ".join(model.get_explanation_names_out()))
for row, parts in zip(order, model.explain(B[order]), strict=True):
    print(f"{c[row]:10.2f}  ", "  ".join(f"{part:+.2f}" for part in parts))

plt.show()
