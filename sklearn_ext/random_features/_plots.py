"""Pictures of what a model has chosen, and of the spectrum of its kernel."""

import numpy as np

from sklearn_ext._core._plots import Display
from sklearn_ext.random_features._theory._eigenstructure import MODELS, TUNED, pool_of

FAINT, SHOWN = 1e-12, 1e-3  # of the largest error: where one is fainter, what is shown
STYLES = {"loo": "-", "fold": "-", "gcv": "--", "train": ":", "test": "-"}


class KernelChoiceDisplay(Display):
    """Held-out errors of the kernels, rates and scalings that a model chose from.

    Each candidate counts with its best ridge. Kernels without a rate are level lines.
    The band holds what is not worse than the chosen one by a standard error of the
    paired differences (the median over candidates), where leave-one-out gives them: a
    flat optimum shows as one.

    Parameters
    ----------
    candidates : list of dict
        Kernel, gamma, length_scale and standardize of each candidate.
    errors : ndarray of shape (n_candidates,)
        Held-out errors at the best ridge.
    best : int
        Position of the chosen one.
    gap_se : ndarray of shape (n_candidates,) or None, default=None
        Standard errors of the paired differences to the chosen one.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : dict of tuple to matplotlib Line2D
        The line of each kernel and scaling.

    See Also
    --------
    RandomFeatureRidgeCV : Chooses among the candidates.
    RidgePathDisplay : Errors over the ridges of what was chosen.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.random_features import (
    ...     KernelChoiceDisplay,
    ...     RandomFeatureRidgeCV,
    ... )
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidgeCV(kernel=["relu", "rbf"], random_state=0).fit(X, y)
    >>> display = KernelChoiceDisplay.from_estimator(model)  # doctest: +SKIP
    """

    candidates: list
    errors: np.ndarray
    best: int
    gap_se: np.ndarray | None = None

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, curve_kwargs=None):
        """Draw what a fitted model compared.

        Parameters
        ----------
        estimator : RandomFeatureRidgeCV or RandomFeatureRidgeClassifierCV
            A fitted model, or a Pipeline that ends in one.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        KernelChoiceDisplay
            The display.
        """
        estimator = cls._innermost(estimator, wanted=TUNED).model
        found = estimator._compared()
        return cls(
            candidates=list(found.candidates),
            errors=np.array([np.min(error) for error in found.errors]),
            best=found.best,
            gap_se=found.gap_se,
        ).plot(ax, curve_kwargs=curve_kwargs)

    def plot(self, ax=None, *, curve_kwargs=None):
        """Draw the errors over the rates.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        KernelChoiceDisplay
            The display itself.
        """
        ax = self._axes(ax)
        rates = [_rate(candidate) for candidate in self.candidates]
        known = [rate for rate in rates if rate is not None]
        ends = (min(known) / 3, max(known) * 3) if known else (0.1, 10.0)
        groups = {}
        for i, candidate in enumerate(self.candidates):
            key = candidate["kernel"], candidate["standardize"]
            groups.setdefault(key, []).append(i)
        self.lines_ = {}
        for (kernel, scaling), rows in groups.items():
            x, y = [rates[i] for i in rows], self.errors[rows]
            if None in x:
                x, y = ends, np.repeat(y, 2)
            label = f"{kernel or 'feature_map'}, {scaling or 'columns as they are'}"
            style = {"marker": "." if len(x) == len(rows) else None, "label": label}
            style |= curve_kwargs or {}
            order = np.argsort(x)
            x, y = np.array(x)[order], y[order]
            (self.lines_[kernel, scaling],) = ax.plot(x, y, **style)
        least = self.errors[self.best]
        rate = rates[self.best] or np.sqrt(ends[0] * ends[1])
        ax.plot([rate], [least], "k*", markersize=10, label="chosen")
        if self.gap_se is not None and len(self.errors) > 1:
            spread = np.median(np.delete(self.gap_se, self.best))
            ax.axhspan(least, least + spread, color="0.9", zorder=0)
        ax.set_xscale("log")
        ax.set_xlabel("rate of the kernel (gamma, or length_scale ** -2)")
        ax.set_ylabel("held-out error at the best ridge")
        ax.legend()
        return self


def _rate(candidate):
    if candidate["length_scale"] is not None:
        return candidate["length_scale"] ** -2
    return candidate["gamma"]


class RidgePathDisplay(Display):
    """Training and held-out errors over the ridges of a grid.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        The ridges.
    errors : dict
        Arrays of shape (n_alphas,) by name: ``"loo"``, ``"fold"``, ``"gcv"``,
        ``"train"`` or ``"test"``.
    fitting_ratio : ndarray of shape (n_alphas,) or None
        Predicted training over test error; None where it is not known.
    best : int
        Position of the chosen ridge.
    filter : {"ridge", "flow", "iterated"}, default="ridge"
        What the ridges belong to; of ``"flow"`` an axis on top shows their times.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : dict of str to matplotlib Line2D
        The curves by name.
    time_ax_ : matplotlib Axes or None
        The axis on top, if there is one.

    See Also
    --------
    RandomFeatureRidgeCV : Its paths are drawn by ``from_estimator``.
    FittingRatioDisplay : Errors over the fitting ratio of a power-law task.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.random_features import RandomFeatureRidgeCV, RidgePathDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidgeCV(100, standardize=True, random_state=0).fit(X, y)
    >>> display = RidgePathDisplay.from_estimator(model)  # doctest: +SKIP
    """

    alphas: np.ndarray
    errors: dict
    fitting_ratio: np.ndarray | None
    best: int
    filter: str = "ridge"

    @classmethod
    def from_estimator(cls, estimator, *, x="alpha", ax=None, curve_kwargs=None):
        """Draw the paths of a fitted model that chose its ridge.

        Parameters
        ----------
        estimator : RandomFeatureRidgeCV or RandomFeatureRidgeClassifierCV
            A fitted model, or a Pipeline that ends in one.
        x : {"alpha", "fitting_ratio"}, default="alpha"
            What lies along the abscissa.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        RidgePathDisplay
            The display.
        """
        estimator = cls._innermost(estimator, wanted=TUNED).model
        solution, cv = estimator._solution(), estimator.cv
        grid, ratio = solution.grid, None
        held = cv if isinstance(cv, str) else "fold"
        errors = {held: grid.error, "gcv": grid.gcv, "train": grid.train}
        if estimator.filter == "flow":
            del errors["gcv"]  # biased
        errors = {name: error.mean(axis=1) for name, error in errors.items()}
        if estimator.filter == "ridge":
            ratio = np.maximum(1 - grid.dof / solution.n, 0.0) ** 2
        best = int(np.argmin(np.abs(estimator.alphas_ - np.mean(estimator.alpha_))))
        return cls(
            alphas=estimator.alphas_,
            errors=errors,
            fitting_ratio=ratio,
            best=best,
            filter=estimator.filter,
        ).plot(ax, x=x, curve_kwargs=curve_kwargs)

    @classmethod
    def from_predictions(cls, path, *, x="alpha", ax=None, curve_kwargs=None):
        """Draw a path that theory predicts.

        Parameters
        ----------
        path : Bunch
            The result of :func:`rf_ridge_path`.
        x : {"alpha", "fitting_ratio"}, default="alpha"
            What lies along the abscissa.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        RidgePathDisplay
            The display.
        """
        return cls(
            alphas=path.ridge,
            errors={"test": path.test, "train": path.train},
            fitting_ratio=path.fitting_ratio,
            best=int(np.argmin(path.test)),
        ).plot(ax, x=x, curve_kwargs=curve_kwargs)

    def plot(self, ax=None, *, x="alpha", curve_kwargs=None):
        """Draw the curves; a circle marks the chosen ridge.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        x : {"alpha", "fitting_ratio"}, default="alpha"
            What lies along the abscissa.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        RidgePathDisplay
            The display itself.
        """
        if x not in ("alpha", "fitting_ratio"):
            raise ValueError(f"x must be 'alpha' or 'fitting_ratio', got {x!r}.")
        if x == "fitting_ratio" and self.fitting_ratio is None:
            raise ValueError(
                f"The fitting ratio is known of ridges alone, got filter="
                f"{self.filter!r}. Use x='alpha'."
            )
        ax, self.time_ax_ = self._axes(ax), None
        at = self.alphas if x == "alpha" else self.fitting_ratio
        shown = (at > 0) | (x == "fitting_ratio")
        self.lines_ = {}
        for name, error in self.errors.items():
            style = {"label": name, "linestyle": STYLES[name], **(curve_kwargs or {})}
            (self.lines_[name],) = ax.plot(at[shown], error[shown], **style)
        first = next(iter(self.errors.values()))
        ax.plot(at[self.best], first[self.best], "ok", fillstyle="none", label="chosen")
        if x == "alpha":
            ax.set_xscale("log")
        ax.set_yscale("log")
        all_errors = np.concatenate([error[shown] for error in self.errors.values()])
        largest = all_errors[np.isfinite(all_errors)].max()
        if all_errors.min() < FAINT * largest:  # endless training leaves nothing
            ax.set_ylim(SHOWN * largest, 2 * largest)
        if x == "alpha" and self.filter == "flow":
            self.time_ax_ = ax.secondary_xaxis("top", functions=(_inverse, _inverse))
            self.time_ax_.set_xlabel("training time 1 / alpha")
        label = "ridge alpha" if x == "alpha" else "training error / test error"
        ax.set(xlabel=label, ylabel="mean squared error")
        ax.legend()
        return self


class EigenspectrumDisplay(Display):
    """Eigenvalues of a kernel and squared coefficients of a target, with their slopes.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n_modes,)
        Eigenvalues, descending.
    eigencoefs : ndarray of shape (n_modes, n_targets)
        Coefficients.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : dict of str to matplotlib Line2D
        The two curves by name.
    exponents_ : tuple of float
        Slopes of both, fitted to the middle of the spectrum: ``a`` of the eigenvalues
        and ``b`` of the squared coefficients, as :class:`FittingRatioDisplay` takes
        them.

    See Also
    --------
    kernel_eigenstructure : The numbers.
    powerlaw_exponents : Exponents by steadier means.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.random_features import EigenspectrumDisplay
    >>> from sklearn_ext.random_features import RandomFeatureRidge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidge(standardize=True).fit(X, y)
    >>> EigenspectrumDisplay.from_estimator(model, X, y)  # doctest: +SKIP
    """

    eigenvalues: np.ndarray
    eigencoefs: np.ndarray

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, max_pool=3000, random_state=None, ax=None, **kwargs
    ):
        """Measure the spectrum on a pool and draw it.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator of this family, or a Pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            The pool.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; of a classifier, labels.
        max_pool : int, default=3000
            Rows of the pool.
        random_state : int, RandomState instance or None, default=None
            Seed of the pool.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **kwargs : object
            Passed on to :meth:`plot`.

        Returns
        -------
        EigenspectrumDisplay
            The display.
        """
        model, (X,), _ = cls._innermost(estimator, X, wanted=MODELS)
        _, _, found = pool_of(model, X, y, max_pool, random_state)
        display = cls(eigenvalues=found.eigenvalues, eigencoefs=found.eigencoefs)
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, *, curve_kwargs=None):
        """Draw both spectra on logarithmic axes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        EigenspectrumDisplay
            The display itself.
        """
        ax, self.lines_ = self._axes(ax), {}
        lam = self.eigenvalues
        v2 = np.reshape(self.eigencoefs**2, (len(lam), -1)).sum(axis=1)
        i = np.arange(1, len(lam) + 1)
        seen = lam > 1e-12 * lam[0]
        middle = seen & (i >= 5) & (i <= max(20, len(lam) // 4))
        slopes = [
            -np.polyfit(np.log(i[middle]), np.log(values[middle]), 1)[0]
            for values in (lam, np.maximum(v2, np.finfo(float).tiny))
        ]
        self.exponents_ = tuple(slopes)
        for name, values, style, slope in [
            ("eigenvalues", lam, "-", f"a={slopes[0]:.2g}"),
            ("squared coefficients", v2, ".", f"b={slopes[1]:.2g}"),
        ]:
            label = f"{name}, exponent {slope}"
            options = {"label": label, "markersize": 2, **(curve_kwargs or {})}
            (self.lines_[name],) = ax.plot(i[seen], values[seen], style, **options)
        ax.set(xscale="log", yscale="log", xlabel="mode", ylabel="variance")
        ax.legend()
        return self


def _inverse(values):
    with np.errstate(divide="ignore"):
        return 1 / np.asarray(values, dtype=float)
