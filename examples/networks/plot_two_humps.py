"""
Short or long: the law of an eruption
=====================================

How long will the geyser erupt, given how long one has waited? The mean is an answer
that hardly ever comes true: after a long wait eruptions are short or long, seldom in
between. :class:`~sklearn_ext.networks.NoPropRegressor` predicts the whole law of the
target, by blocks that are trained apart and turn noise into draws.
"""

# %%
# 299 eruptions of Old Faithful come with a package of data
# (``benchmarks/real_data.txt``); without it, a geyser is made up.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from sklearn_ext.networks import (
    ConditionalDistributionDisplay,
    NoPropRegressor,
    crps_loss,
)

rng = np.random.default_rng(0)
try:
    from benchmarks.real_data_readers import rdata

    eruptions = rdata("MASS/geyser")
    wait, duration = eruptions["waiting"].to_numpy(), eruptions["duration"].to_numpy()
except ImportError:
    wait = rng.uniform(45, 105, 299)
    is_long = rng.random(299) < np.where(wait < 70, 0.97, 0.45)
    duration = np.where(is_long, 4.3, 2.0) + 0.3 * rng.standard_normal(299)

X = wait[:, None].astype(float)
order = rng.permutation(len(X))
train, test = order[:200], order[200:]

# %%
# One fit. The darker, the likelier, at each waiting time: one hump on the left, two on
# the right, where the mean runs through the gap between them.

model = NoPropRegressor(random_state=0).fit(X[train], duration[train])
display = ConditionalDistributionDisplay.from_estimator(
    model, X[train], duration[train], column=0
)
places = np.linspace(X.min(), X.max(), 80)[:, None]
display.ax_.plot(places[:, 0], model.predict(places), color="C3", label="mean")
display.ax_.set(xlabel="waiting time (minutes)", ylabel="eruption (minutes)")
display.ax_.legend(loc="upper right")

# %%
# Two waiting times beside each other.

display = ConditionalDistributionDisplay.from_estimator(model, [[55.0], [90.0]])
for line, wait_for in zip(display.lines_, (55, 90), strict=True):
    line.set_label(f"after {wait_for} minutes")
display.ax_.legend()
display.ax_.set_xlabel("eruption (minutes)")
plt.show()

# %%
# Draws and quantiles are there for whatever a decision needs, for instance the chance
# of an eruption of over three minutes.

draws = model.sample([[55.0], [90.0]], 2000, random_state=0)
print("over three minutes:", (draws > 3).mean(axis=1).round(2))

# %%
# Who says it best? The continuous ranked probability score is the absolute error of a
# whole law. Beside the law stand a line with its residuals, and ten fits of boosted
# quantiles.

levels = (np.arange(10) + 0.5) / 10
line = LinearRegression().fit(X[train], duration[train])
left = duration[train] - line.predict(X[train])
said = {
    "law by blocks": model.predict_quantiles(X[test], levels),
    "line and its residuals": line.predict(X[test])[:, None]
    + np.quantile(left, levels),
    "ten boosted quantiles": np.stack(
        [
            HistGradientBoostingRegressor(loss="quantile", quantile=level)
            .fit(X[train], duration[train])
            .predict(X[test])
            for level in levels
        ],
        axis=1,
    ),
}
for name, quantiles in said.items():
    print(f"{name:24s} {crps_loss(duration[test], quantiles):.3f} minutes")

# %%
# An interval that is to hold nine of ten eruptions is calibrated on rows that each
# chain has left out. It is an interval: where there are two humps it must span the gap,
# and the law says more.

low, high = model.predict_interval(X[test], 0.9).T
inside = (low <= duration[test]) & (duration[test] <= high)
print(f"{inside.mean():.0%} of {len(test)} new eruptions are inside")
