"""Displays of the theory: risk curves, the price of privacy."""

import numpy as np

from sklearn_ext._core._plots import Display
from sklearn_ext.aggregate._theory._bag_size import optimal_bag_size
from sklearn_ext.aggregate._theory._risk import aggregate_risk

_STYLES = ("-", "--", "-.", ":")


class RiskCurveDisplay(Display):
    """Excess risk, squared bias and variance in theory over one quantity.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        The quantity on the horizontal axis.
    bias_squared, variance, risk : ndarray of shape (n_values,)
        The curves.
    over : {"rho", "bag_size", "n_samples"}
        What the quantity is.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        Squared bias, variance and risk.

    See Also
    --------
    aggregate_risk : The formulas.

    Examples
    --------
    >>> from sklearn_ext.aggregate import RiskCurveDisplay
    >>> display = RiskCurveDisplay.from_theory([0.01, 0.1, 1.0], n_samples=400,
    ...                                        bag_size=2, n_features=100)
    """

    values: np.ndarray
    bias_squared: np.ndarray
    variance: np.ndarray
    risk: np.ndarray
    over: str

    @classmethod
    def from_theory(
        cls,
        values,
        *,
        over="rho",
        n_samples=None,
        bag_size=None,
        n_features,
        rho=None,
        ax=None,
        plot_kwargs=None,
        **model,
    ):
        """Evaluate the formulas and draw them.

        Parameters
        ----------
        values : array-like of shape (n_values,)
            The quantity on the horizontal axis.
        over : {"rho", "bag_size", "n_samples"}, default="rho"
            What it is; the parameter of that name is then unused.
        n_samples : int or None, default=None
            Number of rows.
        bag_size : float or None, default=None
            Rows of a bag.
        n_features : int
            Number of features.
        rho : float or None, default=None
            Interpolation weight.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        plot_kwargs : dict or None, default=None
            Passed to :meth:`plot`.
        **model : object
            ``alpha``, ``noise_var``, ``signal`` ... of :func:`aggregate_risk`.

        Returns
        -------
        RiskCurveDisplay
            The display.
        """
        fixed = {"n_samples": n_samples, "bag_size": bag_size, "rho": rho}
        if over not in fixed:
            raise ValueError(f"over must be one of {sorted(fixed)}, got {over!r}.")
        missing = [k for k, v in fixed.items() if v is None and k != over]
        if missing:
            raise ValueError(f"over={over!r} needs {' and '.join(missing)}.")

        def risk_at(n_samples, bag_size, rho):
            n_bags = n_samples / bag_size
            return aggregate_risk(n_samples, n_bags, n_features, rho, **model)[:3]

        risks = [risk_at(**fixed | {over: value}) for value in values]
        bias, variance, risk = np.array(risks).T
        return cls(
            values=np.asarray(values, dtype=float),
            bias_squared=bias,
            variance=variance,
            risk=risk,
            over=over,
        ).plot(ax, **(plot_kwargs or {}))

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        name : str or None, default=None
            Title.
        curve_kwargs : dict or None, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        RiskCurveDisplay
            The display itself.
        """
        ax = self._axes(ax)
        self.lines_ = []
        for label, style, curve in (
            ("squared bias", "--", self.bias_squared),
            ("variance", ":", self.variance),
            ("excess risk", "-", self.risk),
        ):
            finite = np.where(np.isfinite(curve), curve, np.nan)
            style = {"ls": style, "label": label, **(curve_kwargs or {})}
            self.lines_ += ax.plot(self.values, finite, **style)
        labels = {"bag_size": "rows of a bag", "n_samples": "rows", "rho": "rho"}
        ax.set(
            xlabel=labels[self.over],
            ylabel="excess risk (squared error)",
            title=name or "",
            xscale="log" if self.over == "rho" and min(self.values) > 0 else "linear",
        )
        ax.legend()
        return self


class PrivacyTradeoffDisplay(Display):
    """Excess risk over the size of bags, one line for each privacy budget.

    Parameters
    ----------
    bag_sizes : ndarray of shape (n_sizes,)
        Sizes.
    epsilons : sequence of float
        Budgets.
    risks : ndarray of shape (n_epsilons, n_sizes)
        Excess risks.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        One for each budget.
    markers_ : list of matplotlib Line2D
        The best size for each budget.

    See Also
    --------
    optimal_bag_size : The numbers.

    Examples
    --------
    >>> from sklearn_ext.aggregate import PrivacyTradeoffDisplay
    >>> display = PrivacyTradeoffDisplay.from_theory(
    ...     [1.0, 4.0], n_samples=600, n_features=100, bounds=(-4, 4), noise_var=1.0
    ... )
    """

    bag_sizes: np.ndarray
    epsilons: list
    risks: np.ndarray

    @classmethod
    def from_theory(
        cls, epsilons, *, n_samples, n_features, ax=None, plot_kwargs=None, **model
    ):
        """Evaluate the formulas and draw them.

        Parameters
        ----------
        epsilons : sequence of float
            Budgets.
        n_samples : int
            Number of rows.
        n_features : int
            Number of features.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        plot_kwargs : dict or None, default=None
            Passed to :meth:`plot`.
        **model : object
            ``bounds``, ``noise_var``, ``ridge`` ... of :func:`optimal_bag_size`.

        Returns
        -------
        PrivacyTradeoffDisplay
            The display.
        """
        choices = [
            optimal_bag_size(n_samples, n_features, epsilon=epsilon, **model)
            for epsilon in epsilons
        ]
        return cls(
            bag_sizes=choices[0].bag_sizes,
            epsilons=list(epsilons),
            risks=np.array([choice.risks for choice in choices]),
        ).plot(ax, **(plot_kwargs or {}))

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        name : str or None, default=None
            Title.
        curve_kwargs : dict or None, default=None
            Passed to ``Axes.plot`` for the lines.

        Returns
        -------
        PrivacyTradeoffDisplay
            The display itself.
        """
        ax = self._axes(ax)
        self.lines_, self.markers_ = [], []
        for i, (epsilon, risk) in enumerate(
            zip(self.epsilons, self.risks, strict=True)
        ):
            style = {"ls": _STYLES[i % 4], "label": f"epsilon = {epsilon:g}"}
            self.lines_ += ax.plot(self.bag_sizes, risk, **style | (curve_kwargs or {}))
            best, color = np.argmin(risk), self.lines_[-1].get_color()
            self.markers_ += ax.plot(self.bag_sizes[best], risk[best], "o", color=color)
        ax.set(
            xlabel="rows of a bag",
            ylabel="excess risk (squared error)",
            yscale="log",
            title=name or "",
        )
        ax.legend()
        return self
