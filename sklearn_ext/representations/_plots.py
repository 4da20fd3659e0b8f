"""Pictures: did the unlabelled rows help, which view did, how alike views are."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._plots import Display
from sklearn_ext.representations._concatenated import (
    ConcatenatedRepresentations,
    representation_similarity,
)
from sklearn_ext.representations._pretrained import (
    PretrainedClassifier,
    PretrainedRegressor,
)

MOST_CELLS = 12  # blocks whose numbers are still read in a picture


class PretrainingGainDisplay(Display):
    """What views of all rows gained over the plain columns, and each view's part.

    Parameters
    ----------
    gain : float
        By how much the error of labelled rows that were left out is lower.
    interval : ndarray of shape (2,)
        Its interval.
    confidence_level : float
        Of the interval.
    names : list of str
        The views.
    importance : ndarray of shape (n_views,)
        By how much the error grows without each of them.
    error_raw : float
        Error of the plain columns, left out.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    bars_ : matplotlib BarContainer
        One bar a view.
    gain_line_ : matplotlib ErrorbarContainer
        The gain with its interval.

    See Also
    --------
    PretrainedClassifier : The model.
    PretrainedRegressor : The same for numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.representations import (
    ...     PretrainedClassifier, PretrainingGainDisplay)
    >>> X, y = load_digits(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) < 60, y, -1)
    >>> model = PretrainedClassifier(random_state=0).fit(X, few)
    >>> display = PretrainingGainDisplay.from_estimator(model)
    """

    gain: float
    interval: np.ndarray
    confidence_level: float
    names: list
    importance: np.ndarray
    error_raw: float

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw what a fitted model says.

        Parameters
        ----------
        estimator : PretrainedClassifier or PretrainedRegressor
            A fitted one, or a Pipeline that ends in one.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        PretrainingGainDisplay
            The display.
        """
        wanted = (PretrainedClassifier, PretrainedRegressor)
        model = cls._innermost(estimator, wanted=wanted).model
        check_is_fitted(model, "gain_")  # there is none before two labels
        display = cls(
            gain=model.gain_,
            interval=model.gain_interval_,
            confidence_level=model._level,
            names=list(model.view_importance_),
            importance=np.array(list(model.view_importance_.values())),
            error_raw=model.loo_error_raw_,
        )
        return display.plot(ax)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw the gain with its interval above one bar a view.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Title of the axes; None says whether the views helped.
        curve_kwargs : dict, default=None
            Passed to ``Axes.errorbar`` for the gain.

        Returns
        -------
        PretrainingGainDisplay
            The display.
        """
        ax = self._axes(ax, figsize=(6, 1.6 + 0.4 * len(self.names)))
        order = np.argsort(self.importance, kind="stable")
        names = [self.names[i] for i in order]
        self.bars_ = ax.barh(names, self.importance[order], color="C0", alpha=0.5)
        style = {"fmt": "o", "color": "black", "capsize": 4, **(curve_kwargs or {})}
        away = abs(self.interval - self.gain)[:, None]
        self.gain_line_ = ax.errorbar(
            [self.gain],
            ["all together"],
            xerr=None if np.isnan(away).any() else away,
            **style,
        )
        ax.axvline(0, color="0.35", lw=1)
        ax.set_xlabel("error of labelled rows left out that is saved")
        ax.set_title(self._verdict() if name is None else name)
        return self

    def _verdict(self):
        low, high = self.interval
        said = "the labels do not tell"
        if low > 0:
            said = "the views helped"
        elif high < 0:
            said = "the views harmed"
        level = f"{self.confidence_level:.0%} interval"
        return f"{said} ({level}; columns alone: {self.error_raw:.2g})"


class RepresentationSimilarityDisplay(Display):
    """How alike the blocks of concatenated representations are.

    Parameters
    ----------
    similarity : ndarray of shape (n_blocks, n_blocks)
        As ``similarity_`` of :class:`ConcatenatedRepresentations`, or from
        :func:`representation_similarity`.
    names : sequence of str
        Names of the blocks.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    image_ : matplotlib AxesImage
        The cells.
    text_ : ndarray of shape (n_blocks, n_blocks)
        Their numbers, None where there are too many to be read.

    See Also
    --------
    representation_similarity : Measures it.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ext.representations import (
    ...     ConcatenatedRepresentations, RepresentationSimilarityDisplay)
    >>> X, _ = load_wine(return_X_y=True)
    >>> model = ConcatenatedRepresentations(random_state=0).fit(X)
    >>> display = RepresentationSimilarityDisplay.from_estimator(model)
    """

    similarity: np.ndarray
    names: list

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the blocks of a fitted estimator.

        Parameters
        ----------
        estimator : ConcatenatedRepresentations
            Fitted, or a pipeline that ends in it.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        RepresentationSimilarityDisplay
            The display.
        """
        model = cls._innermost(estimator, wanted=ConcatenatedRepresentations).model
        names = [name for name, _ in model.views_]
        return cls(similarity=model.similarity_, names=names).plot(ax)

    @classmethod
    def from_representations(
        cls, representations, *, names=None, sample_weight=None, ax=None
    ):
        """Measure and draw arrays, whoever made them.

        Parameters
        ----------
        representations : dict or sequence of array-like
            Two or more of shape (n_samples, n_columns), of the same rows; a dict has
            them by name.
        names : sequence of str, default=None
            Their names; None takes those of the dict, or numbers them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        RepresentationSimilarityDisplay
            The display.
        """
        if isinstance(representations, Mapping):
            names = list(representations) if names is None else names
            representations = list(representations.values())
        similarity = representation_similarity(representations, sample_weight)
        if names is None:
            names = [str(i) for i in range(len(similarity))]
        return cls(similarity=similarity, names=list(names)).plot(ax)

    def plot(self, ax=None, *, image_kwargs=None):
        """Draw a cell for each pair, from 0, nothing in common, to 1, the same.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        image_kwargs : dict, default=None
            Passed to ``Axes.imshow``.

        Returns
        -------
        RepresentationSimilarityDisplay
            The display.
        """
        similarity, n = self._cells(), len(self.names)
        ax = self._axes(ax)
        style = {"vmin": 0, "vmax": 1, "cmap": "Blues", **(image_kwargs or {})}
        self.image_ = ax.imshow(similarity, **style)
        ax.grid(False)
        self.text_ = np.full((n, n), None)
        for i, j in np.ndindex(n, n) if n <= MOST_CELLS else ():
            value = similarity[i, j]
            color = "white" if value > 0.6 else "black"
            place = {"ha": "center", "va": "center", "fontsize": "small"}
            self.text_[i, j] = ax.text(j, i, f"{value:.2f}", color=color, **place)
        ax.set_xticks(range(n), self.names, rotation=45, ha="right")
        ax.set_yticks(range(n), self.names)
        ax.figure.colorbar(self.image_, ax=ax, label="alignment of kernels (CKA)")
        return self

    def _cells(self):
        """Return the similarities as a square array, or say what came instead."""
        n = len(self.names)
        try:
            cells = np.asarray(self.similarity, dtype=float)
            came = f"shape {cells.shape}"
        except ValueError:
            cells, came = np.empty(0), "arrays of several shapes"
        if cells.shape != (n, n):
            raise ValueError(
                f"similarity must have a row and a column for each of the {n} names, "
                f"got {came}. Arrays that are to be compared go to "
                "RepresentationSimilarityDisplay.from_representations."
            )
        return cells
