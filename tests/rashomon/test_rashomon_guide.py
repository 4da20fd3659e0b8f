"""The order of steps that the guide proposes runs."""

import re
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from sklearn_ext import rashomon

GUIDE = Path(__file__).parents[2] / "docs" / "user_guide" / "rashomon.rst"


def test_the_order_of_steps_runs(capsys):
    python = r"code-block:: python\n\n((?: {3}.*\n|\n)+)"
    _, block = re.findall(python, GUIDE.read_text())
    X, y = load_breast_cancer(return_X_y=True)
    names = {"X": X[::3, :5], "y": y[::3]} | vars(rashomon)
    exec(textwrap.dedent(block), names)
    check, trees = names["check"], names["trees"]
    assert capsys.readouterr().out == f"{check.similar} {check.simplest_within_tol}\n"
    assert trees.threshold_loss_ == names["reference"] + trees.theta
    assert 0 < names["reference"] < 0.2
    assert names["share"].shape == (190, 2)
    assert len(plt.get_fignums()) == 2
    plt.close("all")
