"""Pictures of shrinkage and of what a few labelled rows are worth."""

import numpy as np

from sklearn_ext._core._plots import Display
from sklearn_ext.tasks._context import ContextCurve, context_curve
from sklearn_ext.tasks._task_ridge import TaskRidge


class ContextCurveDisplay(Display):
    """Error for a new task against the number of its rows that are known.

    Parameters
    ----------
    curve : ContextCurve
        As :func:`context_curve` returns it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    line_ : matplotlib Line2D
        The model's mean error.

    See Also
    --------
    context_curve : Measures it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.tasks import ContextCurveDisplay, TaskRidge
    >>> rng = np.random.default_rng(0)
    >>> store, X = np.repeat(np.arange(30), 8), rng.normal(size=(240, 1))
    >>> y = rng.normal(size=30)[store] + X[:, 0] + 0.1 * rng.normal(size=240)
    >>> display = ContextCurveDisplay.from_estimator(TaskRidge(), X, y, store)
    """

    curve: ContextCurve

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        groups,
        *,
        n_context=(0, 1, 2, 4, 8, 16),
        n_repeats=5,
        random_state=None,
        ax=None,
    ):
        """Measure the curve and draw it.

        Parameters
        ----------
        estimator : TaskRidge
            The model; clones of it are fitted.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Target.
        groups : array-like of shape (n_samples,)
            The task of each row.
        n_context : sequence of int, default=(0, 1, 2, 4, 8, 16)
            Numbers of known rows.
        n_repeats : int, default=5
            Draws of the new tasks.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ContextCurveDisplay
            The display.
        """
        options = {"n_repeats": n_repeats, "random_state": random_state}
        curve = context_curve(estimator, X, y, groups, n_context=n_context, **options)
        return cls(curve=curve).plot(ax)

    def plot(self, ax=None, *, name="TaskRidge", curve_kwargs=None):
        """Draw the means over the repeats, and the model's between its extremes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default="TaskRidge"
            Name of the model in the legend.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot`` for the model's line.

        Returns
        -------
        ContextCurveDisplay
            The display.
        """
        from matplotlib.ticker import FixedLocator, NullLocator

        ax, curve = self._axes(ax), self.curve
        at = np.arange(len(curve.n_context))
        style = {"marker": "o", "color": "C0", **(curve_kwargs or {})}
        (self.line_,) = ax.plot(at, curve.error.mean(axis=1), label=name, **style)
        low, high = curve.error.min(axis=1), curve.error.max(axis=1)
        ax.fill_between(at, low, high, alpha=0.15, color=self.line_.get_color(), lw=0)
        ax.plot(
            at,
            curve.predicted.mean(axis=1),
            ":",
            color=self.line_.get_color(),
            label="what it expects",
        )
        ax.axhline(
            curve.population.mean(), ls="--", color="0.35", label="population alone"
        )
        known = curve.n_context > 1
        if known.any():
            own = curve.own[known].mean(axis=1)
            ax.plot(at[known], own, "s-.", color="C1", label="one ridge a task")
            ax.set_ylim(0, 1.3 * max(high.max(), curve.population.mean()))
        ax.xaxis.set_major_locator(FixedLocator(at))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticklabels([str(size) for size in curve.n_context])
        ax.set_xlabel("labelled rows of a new task")
        ax.set_ylabel("mean squared error, units of y squared")
        ax.legend()
        return self


class TaskShrinkageDisplay(Display):
    """From each task's own least squares to its posterior, for one coefficient.

    Parameters
    ----------
    own : ndarray of shape (n_tasks,)
        The coefficient by least squares on the task's rows alone; NaN where these do
        not determine it.
    posterior : ndarray of shape (n_tasks,)
        The coefficient of the model.
    population : float
        Mean of the population.
    weight : ndarray of shape (n_tasks,)
        Rows of each task.
    name : str
        Name of the coefficient.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    arrows_ : matplotlib Quiver
        One arrow a task.

    See Also
    --------
    TaskRidge : The model.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.tasks import TaskRidge, TaskShrinkageDisplay
    >>> rng = np.random.default_rng(0)
    >>> store, X = np.repeat(np.arange(30), 8), rng.normal(size=(240, 1))
    >>> y = rng.normal(size=30)[store] + X[:, 0] + 0.5 * rng.normal(size=240)
    >>> model = TaskRidge().fit(X, y, groups=store)
    >>> display = TaskShrinkageDisplay.from_estimator(model)
    """

    own: np.ndarray
    posterior: np.ndarray
    population: float
    weight: np.ndarray
    name: str

    @classmethod
    def from_estimator(cls, estimator, *, coefficient="intercept", ax=None):
        """Draw the shrinkage of a fitted model.

        Parameters
        ----------
        estimator : TaskRidge
            A fitted one, or a Pipeline that ends in one.
        coefficient : "intercept", int or str, default="intercept"
            The intercept, at the mean of the columns over all rows, or a regressor by
            position or name.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        TaskShrinkageDisplay
            The display.

        Raises
        ------
        ValueError
            When the model has no such coefficient.
        """
        found = cls._innermost(estimator, wanted=TaskRidge)
        model = found.model
        names = _names(model, found.names)
        at = _position(model, names, coefficient)
        statistics = model.sufficient_statistics_
        own = model._scale.products(statistics).least_squares()
        tasks, population = model._all_tasks().means, model._population.mean
        centre = model._scale.centred(np.vstack([own, tasks, population]))[:, at]
        n = len(own)
        display = cls(
            own=centre[:n],
            posterior=centre[n:-1],
            population=centre[-1],
            weight=statistics.weight,
            name=names[at],
        )
        return display.plot(ax)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw one arrow a task, sorted by where it ends.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Title of the axes.
        curve_kwargs : dict, default=None
            Passed to ``Axes.quiver``.

        Returns
        -------
        TaskShrinkageDisplay
            The display.
        """
        ax = self._axes(ax)
        order = np.argsort(self.posterior, kind="stable")
        own, end = self.own[order], self.posterior[order]
        level = np.arange(len(order))
        known = np.isfinite(own)
        style = {"width": 0.003, "color": "C0", **(curve_kwargs or {})}
        self.arrows_ = ax.quiver(
            own[known],
            level[known],
            (end - own)[known],
            np.zeros(known.sum()),
            angles="xy",
            scale_units="xy",
            scale=1,
            **style,
        )
        ax.plot(own[known], level[known], ".", color="0.55", label="own least squares")
        ax.plot(end, level, "o", ms=4, color="C0", label="posterior")
        ax.axvline(self.population, ls="--", color="0.35", label="population")
        low, high = min(end.min(), self.population), max(end.max(), self.population)
        far = 1.5 * (high - low or 1.0)  # an arrow from beyond comes in from the edge
        shown = np.clip(np.append(own[known], [low, high]), low - far, high + far)
        margin = 0.05 * (np.ptp(shown) or 1.0)
        ax.set_xlim(shown.min() - margin, shown.max() + margin)
        ax.set_yticks([])
        ax.set_ylabel(f"{len(order)} tasks")
        ax.set_xlabel(self.name)
        ax.set_title(name or "")
        ax.legend()
        return self


def _names(model, names):
    """Return names of intercept and regressors."""
    n = model.n_features_in_
    columns = [f"slope of x{j}" for j in range(n)]
    if names is not None:
        columns = [f"slope of {name}" for name in names]
    if model.group_feature is not None:
        columns.pop(model._group_column())
    return ["intercept"] * bool(model.fit_intercept) + columns


def _position(model, names, coefficient):
    if isinstance(coefficient, (int, np.integer)):
        wanted = int(coefficient) + bool(model.fit_intercept)
        if 0 <= wanted < len(names):
            return wanted
    for wanted in (coefficient, f"slope of {coefficient}"):
        if wanted in names:
            return names.index(wanted)
    raise ValueError(
        f"coefficient={coefficient!r} is none of the model's: {', '.join(names)}, or a "
        "position."
    )
