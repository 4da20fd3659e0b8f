"""
How wrong may a measurement be?
===============================

Thirty measurements of a tumour decide between benign and malignant. Every one of them
may be off by a little, in the worst direction. For a linear model the change that turns
a prediction is known exactly, without any attack: which patients stay right whatever
happens, and can one train for that?
"""

# %%
# Two ways to choose C
# --------------------
# Logistic regression with C for accuracy, and with C for accuracy under the worst
# change of every standardised measurement by 0.2. The scorer costs no more than
# accuracy.

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_ext.losses import (
    CertifiedAccuracyDisplay,
    CompSumClassifier,
    certified_accuracy,
    certified_accuracy_scorer,
    certified_radius,
)

X, y = load_breast_cancer(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, random_state=0)
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)
EPSILON, grid = 0.2, {"C": np.logspace(-4, 2, 7)}
scorer = certified_accuracy_scorer(EPSILON, np.inf)

plain = GridSearchCV(LogisticRegression(max_iter=2000), grid).fit(X, y)
tuned = GridSearchCV(LogisticRegression(max_iter=2000), grid, scoring=scorer)
tuned.fit(X, y)

# %%
# Training for the worst
# ----------------------
# With ``epsilon`` the loss of every row is that of its worst change.

robust = CompSumClassifier(tau=1, epsilon=EPSILON, norm=np.inf)
robust = GridSearchCV(robust, grid, scoring=scorer).fit(X, y)

models = {
    "C for accuracy": plain,
    "C for certified accuracy": tuned,
    "trained for the worst": robust,
}
ax = None
for name, model in models.items():
    display = CertifiedAccuracyDisplay.from_estimator(
        model, X_test, y_test, norm=np.inf, name=name, ax=ax
    )
    ax = display.ax_
    certified = certified_accuracy(model, X_test, y_test, epsilon=EPSILON, norm=np.inf)
    print(f"{name}: right {model.score(X_test, y_test):.3f}, certified {certified:.3f}")
ax.axvline(EPSILON, color="0.6", ls=":")
ax.set(xlim=(0, 0.8), ylim=(0.3, 1))

# %%
# Choosing C for what is wanted brings most of the gain, and is free; training for it
# brings the rest. Both cost accuracy where nothing is off, which the left end shows.
#
# Who is close to the edge?
# -------------------------
# The radius of a patient is the smallest worst change that turns the prediction. Those
# with the smallest should be measured again.

radius = certified_radius(robust, X_test, y_test, norm=np.inf)
print("closest to the edge:", np.argsort(np.where(radius > 0, radius, np.inf))[:5])
