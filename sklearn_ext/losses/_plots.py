"""Pictures of noise in labels, of certified accuracy and of subgroups."""

import numpy as np
from sklearn.utils.validation import check_is_fitted, column_or_1d

from sklearn_ext._core._pipelines import peel
from sklearn_ext._core._plots import Display
from sklearn_ext._core._validation import check_weights
from sklearn_ext.losses._comp_sum import CompSumClassifier
from sklearn_ext.losses._comp_sum_cv import CompSumClassifierCV
from sklearn_ext.losses._groups._game import comp_sum_of
from sklearn_ext.losses._groups._worst_group import (
    WorstGroupClassifier,
    codes_of_subgroups,
)
from sklearn_ext.losses._linear import codes_of
from sklearn_ext.losses._noise import NoiseReport, noise_report
from sklearn_ext.losses._robust import certified_radius
from sklearn_ext.losses._row_terms import suspects


class NoiseReportDisplay(Display):
    """Which labels stand for which classes, and how many are wrong.

    Parameters
    ----------
    report : NoiseReport
        As :func:`noise_report` returns it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    image_ : matplotlib AxesImage
        Probabilities of labels given classes.

    See Also
    --------
    noise_report : Estimates it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.losses import CompSumClassifierCV, NoiseReportDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = CompSumClassifierCV(Cs=3).fit(X, y)
    >>> display = NoiseReportDisplay.from_estimator(model, X, y)
    """

    report: NoiseReport

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, groups=None, random_state=None, ax=None
    ):
        """Estimate the noise and draw it.

        Parameters
        ----------
        estimator : CompSumClassifierCV
            Fitted; or a Pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels, of which some may be wrong.
        groups : array-like of shape (n_samples,), default=None
            Groups for the estimator's splitter, if it wants any.
        random_state : int, RandomState instance or None, default=None
            Seed of the bootstrap.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        NoiseReportDisplay
            The display.
        """
        model, (X,), _ = cls._innermost(estimator, X, wanted=CompSumClassifierCV)
        options = {"groups": groups, "random_state": random_state}
        report = noise_report(model, X, y, **options)
        return cls(report=report).plot(ax)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw the confusion, with its values where there are few classes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Put before the rate in the title.
        curve_kwargs : dict, default=None
            Passed to ``Axes.imshow``.

        Returns
        -------
        NoiseReportDisplay
            The display.
        """
        ax, report = self._axes(ax), self.report
        style = {"cmap": "Greys", "vmin": 0, "vmax": 1, **(curve_kwargs or {})}
        self.image_ = ax.imshow(report.confusion, **style)
        ax.grid(visible=False)
        K = len(report.classes)
        if K <= 12:
            for (k, j), value in np.ndenumerate(report.confusion):
                if value >= 0.005:
                    color = "white" if value > 0.5 else "black"
                    label = f"{value:.2f}"
                    ax.text(j, k, label, ha="center", va="center", color=color, size=7)
        step = max(1, K // 12)
        ticks = np.arange(0, K, step)
        ax.set_xticks(ticks, report.classes[::step])
        ax.set_yticks(ticks, report.classes[::step])
        low, high = report.noise_rate_interval
        text = f"{report.noise_rate:.1%} of the labels wrong ({low:.1%} to {high:.1%})"
        ax.set(
            xlabel="label", ylabel="true class", title=f"{name or ''} {text}".strip()
        )
        return self


class CertifiedAccuracyDisplay(Display):
    """Share of rows that stay right under every change of a given size.

    Parameters
    ----------
    radius : ndarray of shape (n_samples,)
        Certified radii; negative where the prediction is wrong.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    line_ : matplotlib Line2D
        The curve, an exact step function.

    See Also
    --------
    certified_radius : Computes the radii.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.losses import CertifiedAccuracyDisplay, CompSumClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = CompSumClassifier(epsilon=0.1).fit(X, y)
    >>> display = CertifiedAccuracyDisplay.from_estimator(model, X, y)
    """

    radius: np.ndarray

    @classmethod
    def from_estimator(cls, estimator, X, y, *, norm=2, name=None, ax=None):
        """Compute the radii and draw the curve.

        Parameters
        ----------
        estimator : fitted linear classifier
            As :func:`certified_radius` takes it.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            True labels.
        norm : {2, inf}, default=2
            What measures a change.
        name : str, default=None
            Name of the curve in the legend.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        CertifiedAccuracyDisplay
            The display.
        """
        radius = certified_radius(estimator, X, y, norm=norm)
        return cls(radius=radius).plot(ax, name=name)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Name of the curve in the legend.
        curve_kwargs : dict, default=None
            Passed to ``Axes.step``.

        Returns
        -------
        CertifiedAccuracyDisplay
            The display.
        """
        ax = self._axes(ax)
        right = np.sort(self.radius[self.radius > 0])
        share = np.arange(len(right), -1, -1) / len(self.radius)
        style = {"where": "post", "label": name, **(curve_kwargs or {})}
        (self.line_,) = ax.step(np.r_[0.0, right], share, **style)
        ax.set(xlabel="largest change of a row", ylabel="certified accuracy")
        ax.set_ylim(0, 1)
        if name is not None:
            ax.legend()
        return self


class NoiseRobustnessDisplay(Display):
    """Held-out score over the penalty, one curve for each loss.

    Where labels are wrong the curves of larger ``tau`` lie above that of log-loss
    (``tau=1``), and fall later.

    Parameters
    ----------
    Cs : ndarray of shape (n_Cs,)
        Inverse penalties.
    taus : ndarray of shape (n_taus,)
        Exponents of the losses.
    scores : ndarray of shape (n_folds, n_Cs, n_taus)
        Held-out scores.
    best : tuple of three float, default=None
        C, tau and mean score that were chosen.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        One for each ``tau``.

    See Also
    --------
    CompSumClassifierCV : Computes the scores.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.losses import CompSumClassifierCV, NoiseRobustnessDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = CompSumClassifierCV(Cs=3).fit(X, y)
    >>> display = NoiseRobustnessDisplay.from_estimator(model)
    """

    Cs: np.ndarray
    taus: np.ndarray
    scores: np.ndarray
    best: tuple | None = None

    @classmethod
    def from_estimator(cls, estimator, *, name=None, ax=None):
        """Draw the scores of a fitted search.

        Parameters
        ----------
        estimator : CompSumClassifierCV
            Fitted; or a Pipeline that ends in one.
        name : str, default=None
            Put before the names of the curves.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        NoiseRobustnessDisplay
            The display.
        """
        model = cls._innermost(estimator, wanted=CompSumClassifierCV).model
        best = model.C_, model.tau_, model.best_score_
        display = cls(Cs=model.Cs_, taus=model.taus_, scores=model.scores_, best=best)
        return display.plot(ax, name=name)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw the mean over the folds, and mark what was chosen.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Put before the names of the curves.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        NoiseRobustnessDisplay
            The display.
        """
        ax, mean, self.lines_ = self._axes(ax), self.scores.mean(axis=0), []
        shades = np.linspace(0.75, 0, len(self.taus))
        for j, tau in enumerate(self.taus):
            label = f"{name or ''} tau {tau:g}".strip()
            style = {"color": str(shades[j]), "marker": "os^Dv*"[j % 6], "ms": 4}
            style |= {"label": label, **(curve_kwargs or {})}
            self.lines_ += ax.plot(self.Cs, mean[:, j], **style)
        if self.best is not None:
            C, tau, score = self.best
            ring = {"mfc": "none", "mec": "black", "ls": "none", "ms": 12}
            ax.plot(C, score, "o", label=f"chosen: C {C:.2g}, tau {tau:g}", **ring)
        ax.set_xscale("log")
        ax.set(xlabel="C", ylabel="held-out score on the labels as they are")
        ax.legend()
        return self


class LabelQualityDisplay(Display):
    """Sorted probabilities of the rows' own labels, class by class, with the suspects.

    Parameters
    ----------
    quality : ndarray of shape (n_samples,)
        Probability of each row's label.
    codes : ndarray of shape (n_samples,)
        Labels as positions in ``classes``.
    suspect : ndarray of shape (n_samples,), dtype bool
        Whether a row seems to have another label.
    classes : ndarray of shape (n_classes,)
        Labels.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        One for each class.
    points_ : matplotlib Line2D
        The suspects.

    See Also
    --------
    CompSumClassifier.label_quality : The probabilities.
    NoiseReportDisplay : How many labels are wrong, and whose.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.losses import CompSumClassifier, LabelQualityDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = CompSumClassifier().fit(X, y)
    >>> display = LabelQualityDisplay.from_estimator(model, X, y)
    """

    quality: np.ndarray
    codes: np.ndarray
    suspect: np.ndarray
    classes: np.ndarray

    @classmethod
    def from_estimator(cls, estimator, X, y, *, sample_weight=None, name=None, ax=None):
        """Rank the rows and draw them.

        Parameters
        ----------
        estimator : CompSumClassifier or CompSumClassifierCV
            Fitted, to these rows or to others; or a Pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels, of which some may be wrong.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the threshold beyond which a row is suspect.
        name : str, default=None
            Put before the number of suspects in the title.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        LabelQualityDisplay
            The display.
        """
        wanted = CompSumClassifier, CompSumClassifierCV
        model, (X,), _ = cls._innermost(estimator, X, wanted=wanted)
        proba, codes = model.predict_proba(X), codes_of(model, X, y)
        w = check_weights(sample_weight, np.empty((len(codes), 0)), dtype=np.float64)
        display = cls(
            quality=proba[np.arange(len(codes)), codes],
            codes=codes,
            suspect=suspects(proba, codes, w),
            classes=model.classes_,
        )
        return display.plot(ax, name=name)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw one curve for each class.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Put before the number of suspects in the title.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        LabelQualityDisplay
            The display.
        """
        ax, self.lines_, marked = self._axes(ax), [], []
        present = np.unique(self.codes)
        many = len(present) > 12
        for n, k in enumerate(present):
            rows = np.flatnonzero(self.codes == k)
            rows = rows[np.argsort(self.quality[rows], kind="stable")]
            share = (np.arange(len(rows)) + 0.5) / len(rows)
            style = {
                "color": f"C{n % 8}",  # as many as the style of the house has
                "ls": ("-", "--", ":", "-.")[n // 8 % 4],
                "label": None if many else str(self.classes[k]),
                **(curve_kwargs or {}),
            }
            self.lines_ += ax.plot(share, self.quality[rows], **style)
            bad = self.suspect[rows]
            marked.append(np.column_stack([share, self.quality[rows]])[bad])
        at = np.concatenate(marked)
        (self.points_,) = ax.plot(*at.T, "kx", ms=4, label="suspect")
        title = f"{name or ''} {len(at)} of {len(self.codes)} rows suspect".strip()
        ax.set(xlabel="share of the rows of a class", title=title, ylim=(-0.02, 1.02))
        ax.set_ylabel("probability of the row's own label")
        ax.legend(title="label", fontsize="small")
        return self


class GroupLossDisplay(Display):
    """Loss of every subgroup, the mix that certifies the optimum, and the gap.

    Parameters
    ----------
    subgroups : ndarray of shape (n_subgroups,)
        Their names.
    losses : ndarray of shape (n_subgroups,)
        Mean loss of each.
    weights : ndarray of shape (n_subgroups,), default=None
        The mix that binds; None draws none.
    gap : float, default=None
        By how much the objective may exceed the optimum, relative to itself.
    ylabel : str, default="log-loss"
        What the losses are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    bars_ : matplotlib BarContainer
        The losses.

    See Also
    --------
    WorstGroupClassifier : Minimises the largest of them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.losses import GroupLossDisplay, WorstGroupClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = WorstGroupClassifier().fit(X, y)
    >>> display = GroupLossDisplay.from_estimator(model, X, y)
    """

    subgroups: np.ndarray
    losses: np.ndarray
    weights: np.ndarray | None = None
    gap: float | None = None
    ylabel: str = "log-loss"

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        subgroups=None,
        *,
        sample_weight=None,
        name=None,
        curve_kwargs=None,
        ax=None,
    ):
        """Compute the losses of the subgroups and draw them.

        Parameters
        ----------
        estimator : fitted classifier
            With ``predict_log_proba``. Of a WorstGroupClassifier, also at the end of a
            Pipeline, the gap and, if it was fitted to such subgroups, the mix are
            drawn, too, and the losses are those of its ``tau``.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            True labels.
        subgroups : array-like of shape (n_samples,), default=None
            Subgroup of each row; None takes the labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        name : str, default=None
            Put before the gap in the title, and in the legend.
        curve_kwargs : dict, default=None
            Passed to ``Axes.bar``.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        GroupLossDisplay
            The display.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "predict_log_proba"):
            raise TypeError(
                "GroupLossDisplay.from_estimator takes a fitted classifier that has "
                f"predict_log_proba, got {type(estimator).__name__}."
            )
        logs, y = estimator.predict_log_proba(X), column_or_1d(y)
        own = codes_of(estimator, logs, y)
        names, codes = codes_of_subgroups(subgroups, y)
        model, _ = peel(estimator, (WorstGroupClassifier,))
        ours = isinstance(model, WorstGroupClassifier)
        tau = model._tau if ours else 1.0
        least = np.log(np.finfo(np.float64).tiny)  # of probabilities that vanish
        lost = -np.maximum(logs[np.arange(len(own)), own].astype(float), least)
        w = check_weights(sample_weight, np.empty((len(y), 0)), dtype=np.float64)
        lost, count = comp_sum_of(lost, tau), np.bincount(codes, w)
        known = count > 0
        losses = np.bincount(codes, w * lost)[known] / count[known]
        names, weights, gap = names[known], None, None
        if ours:
            gap = model.gap_bound_ / model.objective_
        if ours and model._of_classes == (subgroups is None):
            mix = dict(zip(model.subgroups_, model.subgroup_weights_, strict=True))
            weights = np.array([mix.get(n, 0.0) for n in names])
        display = cls(
            subgroups=names,
            losses=losses,
            weights=weights,
            gap=gap,
            ylabel="log-loss" if tau == 1 else f"loss, tau {tau:g}",
        )
        return display.plot(ax, name=name, curve_kwargs=curve_kwargs)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw a bar for each subgroup; its mix is written on it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Put before the gap in the title, and in the legend.
        curve_kwargs : dict, default=None
            Passed to ``Axes.bar``.

        Returns
        -------
        GroupLossDisplay
            The display.
        """
        ax, at = self._axes(ax), np.arange(len(self.losses))
        style = {"color": "0.7", "label": name, **(curve_kwargs or {})}
        self.bars_ = ax.bar(at, self.losses, **style)
        if self.weights is not None:
            texts = [f"q {q:.2f}" if q >= 0.005 else "" for q in self.weights]
            ax.bar_label(self.bars_, texts, fontsize="small")
            ax.margins(y=0.15)
        long = max(len(str(n)) for n in self.subgroups) * len(at) > 40
        ax.set_xticks(at, map(str, self.subgroups), rotation=90 if long else 0)
        gap = "" if self.gap is None else f"within {self.gap:.0e} of the optimum"
        ax.set(xlabel="subgroup", ylabel=self.ylabel)
        ax.set_title("\n".join(part for part in (name, gap) if part))
        return self
