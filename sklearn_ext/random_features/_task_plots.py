"""Pictures of a task: its learning curve and its spectrum."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklearn_ext._core._pipelines import innermost
from sklearn_ext.random_features._eigenstructure import (
    MODELS,
    draw_pool,
    kernel_eigenstructure,
    signs_of,
    warn_of_large_shares,
)
from sklearn_ext.random_features._plots import axes_of
from sklearn_ext.random_features._theory import rf_eigenframework, rf_ridge_path


class RFLearningCurveDisplay:
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

    def __init__(self, *, n, predicted, measured=None, measured_of=None):
        self.n = n
        self.predicted = predicted
        self.measured = measured
        self.measured_of = measured_of

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
        max_pool=5000,
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
        max_pool : int, default=5000
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
        user = f"{cls.__name__}.from_estimator"
        model, (X,), _ = innermost(estimator, X, wanted=MODELS, user=user)
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
        ax, self.lines_ = axes_of(self, ax), {}
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


class EigenspectrumDisplay:
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

    def __init__(self, *, eigenvalues, eigencoefs):
        self.eigenvalues = eigenvalues
        self.eigencoefs = eigencoefs

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, max_pool=5000, random_state=None, ax=None, **kwargs
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
        max_pool : int, default=5000
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
        user = f"{cls.__name__}.from_estimator"
        model, (X,), _ = innermost(estimator, X, wanted=MODELS, user=user)
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
        ax, self.lines_ = axes_of(self, ax), {}
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
