"""The picture of a comparison of heads."""

import numpy as np

from sklearn_ext._core._plots import Display
from sklearn_ext.probes._rivals import MAJORITY
from sklearn_ext.probes._search._measures import LEVEL
from sklearn_ext.probes._search._probe_search_cv import LOSSES, ProbeSearchCV

LABELS = {"error": "held-out error", "log_loss": "held-out log-loss"}


class ProbeSearchDisplay(Display):
    """Loss of every head on the same held-out rows, beside its time.

    Parameters
    ----------
    names : list of str
        Heads, from the best to the worst.
    losses : ndarray of shape (n_heads,)
        Their mean losses.
    widths : ndarray of shape (n_heads,)
        Half the length of each bar: two standard errors of the distance to the best.
    fit_times : ndarray of shape (n_heads,)
        Seconds a fit.
    baseline : float or None, default=None
        Loss of the majority class.
    loss_name : str, default="held-out error"
        Label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    errorbar_ : matplotlib ErrorbarContainer
        Losses and bars.
    baseline_line_ : matplotlib Line2D or None
        The majority class.

    See Also
    --------
    ProbeSearchCV : Measures the heads.
    TwoRegimesDisplay : The same over growing numbers of rows.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J. (2023). "Revisiting
       Discriminative vs. Generative Classifiers: Theory and Implications". ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.probes import ProbeSearchCV, ProbeSearchDisplay
    >>> search = ProbeSearchCV(cv=3).fit(*load_iris(return_X_y=True))
    >>> display = ProbeSearchDisplay.from_estimator(search)
    """

    names: list
    losses: np.ndarray
    widths: np.ndarray
    fit_times: np.ndarray
    baseline: float | None = None
    loss_name: str = "held-out error"

    @classmethod
    def from_estimator(cls, estimator, **plot_params):
        """Draw what a fitted `ProbeSearchCV` measured.

        Parameters
        ----------
        estimator : ProbeSearchCV
            A fitted one, or a Pipeline that ends in one.
        **plot_params : dict
            Passed on to `plot`.

        Returns
        -------
        ProbeSearchDisplay
            The display, drawn.
        """
        search = cls._innermost(estimator, wanted=ProbeSearchCV).model
        results = search.cv_results_
        loss = LOSSES[search.scoring]
        heads = np.flatnonzero(results["estimator"] != MAJORITY)
        order = heads[np.argsort(results["rank"][heads])]
        display = cls(
            names=results["estimator"][order].tolist(),
            losses=results[loss][order],
            widths=LEVEL * results["behind_se"][order],
            fit_times=results["fit_time"][order],
            baseline=float(results[loss][-1]),
            loss_name=LABELS[loss],
        )
        return display.plot(**plot_params)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw losses with bars, one line a head.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Title of the axes.
        curve_kwargs : dict, default=None
            Keywords of the points and bars.

        Returns
        -------
        ProbeSearchDisplay
            The display.
        """
        ax = self._axes(ax, figsize=(6, 3))
        places = np.arange(len(self.names))
        style = {"fmt": "o", "capsize": 3, "color": "C0", **(curve_kwargs or {})}
        self.errorbar_ = ax.errorbar(self.losses, places, xerr=self.widths, **style)
        self.baseline_line_ = None
        if self.baseline is not None:
            self.baseline_line_ = ax.axvline(
                self.baseline, color="0.4", linestyle=":", label=MAJORITY
            )
            ax.legend(frameon=False)
        labels = [
            f"{head}, {seconds:.2g} s"
            for head, seconds in zip(self.names, self.fit_times, strict=True)
        ]
        ax.set_yticks(places, labels=labels)
        ax.invert_yaxis()  # the best on top
        ax.set(xlabel=self.loss_name, ylabel="head, seconds a fit")
        if name is not None:
            ax.set_title(name)
        return self
