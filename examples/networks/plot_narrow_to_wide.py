"""
Tune narrow, train wide
=======================

The learning rate is what makes or breaks a neural net, and the best one depends on the
table. It also depends on the width of the net, so that a search must be run at the size
that is wanted in the end, where it costs most. Unless the net is parametrised such that
the best rate stays where it is.
"""

# %%
# Letters of the alphabet in twenty fonts, sixteen numbers each, of which 1,500 rows are
# known. The table ships inside a package of data (``benchmarks/real_data.txt``);
# without it handwritten digits are read.

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.networks import (
    LearningRateTransferDisplay,
    MuMLPClassifier,
    TrainingDisplay,
)

try:
    from benchmarks.real_data import load

    letters = load("letter", n_rows=4000, random_state=0)
    X, y = letters.data, letters.target
except ImportError:
    X, y = load_digits(return_X_y=True)
n_train = min(1500, 2 * len(y) // 3)
X, X_test, y, y_test = train_test_split(X, y, train_size=n_train, random_state=0)

# %%
# Where the best rate lies
# ------------------------
# Plain nets of three widths, at nine rates each, in the standard parametrisation and in
# muP, which lets the rates of hidden matrices fall with their width. All nets of one
# width are members of one batched training. Dotted lines mark the best rates.

plain = MuMLPClassifier(n_bins=0, weight_decay=0.02, random_state=0)
display = LearningRateTransferDisplay.from_estimator(
    plain, X, y, hidden_units=(16, 64, 256), learning_rates=2.0 ** np.arange(-11, -2)
)

# %%
# In the standard parametrisation the best rate falls with the width; under muP it moves
# less. What does it cost to carry the rate that was best at width 64 to a width of 256?

for name, best, loss in zip(
    display.parametrizations, display.best_rates(), display.loss, strict=True
):
    narrow, wide = loss[1], loss[2]
    carried, moved = wide[np.argmin(narrow)], np.log2(best[2] / best[1])
    print(
        f"{name:>8}: best rate moves by {moved:+.1f} powers of two, "
        f"loss {carried:.3f} with the rate of width 64, {wide.min():.3f} with its own"
    )

# %%
# So the search runs on narrow nets
# ---------------------------------
# ``learning_rate="auto"``, the default, does that: seven rates on two folds are the
# members of one net of width 32, and the winner trains eight members of the full width.
# The other defaults make its life easier: numbers are cut into bins, and strong decay
# makes the valley of good rates wide. Beside it the grid search that scikit-learn's net
# needs, at its full size.

ours = MuMLPClassifier(hidden_units=128, random_state=0)
net = MLPClassifier((128, 128), max_iter=40, random_state=0)
grid = {"mlpclassifier__learning_rate_init": 2.0 ** np.arange(-10, -2)}
theirs = GridSearchCV(make_pipeline(StandardScaler(), net), grid, cv=2)
warnings.simplefilter("ignore", ConvergenceWarning)  # forty epochs are what is asked
for name, net in {"MuMLPClassifier": ours, "search over MLPClassifier": theirs}.items():
    start = time.process_time()
    net.fit(X, y)
    seconds = time.process_time() - start
    print(f"{name:>25}: accuracy {net.score(X_test, y_test):.3f}, {seconds:.1f} CPU s")

# %%
# How it was trained
# ------------------
# Each member leaves out other rows, so that the loss on rows left out is known at every
# epoch and for all rows. The weights of the best epoch are kept.

training = TrainingDisplay.from_estimator(ours)
print(f"learning rate {ours.learning_rate_:.4f}, stopped by {ours.stop_reason_}")

plt.show()
