"""Bag, instance and interpolated losses: Javanmard et al. (2024)."""

import warnings

import numpy as np
from scipy.linalg import LinAlgWarning

from benchmarks.harness import Study
from benchmarks.reproduction.text import marked
from sklearn_ext.aggregate import (
    InterpolatingAggregateRegressor,
    aggregate_risk,
    make_bags,
    optimal_rho,
)


class RiskByBags(Study):
    title = "Excess risk of the three losses, formula and simulation"
    note = """100 independent Gaussian features, 600 rows, bags formed at random, unit
        signal, no ridge; 40 draws, with the standard error of their mean. Interpolated:
        at the weight of least risk by the formula."""
    cases = (1, 0.25), (1, 1), (2, 0.25), (2, 1), (5, 0.25), (5, 1), (6, 1), (10, 1)

    def run(self):
        n, d, rows = 600, 100, []
        for k, noise in self.cases:
            best = optimal_rho(n, n / k, d, noise_var=noise)[0]
            cells = []
            for rho in (0.0, 1.0, best):
                theory = aggregate_risk(n, n / k, d, rho, noise_var=noise).risk
                found = [simulated(n, d, k, rho, noise, seed) for seed in range(40)]
                error = np.std(found, ddof=1) / np.sqrt(len(found))
                cells += [f"{theory:.3f}", f"{np.mean(found):.3f} ± {error:.3f}"]
            rows.append([k, noise, *cells[:4], f"{best:.3f}", *cells[4:]])
        losses = ["bag", "simulated", "instance", "simulated"]
        columns = ["rows a bag", "noise", *losses, "rho", "interpolated", "simulated"]
        return {"columns": columns, "rows": rows}


def simulated(n, d, k, rho, noise, seed, release=None, alpha=0.0):
    """Excess risk of one draw; ``release`` adds noise to the mean of each bag."""
    rng = np.random.default_rng(seed)
    X, theta = rng.normal(size=(n, d)), np.full(d, d**-0.5)
    y = X @ theta + np.sqrt(noise) * rng.normal(size=n)
    bags = make_bags(n, k, random_state=seed)
    if release is not None:
        y = y + rng.laplace(0, release / k, n // k)[bags]
    model = InterpolatingAggregateRegressor(rho, alpha, fit_intercept=False)
    with warnings.catch_warnings():  # the formula, too, is of the least norm there
        warnings.simplefilter("ignore", LinAlgWarning)
        model.fit(X, y, bags=bags)
    return np.sum((model.coef_ - theta) ** 2)


class PrivateBags(Study):
    title = "Excess risk by bag size under label privacy, epsilon = 1"
    note = """1200 rows, 100 features, noise 0.25, responses clipped to a width of 8,
        so that the mean of k rows gets Laplace noise of scale 8 / k; random bags, 20
        draws. Ridge: the penalty of least risk by the formula. Least risk of a row
        in bold."""
    sizes = 1, 2, 3, 4, 6, 10
    rhos = 0.0, 0.005, 0.02, 0.1, 1.0

    def run(self):
        n, d, rows = 1200, 100, []
        for rho in self.rhos:
            risks = [self.risk(n, d, k, rho, 0.0) for k in self.sizes]
            rows.append([f"rho = {rho:g}", *marked(risks, ".3g")])
        ridge = [self.risk(n, d, k, 0.0, d * self.variance(k)) for k in self.sizes]
        rows.append(["tuned ridge on bag means", *marked(ridge, ".3g")])
        return {"columns": ["", *(f"k = {k}" for k in self.sizes)], "rows": rows}

    @staticmethod
    def variance(k):
        """Noise of a row with the same effect: the bag mean has 1 / k of it."""
        return 0.25 + k * 2 * (8 / k) ** 2

    @staticmethod
    def risk(n, d, k, rho, alpha):
        found = [
            simulated(n, d, k, rho, 0.25, seed, release=8, alpha=alpha)
            for seed in range(20)
        ]
        return np.mean(found)


BENCHMARKS = [RiskByBags, PrivateBags]
