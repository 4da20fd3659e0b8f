"""Pictures of errors that theory predicts, beside measured ones."""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch, check_random_state

from sklearn_ext._core._plots import Display
from sklearn_ext.random_features._ridge._classifier import RandomFeatureRidgeClassifier
from sklearn_ext.random_features._ridge._ridge import RandomFeatureRidge
from sklearn_ext.random_features._theory._eigenstructure import (
    MODELS,
    TUNED,
    pool_of,
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
from sklearn_ext.random_features._theory._time import rf_flow_curve

N_TIMES = 30  # predicted, and as many as may be measured


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
        X, y, pool = pool_of(model, X, y, max_pool, rng)
        if n_grid is None:
            n_grid = np.geomspace(min(20, len(y) // 8), len(y) // 4, 6).astype(int)
        n_grid = np.asarray(n_grid)
        warn_of_large_shares(n_grid, pool.n_pool)
        k = np.inf if model._infinite else model.n_components
        chooses, measured = isinstance(model, TUNED), None
        own = np.asarray(model.alpha_ if chooses else model.alpha, dtype=float)
        predicted = {
            _name(alpha): _predicted_of_rows(pool, n_grid, k, alpha)
            for alpha in (own, *ridges)
        }
        task, n_pool = (pool.eigenvalues, pool.eigencoefs), pool.n_pool
        least = [rf_ridge_path(*task, n, k, n_pool=n_pool).test.min() for n in n_grid]
        predicted["tuned"] = np.array(least) / pool.eigencoefs.shape[1]
        if measure:
            measured = _measured_of_rows(model, X, y, n_grid, n_repeats, rng)
        measured_of = "tuned" if chooses else _name(own)
        display = cls(
            n=n_grid, predicted=predicted, measured=measured, measured_of=measured_of
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
            label = f"measured, {self.measured_of}"
            _draw_measured(ax, self.n, self.measured, fmt="ok", label=label)
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


class TrainingTimeDisplay(Display):
    """Predicted test errors of gradient descent over its time, beside measured ones.

    One line a width; a circle marks the least error of each.

    Parameters
    ----------
    predicted : dict
        Results of :func:`rf_flow_curve` by name of the line.
    measured : dict or None, default=None
        For some of these names a Bunch of ``time`` (n_times,) and ``test`` (n_repeats,
        n_times).

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
    rf_flow_curve : The predictions.
    RidgePathDisplay : Leave-one-out errors over time of one model, ``filter="flow"``.

    Notes
    -----
    Errors are mean squares over rows and targets; the targets of a classifier are plus
    and minus one, one column for two classes. Predictions hold to some percent up to
    the best time, and may be far off long after it.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.random_features import RandomFeatureRidge
    >>> from sklearn_ext.random_features import TrainingTimeDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidge(standardize=True, random_state=0).fit(X, y)
    >>> TrainingTimeDisplay.from_estimator(model, X, y)  # doctest: +SKIP
    """

    predicted: dict
    measured: dict | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        n_rows=None,
        widths=None,
        times=None,
        measure=True,
        n_repeats=5,
        max_pool=2000,
        random_state=None,
        ax=None,
        curve_kwargs=None,
    ):
        """Predict the errors of a model over time from a pool, and measure them on it.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator of this family with random features (or the exact
            kernel), or a Pipeline that ends in one, whose other steps stay as they are.
        X : array-like of shape (n_samples, n_features)
            The pool.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; of a classifier, labels.
        n_rows : int or None, default=None
            Training rows; None takes a quarter of the pool, and more than half is
            warned about.
        widths : sequence or None, default=None
            Numbers of features, ``"infinite"`` among them; None is that of the model.
        times : array-like of shape (n_times,) or None, default=None
            Times; None takes 30 that span the path.
        measure : bool, default=True
            Whether to fit clones, of the kernel and the scaling that were chosen, to
            ``n_repeats`` subsets at some ten of the times.
        n_repeats : int, default=5
            Subsets.
        max_pool : int, default=2000
            Rows of the pool.
        random_state : int, RandomState instance or None, default=None
            Seed of pool and subsets.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        TrainingTimeDisplay
            The display.
        """
        model, (X,), _ = cls._innermost(estimator, X, wanted=MODELS)
        rng = check_random_state(random_state)
        X, y, pool = pool_of(model, X, y, max_pool, rng)
        n_rows = len(y) // 4 if n_rows is None else n_rows
        for name, value in (("n_rows", n_rows), ("n_repeats", n_repeats)):
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(
                    f"{name} must be a whole number from 1 upwards, got {value!r}."
                )
        warn_of_large_shares(np.asarray([n_rows]), pool.n_pool)
        widths = [model.n_components] if widths is None else widths
        widths = ["infinite" if width == np.inf else width for width in widths]
        predicted, measured = {}, {}
        for width in widths:
            name = f"{width} features" if width != "infinite" else "infinite width"
            curve = _predicted_of_time(pool, n_rows, width, times)
            predicted[name] = curve
            if measure:
                shown = curve.time[:: -(-len(curve.time) // 10)]
                about = n_rows, width, shown, n_repeats, rng
                errors = _measured_of_time(model, X, y, *about)
                measured[name] = Bunch(time=shown, test=errors)
        display = cls(predicted=predicted, measured=measured or None)
        return display.plot(ax, curve_kwargs=curve_kwargs)

    @classmethod
    def from_predictions(cls, curves, *, ax=None, curve_kwargs=None):
        """Draw curves that theory predicts.

        Parameters
        ----------
        curves : Bunch or dict of Bunch
            One result of :func:`rf_flow_curve`, or several by name.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict or None, default=None
            Passed on to ``plot`` of matplotlib.

        Returns
        -------
        TrainingTimeDisplay
            The display.
        """
        curves = {"test": curves} if "test" in curves else dict(curves)
        return cls(predicted=curves).plot(ax, curve_kwargs=curve_kwargs)

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
        TrainingTimeDisplay
            The display itself.
        """
        ax, self.lines_ = self._axes(ax), {}
        styles = "-", "--", "-.", ":"
        for j, (name, curve) in enumerate(self.predicted.items()):
            shown = np.isfinite(curve.time) & np.isfinite(curve.test)
            time, test = curve.time[shown], curve.test[shown]
            style = {"linestyle": styles[j % len(styles)], "label": name}
            style.update(curve_kwargs or {})
            (line,) = ax.plot(time, test, **style)
            self.lines_[name] = line
            best = np.argmin(test)
            ax.plot(time[best], test[best], "ok", fillstyle="none")
            if self.measured and name in self.measured:
                found = self.measured[name]
                style = {"color": line.get_color(), "markersize": 4}
                _draw_measured(ax, found.time, found.test, fmt="o", **style)
        ax.set(xscale="log", yscale="log", xlabel="training time 1 / alpha")
        points = ", measured as points" if self.measured else ""
        ax.set_ylabel(f"test mean squared error{points}")
        ax.legend()
        return self


def _check_ridge(model, display):
    if model.filter != "ridge":
        raise ValueError(
            f"{display.__name__}.from_estimator draws the theory of ridges, got a "
            f"model with filter={model.filter!r}. TrainingTimeDisplay draws that of "
            "'flow'."
        )


def _draw_measured(ax, at, errors, **style):
    spread = errors.std(axis=0) / np.sqrt(len(errors))
    ax.errorbar(at, errors.mean(axis=0), spread, capsize=3, **style)


def _name(alpha):
    return f"alpha={alpha:.2g}" if np.ndim(alpha) == 0 else "alpha of each target"


def _predicted_of_rows(pool, n_grid, k, alpha):
    """Return the mean over targets, which may have ridges of their own."""
    coefs, total = pool.eigencoefs, 0.0
    alphas = np.broadcast_to(alpha, coefs.shape[1:])
    for value in np.unique(alphas):
        task = pool.eigenvalues, coefs[:, alphas == value], n_grid, k, value
        total += rf_eigenframework(*task, n_pool=pool.n_pool).test
    return total / coefs.shape[1]


def _measured_of_rows(estimator, X, y, n_grid, n_repeats, rng):
    target = signs_of(estimator, y)
    measured = np.empty((n_repeats, len(n_grid)))
    for repeat in range(n_repeats):
        order = rng.permutation(len(y))
        for j, n in enumerate(n_grid):
            train, test = order[:n], order[n:]
            model = clone(estimator).set_params(random_state=rng.randint(2**31 - 1))
            model.fit(X[train], y[train])
            score = getattr(model, "decision_function", model.predict)
            said = score(X[test]).reshape(len(test), -1)
            measured[repeat, j] = np.mean((said - target[test]) ** 2)
    return measured


def _predicted_of_time(pool, n, width, times):
    """Return the mean over targets at finite times."""
    task = pool.eigenvalues, pool.eigencoefs, n
    k = np.inf if width == "infinite" else width
    curve = rf_flow_curve(*task, k, times, n_pool=pool.n_pool)
    if times is None:
        ends = np.log(curve.time[[0, -2]])
        times = np.exp(np.linspace(*ends, N_TIMES))
        curve = rf_flow_curve(*task, k, times, n_pool=pool.n_pool)
    t = pool.eigencoefs.shape[1]
    return Bunch(time=curve.time, test=curve.test / t, train=curve.train / t)


def _measured_of_time(estimator, X, y, n, width, times, n_repeats, rng):
    target = signs_of(estimator, y)
    measured = np.empty((n_repeats, len(times)))
    for repeat in range(n_repeats):
        order = rng.permutation(len(y))
        train, test = order[:n], order[n:]
        seed = rng.randint(2**31 - 1)
        for j, time in enumerate(times):
            model = _stopped(estimator, width, time).set_params(random_state=seed)
            model.fit(X[train], y[train])
            said = model._decision(X[test], "predict")  # wild ones are what is shown
            measured[repeat, j] = np.mean((said - target[test]) ** 2)
    return measured


def _stopped(estimator, width, time):
    """Return the model that is trained until a time, and that chooses nothing."""
    classifies = hasattr(estimator, "classes_")
    model = RandomFeatureRidgeClassifier() if classifies else RandomFeatureRidge()
    params = clone(estimator).get_params(deep=False)
    if isinstance(estimator, TUNED):
        for name in ("gamma", "length_scale"):  # lists of a kernel that lost
            params[name] = params[name] if np.ndim(params[name]) == 0 else "auto"
        chosen = estimator._candidate.described()
        params |= {name: v for name, v in chosen.items() if v is not None}
    params.update(n_components=width, alpha=1 / time, filter="flow")
    params.update(map="random", solver="auto")
    known = model.get_params(deep=False)
    return model.set_params(**{n: v for n, v in params.items() if n in known})
