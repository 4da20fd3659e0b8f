"""Displays of the family; matplotlib is imported when something is drawn."""

import numpy as np

from sklearn_ext._core._compat import check_matplotlib_support
from sklearn_ext.aggregate._bag_size import optimal_bag_size
from sklearn_ext.aggregate._bags import Bags, bag_values
from sklearn_ext.aggregate._theory import aggregate_risk

_STYLES = ("-", "--", "-.", ":")


class _Display:
    def _axes(self, ax):
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        self.ax_ = plt.subplots()[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        return self.ax_


def _colormap(name):
    import matplotlib as mpl

    return mpl.colormaps[name]


class RhoPathDisplay(_Display):
    """Leave-one-bag-out error over rho, one line for each alpha.

    Parameters
    ----------
    rhos : ndarray of shape (n_rhos,)
        Interpolation weights.
    alphas : ndarray of shape (n_alphas,)
        Ridge penalties.
    errors : ndarray of shape (n_rhos, n_alphas)
        Leave-one-bag-out errors.
    rho : float
        Chosen weight.
    alpha : float
        Chosen penalty.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        One for each alpha.
    marker_ : matplotlib Line2D
        The choice.

    See Also
    --------
    InterpolatingAggregateRegressorCV : Makes the choice.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import RhoPathDisplay
    >>> from sklearn_ext.aggregate import InterpolatingAggregateRegressorCV
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> cv = InterpolatingAggregateRegressorCV()
    >>> _ = cv.fit(X, X[:, 0], bags=np.arange(60) // 3)
    >>> display = RhoPathDisplay.from_estimator(cv)
    """

    def __init__(self, *, rhos, alphas, errors, rho, alpha):
        self.rhos = rhos
        self.alphas = alphas
        self.errors = errors
        self.rho = rho
        self.alpha = alpha

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Draw the grid of a fitted selection.

        Parameters
        ----------
        estimator : InterpolatingAggregateRegressorCV
            Fitted estimator.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **kwargs : object
            Passed to :meth:`plot`.

        Returns
        -------
        RhoPathDisplay
            The display.
        """
        return cls(
            rhos=estimator.rhos_,
            alphas=estimator.alphas_,
            errors=-estimator.lobo_scores_,
            rho=estimator.rho_,
            alpha=estimator.alpha_,
        ).plot(ax, **kwargs)

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
        RhoPathDisplay
            The display itself.
        """
        ax = self._axes(ax)
        positive = self.rhos[self.rhos > 0]
        floor = positive.min() / 10 if len(positive) else 1e-4
        place = np.maximum(self.rhos, floor)  # rho = 0 stands at the left edge
        order = np.argsort(place)
        shades = np.linspace(0.15, 0.85, len(self.alphas))
        color = _colormap("viridis")
        self.lines_ = [
            ax.plot(
                place[order],
                self.errors[order, j],
                **{"color": color(shade), "lw": 1, **(curve_kwargs or {})},
            )[0]
            for j, shade in enumerate(shades)
        ]
        (self.marker_,) = ax.plot(
            max(self.rho, floor), np.min(self.errors), "o", color="black", zorder=3
        )
        ax.set(
            xscale="log",
            xlabel=f"rho (0 is drawn at {floor:.0e})",
            ylabel="leave-one-bag-out error",
            title=name or f"chosen: rho={self.rho:.3g}, alpha={self.alpha:.3g}",
        )
        return self


class RiskCurveDisplay(_Display):
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

    def __init__(self, *, values, bias_squared, variance, risk, over):
        self.values = values
        self.bias_squared = bias_squared
        self.variance = variance
        self.risk = risk
        self.over = over

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
        risks = []
        for value in values:
            at = {**fixed, over: value}
            risks.append(
                aggregate_risk(
                    at["n_samples"],
                    at["n_samples"] / at["bag_size"],
                    n_features,
                    at["rho"],
                    **model,
                )[:3]
            )
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
        curves = {
            "squared bias": self.bias_squared,
            "variance": self.variance,
            "excess risk": self.risk,
        }
        self.lines_ = [
            ax.plot(
                self.values,
                np.where(np.isfinite(curve), curve, np.nan),
                **{"ls": style, "label": label, **(curve_kwargs or {})},
            )[0]
            for (label, curve), style in zip(
                curves.items(), ("--", ":", "-"), strict=True
            )
        ]
        labels = {"bag_size": "rows of a bag", "n_samples": "rows", "rho": "rho"}
        ax.set(
            xlabel=labels[self.over],
            ylabel="excess risk (squared error)",
            title=name or "",
            xscale="log" if self.over == "rho" and min(self.values) > 0 else "linear",
        )
        ax.legend()
        return self


class BagCalibrationDisplay(_Display):
    """Observed against predicted aggregates; the area of a point is the bag's size.

    Parameters
    ----------
    observed : ndarray of shape (n_bags,)
        Aggregates, as means.
    predicted : ndarray of shape (n_bags,)
        Mean predictions.
    sizes : ndarray of shape (n_bags,)
        Total weight of each bag.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure.
    points_ : matplotlib PathCollection
        One point for each bag.
    line_ : matplotlib Line2D
        The identity.

    See Also
    --------
    bag_r2_score : The same in one number.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import BagCalibrationDisplay, BagRegressor
    >>> X, bags = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) // 3
    >>> model = BagRegressor().fit(X, X[:, 0], bags=bags)
    >>> display = BagCalibrationDisplay.from_estimator(model, X, X[:, 0], bags=bags)
    """

    def __init__(self, *, observed, predicted, sizes):
        self.observed = observed
        self.predicted = predicted
        self.sizes = sizes

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, bags, sample_weight=None, ax=None, **kwargs
    ):
        """Draw the predictions of a fitted regressor.

        Parameters
        ----------
        estimator : regressor
            Fitted estimator.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Aggregates replicated on the rows of their bag.
        bags : array-like of shape (n_samples,)
            Labels of the bags.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **kwargs : object
            Passed to :meth:`plot`.

        Returns
        -------
        BagCalibrationDisplay
            The display.
        """
        partition = Bags.of(bags, len(y), sample_weight)
        aggregate = getattr(estimator, "aggregate", "mean")
        means = bag_values(np.asarray(y, dtype=float), partition, aggregate)
        return cls.from_predictions(
            partition.spread(means),
            estimator.predict(X),
            bags=bags,
            sample_weight=sample_weight,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, *, bags, sample_weight=None, ax=None, **kwargs
    ):
        """Draw given predictions of rows.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Responses, or aggregates replicated on the rows of their bag.
        y_pred : array-like of shape (n_samples,)
            Predictions of the rows.
        bags : array-like of shape (n_samples,)
            Labels of the bags.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **kwargs : object
            Passed to :meth:`plot`.

        Returns
        -------
        BagCalibrationDisplay
            The display.
        """
        partition = Bags.of(bags, len(y_true), sample_weight)
        return cls(
            observed=partition.means(np.asarray(y_true, dtype=float)),
            predicted=partition.means(np.asarray(y_pred, dtype=float)),
            sizes=partition.sizes,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        name : str or None, default=None
            Title.
        curve_kwargs : dict or None, default=None
            Passed to ``Axes.scatter``.

        Returns
        -------
        BagCalibrationDisplay
            The display itself.
        """
        ax = self._axes(ax)
        area = 10 + 90 * self.sizes / self.sizes.max()
        self.points_ = ax.scatter(
            self.predicted,
            self.observed,
            **{"s": area, "alpha": 0.5, "lw": 0, **(curve_kwargs or {})},
        )
        both = np.concatenate([self.predicted, self.observed])
        ends = [both.min(), both.max()]
        (self.line_,) = ax.plot(ends, ends, color="black", lw=1, ls="--")
        ax.set(
            xlabel="predicted mean of the bag",
            ylabel="published mean of the bag",
            title=name or "",
        )
        return self


class PrivacyTradeoffDisplay(_Display):
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

    def __init__(self, *, bag_sizes, epsilons, risks):
        self.bag_sizes = bag_sizes
        self.epsilons = epsilons
        self.risks = risks

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
            (line,) = ax.plot(self.bag_sizes, risk, **style | (curve_kwargs or {}))
            best = int(np.argmin(risk))
            self.lines_.append(line)
            self.markers_ += ax.plot(
                self.bag_sizes[best], risk[best], "o", color=line.get_color()
            )
        ax.set(
            xlabel="rows of a bag",
            ylabel="excess risk (squared error)",
            yscale="log",
            title=name or "",
        )
        ax.legend()
        return self
