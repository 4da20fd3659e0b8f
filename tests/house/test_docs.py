"""Shared entries of docstrings: whole where they are read, named where written."""

import inspect
import pydoc

import pytest
from numpydoc.docscrape import NumpyDocString

from sklearn_ext._core._docs import shared_docs


class Line:
    """Fit a line.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty.

        A second paragraph: with a colon.
    low, high : float
        Limits of the line.
    choice : {"a", \
            "b"}, default="a"
        One of two.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Slopes.
    """

    def __init__(self, alpha=1.0, low=0.0, high=1.0, choice="a"):
        pass


@shared_docs(Line)
class Plane:
    """Fit a plane.

    Parameters
    ----------
    alpha, high : see Line
    depth : int
        Its own: see Line.
    choice : see Line

    Attributes
    ----------
    coef_ : see Line
    """


def entries(thing, section):
    return {e.name: e for e in NumpyDocString(inspect.getdoc(thing))[section]}


def test_entries_are_those_of_the_sibling_in_the_order_written():
    ours, theirs = entries(Plane, "Parameters"), entries(Line, "Parameters")
    assert list(ours) == ["alpha", "high", "depth", "choice"]
    assert ours["alpha"] == theirs["alpha"]
    assert ours["choice"] == theirs["choice"]
    assert ours["high"].desc == theirs["low, high"].desc
    assert ours["depth"].desc == ["Its own: see Line."]
    assert entries(Plane, "Attributes") == entries(Line, "Attributes")


def test_help_shows_them():
    assert "Strength of the penalty." in pydoc.render_doc(Plane)
    assert "see Line\n" not in pydoc.render_doc(Plane)


def test_shared_entries_can_be_shared_on():
    @shared_docs(Plane)
    def measure(alpha):
        """Measure.

        Parameters
        ----------
        alpha : see Plane
        """

    assert (
        entries(measure, "Parameters")["alpha"] == entries(Line, "Parameters")["alpha"]
    )


def test_nothing_to_fill_where_docstrings_are_stripped():
    class Bare:
        pass

    Bare.__doc__ = None
    assert shared_docs(Line)(Bare).__doc__ is None


@pytest.mark.parametrize(
    ("doc", "message"),
    [
        ("Fit.\n\nalpha : see Curve", "says 'see Curve', which is not among"),
        ("Fit.\n\nbeta : see Line", "docstring of Line has no entry for 'beta'"),
    ],
)
def test_a_reference_to_nothing_is_an_error(doc, message):
    class Lost:
        __doc__ = doc

    with pytest.raises(LookupError, match=message):
        shared_docs(Line)(Lost)
