"""
Another laboratory, the same classifier
=======================================

A classifier was trained on rows of laboratory A. Laboratory B measures the same things
with another instrument, and has no labels. Mapping B's rows to where A would have
measured them repairs the classifier, if the two laboratories see similar samples.
"""

# %%
# A shift that scaling cannot undo
# --------------------------------
# Handwritten digits in 20 principal components. "Laboratory B" sees other digits,
# through an instrument whose channels leak into each other, stretches and shifts.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_ext.bridge import LightSchrodingerBridge, SchrodingerBridgeDisplay

X, y = load_digits(return_X_y=True)
X = PCA(20, whiten=True, random_state=0).fit_transform(X)
A, B, y_A, y_B = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
rng = np.random.default_rng(0)
leak = rng.normal(size=(20, 20))
leak = 0.6 * (leak + leak.T) / np.sqrt(40)  # what channel i leaks to j, j leaks to i
mixing = np.linalg.matrix_power(np.eye(20) + leak / 8, 8)
B_true, B = B, 1.3 * B @ mixing + 0.8 * rng.normal(size=20)

classifier = LogisticRegression(max_iter=1000).fit(A, y_A)

# %%
# Ways to bring B to A
# --------------------
# The bridge never sees a label. One full component is the closed-form map between two
# normal laws, and is what this instrument calls for; several components could bend it,
# and here only add variance.

maps = {
    "no shift at all": B_true,
    "as measured": B,
    "standardised": StandardScaler()
    .fit(A)
    .inverse_transform(StandardScaler().fit_transform(B)),
}
for K in (1, 5):
    bridge = LightSchrodingerBridge(K, covariance_type="full", random_state=0)
    bridge.set_params(max_iter=300)
    maps[f"bridge, {K} component(s)"] = bridge.fit(B, X_target=A).transform(B)
accuracy = {name: classifier.score(Z, y_B) for name, Z in maps.items()}
for name, value in accuracy.items():
    print(f"{name:24s} {value:.3f}")

# %%
# Where the rows go
# -----------------
# The picture shows the first two principal axes of A.

bridge = LightSchrodingerBridge(1, covariance_type="full").fit(B, X_target=A)
SchrodingerBridgeDisplay.from_estimator(bridge, B, A, kind="map", n_rows=150)
plt.show()

# %%
# Both laboratories saw the same mix of digits. Had B seen only eights, the bridge would
# have turned eights into all digits: it keeps mass. See the user guide on when a map is
# nonsense.
