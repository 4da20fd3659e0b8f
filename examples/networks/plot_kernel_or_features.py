"""
Kernel or features?
===================

A wide net can learn in two ways. It may move so little that it stays what it was at the
start, a kernel machine with a fixed kernel; or its hidden units turn towards the
target, and it learns features. On many tables that makes no difference, and then a
kernel machine is as accurate for a fraction of the time. Which table is yours?
"""

# %%
# Two tables: the strength of concrete, and the interest rate of loans. Both ship inside
# packages of data (``benchmarks/real_data.txt``). Without these two targets are drawn:
# a smooth one, and one in which the signs of two columns, out of eight, decide.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ext.networks import FeatureLearningDisplay, MuMLPRegressor
from sklearn_ext.random_features import RandomFeatureRidgeCV

try:
    from benchmarks.networks_tables import table

    tables = {}
    for name in ("concrete", "loans"):
        found = table(name)
        tables[name] = found.X, found.y
except ImportError:
    import pandas as pd

    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(2400, 8))).add_prefix("x")
    smooth = X.x0 + np.sin(X.x1) + rng.normal(0, 0.3, len(X))
    product = np.sign(X.x0 * X.x1) * np.abs(X.x2) + rng.normal(0, 0.3, len(X))
    tables = {"smooth": (X, smooth.to_numpy()), "product": (X, product.to_numpy())}

# %%
# Three models a table
# --------------------
# ``laziness`` multiplies what the net has learnt, so that weights need to move less: at
# 32 the net is all but its linearisation, kernel regression with the tangent kernel of
# its start. Scores are on the rows that members left out, which need no test set.


numbers = make_pipeline(SimpleImputer(), StandardScaler())
one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
columns = make_column_transformer(
    (numbers, make_column_selector(dtype_include="number")),
    (one_hot, make_column_selector(dtype_exclude="number")),
)
ways = {
    "net": MuMLPRegressor(kernel_report=True, random_state=0),
    "lazy net": MuMLPRegressor(laziness=32.0, random_state=0),
    "random features": make_pipeline(columns, RandomFeatureRidgeCV(random_state=0)),
}
scores = {way: [] for way in ways}
for name, (X, y) in tables.items():
    n_train = min(1500, 7 * len(y) // 10)
    A, B, t, u = train_test_split(X, y, train_size=n_train, random_state=0)
    for way, model in ways.items():
        start = time.process_time()
        model.fit(A, t)
        seconds = time.process_time() - start
        scores[way].append(model.score(B[:2000], u[:2000]))
        text = f"{name:>10}, {way:>15}: R² {scores[way][-1]:.3f}, {seconds:4.1f} CPU s"
        if hasattr(model, "oob_score_"):
            text += f", {model.oob_score_:.3f} on rows left out"
        print(text)
    net = ways["net"]
    gap, error = net.regime_gap_
    print(
        f"{name:>10}: {net.regime_}, worth {gap:.3f} with a standard error {error:.3f}"
    )

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
for j, (way, values) in enumerate(scores.items()):
    ax.bar(np.arange(2) + 0.25 * (j - 1), values, width=0.23, label=way)
least = min(map(min, scores.values()))
ax.set(xticks=range(2), xticklabels=tables, ylabel="R² on new rows")
ax.set_ylim(bottom=max(0, least - 0.1))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))

# %%
# On the first table the three are close, and the ridge on random features takes a
# fraction of the time. On the second the lazy net falls behind: there the net has
# learnt features. ``regime_`` says whether the difference is more than chance, on
# narrow members. What it is worth stands beside it: a hundredth may be certain, and not
# worth a net. It compares the net with its own kernel. Random features choose among
# several kernels, so look at their score, too.

# %%
# How the kernel moved
# --------------------
# The report notes the tangent kernel of a member by epoch: how similar it is to that of
# the start, and how well it is aligned with the target. It moves where it is of use and
# where it is not, which is why the verdict comes from scores.

FeatureLearningDisplay.from_estimator(net)

plt.show()
