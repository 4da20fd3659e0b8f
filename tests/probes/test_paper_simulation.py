"""The paper's simulation at a small size: rows needed to come near the Bayes error.

Naive Bayes needs about ten rows whatever the number of features, logistic regression a
number that grows in proportion to it.
"""

import numpy as np
import pytest

from sklearn_ext.probes import (
    LogisticProbe,
    NaiveBayesProbe,
    make_gaussian_probe_data,
)
from sklearn_ext.probes._regimes._subsets import nested_order

DIMENSIONS = 50, 100, 200
PAPER = {"var_smoothing": 1e-9, "smoothing": "absolute", "var_shrinkage": 0.0}


def draw(n, d, seed):
    return make_gaussian_probe_data(n, d, 2, random_state=seed)


def bayes_error(d):
    return make_gaussian_probe_data(2, d, 2, return_bayes_error=True, random_state=0)[2]


def rows_needed(probe, d, sizes, n_repeats=5):
    """Return the first size whose mean error is within 0.01 of the Bayes error."""
    X_test, y_test = draw(3000, d, 999)
    repeats = []
    for seed in range(n_repeats):
        X, y = draw(max(sizes), d, seed)
        order = nested_order(y, np.random.RandomState(seed))
        repeats.append((X[order], y[order]))
    for size in sizes:
        errors = [
            1 - probe.fit(X[:size], y[:size]).score(X_test, y_test) for X, y in repeats
        ]
        if np.mean(errors) < bayes_error(d) + 0.01:
            return size
    raise AssertionError(f"not reached with {sizes[-1]} rows")


@pytest.mark.parametrize("d", DIMENSIONS)
def test_naive_bayes_needs_few_rows(d):
    probe = NaiveBayesProbe(**PAPER)
    assert rows_needed(probe, d, range(4, 40)) <= 15


def test_logistic_regression_needs_rows_in_proportion_to_features():
    probe = LogisticProbe()
    sizes = np.unique(np.rint(np.geomspace(20, 600, 24)).astype(int))
    needed = [rows_needed(probe, d, sizes) for d in DIMENSIONS]
    slope = np.polyfit(np.log(DIMENSIONS), np.log(needed), 1)[0]
    assert 0.6 <= slope <= 1.3
