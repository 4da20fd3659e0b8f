"""Displays: ratios, curves over nested spaces, disagreement, and ranges."""

import numpy as np

from sklearn_ext._core._plots import Display
from sklearn_ext.rashomon._linear._classifier import RashomonLinearClassifier
from sklearn_ext.rashomon._linear._logistic import RashomonLogisticRegression
from sklearn_ext.rashomon._linear._ridge import RashomonRidge
from sklearn_ext.rashomon._search import RashomonSearchCV
from sklearn_ext.rashomon._trees._classifier import RashomonTreeClassifier

CLASSIFIERS = (
    RashomonTreeClassifier,
    RashomonLinearClassifier,
    RashomonLogisticRegression,
)
MEASURED = (*CLASSIFIERS, RashomonRidge)
VOTING = (*CLASSIFIERS, RashomonSearchCV)


def say_empty(display, empty):
    """Write on the axes that no model is in the set, where a curve would be blank."""
    if empty:
        text = "the set is empty:\nraise theta or reference_loss"
        where = {"transform": display.ax_.transAxes, "ha": "center", "va": "center"}
        display.ax_.text(0.5, 0.5, text, **where)
    return display


class RashomonRatioDisplay(Display):
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

    theta: np.ndarray
    log10_ratio: np.ndarray
    interval: np.ndarray | None = None
    fitted_theta: float | None = None
    space: str = ""

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
            Slacks; None takes 25 between zero and the fitted one, or 9 where each
            is sampled anew.
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
        estimator = cls._innermost(estimator, wanted=MEASURED).model
        if theta is None:
            anew = isinstance(estimator, RashomonLogisticRegression)
            theta = np.linspace(0, estimator.theta or 0.05, 9 if anew else 25)
        theta = np.asarray(theta, dtype=float)
        log10 = estimator.log_ratio_at(theta) / np.log(10)
        interval = None
        if not estimator.exact_:
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
        ax = self._axes(ax)
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


class RashomonCurveDisplay(Display):
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

    curve: object

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
        ax, curve = self._axes(ax), self.curve
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


class MultiplicityDisplay(Display):
    """Vote shares of all rows, sorted: who gets another answer from another model.

    Parameters
    ----------
    share : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Share of models that vote for the class in question, or for each.
    label : str or sequence of str, default="positive class"
        Name of that class, or of each.
    depends : float or None, default=None
        Share of rows that depend on the model, where it is known exactly though the
        models are a sample; None counts the rows with a share between 0 and 1.
    sampled : int or None, default=None
        Number of models where they are a sample of the set: then rows that depend on
        the model may not be seen to, and the count is a lower bound.

    Attributes
    ----------
    ax_ : Axes
        Axes of the last plot.
    figure_ : Figure
        Its figure.
    lines_ : list of Line2D
        The curve of each class; of two classes that of the second.

    See Also
    --------
    MultiplicityCurveDisplay : Disagreement against the slack.
    ambiguity : Share of rows with any disagreement.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_ext.rashomon import MultiplicityDisplay, RashomonTreeClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = RashomonTreeClassifier(2, random_state=0).fit(X, y)
    >>> display = MultiplicityDisplay.from_estimator(clf, X)
    """

    share: np.ndarray
    label: str | list = "positive class"
    depends: float | None = None
    sampled: int | None = None

    @classmethod
    def from_estimator(cls, estimator, X, *, ax=None, name=None, **curve_kwargs):
        """Compute vote shares and plot them.

        Parameters
        ----------
        estimator : classifier
            A fitted one of this family, or a Pipeline that ends in one; its
            ``vote_share`` is used where there is one, else its members vote. How many
            rows depend on the model is exact for trees and logistic regression.
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
        estimator, (X,), _ = cls._innermost(estimator, X, wanted=VOTING)
        classes = estimator.classes_
        depends = sampled = None
        if hasattr(estimator, "vote_share"):
            share = estimator.vote_share(X)
        else:
            votes = np.asarray(estimator.member_predictions(X))
            share = np.column_stack([(votes == c).mean(axis=0) for c in classes])
            if hasattr(estimator, "flips"):
                depends = estimator.ambiguity(X)
            elif not isinstance(estimator, RashomonSearchCV):  # whose members are all
                sampled = len(votes)
        labels = [f"class {c}" for c in classes]
        if len(classes) == 2:  # the first mirrors the second
            share, labels = share[:, 1], labels[1]
        display = cls(share=share, label=labels, depends=depends, sampled=sampled)
        display.plot(ax, name=name, **curve_kwargs)
        return say_empty(display, estimator.log_ratio_ == -np.inf)

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
        """Draw the sorted shares; the shaded rows of one curve are undecided.

        Parameters
        ----------
        ax : Axes or None, default=None
            Where to draw.
        name : str or None, default=None
            Label of the curve; with several classes title of the legend.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        MultiplicityDisplay
            The display.
        """
        ax = self._axes(ax)
        share = np.sort(np.asarray(self.share), axis=0)
        at = np.arange(1, len(share) + 1) / len(share)
        several = share.ndim == 2
        names = list(self.label) if several else name
        self.lines_ = ax.plot(at, share, label=names, **curve_kwargs)
        if not several:  # each of several curves has an order of its own
            shaded = (share > 0) & (share < 1)
            ax.fill_between(at, 0, 1, where=shaded, alpha=0.15, color="gray")
        voted = "a class" if several else self.label
        ax.set(xlabel="share of rows", ylabel=f"share of models voting for {voted}")
        columns = np.asarray(self.share).reshape(len(share), -1)
        undecided = ((columns > 0) & (columns < 1)).any(axis=1)
        seen = undecided.mean() if self.depends is None else self.depends
        least = "" if self.sampled is None else f"at least (of {self.sampled} models) "
        ax.set_title(f"{least}{seen:.0%} of the rows depend on the model")
        if several or name is not None:
            ax.legend(title=name if several else None)
        return self


class MultiplicityCurveDisplay(Display):
    """Ambiguity and discrepancy of trees against the slack.

    Parameters
    ----------
    theta : ndarray of shape (n_thetas,)
        Slacks.
    ambiguity : ndarray of shape (n_thetas,)
        Share of rows to which some tree of the set gives another class.
    discrepancy : ndarray of shape (n_thetas,)
        Largest share of rows on which one tree differs from the best one.

    Attributes
    ----------
    ax_ : Axes
        Axes of the last plot.
    figure_ : Figure
        Its figure.
    lines_ : list of Line2D
        Both curves.

    See Also
    --------
    MultiplicityDisplay : Vote shares of all rows at one slack.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.rashomon import MultiplicityCurveDisplay
    >>> from sklearn_ext.rashomon import RashomonTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = RashomonTreeClassifier(2, random_state=0).fit(X, y)
    >>> display = MultiplicityCurveDisplay.from_estimator(clf, X, theta=[0, 0.05])
    """

    theta: np.ndarray
    ambiguity: np.ndarray
    discrepancy: np.ndarray

    @classmethod
    def from_estimator(cls, estimator, X, *, theta=None, ax=None, **curve_kwargs):
        """Evaluate a fitted tree classifier over slacks and plot.

        Parameters
        ----------
        estimator : RashomonTreeClassifier
            A fitted one, or a Pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows.
        theta : array-like or None, default=None
            Slacks; None takes eight between zero and the fitted one.
        ax : Axes or None, default=None
            Where to draw.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        MultiplicityCurveDisplay
            The display.
        """
        wanted = RashomonTreeClassifier
        estimator, (X,), _ = cls._innermost(estimator, X, wanted=wanted)
        if theta is None:
            theta = np.linspace(0, estimator.theta or 0.05, 8)
        display = cls(**estimator.multiplicity_at(X, theta)).plot(ax, **curve_kwargs)
        return say_empty(display, not np.isfinite(display.ambiguity).any())

    def plot(self, ax=None, **curve_kwargs):
        """Draw both curves.

        Parameters
        ----------
        ax : Axes or None, default=None
            Where to draw.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        MultiplicityCurveDisplay
            The display.
        """
        ax = self._axes(ax)
        self.lines_ = []
        for kind, style in (("ambiguity", "-o"), ("discrepancy", "--s")):
            curve = self.theta, getattr(self, kind), style
            self.lines_ += ax.plot(*curve, label=kind, **curve_kwargs)
        ax.set(xlabel="slack of the mean loss (theta)", ylabel="share of rows")
        ax.set_ylim(bottom=0)
        ax.legend()
        return self


class _RangeDisplay(Display):
    """Horizontal ranges with a point for the best model."""

    label = ""

    ranges: np.ndarray
    point: np.ndarray | None = None
    names: list | None = None

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
        ax = self._axes(ax)
        ax.use_sticky_edges = False  # else bars begin at the frame
        ranges = np.asarray(self.ranges)
        order = np.argsort(-np.abs(ranges).max(axis=1), kind="stable")[:max_features]
        place = np.arange(len(order))[::-1]
        names = self.names
        if names is None:
            names = [f"feature_{i}" for i in range(len(ranges))]
        style = {"height": 0.6, "color": "C0", "alpha": 0.6} | bar_kwargs
        width = np.ptp(ranges[order], axis=1)
        self.bars_ = ax.barh(place, width, left=ranges[order, 0], **style)
        if self.point is not None:
            best = np.asarray(self.point)[order]
            ax.plot(best, place, "k|", ms=12, label="best model")
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
        linear = (RashomonRidge, RashomonLogisticRegression)
        model, _, names = cls._innermost(estimator, wanted=linear)
        best = np.ravel(model.coef_)
        display = cls(ranges=model.coef_range_, point=best, names=names)
        return say_empty(display.plot(ax, **bar_kwargs), model.log_ratio_ == -np.inf)


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
        reliant, given = (RashomonTreeClassifier, RashomonRidge), (X, y)
        model, (X,), names = cls._innermost(estimator, X, wanted=reliant)
        user = f"{cls.__name__}.from_estimator"
        if isinstance(model, RashomonRidge):
            if any(part is not None for part in given):
                raise ValueError(
                    f"{user} takes no X and y for ridge, whose reliance follows from "
                    "sums over the training rows: leave them out."
                )
            ranges = model.model_class_reliance()
        else:
            if any(part is None for part in given):
                raise ValueError(
                    f"{user} needs X and y for trees, whose reliance is measured on "
                    "rows: give the training rows or others."
                )
            ranges = model.model_class_reliance(X, y)
        display = cls(ranges=ranges, names=names).plot(ax, **bar_kwargs)
        return say_empty(display, model.log_ratio_ == -np.inf)
