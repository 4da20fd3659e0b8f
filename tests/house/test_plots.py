"""What every display shares: it is a record, and it draws somewhere."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext._core._plots import Display


class Line(Display):
    """A line."""

    height: float
    name: str = "line"

    @classmethod
    def from_estimator(cls, estimator, X):
        found = cls._innermost(estimator, X, wanted=Ridge)
        return cls(height=found.model.intercept_)

    def plot(self, ax=None):
        ax = self._axes(ax, figsize=(2, 1))
        ax.axhline(self.height)
        return self


def test_a_display_is_a_record_of_named_fields():
    line = Line(height=2.0)
    assert (line.height, line.name) == (2.0, "line")
    with pytest.raises(TypeError):
        Line(2.0)
    with pytest.raises(TypeError, match="height"):
        Line()


def test_two_records_are_two_displays():
    one, other = (Line(height=np.zeros(3)) for _ in range(2))
    assert one != other
    assert len({one, other}) == 2


def test_it_draws_on_given_axes_or_on_new_ones():
    _, ax = plt.subplots()
    assert Line(height=1.0).plot(ax).ax_ is ax
    line = Line(height=1.0).plot()
    assert line.ax_ is not ax
    assert line.figure_ is line.ax_.figure
    assert tuple(line.figure_.get_size_inches()) == (2, 1)
    plt.close("all")


def test_it_finds_the_model_at_the_end_of_a_pipeline(rng):
    X, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    model = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    assert Line.from_estimator(model, X).height == model[-1].intercept_
    other = LogisticRegression().fit(X, y > 0)
    with pytest.raises(TypeError, match=r"Line\.from_estimator"):
        Line.from_estimator(other, X)
