"""Pictures of rates over widths, of a training, and of what the kernel does."""

import warnings

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_consistent_length, column_or_1d

from sklearn_ext._core._plots import Display
from sklearn_ext.networks._hierarchical._regressor import (
    HierarchicalPolynomialRegressor,
)
from sklearn_ext.networks._mlp import MuMLPClassifier, MuMLPRegressor
from sklearn_ext.networks._transfer import best_rate, learning_rate_sensitivity

NETS = MuMLPClassifier, MuMLPRegressor
LOG_RATES = tuple(2.0 ** np.arange(-11, 0))  # of the papers' pictures, 2^-11 to 2^-1
WIDE = 30  # largest over smallest size from which an axis is logarithmic
NAMES = {"standard": "standard parametrisation", "mup": "muP"}


class _Panels(Display):
    """A display of several axes, side by side."""

    def _panels(self, axes, n, **figure):
        """Store the axes to draw on, those of a new figure where there are none."""
        if axes is None:
            _, axes = self._pyplot().subplots(1, n, layout="constrained", **figure)
        axes = np.ravel(axes)
        if len(axes) != n:
            raise ValueError(
                f"{type(self).__name__} draws on {n} axes, got {len(axes)}."
            )
        self.axes_, self.figure_ = axes, axes[0].figure
        return axes


class LearningRateTransferDisplay(_Panels):
    """Loss against learning rate, one line a width, one panel a parametrisation.

    Where a rate transfers, the optima stand one above the other. The legend says by
    how many powers of two the optimum moved from the first width, and what a wrong
    rate costs on average over the range (`learning_rate_sensitivity`).

    Parameters
    ----------
    learning_rates : ndarray of shape (n_rates,)
        Rates, ascending.
    loss : ndarray of shape (n_parametrizations, n_widths, n_rates)
        Loss at each; not finite where the net diverged.
    hidden_units : sequence of int
        The widths.
    parametrizations : sequence of str
        Their names.
    initial_loss : float
        Loss of a constant prediction.
    loss_name : str, default="loss"
        What is measured, with its unit.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Where it was drawn, one a parametrisation.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of list of matplotlib Line2D
        One a parametrisation and width.

    See Also
    --------
    learning_rate_sensitivity : The number in the legend.
    ProxySearchCV : Search for any setting on a small copy.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.networks import LearningRateTransferDisplay
    >>> rates = 2.0 ** np.arange(-8, 0)
    >>> loss = 0.3 + 0.01 * (np.log2(rates) + np.array([[[4], [6]]])) ** 2
    >>> display = LearningRateTransferDisplay(
    ...     learning_rates=rates,
    ...     loss=loss,
    ...     hidden_units=(64, 256),
    ...     parametrizations=("standard",),
    ...     initial_loss=1.0,
    ... ).plot()
    >>> display.shifts()
    array([[ 0., -2.]])
    """

    learning_rates: np.ndarray
    loss: np.ndarray
    hidden_units: tuple
    parametrizations: tuple
    initial_loss: float
    loss_name: str = "loss"

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        hidden_units=(16, 64, 256),
        learning_rates=None,
        parametrizations=("standard", "mup"),
        axes=None,
    ):
        """Train nets of all widths at all rates, and draw.

        The nets of one width are the members of one batched run, as in the search of
        ``learning_rate="auto"``; losses are those on rows that they left out, at their
        best epoch, mean over two folds, or five of up to 500 distinct rows.

        Parameters
        ----------
        estimator : MuMLPClassifier or MuMLPRegressor
            What is trained: depth, ``proxy_iter`` epochs, and all else.
        X : array-like or data frame of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Target.
        hidden_units : sequence of int, default=(16, 64, 256)
            Widths.
        learning_rates : array-like, default=None
            Rates; None takes the powers of two from 2^-11 to 2^-1.
        parametrizations : sequence of str, default=("standard", "mup")
            Which to compare.
        axes : array of matplotlib Axes, default=None
            One a parametrisation; None makes a figure.

        Returns
        -------
        LearningRateTransferDisplay
            The display.
        """
        if not isinstance(estimator, NETS):
            raise TypeError(
                f"{cls.__name__}.from_estimator takes a MuMLPClassifier or "
                f"MuMLPRegressor, which it trains itself, got "
                f"{type(estimator).__name__}."
            )
        rates = np.unique(LOG_RATES if learning_rates is None else learning_rates)
        loss = [
            [_losses(estimator, X, y, rates, width, name) for width in hidden_units]
            for name in parametrizations
        ]
        classes = is_classifier(estimator)
        display = cls(
            learning_rates=rates,
            loss=np.array(loss),
            hidden_units=tuple(hidden_units),
            parametrizations=tuple(parametrizations),
            initial_loss=_entropy(y) if classes else 1.0,
            loss_name="log-loss" if classes else "squared error over variance",
        )
        return display.plot(axes)

    def best_rates(self):
        """Return the best learning rates, between the points of the grid.

        Returns
        -------
        ndarray of shape (n_parametrizations, n_widths)
            The rates; NaN where all diverged.
        """
        return np.array(
            [[best_rate(self.learning_rates, line) for line in p] for p in self.loss]
        )

    def shifts(self):
        """Return how far the best rate moves from that of the first width.

        Returns
        -------
        ndarray of shape (n_parametrizations, n_widths)
            Powers of two.
        """
        octaves = np.log2(self.best_rates())
        return octaves - octaves[:, :1]

    def sensitivities(self):
        """Return what a wrong learning rate costs on average over the range.

        Returns
        -------
        ndarray of shape (n_parametrizations, n_widths)
            Mean excess losses.
        """
        return np.array(
            [
                [learning_rate_sensitivity(line, self.initial_loss) for line in p]
                for p in self.loss
            ]
        )

    def plot(self, axes=None, *, curve_kwargs=None):
        """Draw.

        Parameters
        ----------
        axes : array of matplotlib Axes, default=None
            One a parametrisation; None makes a figure.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot`` for every line.

        Returns
        -------
        LearningRateTransferDisplay
            The display.
        """
        n = len(self.parametrizations)
        panel = {"figsize": (1 + 4 * n, 3.6), "sharey": True}
        axes = self._panels(axes, n, **panel)
        best, shift, cost = self.best_rates(), self.shifts(), self.sensitivities()
        known = np.where(np.isfinite(self.loss), self.loss, np.nan)
        self.lines_ = []
        for i, (ax, name) in enumerate(zip(axes, self.parametrizations, strict=True)):
            self.lines_.append([])
            for j, width in enumerate(self.hidden_units):
                octaves = round(shift[i, j], 1) + 0.0  # of minus zero
                moved = "" if j == 0 else f", optimum {octaves:+.1f} octaves"
                label = f"{width} units{moved}, sensitivity {cost[i, j]:.2f}"
                style = {"marker": "os^Dv"[j % 5], "color": f"C{j}"}
                style |= {"ms": 4, "lw": 1.5, "label": label, **(curve_kwargs or {})}
                (line,) = ax.plot(self.learning_rates, known[i, j], **style)
                self.lines_[-1].append(line)
                if np.isfinite(best[i, j]):
                    ax.axvline(best[i, j], ls=":", lw=1.2, color=line.get_color())
            ax.set_xscale("log", base=2)
            ax.set_title(NAMES.get(name, name))
            ax.set_xlabel("learning rate")
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
        if np.isfinite(known).any():  # what exploded must not flatten the rest
            low, top = np.nanmin(known), min(self.initial_loss, np.nanmax(known))
            margin = 0.08 * (abs(top - low) or 1.0)
            axes[0].set_ylim(low - margin, max(low, top) + margin)
        axes[0].set_ylabel(self.loss_name)
        return self


def _losses(estimator, X, y, rates, width, parametrization):
    """Return the loss of each rate at a width, as the search of the estimator finds it.

    The search at ``proxy_units`` is what is wanted; what it chooses is trained as
    little as can be.
    """
    searched = clone(estimator).set_params(
        learning_rate="auto",
        learning_rates=rates,
        proxy_units=width,
        parametrization=parametrization,
        hidden_units=1,
        n_layers=estimator.n_layers,
        n_members=1,
        max_iter=1,
        leave_out=None,
    )
    with warnings.catch_warnings():
        # the border of the grid, and a training of one epoch, are what was asked for
        warnings.simplefilter("ignore", ConvergenceWarning)
        curve = searched.fit(X, y).learning_rate_curve_
    loss = np.full(len(rates), np.inf)
    loss[np.searchsorted(rates, curve.learning_rates)] = np.nanmean(curve.loss, axis=1)
    return loss


def _entropy(y):
    share = np.unique(np.asarray(y), return_counts=True)[1] / len(y)
    return float(-(share * np.log(share)).sum())


class TrainingDisplay(_Panels):
    """A training by epoch: losses beside the sizes of what the net computes.

    The left panel has the training loss and the loss on rows left out, with the epoch
    whose weights are kept. The right one has the root mean squares of outputs and
    hidden units: where they grow by powers of ten while the loss out of fold rises,
    the net is unstable.

    Parameters
    ----------
    loss : ndarray of shape (n_epochs,)
        Training loss.
    oob_loss : ndarray of shape (n_epochs,)
        Loss on rows that members left out; NaN where none were.
    logit_rms, activation_rms : ndarray of shape (n_epochs,)
        Root mean squares of outputs and of the last hidden layer.
    best_iter : int
        Epoch whose weights are kept, from one.
    stop_reason : str, default=""
        Why training ended.
    loss_name : str, default="loss"
        What is measured, with its unit.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Where it was drawn: losses, sizes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        Training loss and loss out of fold.

    See Also
    --------
    LearningRateTransferDisplay : Losses against the learning rate.
    FeatureLearningDisplay : The kernel of the net by epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.networks import TrainingDisplay
    >>> epochs = np.arange(1.0, 9.0)
    >>> display = TrainingDisplay(
    ...     loss=1 / epochs,
    ...     oob_loss=1 / epochs + 0.02 * epochs,
    ...     logit_rms=epochs**0.5,
    ...     activation_rms=1 + epochs / 20,
    ...     best_iter=7,
    ... ).plot()
    """

    loss: np.ndarray
    oob_loss: np.ndarray
    logit_rms: np.ndarray
    activation_rms: np.ndarray
    best_iter: int
    stop_reason: str = ""
    loss_name: str = "loss"

    @classmethod
    def from_estimator(cls, estimator, *, axes=None):
        """Draw how a fitted net was trained.

        Parameters
        ----------
        estimator : MuMLPClassifier or MuMLPRegressor
            A fitted one, or a Pipeline or search that ends in one.
        axes : array of two matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        TrainingDisplay
            The display.
        """
        model = cls._innermost(estimator, wanted=NETS).model
        classes = is_classifier(model)
        display = cls(
            loss=model.loss_curve_,
            oob_loss=model.history_.oob_loss,
            logit_rms=model.history_.logit_rms,
            activation_rms=model.history_.activation_rms,
            best_iter=model.best_iter_,
            stop_reason=model.stop_reason_,
            loss_name="log-loss" if classes else "squared error over variance",
        )
        return display.plot(axes)

    def plot(self, axes=None, *, curve_kwargs=None):
        """Draw.

        Parameters
        ----------
        axes : array of two matplotlib Axes, default=None
            Where to draw; None makes a figure.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot`` for the losses.

        Returns
        -------
        TrainingDisplay
            The display.
        """
        left, right = self._panels(axes, 2, figsize=(9, 3.4))
        epochs, style = np.arange(1, len(self.loss) + 1), curve_kwargs or {}
        style = {"ms": 3, **style}
        self.lines_ = left.plot(epochs, self.loss, "o-", label="training", **style)
        if np.isfinite(self.oob_loss).any():
            self.lines_ += left.plot(
                epochs, self.oob_loss, "s-", label="rows left out", **style
            )
            left.axvline(
                self.best_iter, ls="--", color="0.35", label=f"kept: {self.best_iter}"
            )
        right.plot(epochs, self.logit_rms, "o-", ms=3, label="outputs")
        right.plot(epochs, self.activation_rms, "s-", ms=3, label="last hidden layer")
        sizes = np.r_[self.logit_rms, self.activation_rms]
        if (sizes > 0).all() and sizes.max() > WIDE * sizes.min():
            right.set_yscale("log")
        ended = f"ended: {self.stop_reason}" if self.stop_reason else ""
        left.set(xlabel="epoch", ylabel=self.loss_name, title=ended)
        right.set(xlabel="epoch", ylabel="root mean square")
        for ax in (left, right):
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.legend()
        return self


class FeatureLearningDisplay(Display):
    """Tangent kernel of a net by epoch: how far it moves, and how it sees the target.

    A net whose kernel stays what it was at the start is a kernel machine; one whose
    kernel turns towards the target learns features. What that is worth the scores say,
    not this picture: kernels move most on some tables where it gains nothing.

    Parameters
    ----------
    similarity : ndarray of shape (n_epochs + 1,)
        Centred cosine of the kernel with that before training, by epoch from 0.
    alignment : ndarray of shape (n_epochs + 1,)
        Centred cosine of the kernel with that of the target, by epoch from 0.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        Similarity and alignment.

    See Also
    --------
    TrainingDisplay : Losses by epoch.

    Examples
    --------
    >>> from sklearn_ext.networks import FeatureLearningDisplay
    >>> display = FeatureLearningDisplay(
    ...     similarity=[1.0, 0.9, 0.8], alignment=[0.2, 0.3, 0.45]
    ... ).plot()
    """

    similarity: np.ndarray
    alignment: np.ndarray

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw what a fitted net has noted of its kernel.

        Parameters
        ----------
        estimator : MuMLPClassifier or MuMLPRegressor
            A fitted one with ``kernel_report=True``, or a Pipeline or search that ends
            in one.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        FeatureLearningDisplay
            The display, with the verdict ``regime_`` as title.

        Raises
        ------
        ValueError
            When the net was fitted without the report.
        """
        model = cls._innermost(estimator, wanted=NETS).model
        if not hasattr(model, "kernel_similarity_"):
            raise ValueError(
                f"The kernel of {type(model).__name__} is noted only with "
                "kernel_report=True: set it and fit again."
            )
        display = cls(
            similarity=model.kernel_similarity_, alignment=model.target_alignment_
        )
        return display.plot(ax, name=model.regime_)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Title of the axes.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot`` for both lines.

        Returns
        -------
        FeatureLearningDisplay
            The display.
        """
        ax = self._axes(ax, figsize=(5.6, 3.6))
        epochs, style = np.arange(len(self.similarity)), curve_kwargs or {}
        style = {"ms": 4, **style}
        start, target = "with the kernel at the start", "with the target"
        self.lines_ = ax.plot(epochs, self.similarity, "o-", label=start, **style)
        self.lines_ += ax.plot(epochs, self.alignment, "s-", label=target, **style)
        ax.set_ylim(min(0, np.min(self.alignment) - 0.05), 1.05)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="epoch", ylabel="centred cosine of the kernel", title=name or "")
        ax.legend()
        return self


class LinkDisplay(Display):
    """Index against target, and the curve that goes through them.

    Parameters
    ----------
    index : ndarray of shape (n_samples,)
        Index of each row.
    target : ndarray of shape (n_samples,)
        Its target.
    grid : ndarray of shape (n_points,)
        Values of the index, ascending.
    curve : ndarray of shape (n_points,)
        The curve there.
    knots : ndarray of shape (n_knots,)
        Where pieces of the curve meet; beyond the last ones it is straight.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    line_ : matplotlib Line2D
        The curve.
    points_ : matplotlib PathCollection
        The rows.

    See Also
    --------
    HierarchicalPolynomialRegressor : Finds index and curve.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.networks import HierarchicalPolynomialRegressor, LinkDisplay
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = np.exp(X[:, 0] + X[:, 1])
    >>> model = HierarchicalPolynomialRegressor(1).fit(X, y)
    >>> display = LinkDisplay.from_estimator(model, X, y)
    """

    index: np.ndarray
    target: np.ndarray
    grid: np.ndarray
    curve: np.ndarray
    knots: np.ndarray

    @classmethod
    def from_estimator(cls, estimator, X, y, *, n_points=400, ax=None):
        """Compute the index of rows and draw them with the curve.

        Parameters
        ----------
        estimator : HierarchicalPolynomialRegressor or Pipeline
            A fitted model, or a fitted pipeline or search that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows, seen in training or not.
        y : array-like of shape (n_samples,)
            Their targets.
        n_points : int, default=400
            Points at which the curve is drawn.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        LinkDisplay
            The display.
        """
        model, (X,), _ = cls._innermost(
            estimator, X, wanted=HierarchicalPolynomialRegressor
        )
        index, target = model.index(X), column_or_1d(y).astype(np.float64)
        check_consistent_length(index, target)
        knots = model.link_.knots
        ends = np.concatenate([index, knots])
        grid = np.unique(
            np.append(np.linspace(ends.min(), ends.max(), n_points), knots)
        )
        parts = {"index": index, "target": target, "grid": grid, "knots": knots}
        return cls(**parts, curve=model.link(grid)).plot(ax)

    def plot(self, ax=None, *, name="link", curve_kwargs=None):
        """Draw rows as points, the curve, and marks at its knots.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default="link"
            Name of the curve in the legend.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot`` for the curve.

        Returns
        -------
        LinkDisplay
            The display.
        """
        ax = self._axes(ax)
        rows = {"s": 8, "color": "0.6", "linewidths": 0, "label": "rows"}
        self.points_ = ax.scatter(self.index, self.target, **rows)
        style = {"color": "C0", "lw": 2, "label": name, **(curve_kwargs or {})}
        (self.line_,) = ax.plot(self.grid, self.curve, **style)
        if len(self.knots):
            heights = np.interp(self.knots, self.grid, self.curve)
            ax.plot(self.knots, heights, "|", color="0.1", ms=9, label="knots")
        ax.set(xlabel="index (in units of the target)", ylabel="target")
        ax.legend()
        return self
