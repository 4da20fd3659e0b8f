"""Examples in docstrings print what they say."""

import doctest
from importlib import import_module

import matplotlib.pyplot as plt
import pytest

import sklearn_ext
from tests._instances import FEW_ERRORS, LEFT_OUT, MAPPED_TO_THEMSELVES


def examples():
    for family in sklearn_ext.FAMILIES:
        module = import_module(f"sklearn_ext.{family}")
        for name in module.__all__:
            try:
                thing = getattr(module, name)
            except ImportError:  # a module of torch, where that is not installed
                continue
            if callable(thing):
                yield pytest.param(thing, id=f"{family}.{name}")


@pytest.mark.filterwarnings(FEW_ERRORS, MAPPED_TO_THEMSELVES)
@pytest.mark.parametrize("thing", list(examples()))
def test_examples_print_what_they_say(thing):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    home = import_module(thing.__module__)
    for test in doctest.DocTestFinder().find(thing, thing.__name__, home, {}):
        if any(name in test.docstring for name in LEFT_OUT):
            continue
        assert not runner.run(test).failed
        plt.close("all")
