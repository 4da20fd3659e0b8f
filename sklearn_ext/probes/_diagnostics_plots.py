"""Pictures of probe diagnostics."""

import numpy as np

from sklearn_ext._core._plots import Display
from sklearn_ext.probes._diagnostics import probe_diagnostics

LABELS = {
    "variance": ("variance of a feature", "features"),
    "beta": (r"separation $\beta$ per feature", "triples of classes"),
    "alpha": (r"variance $\alpha$ of score differences", "triples of classes"),
    "margin": (r"margin $\tau$ per feature", r"share of rows within $\tau$"),
}


class ProbeDiagnosticsDisplay(Display):
    """Draw what `probe_diagnostics` measures.

    Parameters
    ----------
    diagnostics : ProbeDiagnostics
        What `probe_diagnostics` returned.
    name : str, default=None
        Name in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    artist_ : matplotlib artist
        The curve or the outline of the histogram.

    See Also
    --------
    probe_diagnostics : The numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.probes import NaiveBayesProbe, ProbeDiagnosticsDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> probe = NaiveBayesProbe().fit(X, y)
    >>> display = ProbeDiagnosticsDisplay.from_estimator(probe, X, y, kind="beta")
    """

    diagnostics: object
    name: str | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        sample_weight=None,
        kind="margin",
        name=None,
        ax=None,
        curve_kwargs=None,
    ):
        """Measure and draw.

        Parameters
        ----------
        estimator : NaiveBayesProbe
            A fitted probe, or a Pipeline that ends in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        kind : {"variance", "beta", "alpha", "margin"}, default="margin"
            What to draw.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        curve_kwargs : dict, default=None
            Passed on to the artist.

        Returns
        -------
        ProbeDiagnosticsDisplay
            The display, which can draw again.
        """
        found = probe_diagnostics(estimator, X, y, sample_weight)
        display = cls(diagnostics=found, name=name)
        return display.plot(ax, kind=kind, curve_kwargs=curve_kwargs)

    def plot(self, ax=None, *, kind="margin", name=None, curve_kwargs=None):
        """Draw one of the diagnostics.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        kind : {"variance", "beta", "alpha", "margin"}, default="margin"
            What to draw: a histogram of the variances, of ``beta`` or ``alpha`` over
            all triples of classes, or the share of rows near a boundary.
        name : str, default=None
            Name in the legend.
        curve_kwargs : dict, default=None
            Passed on to the artist.

        Returns
        -------
        ProbeDiagnosticsDisplay
            The display itself.
        """
        if kind not in LABELS:
            raise ValueError(f"kind must be one of {sorted(LABELS)}, got {kind!r}.")
        ax = self._axes(ax, layout=None)
        name = self.name if name is None else name
        options = {"color": "C0", "label": name} | (curve_kwargs or {})
        if kind == "margin":
            margins = np.sort(self.diagnostics.margins)
            mass = self.diagnostics.margin_mass(margins)
            (self.artist_,) = ax.plot(margins, mass, drawstyle="steps-post", **options)
            ax.set_ylim(0, 1)
        else:
            values = self._values(kind)
            if len(values) == 0:
                raise ValueError(
                    f"No {kind} is positive, so there is nothing to draw: pass several "
                    "rows of each class."
                )
            bins = np.geomspace(values.min() / 1.01, values.max() * 1.01, 41)
            counts, edges = np.histogram(values, bins)
            self.artist_ = ax.stairs(counts, edges, fill=True, **options)
        xlabel, ylabel = LABELS[kind]
        ax.set(xscale="log", xlabel=xlabel, ylabel=ylabel)
        if name is not None:
            ax.legend()
        return self

    def _values(self, kind):
        """Return positive values; a logarithmic axis shows no others."""
        if kind == "variance":
            return self.diagnostics.variances.ravel()
        values = getattr(self.diagnostics, kind)
        first, second = np.triu_indices(values.shape[1], k=1)
        values = values[:, first, second].ravel()
        return values[values > 0]
