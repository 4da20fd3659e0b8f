"""Pictures of the law of a target: for some rows, or along a column."""

from numbers import Integral

import numpy as np
from scipy.stats import norm
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    column_or_1d,
)

from sklearn_ext._core._plots import Display
from sklearn_ext.networks._noprop._regressor import NoPropRegressor

N_QUANTILES = 300  # equally likely values that a density is smoothed from
REMOTE = 3  # of them at each end that need not be in the picture
MANY_ROWS = 12  # more curves than that are not told apart


class ConditionalDistributionDisplay(Display):
    """Density of the target for some rows, or along a column.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Values of the target, ascending.
    density : ndarray of shape (n_curves, n_values)
        Density of the target for each row, or at each place of the column.
    places : ndarray of shape (n_curves,) or None
        Places along the column; None where rows are shown.
    column : str or None
        Name of the column.
    observed : ndarray of shape (n_samples, 2) or None
        Column and target of rows that were seen; of shape (n_curves, 1), the target of
        each row, where rows are shown.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        Densities of rows; empty along a column.
    mesh_ : matplotlib QuadMesh or None
        Density along the column, each place relative to its largest.

    See Also
    --------
    NoPropRegressor : Predicts the law.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.networks import (
    ...     ConditionalDistributionDisplay, NoPropRegressor)
    >>> rng = np.random.default_rng(0)
    >>> X, side = rng.uniform(size=(300, 1)), rng.choice([-1.0, 1.0], 300)
    >>> model = NoPropRegressor(2, random_state=0).fit(X, side * (1 + X[:, 0]))
    >>> display = ConditionalDistributionDisplay.from_estimator(model, X, column=0)
    """

    values: np.ndarray
    density: np.ndarray
    places: np.ndarray | None = None
    column: str | None = None
    observed: np.ndarray | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        column=None,
        n_places=80,
        n_values=300,
        smoothing=0.015,
        ax=None,
    ):
        """Predict laws and draw them.

        Parameters
        ----------
        estimator : NoPropRegressor or Pipeline
            A fitted model, or a fitted pipeline or search that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows: at most twelve to show each, or a table to go along its column.
        y : array-like of shape (n_samples,), default=None
            Their targets, to be shown with the law.
        column : int or str, default=None
            Column to go along, between its extremes, the others at their medians; a
            number, or a name as the model sees it. None shows the rows.
        n_places, n_values : int, default=80 and 300
            Places along the column, and values of the target.
        smoothing : float, default=0.015
            Width of the smoothing of a density, as a share of the shown values.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ConditionalDistributionDisplay
            The display.
        """
        model, (X,), names = cls._innermost(estimator, X, wanted=NoPropRegressor)
        frame = X
        X = check_array(X, dtype=np.float64)
        if y is not None:
            y = column_or_1d(y).astype(np.float64)
            check_consistent_length(X, y)
        places = name = observed = None
        if column is None:
            if len(X) > MANY_ROWS:
                raise ValueError(
                    f"{len(X)} rows were given, at most {MANY_ROWS} can be shown each; "
                    "pass fewer, or column= to go along a column."
                )
            rows = frame
            observed = None if y is None else y[:, None]
        else:
            at, name = _found(column, names, X.shape[1])
            places = np.linspace(X[:, at].min(), X[:, at].max(), n_places)
            rows = np.tile(np.median(X, axis=0), (n_places, 1))
            rows[:, at] = places
            if hasattr(frame, "columns"):
                rows = type(frame)(dict(zip(frame.columns, rows.T, strict=True)))
            observed = None if y is None else np.stack([X[:, at], y], axis=1)
        levels = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
        said = model.predict_quantiles(rows, levels)
        ends = [said[:, REMOTE].min(), said[:, -1 - REMOTE].max()]
        if y is not None:
            ends = [min(ends[0], y.min()), max(ends[1], y.max())]
        margin = 0.05 * (ends[1] - ends[0]) or 1.0
        values = np.linspace(ends[0] - margin, ends[1] + margin, n_values)
        width = smoothing * (values[-1] - values[0])
        density = np.stack(
            [norm.pdf(values[:, None], q, width).mean(axis=1) for q in said]
        )
        parts = {"values": values, "density": density, "places": places}
        return cls(**parts, column=name, observed=observed).plot(ax)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw the densities.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Name of the target, for its axis.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot`` for rows, to ``Axes.pcolormesh`` along a column.

        Returns
        -------
        ConditionalDistributionDisplay
            The display.
        """
        ax, target = self._axes(ax), name or "target"
        self.lines_, self.mesh_ = [], None
        if self.places is None:
            for i, density in enumerate(self.density):
                style = {"label": f"row {i}", **(curve_kwargs or {})}
                (line,) = ax.plot(self.values, density, **style)
                self.lines_.append(line)
                if self.observed is not None:
                    ax.axvline(self.observed[i, 0], color=line.get_color(), ls=":")
            ax.set(xlabel=target, ylabel="density", ylim=(0, None))
            ax.legend()
            return self
        shown = self.density / self.density.max(axis=1, keepdims=True)
        style = {"cmap": "Blues", "shading": "auto", **(curve_kwargs or {})}
        self.mesh_ = ax.pcolormesh(self.places, self.values, shown.T, **style)
        if self.observed is not None:
            ax.scatter(*self.observed.T, s=6, color="0.1", alpha=0.6, linewidths=0)
        ax.set(xlabel=self.column, ylabel=target)
        return self


def _found(column, names, n_columns):
    """Return the place and the name of a column."""
    if isinstance(column, str):
        if names is None or column not in list(names):
            known = "it knows no names" if names is None else f"it has {list(names)}"
            raise ValueError(f"The model has no column {column!r}: {known}.")
        return list(names).index(column), column
    if not (isinstance(column, Integral) and 0 <= column < n_columns):
        raise ValueError(
            f"column must be a name or a number below {n_columns}, got {column!r}."
        )
    return int(column), f"column {column}" if names is None else str(names[column])
