"""Rows that are made of few atoms."""

import numpy as np
import pytest


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def planted_rows(rng, n=3000, m=30, d=20, k=3, noise=0.01):
    """Return rows that are sums of k of m atoms of either sign, and the atoms."""
    atoms = unit(rng.standard_normal((m, d)))
    codes = np.zeros((n, m))
    for row in codes:
        sizes = rng.uniform(0.5, 1.5, k) * rng.choice([-1, 1], k)
        row[rng.choice(m, k, replace=False)] = sizes
    rows = codes @ atoms
    scale = noise * rows.std()
    return rows + scale * rng.standard_normal(rows.shape), atoms


@pytest.fixture
def planted(rng):
    return planted_rows(rng)
