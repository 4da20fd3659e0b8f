"""Displays of fitted models and of the theory."""

from itertools import cycle

import numpy as np
from sklearn.base import is_classifier

from sklearn_ext._core._pipelines import peel
from sklearn_ext._core._plots import Display
from sklearn_ext.aggregate._bags._partition import Bags, bag_values
from sklearn_ext.aggregate._linear._regressors import (
    InterpolatingAggregateRegressorCV,
)
from sklearn_ext.aggregate._proportions._targets import class_shares
from sklearn_ext.aggregate._theory._bag_size import optimal_bag_size
from sklearn_ext.aggregate._theory._risk import aggregate_risk

_STYLES = ("-", "--", "-.", ":")


class RhoPathDisplay(Display):
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

    rhos: np.ndarray
    alphas: np.ndarray
    errors: np.ndarray
    rho: float
    alpha: float

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Draw the grid of a fitted selection.

        Parameters
        ----------
        estimator : InterpolatingAggregateRegressorCV
            A fitted estimator, or a Pipeline that ends in one.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **kwargs : object
            Passed to :meth:`plot`.

        Returns
        -------
        RhoPathDisplay
            The display.
        """
        wanted = InterpolatingAggregateRegressorCV
        estimator = cls._innermost(estimator, wanted=wanted).model
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
        color, self.lines_ = self._pyplot().get_cmap("viridis"), []
        for j, (alpha, shade) in enumerate(zip(self.alphas, shades, strict=True)):
            style = {"color": color(shade), "lw": 1, **(curve_kwargs or {})}
            if j in (0, len(shades) - 1):  # the shades between explain themselves
                style.setdefault("label", f"alpha = {alpha:.1e}")
            self.lines_ += ax.plot(place[order], self.errors[order, j], **style)
        (self.marker_,) = ax.plot(
            max(self.rho, floor), np.min(self.errors), "o", color="black", zorder=3
        )
        ax.set(
            xscale="log",
            xlabel=f"rho (0 is drawn at {floor:.0e})",
            ylabel="leave-one-bag-out error",
            title=name or f"chosen: rho={self.rho:.3g}, alpha={self.alpha:.3g}",
        )
        ax.legend()
        return self


class BagCalibrationDisplay(Display):
    """Observed against predicted aggregates; the area of a point is the bag's size.

    Parameters
    ----------
    observed : ndarray of shape (n_bags,) or (n_bags, n_outputs)
        Aggregates, as means; of a classifier the proportions of the classes, of two
        classes that of the second.
    predicted : ndarray of the same shape
        Mean predictions or probabilities.
    sizes : ndarray of shape (n_bags,)
        Total weight of each bag.
    classes : sequence or None, default=None
        The class of each column; None where the responses are numbers.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure.
    points_ : list of matplotlib PathCollection
        One for each column, with a point for each bag.
    line_ : matplotlib Line2D
        The identity.

    See Also
    --------
    bag_r2_score : The same in one number.
    bag_log_loss : The same in one number, for proportions.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import BagCalibrationDisplay, BagRegressor
    >>> X, bags = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) // 3
    >>> model = BagRegressor().fit(X, X[:, 0], bags=bags)
    >>> display = BagCalibrationDisplay.from_estimator(model, X, X[:, 0], bags=bags)
    """

    observed: np.ndarray
    predicted: np.ndarray
    sizes: np.ndarray
    classes: np.ndarray | None = None

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, bags, sample_weight=None, ax=None, **kwargs
    ):
        """Draw the predictions of a fitted estimator.

        Parameters
        ----------
        estimator : regressor or classifier
            Fitted estimator; of a classifier mean probabilities are drawn.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Aggregates replicated on the rows of their bag; for a classifier labels, or
            proportions of the classes.
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
        model, partition = peel(estimator)[0], Bags.of(bags, len(y), sample_weight)
        classes = None
        if is_classifier(estimator):
            found = estimator.classes_
            shown = (
                1 if len(found) == 2 else slice(None)
            )  # the first mirrors the second
            shares = class_shares(y, found, getattr(model, "classes", None))
            observed = partition.means(shares[:, shown])
            predicted = estimator.predict_proba(X)[:, shown]
            classes = np.atleast_1d(found[shown])
        else:
            aggregate = getattr(model, "aggregate", "mean")
            observed = bag_values(np.asarray(y, dtype=float), partition, aggregate)
            predicted = estimator.predict(X)
        return cls(
            observed=observed,
            predicted=partition.means(np.asarray(predicted, dtype=float)),
            sizes=partition.sizes,
            classes=classes,
        ).plot(ax, **kwargs)

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
        style = {"s": area, "alpha": 0.5, "lw": 0, **(curve_kwargs or {})}
        predicted = self.predicted.reshape(len(area), -1)
        observed = self.observed.reshape(len(area), -1)
        several = predicted.shape[1] > 1
        what, names = "mean of", [f"target {j}" for j in range(predicted.shape[1])]
        if self.classes is not None:
            names = [f"class {label}" for label in self.classes]
            what = f"share of {'a class' if several else names[0]} in"
        self.points_ = [
            ax.scatter(x, y, label=label, **style)
            for x, y, label in zip(predicted.T, observed.T, names, strict=True)
        ]
        both = np.concatenate([predicted, observed])
        ends = [both.min(), both.max()]
        (self.line_,) = ax.plot(ends, ends, color="black", lw=1, ls="--")
        ax.set(
            xlabel=f"predicted {what} the bag",
            ylabel=f"published {what} the bag",
            title=name or "",
        )
        if several:
            ax.legend()
        return self


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
        styles = cycle(_STYLES)
        for epsilon, risk in zip(self.epsilons, self.risks, strict=True):
            style = {"ls": next(styles), "label": f"epsilon = {epsilon:g}"}
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
