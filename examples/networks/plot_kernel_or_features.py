"""
Kernel or features?
===================

A wide net can learn in two ways. It may move so little that it stays what it was at the
start, a kernel machine with a fixed kernel; or its hidden units turn towards the
target, and it learns features. On many tables that makes no difference, and then a
kernel machine is as accurate for a fraction of the time. Which table is yours?
"""

# %%
# Two tables: the strength of concrete, and the time a restaurant needs to deliver. Both
# ship inside packages of data (``benchmarks/real_data.txt``). Without these, two targets
# are drawn: a smooth one of two columns, and a product of four out of twenty.

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ext.networks import FeatureLearningDisplay, MuMLPRegressor
from sklearn_ext.random_features import RandomFeatureRidgeCV

try:
    from benchmarks.networks_tables import table

    tables = {}
    for name in ("concrete", "deliveries"):
        found = table(name)
        tables[name] = found.X, found.y
except ImportError:
    import pandas as pd

    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(2400, 20))).add_prefix("x")
    smooth = X.x0 + np.sin(X.x1) + rng.normal(0, 0.3, len(X))
    product = np.sign(X.x0 * X.x1) * np.abs(X.x2) + rng.normal(0, 0.3, len(X))
    tables = {"smooth": (X, smooth.to_numpy()), "product": (X, product.to_numpy())}

# %%
# Three models a table
# --------------------
# ``laziness`` multiplies what the net has learnt, so that weights need to move less: at
# 32 the net is all but its linearisation, kernel regression with the tangent kernel of
# its start. Scores are on the rows that members left out, which need no test set.


def random_features():
    columns = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="number")),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    return make_pipeline(columns, RandomFeatureRidgeCV(random_state=0))


known, fitted = {}, {}
for name, (X, y) in tables.items():
    X, X_new, y, y_new = train_test_split(X, y, train_size=700, random_state=0)
    known[name] = X, y
    ways = {
        "net": MuMLPRegressor(random_state=0),
        "lazy net": MuMLPRegressor(laziness=32.0, random_state=0),
        "random features": random_features(),
    }
    print(f"{name}, {len(y)} rows")
    for way, model in ways.items():
        start = time.process_time()
        model.fit(X, y)
        seconds = time.process_time() - start
        oob = getattr(model, "oob_score_", np.nan)
        print(
            f"{way:>17}: R² {model.score(X_new, y_new[: len(X_new)]):.3f} on new rows, "
            f"{oob:.3f} on rows left out, {seconds:.2f} CPU s"
        )
        fitted[name, way] = model
