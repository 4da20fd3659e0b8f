"""Pictures of regret, of what a bandit explores, and of the values of policies."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._plots import Display
from sklearn_ext.bandits._values._policy import policy_value_curve

STYLES = ("-", "--", "-.", ":")


class RegretDisplay(Display):
    """Regret of bandits against the rows that they have decided.

    Parameters
    ----------
    runs : dict of str to BanditRun
        Runs through one problem, by name.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        A line a run.

    See Also
    --------
    simulate : Makes a run.

    Examples
    --------
    >>> from sklearn_ext.bandits import (
    ...     RegretDisplay, RidgeBandit, make_linear_bandit, simulate)
    >>> problem = make_linear_bandit(500, 3, 4, random_state=0)
    >>> run = simulate(RidgeBandit(), problem, batch_size=50, n_repeats=2)
    >>> display = RegretDisplay.from_runs({"ridge": run})
    """

    runs: dict

    @classmethod
    def from_runs(cls, runs, *, ax=None, kind="cumulative", baseline=None):
        """Draw runs beside each other.

        Parameters
        ----------
        runs : dict of str to BanditRun
            Runs through one problem, by name.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        kind : {"cumulative", "mean", "reward"}, default="cumulative"
            Summed expected regret, its mean up to each row, or the mean reward.
        baseline : str, default=None
            A name: draws the differences to this run, repeat by repeat.

        Returns
        -------
        RegretDisplay
            The display.
        """
        return cls(runs=dict(runs)).plot(ax, kind=kind, baseline=baseline)

    def plot(self, ax=None, *, kind="cumulative", baseline=None, curve_kwargs=None):
        """Draw the mean of the repeats of each run, within two standard errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        kind : {"cumulative", "mean", "reward"}, default="cumulative"
            Summed expected regret, its mean up to each row, or the mean reward.
        baseline : str, default=None
            A name: draws the differences to this run, repeat by repeat.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot`` for every line.

        Returns
        -------
        RegretDisplay
            The display.
        """
        labels = {
            "cumulative": "expected regret, summed",
            "mean": "expected regret a row",
            "reward": "mean reward",
        }
        if kind not in labels:
            raise ValueError(f"kind must be one of {sorted(labels)}, got {kind!r}.")
        if baseline is not None and baseline not in self.runs:
            raise ValueError(
                f"baseline={baseline!r} is not among the runs {sorted(self.runs)}."
            )
        if not self.runs:
            raise ValueError("runs holds no run to draw.")
        shapes = {name: run.reward.shape for name, run in self.runs.items()}
        if baseline is not None and len(set(shapes.values())) > 1:
            raise ValueError(
                f"Differences to {baseline!r} need runs of as many repeats and rows as "
                f"it has, got {shapes}."
            )
        ax, self.lines_ = self._axes(ax), []
        curves = {name: _curve(run, kind) for name, run in self.runs.items()}
        for i, (name, curve) in enumerate(curves.items()):
            if name == baseline:
                continue
            if baseline is not None:
                curve = curve - curves[baseline]
            n_repeats, n = curve.shape
            at, mean = np.arange(1, n + 1), curve.mean(axis=0)
            style = {"ls": STYLES[i % len(STYLES)], **(curve_kwargs or {})}
            (line,) = ax.plot(at, mean, label=name, **style)
            if n_repeats > 1:
                error = 2 * curve.std(axis=0, ddof=1) / np.sqrt(n_repeats)
                low, high = mean - error, mean + error
                ax.fill_between(at, low, high, alpha=0.2, color=line.get_color(), lw=0)
            self.lines_.append(line)
        unit = labels[kind]
        unit = unit if baseline is None else f"{unit}, less that of {baseline}"
        ax.set(xlabel="rows decided", ylabel=unit)
        ax.legend()
        return self


def _curve(run, kind):
    values = run.reward if kind == "reward" else run.expected_regret
    total = values.cumsum(axis=1)
    return total if kind == "cumulative" else total / np.arange(1, total.shape[1] + 1)


class ExplorationDisplay(Display):
    """Share of each action over time.

    Parameters
    ----------
    shares : ndarray of shape (n_points, n_actions)
        Shares that sum to one at each point.
    rows : ndarray of shape (n_points,)
        Rows decided up to each point.
    actions : ndarray of shape (n_actions,)
        Labels.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    areas_ : list of matplotlib PolyCollection
        An area an action.

    See Also
    --------
    RegretDisplay : What the exploration costs.

    Examples
    --------
    >>> from sklearn_ext.bandits import (
    ...     ExplorationDisplay, RidgeBandit, make_bandit_log, make_linear_bandit)
    >>> X, action, reward, _ = make_bandit_log(make_linear_bandit(300, random_state=0))
    >>> bandit = RidgeBandit().fit(X, action, reward=reward)
    >>> display = ExplorationDisplay.from_estimator(bandit, X)
    """

    shares: np.ndarray
    rows: np.ndarray
    actions: np.ndarray

    @classmethod
    def from_estimator(cls, estimator, X, *, n_points=50, ax=None):
        """Draw the probabilities that a fitted bandit gives to rows in order of time.

        Parameters
        ----------
        estimator : estimator
            A fitted bandit, or anything with ``predict_proba`` and ``classes_``.
        X : array-like of shape (n_samples, n_features)
            Rows in their order.
        n_points : int, default=50
            Windows of rows over which probabilities are averaged.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ExplorationDisplay
            The display.
        """
        check_is_fitted(estimator)
        shares, rows = _windows(estimator.predict_proba(X), n_points)
        return cls(shares=shares, rows=rows, actions=estimator.classes_).plot(ax)

    @classmethod
    def from_run(cls, run, *, n_points=50, ax=None):
        """Draw the shares of rows in which a run took each action.

        Parameters
        ----------
        run : BanditRun
            The run; repeats are averaged.
        n_points : int, default=50
            Windows of rows over which shares are taken.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ExplorationDisplay
            The display.
        """
        actions = np.unique(run.action)
        taken = (run.action[..., None] == actions).mean(axis=0)
        shares, rows = _windows(taken, n_points)
        return cls(shares=shares, rows=rows, actions=actions).plot(ax)

    def plot(self, ax=None, *, area_kwargs=None):
        """Draw the shares on top of each other.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        area_kwargs : dict, default=None
            Passed to ``Axes.stackplot``.

        Returns
        -------
        ExplorationDisplay
            The display.
        """
        plt, ax = self._pyplot(), self._axes(ax)
        tones = plt.get_cmap("cividis")(np.linspace(0, 1, len(self.actions)))
        style = {"colors": tones, "edgecolor": "white", "lw": 0.3}
        self.areas_ = ax.stackplot(
            self.rows,
            self.shares.T,
            labels=[str(label) for label in self.actions],
            **{**style, **(area_kwargs or {})},
        )
        ax.set(xlabel="rows", ylabel="share of each action", ylim=(0, 1))
        ax.margins(x=0)
        if len(self.actions) <= 12:
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return self


def _windows(shares, n_points):
    """Average rows over windows of equal length."""
    edges = np.unique(np.linspace(0, len(shares), n_points + 1).astype(int))
    means = np.add.reduceat(shares, edges[:-1]) / np.diff(edges)[:, None]
    return means, edges[1:]


class PolicyValueDisplay(Display):
    """Values of policies with their intervals, beside each other or over time.

    Parameters
    ----------
    values : dict of str to PolicyValue, default=None
        Values by name, drawn as points with their intervals.
    curve : Bunch, default=None
        What `policy_value_curve` returns, drawn as a line in its band.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    policy_value : Makes a value.
    policy_value_curve : Makes a curve.

    Examples
    --------
    >>> from sklearn_ext.bandits import PolicyValueDisplay, policy_value
    >>> log = [0, 1] * 100, [1, 0] * 100, [0.5] * 200
    >>> values = {f"always {a}": policy_value(*log, [a] * 200) for a in (0, 1)}
    >>> display = PolicyValueDisplay.from_values(values)
    """

    values: dict | None = None
    curve: object = None

    @classmethod
    def from_values(cls, values, *, ax=None):
        """Draw values of several policies, or differences, beside each other.

        Parameters
        ----------
        values : dict of str to PolicyValue
            Values by name.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        PolicyValueDisplay
            The display.
        """
        return cls(values=dict(values)).plot(ax)

    @classmethod
    def from_log(cls, action, reward, propensity, target, *, ax=None, **settings):
        """Draw the value of a policy against the rows of the log, in its band.

        Parameters
        ----------
        action : array-like of shape (n_samples,)
            Logged actions.
        reward : array-like of shape (n_samples,)
            Their rewards.
        propensity : array-like of shape (n_samples,) or (n_samples, n_actions)
            Probabilities with which they were drawn.
        target : array-like or estimator
            The policy to judge, as in `policy_value`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **settings : dict
            Passed to `policy_value_curve`.

        Returns
        -------
        PolicyValueDisplay
            The display.
        """
        curve = policy_value_curve(action, reward, propensity, target, **settings)
        return cls(curve=curve).plot(ax)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw what the display holds.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Label of the curve.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot`` or, for values, to ``Axes.errorbar``.

        Returns
        -------
        PolicyValueDisplay
            The display.
        """
        ax, style = self._axes(ax), curve_kwargs or {}
        if self.curve is not None:
            at = self.curve.times
            (line,) = ax.plot(at, self.curve.value, label=name, **style)
            band = {"alpha": 0.2, "color": line.get_color(), "lw": 0}
            ax.fill_between(at, self.curve.lower, self.curve.upper, **band)
            ax.set(xlabel="logged rows", ylabel="mean reward of the policy")
            if name is not None:
                ax.legend()
            return self
        found = list(self.values.values())
        value, at = np.array([v.value for v in found]), np.arange(len(found))[::-1]
        ends = np.array([[v.value - v.lower, v.upper - v.value] for v in found]).T
        ends = np.maximum(np.nan_to_num(ends), 0)
        ax.errorbar(value, at, xerr=ends, **{"fmt": "o", "capsize": 3, **style})
        ax.set_yticks(at, list(self.values))
        compared = any(v.e_value is not None for v in found)
        if compared:
            ax.axvline(0, color="0.6", lw=1, zorder=0)
        ax.set(xlabel="difference of mean rewards" if compared else "mean reward")
        ax.margins(y=0.2)
        return self
