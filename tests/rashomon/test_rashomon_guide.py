"""The order of steps that the guide proposes runs."""

import re
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from sklearn_ext import rashomon

PYTHON = r"code-block:: python\n\n((?: {3}.*\n|\n)+)"
GUIDE = Path(__file__).parents[2] / "docs" / "user_guide"


def test_the_order_of_steps_runs(capsys):
    _, block, *_ = re.findall(PYTHON, (GUIDE / "rashomon.rst").read_text())
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


def test_certificates_and_bits_run(capsys):
    page = GUIDE / "rashomon_certificates.rst"
    certificate, bits = re.findall(PYTHON, page.read_text())
    X, y = load_breast_cancer(return_X_y=True)
    names = {"X": X[::2, :5], "y": y[::2], "X_other": X[1::2, :5]} | vars(rashomon)
    exec(textwrap.dedent(certificate), names)
    assert 0.05 < names["found"].bound < 0.5
    middle = X[:, :2].mean(axis=0)
    names |= {"X_test": (X[::5, :2] - middle) / X[:, :2].std(axis=0), "y_test": y[::5]}
    exec(textwrap.dedent(bits).replace("0.1)", "0.2)"), names)
    assert 1 < names["found"].bits < 20
    assert names["found"].reliable
    assert len(capsys.readouterr().out.splitlines()) == 2
