"""The rate, against its formula and against what it is about."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.representations import pretraining_rate


def test_rates_are_those_of_the_paper():
    rate = pretraining_rate(900, 100, 9.0, 4.0)
    assert_allclose(rate.pretrained, 0.1 + 0.2)
    assert_allclose(rate.supervised, np.sqrt(13 / 100))
    assert_allclose(rate.ratio, 0.3 / np.sqrt(0.13))
    joint = pretraining_rate(900, 100, 9.0, 4.0, complexity_joint=9.0)
    assert_allclose(joint.ratio, 1.0)


def test_more_unlabelled_rows_never_harm_and_four_times_all_rows_halve_both():
    few, many = (pretraining_rate(m, 50, 100.0, 3.0) for m in (100, 10_000))
    assert many.ratio < few.ratio
    one, four = pretraining_rate(100, 10, 8.0, 2.0), pretraining_rate(400, 40, 8.0, 2.0)
    for name in ("pretrained", "supervised"):
        assert_allclose(four[name], one[name] / 2)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((0, 5, 1.0, 1.0), "n_unlabeled"), ((5, 5, -1.0, 1.0), "complexity_repr")],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        pretraining_rate(*arguments)
