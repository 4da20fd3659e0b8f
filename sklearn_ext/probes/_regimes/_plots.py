"""The picture of two regimes."""

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ext._core._plots import Display
from sklearn_ext.probes._regimes._curves import bootstrap_means, interval
from sklearn_ext.probes._regimes._summary import (
    best_score,
    error_name,
    is_clear,
)
from sklearn_ext.probes._regimes._two_regimes import TwoRegimes
from sklearn_ext.probes._rivals import MAJORITY

MARKERS = "osD^vP"  # curves are told apart without colour
STYLES = ("-", "--", "-.", ":")


class TwoRegimesDisplay(Display):
    """Learning curves of rival classifiers, or the difference of the first two.

    Parameters
    ----------
    train_sizes : ndarray of shape (n_sizes,)
        Numbers of training rows.
    errors : dict of str to ndarray of shape (n_sizes, n_repeats)
        Errors by estimator.
    difference : ndarray of shape (n_sizes,)
        Mean error of the second minus that of the first.
    difference_ci : ndarray of shape (n_sizes, 2)
        Its interval.
    crossover : float
        Size at which the lead changes for the last time; drawn only when it lies on
        the grid.
    crossover_ci : ndarray of shape (2,)
        Its interval.
    error_name : str, default="test error"
        What the errors are.
    confidence_level : float, default=0.9
        Of the bands.
    baseline : ndarray of shape (n_sizes,) or None, default=None
        Mean errors of the majority class.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        One curve an estimator, or the difference.
    fill_between_ : list of matplotlib collections
        Their bands; empty when ``band`` is None.
    baseline_line_ : matplotlib Line2D or None
        The error of the majority class.
    crossover_line_ : matplotlib Line2D or None
        The crossover; its label says "unclear" where no interval of the difference
        excludes zero on one side of it.
    crossover_band_ : matplotlib patch or None
        The interval of the crossover, as far as it lies on the grid.

    See Also
    --------
    TwoRegimes : Measures the curves.
    sklearn.model_selection.LearningCurveDisplay : The curve of one estimator.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J. (2023). "Revisiting
       Discriminative vs. Generative Classifiers: Theory and Implications". ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.probes import TwoRegimes, TwoRegimesDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = TwoRegimes(n_repeats=2, random_state=0).fit(X, y)
    >>> display = TwoRegimesDisplay.from_estimator(model, kind="difference")
    """

    train_sizes: np.ndarray
    errors: dict
    difference: np.ndarray
    difference_ci: np.ndarray
    crossover: float
    crossover_ci: np.ndarray
    error_name: str = "test error"
    confidence_level: float = 0.9
    baseline: np.ndarray | None = None

    @classmethod
    def from_estimator(cls, estimator, **plot_params):
        """Draw what a fitted `TwoRegimes` measured.

        Parameters
        ----------
        estimator : TwoRegimes
            A fitted one, or a Pipeline that ends in one.
        **plot_params : dict
            Passed on to `plot`.

        Returns
        -------
        TwoRegimesDisplay
            The display, drawn.
        """
        estimator = cls._innermost(estimator, wanted=TwoRegimes).model
        display = cls(
            train_sizes=estimator.train_sizes_,
            errors=estimator._errors(),
            difference=estimator.difference_,
            difference_ci=estimator.difference_ci_,
            crossover=estimator.crossover_,
            crossover_ci=estimator.crossover_ci_,
            error_name=error_name(estimator.scoring),
            confidence_level=estimator.confidence_level,
            baseline=best_score(estimator.scoring)
            - estimator.baseline_scores_.mean(axis=1),
        )
        return display.plot(**plot_params)

    @classmethod
    def from_data(
        cls,
        estimators,
        X,
        y,
        *,
        ax=None,
        kind="error",
        log_x=True,
        band="ci",
        **params,
    ):
        """Measure the curves and draw them.

        Parameters
        ----------
        estimators : dict of str to classifier or None
            The rivals, as in `TwoRegimes`.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels.
        ax, kind, log_x, band : object
            As in `plot`.
        **params : dict
            Other parameters of `TwoRegimes`.

        Returns
        -------
        TwoRegimesDisplay
            The display, drawn.
        """
        model = TwoRegimes(estimators, **{"refit": False, **params}).fit(X, y)
        return cls.from_estimator(model, ax=ax, kind=kind, log_x=log_x, band=band)

    def plot(
        self,
        ax=None,
        *,
        kind="error",
        log_x=True,
        band="ci",
        name=None,
        curve_kwargs=None,
    ):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        kind : {"error", "difference"}, default="error"
            The error of every estimator, or the difference of the first two.
        log_x : bool, default=True
            Whether sizes are on a logarithmic axis.
        band : {"ci", "std"} or None, default="ci"
            The interval of the mean, one standard deviation over repeats, or nothing.
        name : str, default=None
            Title of the axes.
        curve_kwargs : dict, default=None
            Keywords of every curve.

        Returns
        -------
        TwoRegimesDisplay
            The display.
        """
        if kind not in ("error", "difference"):
            raise ValueError(f"kind must be 'error' or 'difference', got {kind!r}.")
        if band not in ("ci", "std", None):
            raise ValueError(f"band must be 'ci', 'std' or None, got {band!r}.")
        ax = self._axes(ax, figsize=(6, 4))
        self.lines_, self.fill_between_ = [], []
        curves = self.errors
        if kind == "difference":
            first, second = list(self.errors)[:2]
            difference = self.errors[second] - self.errors[first]
            curves = {f"{second} minus {first}": difference}
            ax.axhline(0, color="0.4", linewidth=0.8)
        for i, (label, values) in enumerate(curves.items()):
            self._curve(i, label, values, band, kind, curve_kwargs or {})
        self.baseline_line_ = None
        if kind == "error" and self.baseline is not None:
            (self.baseline_line_,) = ax.plot(
                self.train_sizes, self.baseline, ":", color="0.4", label=MAJORITY
            )
        self._decorate(kind, log_x, name)
        return self

    def _curve(self, i, label, values, band, kind, curve_kwargs):
        style = {
            "marker": MARKERS[i % len(MARKERS)],
            "linestyle": STYLES[i % len(STYLES)],
            "markersize": 4,
            "label": label,
            **curve_kwargs,
        }
        mean = values.mean(axis=1)
        (line,) = self.ax_.plot(self.train_sizes, mean, **style)
        self.lines_.append(line)
        if band is None or values.shape[1] == 1:
            return
        if band == "std":
            low, high = mean - values.std(axis=1), mean + values.std(axis=1)
        elif kind == "difference":
            low, high = self.difference_ci.T
        else:
            replicates = bootstrap_means(values, 1000, check_random_state(0))
            low, high = interval(replicates, self.confidence_level)
        shade = {"color": line.get_color(), "alpha": 0.2, "lw": 0}
        filled = self.ax_.fill_between(self.train_sizes, low, high, **shade)
        self.fill_between_.append(filled)

    def _decorate(self, kind, log_x, name):
        self.crossover_line_ = self.crossover_band_ = None
        if self.train_sizes[0] < self.crossover < np.inf:
            clear = is_clear(self.train_sizes, self.difference_ci, self.crossover)
            doubt = "" if clear else ", unclear"
            self.crossover_line_ = self.ax_.axvline(
                self.crossover,
                color="0.3",
                linestyle=(0, (1, 1)),
                label=f"crossover at {self.crossover:.0f} rows{doubt}",
            )
            if np.isfinite(self.crossover_ci[0]):
                ends = np.clip(self.crossover_ci, *self.train_sizes[[0, -1]])
                self.crossover_band_ = self.ax_.axvspan(*ends, color="0.85", zorder=0)
        if log_x:
            self.ax_.set_xscale("log")
            self.ax_.set_xticks(self.train_sizes, labels=self.train_sizes)
            self.ax_.minorticks_off()
        what = "" if kind == "error" else "difference in "
        self.ax_.set(xlabel="training rows", ylabel=f"{what}{self.error_name}")
        if name is not None:
            self.ax_.set_title(name)
        self.ax_.legend(frameon=False)
