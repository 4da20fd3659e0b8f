"""Pictures of errors along the ridge, or along the fitting ratio."""

import numpy as np

from sklearn_ext._core._pipelines import innermost
from sklearn_ext.random_features._classifier_cv import RandomFeatureRidgeClassifierCV
from sklearn_ext.random_features._plots import axes_of
from sklearn_ext.random_features._powerlaw import (
    optimal_fitting_ratio,
    powerlaw_test_error,
)
from sklearn_ext.random_features._ridge_cv import RandomFeatureRidgeCV

TUNED = (RandomFeatureRidgeCV, RandomFeatureRidgeClassifierCV)
STYLES = {"loo": "-", "fold": "-", "gcv": "--", "train": ":", "test": "-"}


class RidgePathDisplay:
    """Training and held-out errors over the ridges of a grid.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        The ridges.
    errors : dict
        Arrays of shape (n_alphas,) by name: ``"loo"``, ``"fold"``, ``"gcv"``,
        ``"train"`` or ``"test"``.
    fitting_ratio : ndarray of shape (n_alphas,)
        Predicted training over test error.
    best : int
        Position of the chosen ridge.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : dict of str to matplotlib Line2D
        The curves by name.

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

    def __init__(self, *, alphas, errors, fitting_ratio, best):
        self.alphas = alphas
        self.errors = errors
        self.fitting_ratio = fitting_ratio
        self.best = best

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
        user = f"{cls.__name__}.from_estimator"
        estimator = innermost(estimator, wanted=TUNED, user=user).model
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
        n = estimator._solution().n
        ratio = np.maximum(1 - estimator.dof_path_ / n, 0.0) ** 2
        best = int(np.argmin(np.abs(estimator.alphas_ - np.mean(estimator.alpha_))))
        display = cls(
            alphas=estimator.alphas_, errors=errors, fitting_ratio=ratio, best=best
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
        ax = axes_of(self, ax)
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
        label = "ridge alpha" if x == "alpha" else "training error / test error"
        ax.set(xlabel=label, ylabel="mean squared error")
        ax.legend()
        return self


class FittingRatioDisplay:
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

    def __init__(self, *, a, b, s_rel, points=None):
        self.a = a
        self.b = b
        self.s_rel = s_rel
        self.points = points

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
        user = f"{cls.__name__}.from_estimator"
        estimator = innermost(estimator, wanted=TUNED, user=user).model
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
        ax, task = axes_of(self, ax), (self.a, self.b, self.s_rel)
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
