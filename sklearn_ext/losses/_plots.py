"""Pictures of noise in labels and of certified accuracy."""

import numpy as np

from sklearn_ext._core._compat import check_matplotlib_support
from sklearn_ext.losses._noise import noise_report
from sklearn_ext.losses._robust import certified_radius


def _axes(owner, ax):
    check_matplotlib_support(f"{type(owner).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    owner.ax_, owner.figure_ = ax, ax.figure
    return ax


class NoiseReportDisplay:
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

    def __init__(self, *, report):
        self.report = report

    @classmethod
    def from_estimator(cls, estimator, X, y, *, random_state=None, ax=None):
        """Estimate the noise and draw it.

        Parameters
        ----------
        estimator : CompSumClassifierCV
            Fitted.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels, of which some may be wrong.
        random_state : int, RandomState instance or None, default=None
            Seed of the bootstrap.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        NoiseReportDisplay
            The display.
        """
        report = noise_report(estimator, X, y, random_state=random_state)
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
        ax, report = _axes(self, ax), self.report
        style = {"cmap": "Greys", "vmin": 0, "vmax": 1, **(curve_kwargs or {})}
        self.image_ = ax.imshow(report.confusion, **style)
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


class CertifiedAccuracyDisplay:
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

    def __init__(self, *, radius):
        self.radius = radius

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
        ax = _axes(self, ax)
        right = np.sort(self.radius[self.radius > 0])
        share = np.arange(len(right), -1, -1) / len(self.radius)
        style = {"where": "post", "label": name, **(curve_kwargs or {})}
        (self.line_,) = ax.step(np.r_[0.0, right], share, **style)
        ax.set(xlabel="largest change of a row", ylabel="certified accuracy")
        ax.set_ylim(0, 1)
        if name is not None:
            ax.legend()
        return self
