"""Distinct predictions against every tree of small spaces."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_ext.rashomon._trees._patterns import pattern_losses, tree_patterns
from tests.rashomon.trees._cases import COMPLETE, Case


@pytest.mark.parametrize("case", COMPLETE)
def test_patterns_equal_enumeration(rng, case):
    c = Case(rng, *case, True)
    label = tree_patterns(c.rows, c.space)
    expected = np.unique(np.c_[c.all.labels, c.loss], axis=0)
    assert_array_equal(
        np.unique(
            np.c_[label[:, c.place], pattern_losses(label, c.rows.weight)], axis=0
        ),
        expected,
    )
