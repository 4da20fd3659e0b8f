"""Pictures of calibration, and of what abstaining buys."""

import numpy as np
from sklearn.isotonic import isotonic_regression
from sklearn.utils import Bunch, check_random_state

from sklearn_ext._core._plots import Display
from sklearn_ext._numerics._held_out import clopper_pearson
from sklearn_ext.calibration._metrics import (
    Judged,
    bins_of,
    calibration_error,
    calibration_test,
    confidence_of,
    simulate,
    top_label,
)


class ReliabilityDisplay(Display):
    """Accuracy against confidence, beside what chance allows a calibrated model.

    Parameters
    ----------
    confidence : ndarray of shape (n_points,)
        Mean confidence of the points.
    accuracy : ndarray of shape (n_points,)
        Share that was right.
    bands : ndarray of shape (n_points, 4)
        Where a calibrated model's accuracy lies: low and high of each point alone, low
        and high of all points together.
    rows : ndarray of shape (n_rows,)
        Confidences, for the rug.
    error : Bunch
        As :func:`calibration_error` returns it.
    pvalue : float
        Of :func:`calibration_test`.
    is_step : bool, default=False
        Whether the points are those of an isotonic fit.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    line_ : matplotlib Line2D
        The accuracy.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : Without bands.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.calibration import ReliabilityDisplay
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(500)
    >>> y = rng.random(500) < p
    >>> display = ReliabilityDisplay.from_predictions(y, p)
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    bands: np.ndarray
    rows: np.ndarray
    error: Bunch
    pvalue: float
    is_step: bool = False

    @classmethod
    def from_estimator(cls, estimator, X, y, *, name=None, ax=None, **options):
        """Draw a fitted classifier's confidence on rows that it has not seen.

        Parameters
        ----------
        estimator : object
            A fitted classifier with ``confidence`` or ``predict_proba``.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Their classes.
        name : str, default=None
            Name in the legend; None means that of the class.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            Passed to :meth:`from_predictions`.

        Returns
        -------
        ReliabilityDisplay
            The display.
        """
        y_pred, confidence = confidence_of(estimator, X)
        name = type(estimator).__name__ if name is None else name
        options |= {"y_pred": y_pred, "confidence": confidence}
        return cls.from_predictions(y, None, name=name, ax=ax, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_proba=None,
        *,
        y_pred=None,
        confidence=None,
        strategy="quantile",
        n_bins="auto",
        labels=None,
        n_draws=199,
        confidence_level=0.95,
        random_state=None,
        name=None,
        ax=None,
    ):
        """Draw confidences.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True classes.
        y_proba : array-like of shape (n_samples,) or (n_samples, n_classes), \
                default=None
            Probabilities, where ``confidence`` is not given.
        y_pred : array-like of shape (n_samples,), default=None
            Predicted classes; None means the most probable.
        confidence : array-like of shape (n_samples,), default=None
            Probability that the prediction is right.
        strategy : {"quantile", "isotonic"}, default="quantile"
            Bins of equal mass, or the isotonic fit, which has no bins to choose.
        n_bins : int or "auto", default="auto"
            Bins of equal mass.
        labels : array-like of shape (n_classes,), default=None
            Classes of the columns.
        n_draws : int, default=199
            Simulated outcomes for bands and test.
        confidence_level : float, default=0.95
            Level of interval and bands.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ReliabilityDisplay
            The display.
        """
        if strategy not in ("quantile", "isotonic"):
            raise ValueError(
                f"strategy must be 'quantile' or 'isotonic', got {strategy!r}."
            )
        confidence, hit = top_label(y_true, y_proba, y_pred, confidence, labels)
        judged = Judged.of(confidence, hit)
        order = np.argsort(judged.confidence, kind="stable")
        judged = Judged(*(part[order] for part in vars(judged).values()))
        rng = check_random_state(random_state)
        summarize = {"quantile": _binned, "isotonic": _isotonic}[strategy]
        points, curve = summarize(judged, n_bins)
        simulated = simulate(judged.confidence, n_draws, rng)
        drawn = np.array([curve(hits) for outcomes in simulated for hits in outcomes])
        given = {"y_pred": hit, "confidence": confidence, "n_bins": n_bins}
        truth = np.ones(len(hit), dtype=bool)
        error = calibration_error(truth, confidence_level=confidence_level, **given)
        test = calibration_test(truth, n_draws=n_draws, random_state=rng, **given)
        return cls(
            confidence=points,
            accuracy=curve(judged.hit),
            bands=_bands(drawn, confidence_level),
            rows=judged.confidence,
            error=error,
            pvalue=test.pvalue,
            is_step=strategy == "isotonic",
        ).plot(ax, name=name)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw accuracy, bands and the rug of confidences.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Name in the legend.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot`` for the accuracy.

        Returns
        -------
        ReliabilityDisplay
            The display.
        """
        ax, error = self._axes(ax), self.error
        label = f"{name}\n" if name else ""
        label += (
            f"error {error.error:.3f} [{error.low:.3f}, {error.high:.3f}]\n"
            f"p = {self.pvalue:.3f}"
        )
        style = {"marker": "" if self.is_step else "o", "label": label}
        style |= curve_kwargs or {}
        (self.line_,) = ax.plot(self.confidence, self.accuracy, **style)
        ax.plot([0, 1], [0, 1], ":", color="0.4", label="_calibrated")
        point, joint = self.bands[:, :2].T, self.bands[:, 2:].T
        shade = {"color": "0.3", "lw": 0}
        ax.fill_between(self.confidence, *joint, alpha=0.12, **shade)
        ax.fill_between(self.confidence, *point, alpha=0.2, **shade)
        few = self.rows[:: max(1, len(self.rows) // 400)]
        ax.plot(few, np.full(len(few), -0.02), "|", color="0.4", alpha=0.4)
        least = max(0.0, float(self.rows.min()) - 0.05)
        ax.set(xlim=(least, 1.01), ylim=(-0.04, 1.02))
        ax.set_xlabel("confidence (probability of being right)")
        ax.set_ylabel("accuracy (share of rows that are right)")
        ax.legend(loc="upper left")
        return self


def _binned(judged, n_bins):
    bin_of = bins_of(judged, n_bins)
    starts = np.flatnonzero(np.diff(bin_of, prepend=-1))
    mass = np.diff(starts, append=len(bin_of))

    def mean(values):
        return np.add.reduceat(np.asarray(values, dtype=float), starts) / mass

    return mean(judged.confidence), mean


def _isotonic(judged, _):
    level, group, weight, _ = judged.levels()

    def fit(values):
        means = np.bincount(group, np.asarray(values, dtype=float)) / weight
        return isotonic_regression(means, sample_weight=weight)

    return level, fit


def _bands(drawn, confidence_level):
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    centre, spread = drawn.mean(axis=0), np.maximum(drawn.std(axis=0), 1e-12)
    largest = (abs(drawn - centre) / spread).max(axis=1)
    half = np.quantile(largest, confidence_level) * spread
    joint = np.clip([centre - half, centre + half], 0, 1)
    return np.column_stack([low, high, *joint])


class RiskCoverageDisplay(Display):
    """Error among the rows that are answered, against their share.

    Parameters
    ----------
    answered : ndarray of shape (n_points,)
        Share of rows that are answered.
    risk : ndarray of shape (n_points,)
        Error among them.
    low, high : ndarray of shape (n_points,)
        Exact interval of each point alone.
    error_rate : float
        Error when all rows are answered.
    chosen : tuple of two floats or None, default=None
        Coverage and risk at a threshold, to be marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    line_ : matplotlib Line2D
        The curve.

    See Also
    --------
    area_under_risk_coverage : The area under it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.calibration import RiskCoverageDisplay
    >>> rng = np.random.default_rng(0)
    >>> c = rng.random(500)
    >>> right = rng.random(500) < c
    >>> display = RiskCoverageDisplay.from_predictions(np.ones(500), right, c)
    """

    answered: np.ndarray
    risk: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error_rate: float
    chosen: tuple | None = None

    @classmethod
    def from_estimator(cls, estimator, X, y, *, name=None, ax=None, **options):
        """Draw a fitted classifier on rows that it has not seen.

        Parameters
        ----------
        estimator : object
            A fitted classifier with ``confidence`` or ``predict_proba``; the
            ``threshold_`` of a :class:`SelectiveClassifierCV` is marked.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Their classes.
        name : str, default=None
            Name in the legend; None means that of the class.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            Passed to :meth:`from_predictions`.

        Returns
        -------
        RiskCoverageDisplay
            The display.
        """
        options = {"threshold": getattr(estimator, "threshold_", None), **options}
        name = type(estimator).__name__ if name is None else name
        said = confidence_of(estimator, X)
        return cls.from_predictions(y, *said, name=name, ax=ax, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_pred,
        confidence,
        *,
        threshold=None,
        confidence_level=0.95,
        name=None,
        ax=None,
    ):
        """Draw predictions and confidences.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True classes.
        y_pred : array-like of shape (n_samples,)
            Predicted classes.
        confidence : array-like of shape (n_samples,)
            Probability that the prediction is right.
        threshold : float, default=None
            Least confidence that is answered, to be marked.
        confidence_level : float, default=0.95
            Level of the band.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        RiskCoverageDisplay
            The display.
        """
        judged = Judged.of(*top_label(y_true, None, y_pred, confidence))
        level, _, mass, hits = (part[::-1] for part in judged.levels())
        count, errors = np.cumsum(mass), np.cumsum(mass - hits)
        low, high = clopper_pearson(errors, count, confidence_level)
        answered, risk = count / count[-1], errors / count
        chosen = None
        if threshold is not None and (kept := int((level >= threshold).sum())):
            chosen = float(answered[kept - 1]), float(risk[kept - 1])
        return cls(
            answered=answered,
            risk=risk,
            low=low,
            high=high,
            error_rate=float(risk[-1]),
            chosen=chosen,
        ).plot(ax, name=name)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw the curve with its band, the best and the random order.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Name in the legend.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot`` for the curve.

        Returns
        -------
        RiskCoverageDisplay
            The display.
        """
        is_new = ax is None or not ax.lines
        ax, rate = self._axes(ax), self.error_rate
        style = {"label": name, **(curve_kwargs or {})}
        (self.line_,) = ax.plot(self.answered, self.risk, **style)
        color = self.line_.get_color()
        shade = {"alpha": 0.15, "color": color, "lw": 0}
        ax.fill_between(self.answered, self.low, self.high, **shade)
        if is_new:
            share = np.linspace(1e-3, 1, 400)
            best = np.maximum(0, 1 - (1 - rate) / share)
            ax.plot(share, best, ":", color="0.4", label="errors last")
            ax.axhline(rate, ls="--", color="0.4", label="random order")
        if self.chosen is not None:
            ax.plot(*self.chosen, "D", color=color, label="threshold")
        ax.set(xlim=(0, 1), ylim=(0, min(1.0, 1.6 * max(rate, self.risk[-1], 0.02))))
        ax.set_xlabel("coverage (share of rows that are answered)")
        ax.set_ylabel("risk (share of errors among them)")
        ax.legend()
        return self
