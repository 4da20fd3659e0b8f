"""Displays of ranges over a Rashomon set."""

import numpy as np

from sklearn_ext._core._pipelines import innermost
from sklearn_ext.rashomon._logistic import RashomonLogisticRegression
from sklearn_ext.rashomon._plots import axes_of, say_empty
from sklearn_ext.rashomon._ridge import RashomonRidge
from sklearn_ext.rashomon._trees._classifier import RashomonTreeClassifier


class _RangeDisplay:
    """Horizontal ranges with a point for the best model."""

    label = ""

    def __init__(self, *, ranges, point=None, names=None):
        self.ranges = ranges
        self.point = point
        self.names = names

    def plot(self, ax=None, *, max_features=15, **bar_kwargs):
        """Draw the widest ranges.

        Parameters
        ----------
        ax : Axes or None, default=None
            Where to draw.
        max_features : int, default=15
            Number of ranges.
        **bar_kwargs : dict
            Passed to ``ax.barh``.

        Returns
        -------
        object
            The display.
        """
        ax = axes_of(self, ax)
        ax.use_sticky_edges = False  # else bars begin at the frame
        ranges = np.asarray(self.ranges)
        order = np.argsort(-np.abs(ranges).max(axis=1), kind="stable")[:max_features]
        place = np.arange(len(order))[::-1]
        names = self.names
        if names is None:
            names = [f"feature_{i}" for i in range(len(ranges))]
        style = {"height": 0.6, "color": "tab:blue", "alpha": 0.6} | bar_kwargs
        width = np.ptp(ranges[order], axis=1)
        self.bars_ = ax.barh(place, width, left=ranges[order, 0], **style)
        if self.point is not None:
            ax.plot(
                np.asarray(self.point)[order], place, "k|", ms=12, label="best model"
            )
            ax.legend()
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_yticks(place, [str(names[i]) for i in order])
        ax.set(xlabel=self.label)
        return self


class CoefficientRangeDisplay(_RangeDisplay):
    """Ranges of the coefficients of equally good linear models.

    Parameters
    ----------
    ranges : ndarray of shape (n_features, 2)
        Smallest and largest coefficients.
    point : ndarray of shape (n_features,) or None, default=None
        Coefficients of the best model.
    names : sequence of str or None, default=None
        Names of the features.

    Attributes
    ----------
    ax_ : Axes
        Axes of the last plot.
    figure_ : Figure
        Its figure.
    bars_ : BarContainer
        The ranges.

    See Also
    --------
    VariableImportanceCloudDisplay : Ranges of importance.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.rashomon import CoefficientRangeDisplay, RashomonRidge
    >>> model = RashomonRidge().fit(*load_diabetes(return_X_y=True))
    >>> display = CoefficientRangeDisplay.from_estimator(model)
    """

    label = "range of the coefficient in the Rashomon set"

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **bar_kwargs):
        """Plot the ranges of a fitted linear estimator.

        Parameters
        ----------
        estimator : RashomonRidge or RashomonLogisticRegression
            A fitted estimator, or a Pipeline that ends in one.
        ax : Axes or None, default=None
            Where to draw.
        **bar_kwargs : dict
            Passed to ``ax.barh``.

        Returns
        -------
        CoefficientRangeDisplay
            The display.
        """
        user = f"{cls.__name__}.from_estimator"
        linear = (RashomonRidge, RashomonLogisticRegression)
        model, _, names = innermost(estimator, wanted=linear, user=user)
        display = cls(
            ranges=model.coef_range_, point=np.ravel(model.coef_), names=names
        )
        empty = model.log_ratio_ == -np.inf
        return say_empty(display.plot(ax, **bar_kwargs), empty)


class VariableImportanceCloudDisplay(_RangeDisplay):
    """Ranges of model class reliance: how much a good model may need a feature.

    Parameters
    ----------
    ranges : ndarray of shape (n_features, 2)
        Smallest and largest reliance.
    point : ndarray of shape (n_features,) or None, default=None
        Reliance of the best model.
    names : sequence of str or None, default=None
        Names of the features.

    Attributes
    ----------
    ax_ : Axes
        Axes of the last plot.
    figure_ : Figure
        Its figure.
    bars_ : BarContainer
        The ranges.

    See Also
    --------
    CoefficientRangeDisplay : Ranges of coefficients.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.rashomon import RashomonRidge, VariableImportanceCloudDisplay
    >>> model = RashomonRidge().fit(*load_diabetes(return_X_y=True))
    >>> display = VariableImportanceCloudDisplay.from_estimator(model)
    """

    label = "loss added when the feature is permuted"

    @classmethod
    def from_estimator(cls, estimator, X=None, y=None, *, ax=None, **bar_kwargs):
        """Compute the reliance of a fitted estimator and plot it.

        Parameters
        ----------
        estimator : RashomonTreeClassifier or RashomonRidge
            A fitted estimator, or a Pipeline that ends in one.
        X : array-like of shape (n_samples, n_features) or None, default=None
            Rows; trees need them, and ridge knows its training rows.
        y : array-like of shape (n_samples,) or None, default=None
            Their target.
        ax : Axes or None, default=None
            Where to draw.
        **bar_kwargs : dict
            Passed to ``ax.barh``.

        Returns
        -------
        VariableImportanceCloudDisplay
            The display.
        """
        user = f"{cls.__name__}.from_estimator"
        reliant = (RashomonTreeClassifier, RashomonRidge)
        model, (X,), names = innermost(estimator, X, wanted=reliant, user=user)
        given = _checked_rows(model, X, y, user)
        ranges = model.model_class_reliance(*given)
        display = cls(ranges=ranges, names=names).plot(ax, **bar_kwargs)
        return say_empty(display, model.log_ratio_ == -np.inf)


def _checked_rows(model, X, y, user):
    """Rows for the reliance of trees; that of ridge is one of the training rows."""
    needed = isinstance(model, RashomonTreeClassifier)
    if needed and (X is None or y is None):
        raise ValueError(
            f"{user} needs X and y for trees, whose reliance is measured on rows: "
            "give the training rows or others."
        )
    if not needed and not (X is None and y is None):
        raise ValueError(
            f"{user} takes no X and y for ridge, whose reliance follows from sums over "
            "the training rows: leave them out."
        )
    return (X, y) if needed else ()
