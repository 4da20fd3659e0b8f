"""Pictures of a selection: value by size, a trace of updates, exemplars."""

import numpy as np
from sklearn.decomposition import PCA

from sklearn_ext._core._plots import Display
from sklearn_ext._numerics._arrays import dense
from sklearn_ext.submodular._selector import DynamicSubmodularSelector

FEW_DECADES = 30  # largest over smallest value, below which powers of ten are too few


def _count_along(axis):
    """Put ticks at whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _log_scale(ax, values):
    """Label powers of ten, or also their double and fivefold where these are few."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_yscale("log")
    positive = np.asarray(values, dtype=float)
    positive = positive[positive > 0]
    if len(positive) and positive.max() < FEW_DECADES * positive.min():
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


class SelectionCurveDisplay(Display):
    """Value of the first k selected rows, beside random sets and the proven bound.

    Parameters
    ----------
    curve : ndarray of shape (n_selected,)
        Values by number of rows.
    upper_bound : float
        Bound for as many rows.
    random : ndarray of shape (n_draws, n_selected)
        Values of random sets.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    line_ : matplotlib Line2D
        The curve.

    See Also
    --------
    ExemplarDisplay : The rows themselves.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.submodular import DynamicSubmodularSelector
    >>> from sklearn_ext.submodular import SelectionCurveDisplay
    >>> selector = DynamicSubmodularSelector(5).fit(load_iris().data)
    >>> display = SelectionCurveDisplay.from_estimator(selector, n_draws=10)
    """

    curve: np.ndarray
    upper_bound: float
    random: np.ndarray

    @classmethod
    def from_estimator(cls, estimator, *, n_draws=20, random_state=0, ax=None):
        """Draw the curve of a fitted selector.

        Parameters
        ----------
        estimator : DynamicSubmodularSelector
            A fitted one, or a Pipeline that ends in one.
        n_draws : int, default=20
            Random sets to compare with.
        random_state : int, default=0
            Draws them.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        SelectionCurveDisplay
            The display.
        """
        estimator = cls._innermost(estimator, wanted=DynamicSubmodularSelector).model
        oracle, rng = estimator._now.oracle, np.random.default_rng(random_state)
        slots, k = estimator._now.table.slots, len(estimator.selected_ids_)
        random = np.zeros((n_draws, k))
        for draw in range(n_draws):
            drawn = rng.choice(slots, k, replace=False)
            random[draw] = np.cumsum(oracle.grow(oracle.empty_state(), drawn)[1])
        display = cls(
            curve=estimator.objective_curve_,
            upper_bound=estimator.upper_bound_,
            random=random,
        )
        return display.plot(ax)

    def plot(self, ax=None, *, name="selected", curve_kwargs=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default="selected"
            Name in the legend.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        SelectionCurveDisplay
            The display.
        """
        ax = self._axes(ax)
        sizes = np.arange(1, len(self.curve) + 1)
        (self.line_,) = ax.plot(
            sizes, self.curve, "o-", ms=3, label=name, **(curve_kwargs or {})
        )
        low, middle, high = np.quantile(self.random, [0.05, 0.5, 0.95], axis=0)
        ax.plot(sizes, middle, ":", color="0.4", label="random, 90 % band")
        ax.fill_between(sizes, low, high, color="0.4", alpha=0.25, lw=0)
        ax.axhline(self.upper_bound, ls="--", color="k", label="no set has more")
        ax.set(xlabel="number of rows", ylabel="objective")
        _count_along(ax.xaxis)
        ax.legend()
        return self


class UpdateTraceDisplay(Display):
    """Calls, latency and certificate over a stream of updates.

    Parameters
    ----------
    trace : dict of str to array-like
        Quantities by update, of the same length; drawn one below the other under
        their keys. Latencies ("seconds" in the key) and calls get a log scale.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    SelectionCurveDisplay : One answer by its size.

    Examples
    --------
    >>> from sklearn_ext.submodular import UpdateTraceDisplay
    >>> trace = {"calls": [4, 9, 200], "certificate": [0.6, 0.6, 0.7]}
    >>> display = UpdateTraceDisplay.from_trace(trace)
    """

    trace: dict

    @classmethod
    def from_trace(cls, trace):
        """Draw what was recorded.

        Parameters
        ----------
        trace : dict of str to array-like
            Quantities by update.

        Returns
        -------
        UpdateTraceDisplay
            The display.
        """
        sizes = {len(values) for values in trace.values()}
        if len(sizes) != 1:
            raise ValueError(
                f"All quantities of a trace need the same length, got {sorted(sizes)}."
            )
        return cls(trace=trace).plot()

    def plot(self, axes=None):
        """Draw.

        Parameters
        ----------
        axes : array of matplotlib Axes, default=None
            One for each quantity; None makes a figure.

        Returns
        -------
        UpdateTraceDisplay
            The display.
        """
        n = len(self.trace)
        if axes is None:
            _, axes = self._pyplot().subplots(
                n,
                sharex=True,
                figsize=(6, 1.8 * n),
                squeeze=False,
                layout="constrained",
            )
        self.axes_ = np.ravel(axes)
        self.figure_ = self.axes_[0].figure
        for ax, (name, values) in zip(self.axes_, self.trace.items(), strict=True):
            ax.plot(values, lw=1)
            if "seconds" in name or "calls" in name:
                _log_scale(ax, values)
            ax.set_ylabel(name)
            _count_along(ax.xaxis)
        self.axes_[-1].set_xlabel("update")
        return self


class ExemplarDisplay(Display):
    """Rows in two dimensions, each with a line to the selected one that stands for it.

    Selected rows carry their positions in ``selected_ids_``.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Rows in the plane.
    exemplars : ndarray of shape (n_selected, 2)
        Selected rows in the plane.
    labels : ndarray of shape (n_samples,)
        Position of the selected row that each row belongs to.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    SelectionCurveDisplay : Value by number of rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.submodular import DynamicSubmodularSelector, ExemplarDisplay
    >>> X = load_iris().data
    >>> selector = DynamicSubmodularSelector(5).fit(X)
    >>> display = ExemplarDisplay.from_estimator(selector, X)
    """

    points: np.ndarray
    exemplars: np.ndarray
    labels: np.ndarray

    @classmethod
    def from_estimator(cls, estimator, X, *, ax=None):
        """Draw rows on their first two principal components, unless they have two.

        Where the estimator has an encoder, these are of the encoded rows.

        Parameters
        ----------
        estimator : DynamicSubmodularSelector
            A fitted one, or a Pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows to show.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ExemplarDisplay
            The display.
        """
        estimator, (X,), _ = cls._innermost(
            estimator, X, wanted=DynamicSubmodularSelector
        )
        labels, exemplars = estimator.predict(X), estimator._encoded_exemplars()
        _, X = estimator._more_rows(X)
        X, exemplars = dense(X), dense(exemplars)
        if X.shape[1] == 1:
            X, exemplars = (np.column_stack([A, 0 * A]) for A in (X, exemplars))
        if X.shape[1] > 2:
            plane = PCA(2, svd_solver="full").fit(X)
            X, exemplars = plane.transform(X), plane.transform(exemplars)
        return cls(points=X, exemplars=exemplars, labels=labels).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ExemplarDisplay
            The display.
        """
        ax = self._axes(ax)
        from matplotlib.collections import LineCollection

        ends = self.exemplars[self.labels]
        lines = np.stack([self.points, ends], axis=1)  # (n_samples, 2 ends, 2)
        ax.add_collection(LineCollection(lines, color="0.8", lw=0.6, zorder=1))
        ax.scatter(*self.points.T, color="0.35", s=6, lw=0, zorder=2)
        ax.scatter(*self.exemplars.T, s=150, color="w", edgecolor="k", zorder=3)
        for at, (x, y) in enumerate(self.exemplars):
            ax.text(x, y, at, size=8, ha="center", va="center_baseline", zorder=4)
        ax.set(xlabel="first component", ylabel="second component")
        return self
