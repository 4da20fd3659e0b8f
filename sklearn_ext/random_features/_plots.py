"""Pictures: errors along ridges and fitting ratios, learning curves, spectra."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklearn_ext._core._plots import Display
from sklearn_ext.random_features._ridge._classifier_cv import (
    RandomFeatureRidgeClassifierCV,
)
from sklearn_ext.random_features._ridge._ridge_cv import RandomFeatureRidgeCV
from sklearn_ext.random_features._theory._eigenstructure import (
    MODELS,
    draw_pool,
    kernel_eigenstructure,
    signs_of,
    warn_of_large_shares,
)
from sklearn_ext.random_features._theory._framework import (
    rf_eigenframework,
    rf_ridge_path,
)
from sklearn_ext.random_features._theory._powerlaw import (
    optimal_fitting_ratio,
    powerlaw_test_error,
)

TUNED = (RandomFeatureRidgeCV, RandomFeatureRidgeClassifierCV)
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
        errors = np.array([np.min(error) for error in found.errors])
        display = cls(
            candidates=list(found.candidates),
            errors=errors,
            best=found.best,
            gap_se=found.gap_se,
        )
        return display.plot(ax, curve_kwargs=curve_kwargs)

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
            order = np.argsort(x)
            (line,) = ax.plot(
                np.array(x)[order], y[order], **style | (curve_kwargs or {})
            )
            self.lines_[kernel, scaling] = line
        self._mark(ax, rates, ends)
        ax.set_xscale("log")
        ax.set_xlabel("rate of the kernel (gamma, or length_scale ** -2)")
        ax.set_ylabel("held-out error at the best ridge")
        ax.legend()
        return self

    def _mark(self, ax, rates, ends):
        least = self.errors[self.best]
        rate = rates[self.best] or np.sqrt(ends[0] * ends[1])
        ax.plot([rate], [least], "k*", markersize=10, label="chosen")
        if self.gap_se is not None and len(self.errors) > 1:
            others = np.delete(self.gap_se, self.best)
            band = least, least + np.median(others)
            ax.axhspan(*band, color="0.9", zorder=0)


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
        names = (
            "loo_error_path_",
            "fold_error_path_",
            "gcv_path_",
            "train_error_path_",
        )
        errors = {
            name.split("_")[0]: np.reshape(path, (len(path), -1)).mean(axis=1)
            for name in names
            if (path := getattr(estimator, name, None)) is not None
        }
        n, ratio = estimator._solution().n, None
        if estimator.filter == "ridge":
            ratio = np.maximum(1 - estimator.dof_path_ / n, 0.0) ** 2
        best = int(np.argmin(np.abs(estimator.alphas_ - np.mean(estimator.alpha_))))
        display = cls(
            alphas=estimator.alphas_,
            errors=errors,
            fitting_ratio=ratio,
            best=best,
            filter=estimator.filter,
        )
        return display.plot(ax, x=x, curve_kwargs=curve_kwargs)

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
        errors = {"test": path.test, "train": path.train}
        display = cls(
            alphas=path.ridge,
            errors=errors,
            fitting_ratio=path.fitting_ratio,
            best=int(np.argmin(path.test)),
        )
        return display.plot(ax, x=x, curve_kwargs=curve_kwargs)

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


class FittingRatioDisplay(Display):
    """Test error over the ratio of training to test error, of a power-law task.

    Parameters
    ----------
    a : float
        Exponent of the eigenvalues.
    b : float
        Exponent of the squared coefficients.
    s_rel : float
        Relative noise: the variance of the label noise over the test error that the
        model would have without ridge and noise. It is yours to give: from knowledge of
        the noise, or the value at which the curve meets the points.
    points : tuple of ndarray or None, default=None
        Measured fitting ratios and errors.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    line_ : matplotlib Line2D
        The curve.

    See Also
    --------
    optimal_fitting_ratio : The least point of the curve.
    powerlaw_exponents : Exponents from data.

    Examples
    --------
    >>> from sklearn_ext.random_features import FittingRatioDisplay
    >>> FittingRatioDisplay(a=1.2, b=1.2, s_rel=1).plot()  # doctest: +SKIP
    """

    a: float
    b: float
    s_rel: float
    points: tuple | None = None

    @classmethod
    def from_estimator(cls, estimator, *, a, b, s_rel, ax=None, curve_kwargs=None):
        """Draw the curve, and the held-out errors of a model's grid as points.

        Parameters
        ----------
        estimator : RandomFeatureRidgeCV or RandomFeatureRidgeClassifierCV
            A fitted model with ``cv="loo"``, or a Pipeline that ends in one.
        a : float
            Exponent of the eigenvalues.
        b : float
            Exponent of the squared coefficients.
        s_rel : float
            Relative noise, as above.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        FittingRatioDisplay
            The display.
        """
        estimator = cls._innermost(estimator, wanted=TUNED).model
        _check_ridge(estimator, cls)
        loo, train = (
            np.reshape(path, (len(path), -1)).mean(axis=1)
            for path in (estimator.loo_error_path_, estimator.train_error_path_)
        )
        known = np.isfinite(loo)
        points = (train / loo)[known], loo[known]
        display = cls(a=a, b=b, s_rel=s_rel, points=points)
        return display.plot(ax, curve_kwargs=curve_kwargs)

    def plot(self, ax=None, *, curve_kwargs=None):
        """Draw errors relative to the least of the curve, and of the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        FittingRatioDisplay
            The display itself.
        """
        ax, task = self._axes(ax), (self.a, self.b, self.s_rel)
        ratio = np.linspace(0, 0.99, 200) ** 2
        best = optimal_fitting_ratio(*task)
        least = powerlaw_test_error(best, *task, n=1000)
        error = powerlaw_test_error(ratio, *task, n=1000) / least
        label = f"power law, a={self.a:.2g}, b={self.b:.2g}, noise {self.s_rel:.2g}"
        style = {"label": label, **(curve_kwargs or {})}
        (self.line_,) = ax.plot(ratio, error, **style)
        ax.plot(best, 1.0, "ok", fillstyle="none", label="least")
        if self.points is not None:
            at, error = self.points
            ax.plot(at, error / error.min(), "xk", label="measured")
        ax.set(xlabel="training error / test error", ylabel="test error / least")
        ax.set_ylim(0.9, 3.0)
        ax.legend()
        return self


class RFLearningCurveDisplay(Display):
    """Predicted test errors over the number of rows, beside measured ones.

    Parameters
    ----------
    n : ndarray of shape (n_sizes,)
        Numbers of rows.
    predicted : dict
        Arrays of shape (n_sizes,) by name of the ridge.
    measured : ndarray of shape (n_repeats, n_sizes) or None, default=None
        Measured errors.
    measured_of : str or None, default=None
        The name of the ridge that they belong to.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : dict of str to matplotlib Line2D
        Predicted curves by name.

    See Also
    --------
    rf_eigenframework : The predictions.
    sklearn.model_selection.LearningCurveDisplay : Measured curves of any estimator.

    Notes
    -----
    Errors are mean squares over rows and targets; the targets of a classifier are plus
    and minus one, one column for two classes.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.random_features import RandomFeatureRidge
    >>> from sklearn_ext.random_features import RFLearningCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidge(standardize=True, random_state=0).fit(X, y)
    >>> RFLearningCurveDisplay.from_estimator(model, X, y)  # doctest: +SKIP
    """

    n: np.ndarray
    predicted: dict
    measured: np.ndarray | None = None
    measured_of: str | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        n_grid=None,
        ridges=(),
        measure=True,
        n_repeats=5,
        max_pool=3000,
        random_state=None,
        ax=None,
        curve_kwargs=None,
    ):
        """Predict the curve of a model from a pool, and measure it on the pool.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator of this family, or a Pipeline that ends in one, whose
            other steps stay as they are. The ridge it has, or has chosen, is one of the
            ridges; clones of one that chooses it choose again for each subset.
        X : array-like of shape (n_samples, n_features)
            The pool.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; of a classifier, labels.
        n_grid : array-like of int or None, default=None
            Numbers of rows, below those of the pool; None takes six up to a quarter of
            them, and more than half is warned about.
        ridges : sequence of float, default=()
            Further ridges to predict for.
        measure : bool, default=True
            Whether to fit clones to ``n_repeats`` subsets of each size.
        n_repeats : int, default=5
            Subsets of each size.
        max_pool : int, default=3000
            Rows of the pool.
        random_state : int, RandomState instance or None, default=None
            Seed of pool and subsets.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        RFLearningCurveDisplay
            The display.
        """
        model, (X,), _ = cls._innermost(estimator, X, wanted=MODELS)
        _check_ridge(model, cls)
        rng = check_random_state(random_state)
        X, y = draw_pool(X, y, max_pool, rng)
        pool = kernel_eigenstructure(
            model, X, y, center=model.fit_intercept, max_pool=len(y)
        )
        if n_grid is None:
            n_grid = np.geomspace(min(20, len(y) // 8), len(y) // 4, 6).astype(int)
        n_grid = np.asarray(n_grid)
        warn_of_large_shares(n_grid, pool.n_pool)
        infinite = model.n_components in ("infinite", np.inf)
        k = np.inf if infinite else model.n_components
        own = np.asarray(model.alpha_ if _chooses(model) else model.alpha, dtype=float)
        own_name = _name(own)
        ridges = {own_name: own, **{_name(alpha): alpha for alpha in ridges}}
        predicted = {
            name: _predicted(pool, n_grid, k, alpha) for name, alpha in ridges.items()
        }
        predicted["tuned"] = _tuned(pool, n_grid, k)
        display = cls(
            n=n_grid,
            predicted=predicted,
            measured=_measured(model, X, y, n_grid, n_repeats, rng)
            if measure
            else None,
            measured_of="tuned" if _chooses(model) else own_name,
        )
        return display.plot(ax, curve_kwargs=curve_kwargs)

    def plot(self, ax=None, *, curve_kwargs=None):
        """Draw predictions as lines and measurements with their standard errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        RFLearningCurveDisplay
            The display itself.
        """
        ax, self.lines_ = self._axes(ax), {}
        for name, error in self.predicted.items():
            dashed = "--" if name == "tuned" else "-"
            style = {"linestyle": dashed, "label": f"predicted, {name}"}
            style.update(curve_kwargs or {})
            (self.lines_[name],) = ax.plot(self.n, error, **style)
        if self.measured is not None:
            repeats = len(self.measured)
            ax.errorbar(
                self.n,
                self.measured.mean(axis=0),
                self.measured.std(axis=0) / np.sqrt(repeats),
                fmt="ok",
                capsize=3,
                label=f"measured, {self.measured_of}",
            )
        ax.set(xscale="log", yscale="log")
        ax.set_xticks(self.n, labels=self.n)
        ax.minorticks_off()
        low, high = ax.get_ylim()
        if high < 10 * low:  # less than a decade has no tick of its own
            digits = 2 if high > 1.3 * low else 3
            at = np.geomspace(low, high, 6)[1:-1]
            ax.set_yticks(np.unique([float(f"{value:.{digits}g}") for value in at]))
        ax.yaxis.set_major_formatter("{x:.15g}")  # 4500 rather than 4.5e+03
        ax.set(xlabel="number of training rows", ylabel="test mean squared error")
        ax.legend()
        return self


def _check_ridge(model, display):
    if model.filter != "ridge":
        raise ValueError(
            f"{display.__name__}.from_estimator draws the theory of ridges, got a "
            f"model with filter={model.filter!r}. TrainingTimeDisplay draws that of "
            "'flow'."
        )


def _chooses(model):
    return hasattr(model, "alphas_")


def _name(alpha):
    return f"alpha={alpha:.2g}" if np.ndim(alpha) == 0 else "alpha of each target"


def _predicted(pool, n_grid, k, alpha):
    """Return the mean over targets, which may have ridges of their own."""
    coefs = pool.eigencoefs
    alphas = np.broadcast_to(alpha, coefs.shape[1:])
    total = 0.0
    for value in np.unique(alphas):
        total += rf_eigenframework(
            pool.eigenvalues,
            coefs[:, alphas == value],
            n_grid,
            k,
            value,
            n_pool=pool.n_pool,
        ).test
    return total / coefs.shape[1]


def _tuned(pool, n_grid, k):
    task, n_pool = (pool.eigenvalues, pool.eigencoefs), pool.n_pool
    best = [rf_ridge_path(*task, n, k, n_pool=n_pool).test.min() for n in n_grid]
    return np.array(best) / pool.eigencoefs.shape[1]


def _measured(estimator, X, y, n_grid, n_repeats, rng):
    target = signs_of(estimator, y)
    score = getattr(estimator, "decision_function", estimator.predict).__name__
    measured = np.empty((n_repeats, len(n_grid)))
    for repeat in range(n_repeats):
        order = rng.permutation(len(y))
        for j, n in enumerate(n_grid):
            train, test = order[:n], order[n:]
            model = clone(estimator).set_params(random_state=rng.randint(2**31 - 1))
            model.fit(X[train], y[train])
            said = getattr(model, score)(X[test]).reshape(len(test), -1)
            measured[repeat, j] = np.mean((said - target[test]) ** 2)
    return measured


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
        found = kernel_eigenstructure(
            model,
            X,
            y,
            center=model.fit_intercept,
            max_pool=max_pool,
            random_state=random_state,
        )
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
