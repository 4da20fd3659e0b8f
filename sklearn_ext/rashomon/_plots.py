"""Displays of Rashomon ratios, curves, ranges and disagreement."""

import numpy as np

from sklearn_ext._core._compat import check_matplotlib_support


def _axes(display, ax):
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    display.ax_ = plt.subplots()[1] if ax is None else ax
    display.figure_ = display.ax_.figure
    return display.ax_


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
            Fitted, with ``log_ratio_at``.
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
        return display.plot(ax, name=name, **curve_kwargs)

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
        ax = _axes(self, ax)
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
        ax, curve = _axes(self, ax), self.curve
        x = curve.log_ratio / np.log(10)
        style = {"marker": "o"} | curve_kwargs
        (self.line_,) = ax.plot(x, curve.risk, label=name or "training risk", **style)
        if curve.test_risk is not None:
            ax.plot(x, curve.test_risk, "--s", label="cross-validated risk")
        for value, at, risk in zip(curve.param, x, curve.risk, strict=True):
            ax.annotate(f" {value}", (at, risk))
        ax.plot(x[curve.elbow], curve.risk[curve.elbow], "k*", ms=14, label="elbow")
        ax.set(xlabel="log10 Rashomon ratio", ylabel="smallest risk")
        ax.legend()
        return self


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
        ax = _axes(self, ax)
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


def _names_of(estimator):
    return getattr(estimator, "feature_names_in_", None)


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
            Fitted estimator.
        ax : Axes or None, default=None
            Where to draw.
        **bar_kwargs : dict
            Passed to ``ax.barh``.

        Returns
        -------
        CoefficientRangeDisplay
            The display.
        """
        display = cls(
            ranges=estimator.coef_range_,
            point=np.ravel(estimator.coef_),
            names=_names_of(estimator),
        )
        return display.plot(ax, **bar_kwargs)


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
            Fitted estimator.
        X : array-like of shape (n_samples, n_features) or None, default=None
            Rows; trees need them.
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
        given = () if X is None else (X, y)
        ranges = estimator.model_class_reliance(*given)
        return cls(ranges=ranges, names=_names_of(estimator)).plot(ax, **bar_kwargs)


class MultiplicityDisplay:
    """Vote shares of all rows, sorted: who gets another answer from another model.

    Parameters
    ----------
    share : ndarray of shape (n_samples,)
        Share of models that vote for the class in question.
    label : str, default="positive class"
        Name of that class.

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
    ambiguity : Share of rows with any disagreement.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_ext.rashomon import MultiplicityDisplay, RashomonTreeClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = RashomonTreeClassifier(2, random_state=0).fit(X, y)
    >>> display = MultiplicityDisplay.from_estimator(clf, X)
    """

    def __init__(self, *, share, label="positive class"):
        self.share = share
        self.label = label

    @classmethod
    def from_estimator(cls, estimator, X, *, ax=None, name=None, **curve_kwargs):
        """Compute vote shares and plot them.

        Parameters
        ----------
        estimator : classifier
            Fitted; ``vote_share`` is used where there is one, else members vote.
        X : array-like of shape (n_samples, n_features)
            Rows.
        ax : Axes or None, default=None
            Where to draw.
        name : str or None, default=None
            Label of the curve.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        MultiplicityDisplay
            The display.
        """
        last = estimator.classes_[-1]
        if hasattr(estimator, "vote_share"):
            share = estimator.vote_share(X)[:, -1]
        else:
            share = (last == estimator.member_predictions(X)).mean(axis=0)
        display = cls(share=share, label=f"class {last}")
        return display.plot(ax, name=name, **curve_kwargs)

    @classmethod
    def from_predictions(
        cls, predictions, positive, *, ax=None, name=None, **curve_kwargs
    ):
        """Plot vote shares of given predictions.

        Parameters
        ----------
        predictions : array-like of shape (n_models, n_samples)
            Class labels by model.
        positive : object
            Class whose share is shown.
        ax : Axes or None, default=None
            Where to draw.
        name : str or None, default=None
            Label of the curve.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        MultiplicityDisplay
            The display.
        """
        share = (np.asarray(predictions) == positive).mean(axis=0)
        display = cls(share=share, label=f"class {positive}")
        return display.plot(ax, name=name, **curve_kwargs)

    def plot(self, ax=None, *, name=None, **curve_kwargs):
        """Draw the sorted shares; the shaded rows are undecided.

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
        MultiplicityDisplay
            The display.
        """
        ax = _axes(self, ax)
        share = np.sort(np.asarray(self.share))
        at = np.arange(1, len(share) + 1) / len(share)
        (self.line_,) = ax.plot(at, share, label=name, **curve_kwargs)
        undecided = (share > 0) & (share < 1)
        ax.fill_between(at, 0, 1, where=undecided, alpha=0.15, color="gray")
        ax.set(
            xlabel="share of rows", ylabel=f"share of models voting for {self.label}"
        )
        ax.set_title(f"{undecided.mean():.0%} of the rows depend on the model")
        if name is not None:
            ax.legend()
        return self
