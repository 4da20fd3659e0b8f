"""
The head for my features
========================

The vectors of a frozen network are there, a few hundred of them have labels, and now a
classifier is needed. Five heads come to mind, each with settings of its own; which one
is it, is the difference real, and what does it cost?
:class:`~sklearn_ext.probes.ProbeSearchCV` fits them all to the same folds and answers
in one call.
"""

# %%
# Digits as EfficientNet-Lite0, trained on photographs, sees them.

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.real_data import frozen
from sklearn_ext.probes import ProbeSearchCV, ProbeSearchDisplay

rng = np.random.default_rng(0)
digits = frozen("mnist5k", n_rows=1400)
rows = rng.permutation(1400)
X = np.asarray(digits.data, dtype=np.float32)[rows]
y = np.asarray(digits.target)[rows]
search = ProbeSearchCV(cv=3).fit(X[:400], y[:400])
print(search.summary())

# %%
# Every row of the table is about the same held-out rows, so heads are compared in
# pairs: *behind* is the difference in error to the best, with its standard error.
# Heads at most two standard errors behind are level with the best on these rows, and
# then time, log-loss or the need to update may decide instead.

ProbeSearchDisplay.from_estimator(search, name="400 digits, frozen features")

# %%
# The search is a classifier itself: the recommended head, fitted to all rows.

print(f"{search.recommended_}: {search.score(X[400:], y[400:]):.3f} on new rows")

# %%
# When there is nothing to find
# -----------------------------
# The majority class is always among the rivals. Where labels have nothing to do with
# the rows, it is what is recommended, and no head is oversold.

noise = np.where(rng.random(400) < 0.7, "no", "yes")
nothing = ProbeSearchCV(cv=3).fit(X[:400, :50], noise)
print(nothing.summary())

plt.show()
