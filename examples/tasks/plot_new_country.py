"""
How many labelled rows does a new unit need?
============================================

Life expectancy in 142 countries, every five years from 1952 to 2007, against the year
and the income a head. Each country has its own level and its own slopes. Suppose that a
country is new: somebody has collected a few of its numbers, and the rest is to be
predicted. What are three numbers worth?
"""

# %%
# The table ships inside a package of data (``benchmarks/real_data.txt``). Without it
# the story is told on schools that are drawn at random.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ext.tasks import (
    ContextCurveDisplay,
    ContextSplit,
    TaskRidge,
    TaskShrinkageDisplay,
)

# sphinx_gallery_thumbnail_number = 3

try:
    from benchmarks.real_data import load

    table = load("gapminder").frame
    table = pd.DataFrame(
        {
            "unit": table["country"].astype(str),
            "year": table["year"].astype(float),
            "log income": np.log(table["gdpPercap"]),
            "y": table["lifeExp"],
        }
    )
except ImportError:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(142), 12)
    shift = rng.normal(size=(142, 3)) * [6, 0.1, 2]
    table = pd.DataFrame({"unit": [f"school {u}" for u in unit]})
    table["year"] = np.tile(np.arange(1952.0, 2012, 5), 142)
    table["log income"] = rng.normal(8, 1, len(table))
    table["y"] = 60 + shift[unit, 0] + (0.3 + shift[unit, 1]) * (table["year"] - 1980)
    table["y"] += (2 + shift[unit, 2]) * (table["log income"] - 8)
    table["y"] += rng.normal(0, 1.5, len(table))
X, y = table[["unit", "year", "log income"]], table["y"]

# %%
# Every country its own line, and all countries the prior
# -------------------------------------------------------
# The units of the columns do not matter, and nothing is tuned. The picture shows what
# the model does to the slope of the year: arrows lead from a country's own least
# squares to its posterior. Twelve rows determine a slope rather well, so most arrows
# are short; they are long where the rows of a country say little.

model = TaskRidge(group_feature="unit").fit(X, y)
print(f"{model.n_tasks_} units, noise of {model.noise_var_**0.5:.2f} years")
print(f"spread of the slopes of the year: {model.prior_cov_[1, 1] ** 0.5:.3f}")
shrinkage = TaskShrinkageDisplay.from_estimator(model, coefficient="year")
shrinkage.figure_.set_size_inches(6, 5)

# %%
# Three rows of a new country
# ---------------------------
# We hide a country and give three of its rows back. ``condition`` adds them without
# fitting anything anew; the intervals say how sure the model is. Without these rows the
# population predicts, and its interval is honest about that, too.

hidden = sorted(table["unit"].unique())[7]
is_hidden = (X["unit"] == hidden).to_numpy()
without = TaskRidge(group_feature="unit").fit(X[~is_hidden], y[~is_hidden])
rows, truth = X[is_hidden], y[is_hidden]
known = [0, 4, 8]
informed = without.condition(rows.iloc[known], truth.iloc[known])

fig, axes = plt.subplots(1, 2, sharey=True, figsize=(8, 3.4), layout="constrained")
for ax, fitted, name in zip(
    axes, (without, informed), ("nothing known", "three rows known"), strict=True
):
    low, high = fitted.predict_interval(rows).T
    ax.fill_between(rows["year"], low, high, alpha=0.2, label="90 % interval")
    ax.plot(rows["year"], fitted.predict(rows), label="prediction")
    ax.plot(rows["year"], truth, "k.", label="truth")
    ax.set(title=f"{hidden}: {name}", xlabel="year")
axes[1].plot(rows["year"].iloc[known], truth.iloc[known], "C1o", label="known")
axes[0].set_ylabel("life expectancy, years")
axes[1].legend()

# %%
# How many, then?
# ---------------
# The same for many hidden countries and many numbers of rows. The dotted line is what
# the model expects of itself, before it sees a test row. One ridge a country needs
# about twice as many rows for the same error.

curve = ContextCurveDisplay.from_estimator(
    TaskRidge(),
    X[["year", "log income"]],
    y,
    X["unit"],
    n_context=(0, 1, 2, 3, 4, 6, 8),
    random_state=0,
)

# %%
# Later rows instead of random ones
# ---------------------------------
# A country's known rows are usually its first ones. ``ContextSplit(shuffle=False)``
# keeps the first four rows of each test country and asks for the later ones, which is
# extrapolation by up to forty years. An intercept a country, by one-hot code under a
# ridge, is the textbook's answer.

numbers = ["year", "log income"]
coded = make_column_transformer(
    (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), ["unit"])
)
models = {
    "TaskRidge": TaskRidge(group_feature="unit"),
    "TaskRidge, intercepts": TaskRidge("intercept", group_feature="unit"),
    "one-hot ridge": make_pipeline(coded, RidgeCV(np.logspace(-3, 3, 13))),
    "one model for all": make_pipeline(
        make_column_transformer((StandardScaler(), numbers)), RidgeCV()
    ),
}
print(f"{'root mean squared error, years':>32}  random rows   later rows")
for name, model in models.items():
    cells = []
    for shuffle in (True, False):
        folds = ContextSplit(5, n_context=4, shuffle=shuffle, random_state=0)
        squared = [
            (
                model.fit(X.iloc[train], y.iloc[train]).predict(X.iloc[test])
                - y.iloc[test]
            )
            ** 2
            for train, test in folds.split(X, groups=X["unit"])
        ]
        cells.append(np.concatenate(squared).mean() ** 0.5)
    print(f"{name:>32}  {cells[0]:11.2f}  {cells[1]:11.2f}")

# %%
# Slopes of each country are worth having in both: where the known rows are spread over
# the years, and, with larger errors for everybody, where they are the first four and
# the rest lies ahead. Measure with the folds that look like your future.

plt.show()
