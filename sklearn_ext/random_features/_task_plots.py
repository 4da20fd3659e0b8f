"""Pictures of a task: its learning curve and its spectrum."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklearn_ext.random_features._eigenstructure import (
    kernel_eigenstructure,
    pool_correction,
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
        """Predict the curve of a regressor from a pool, and measure it on the pool.

        Parameters
        ----------
        estimator : RandomFeatureRidge
            A fitted regressor; its ``alpha`` is one of the ridges.
        X : array-like of shape (n_samples, n_features)
            The pool.
        y : array-like of shape (n_samples,)
            Targets.
        n_grid : array-like of int or None, default=None
            Numbers of rows, at most half of the pool; None takes six.
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
        X, y = np.asarray(X), np.asarray(y)
        rng = check_random_state(random_state)
        if len(y) > max_pool:
            rows = rng.choice(len(y), max_pool, replace=False)
            X, y = X[rows], y[rows]
        center = estimator.fit_intercept
        pool = kernel_eigenstructure(estimator, X, y, center=center, max_pool=max_pool)
        if n_grid is None:
            n_grid = np.geomspace(min(20, len(y) // 4), len(y) // 2, 6).astype(int)
        n_grid = np.asarray(n_grid)
        infinite = estimator.n_components in ("infinite", np.inf)
        k = np.inf if infinite else estimator.n_components
        predicted = {}
        for alpha in (float(estimator.alpha), *ridges):
            point = rf_eigenframework(
                pool.eigenvalues, pool.eigencoefs, n_grid, k, alpha
            )
            predicted[f"alpha={alpha:g}"] = pool_correction(
                point.test, point.train, n_grid, pool.n_pool
            )
        predicted["tuned"] = _tuned(pool, n_grid, k)
        measured = (
            _measured(estimator, X, y, n_grid, n_repeats, rng) if measure else None
        )
        name = f"alpha={float(estimator.alpha):g}"
        display = cls(
            n=n_grid, predicted=predicted, measured=measured, measured_of=name
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
        ax.set(xlabel="number of training rows", ylabel="test mean squared error")
        ax.legend()
        return self


def _tuned(pool, n_grid, k):
    best = []
    for n in n_grid:
        path = rf_ridge_path(pool.eigenvalues, pool.eigencoefs, n, k)
        best.append(pool_correction(path.test, path.train, n, pool.n_pool).min())
    return np.array(best)


def _measured(estimator, X, y, n_grid, n_repeats, rng):
    measured = np.empty((n_repeats, len(n_grid)))
    for repeat in range(n_repeats):
        order = rng.permutation(len(y))
        for j, n in enumerate(n_grid):
            train, test = order[:n], order[n:]
            model = clone(estimator).set_params(random_state=rng.randint(2**31 - 1))
            model.fit(X[train], y[train])
            measured[repeat, j] = np.mean((model.predict(X[test]) - y[test]) ** 2)
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
        Slopes of both, fitted to the middle of the spectrum.

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
            A fitted estimator of this family.
        X : array-like of shape (n_samples, n_features)
            The pool.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
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
        found = kernel_eigenstructure(
            estimator,
            X,
            y,
            center=estimator.fit_intercept,
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
            ("eigenvalues", lam, "-", slopes[0]),
            ("squared coefficients", v2, ".", slopes[1]),
        ]:
            label = f"{name}, exponent {slope:.2f}"
            options = {"label": label, "markersize": 2, **(curve_kwargs or {})}
            (self.lines_[name],) = ax.plot(i[seen], values[seen], style, **options)
        ax.set(xscale="log", yscale="log", xlabel="mode", ylabel="variance")
        ax.legend()
        return self
