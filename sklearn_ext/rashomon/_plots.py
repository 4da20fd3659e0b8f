"""Displays of Rashomon ratios and curves."""

import numpy as np

from sklearn_ext._core._compat import check_matplotlib_support
from sklearn_ext._core._pipelines import innermost
from sklearn_ext.rashomon._linear_classifier import RashomonLinearClassifier
from sklearn_ext.rashomon._logistic import RashomonLogisticRegression
from sklearn_ext.rashomon._ridge import RashomonRidge
from sklearn_ext.rashomon._trees._classifier import RashomonTreeClassifier

MEASURED = (
    RashomonTreeClassifier,
    RashomonLinearClassifier,
    RashomonLogisticRegression,
    RashomonRidge,
)


def axes_of(display, ax):
    """Return axes to draw on and store them in the display."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")  # room for names of features
    display.ax_ = ax
    display.figure_ = display.ax_.figure
    return display.ax_


def say_empty(display, empty):
    """Write on the axes that no model is in the set, where a curve would be blank."""
    if empty:
        display.ax_.text(
            0.5,
            0.5,
            "the set is empty:\nraise theta or reference_loss",
            transform=display.ax_.transAxes,
            ha="center",
            va="center",
        )
    return display


class RashomonRatioDisplay:
    """Logarithm of the Rashomon ratio against the slack.

    Parameters
    ----------
    theta : ndarray of shape (n_thetas,)
        Slacks.
    log10_ratio : ndarray of shape (n_thetas,)
        Decimal logarithms of the ratio.
    interval : ndarray of shape (n_thetas, 2) or None, default=None
        Intervals of the logarithms.
    fitted_theta : float or None, default=None
        Slack to mark.
    space : str, default=""
        Name of the hypothesis space, for the axis.

    Attributes
    ----------
    ax_ : Axes
        Axes of the last plot.
    figure_ : Figure
        Its figure.
    line_ : Line2D
        The curve.

    See Also
    --------
    RashomonCurveDisplay : Risk against the ratio over nested spaces.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.rashomon import RashomonRatioDisplay, RashomonTreeClassifier
    >>> clf = RashomonTreeClassifier(2, random_state=0).fit(*load_iris(return_X_y=True))
    >>> display = RashomonRatioDisplay.from_estimator(clf)
    """

    def __init__(
        self, *, theta, log10_ratio, interval=None, fitted_theta=None, space=""
    ):
        self.theta = theta
        self.log10_ratio = log10_ratio
        self.interval = interval
        self.fitted_theta = fitted_theta
        self.space = space

    @classmethod
    def from_estimator(
        cls, estimator, *, theta=None, ax=None, name=None, **curve_kwargs
    ):
        """Evaluate a fitted estimator over slacks and plot.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator with ``log_ratio_at``, or a Pipeline that ends in one.
        theta : array-like or None, default=None
            Slacks; None takes 25 between zero and the fitted one.
        ax : Axes or None, default=None
            Where to draw.
        name : str or None, default=None
            Label of the curve.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        RashomonRatioDisplay
            The display.
        """
        user = f"{cls.__name__}.from_estimator"
        estimator = innermost(estimator, wanted=MEASURED, user=user).model
        if theta is None:
            theta = np.linspace(0, estimator.theta or 0.05, 25)
        theta = np.asarray(theta, dtype=float)
        log10 = estimator.log_ratio_at(theta) / np.log(10)
        interval = None
        if hasattr(estimator, "log_ratio_interval_at") and not estimator.exact_:
            ends = [estimator.log_ratio_interval_at(t) for t in theta]
            interval = np.array(ends) / np.log(10)
        display = cls(
            theta=theta,
            log10_ratio=log10,
            interval=interval,
            fitted_theta=estimator.theta,
            space=estimator.hypothesis_space_["name"],
        )
        empty = not np.isfinite(log10).any()
        return say_empty(display.plot(ax, name=name, **curve_kwargs), empty)

    def plot(self, ax=None, *, name=None, **curve_kwargs):
        """Draw the curve with its interval.

        Parameters
        ----------
        ax : Axes or None, default=None
            Where to draw.
        name : str or None, default=None
            Label of the curve.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        RashomonRatioDisplay
            The display.
        """
        ax = axes_of(self, ax)
        (self.line_,) = ax.plot(
            self.theta, self.log10_ratio, label=name, **curve_kwargs
        )
        if self.interval is not None:
            low, high = self.interval.T
            ax.fill_between(
                self.theta, low, high, alpha=0.3, color=self.line_.get_color()
            )
        if self.fitted_theta is not None:
            ax.axvline(self.fitted_theta, linestyle=":", color="black")
        ax.set(xlabel="slack of the mean loss (theta)")
        ax.set(ylabel=f"log10 share of {self.space or 'the space'}")
        if name is not None:
            ax.legend()
        return self


class RashomonCurveDisplay:
    """Risk against the logarithm of the ratio along nested spaces.

    Parameters
    ----------
    curve : Bunch
        Result of :func:`rashomon_curve`.

    Attributes
    ----------
    ax_ : Axes
        Axes of the last plot.
    figure_ : Figure
        Its figure.
    line_ : Line2D
        The curve.

    See Also
    --------
    rashomon_curve : Computes the curve.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.rashomon import RashomonCurveDisplay, RashomonTreeClassifier
    >>> from sklearn_ext.rashomon import rashomon_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> curve = rashomon_curve(RashomonTreeClassifier(), X, y, param_range=[0, 1, 2])
    >>> display = RashomonCurveDisplay(curve=curve).plot()
    """

    def __init__(self, *, curve):
        self.curve = curve

    def plot(self, ax=None, *, name=None, **curve_kwargs):
        """Draw the curve, label its points and mark the elbow.

        Parameters
        ----------
        ax : Axes or None, default=None
            Where to draw.
        name : str or None, default=None
            Label of the curve.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        RashomonCurveDisplay
            The display.
        """
        ax, curve = axes_of(self, ax), self.curve
        x = curve.log_ratio / np.log(10)
        style = {"marker": "o"} | curve_kwargs
        (self.line_,) = ax.plot(x, curve.risk, label=name or "training risk", **style)
        if curve.test_risk is not None:
            ax.plot(x, curve.test_risk, "--s", label="cross-validated risk")
        for value, at, risk in zip(curve.param, x, curve.risk, strict=True):
            under = {"xytext": (7, -7), "textcoords": "offset points"}  # off the line
            ax.annotate(f"{value}", (at, risk), ha="left", va="top", **under)
        ax.plot(x[curve.elbow], curve.risk[curve.elbow], "k*", ms=14, label="elbow")
        ax.set(xlabel="log10 Rashomon ratio", ylabel="risk")
        ax.margins(0.1)
        ax.legend(title=f"numbers: {curve.param_name}")
        return self
