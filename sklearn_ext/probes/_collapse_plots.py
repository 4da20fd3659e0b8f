"""Pictures of neural collapse: angles of class means, and their lengths."""

import numpy as np

from sklearn_ext._core._pipelines import describe, peel
from sklearn_ext._core._plots import Display
from sklearn_ext.probes._collapse import collapse_diagnostics


class CollapseDisplay(Display):
    """Draw what `collapse_diagnostics` measures beside what a simple model predicts.

    Parameters
    ----------
    diagnostics : CollapseDiagnostics
        What `collapse_diagnostics` returned.
    geometry : CollapseGeometry, default=None
        What `collapse_geometry` returned for the same classes; None predicts lengths
        alone, up to a factor, from the counts: ``count ** -0.25``, the form without
        decay.
    name : str, default=None
        Title of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    artist_ : matplotlib artist
        The matrix or the points.

    See Also
    --------
    collapse_diagnostics : The numbers.
    collapse_geometry : The prediction.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.probes import CollapseDisplay, collapse_diagnostics
    >>> X, y = load_iris(return_X_y=True)
    >>> found = collapse_diagnostics(X, y, random_state=0)
    >>> display = CollapseDisplay(diagnostics=found).plot(kind="norms")
    """

    diagnostics: object
    geometry: object = None
    name: str | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        sample_weight=None,
        geometry=None,
        kind="cosines",
        name=None,
        ax=None,
        curve_kwargs=None,
    ):
        """Measure the features in front of a linear classifier, and draw.

        Parameters
        ----------
        estimator : LogisticProbe, LogisticRegression or Pipeline
            A fitted linear classifier with ``coef_``, or a Pipeline that ends in one
            and computes its features.
        X : array-like of shape (n_samples, n_features)
            Rows as the estimator takes them.
        y : array-like of shape (n_samples,)
            Labels, all or some of those that the estimator knows.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        geometry : CollapseGeometry, default=None
            Prediction to draw beside.
        kind : {"cosines", "norms"}, default="cosines"
            What to draw.
        name : str, default=None
            Title of the axes.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        curve_kwargs : dict, default=None
            Passed on to the artist.

        Returns
        -------
        CollapseDisplay
            The display, which can draw again.
        """
        model, heads = peel(estimator)
        if not hasattr(model, "coef_"):
            raise TypeError(
                "CollapseDisplay.from_estimator takes a fitted linear classifier with "
                f"coef_, or a Pipeline that ends in one, got {describe(estimator)}."
            )
        for head in heads:
            X = head.transform(X)
        coef, intercept = _of_labels(model, y, sample_weight)
        found = collapse_diagnostics(
            X,
            y,
            coef,
            sample_weight,
            intercept=intercept,
            n_bootstrap=0,
        )
        display = cls(diagnostics=found, geometry=geometry, name=name)
        return display.plot(ax, kind=kind, curve_kwargs=curve_kwargs)

    def plot(self, ax=None, *, kind="cosines", name=None, curve_kwargs=None):
        """Draw cosines or lengths.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        kind : {"cosines", "norms"}, default="cosines"
            Cosines of the centred class means, or their lengths against the predicted
            ones, both divided by their geometric mean.
        name : str, default=None
            Title of the axes.
        curve_kwargs : dict, default=None
            Passed on to the artist.

        Returns
        -------
        CollapseDisplay
            The display itself.
        """
        if kind not in ("cosines", "norms"):
            raise ValueError(f"kind must be 'cosines' or 'norms', got {kind!r}.")
        ax = self._axes(ax, layout=None)
        draw = self._cosines if kind == "cosines" else self._norms
        draw(ax, curve_kwargs or {})
        name = self.name if name is None else name
        if name is not None:
            ax.set_title(name)
        return self

    def _cosines(self, ax, options):
        found = self.diagnostics
        options = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1} | options
        self.artist_ = ax.imshow(found.cosines, **options)
        ax.grid(visible=False)
        k = len(found.classes)
        where = range(0, k, -(-k // 20))  # labels do not overlap
        names = [str(found.classes[i]) for i in where]
        ax.set_xticks(where, names, rotation=90)
        ax.set_yticks(where, names)
        ax.set_xlabel(f"class; a simplex has {-1 / (k - 1):.2f} off the diagonal")
        ax.set_ylabel("class")
        ax.figure.colorbar(self.artist_, ax=ax, label="cosine of centred means")

    def _norms(self, ax, options):
        found, geometry = self.diagnostics, self.geometry
        predicted = found.class_counts**-0.25
        if geometry is not None:
            predicted = geometry.feature_norms
            if len(predicted) != len(found.norms):
                raise ValueError(
                    f"geometry has {len(predicted)} classes, diagnostics have "
                    f"{len(found.norms)}."
                )
        both = np.array([predicted, found.norms])
        use = (both > 0).all(axis=0)  # logarithmic axes show no others, nor nan
        if not use.any():
            raise ValueError(
                "No class has a measured and a predicted length, so there is nothing "
                "to draw."
            )
        both = both[:, use] / np.exp(np.log(both[:, use]).mean(axis=1, keepdims=True))
        self.artist_ = ax.scatter(*both, **({"color": "C0"} | options))
        for (x, y), label in zip(both.T, found.classes[use], strict=True):
            ax.annotate(str(label), (x, y), (4, 4), textcoords="offset points")
        ends = [both.min() / 1.1, both.max() * 1.1]
        ax.plot(ends, ends, color="0.5", linestyle="--", label="as predicted")
        ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
        ax.set_xlabel("predicted length of the class mean, relative")
        ax.set_ylabel("measured length, relative")
        ax.legend()


def _of_labels(model, y, sample_weight):
    """Return weights and intercepts of the classes that the labels hold."""
    coef, intercept = model.coef_, getattr(model, "intercept_", None)
    known = getattr(model, "classes_", ())
    if len(coef) != len(known):
        return coef, intercept
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
    held = np.isin(known, np.asarray(y)[weight > 0])
    return coef[held], intercept[held] if np.ndim(intercept) else intercept
