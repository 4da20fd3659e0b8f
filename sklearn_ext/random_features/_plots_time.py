"""The picture of errors over the time of training."""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch, check_random_state

from sklearn_ext._core._plots import Display
from sklearn_ext.random_features._ridge._classifier import RandomFeatureRidgeClassifier
from sklearn_ext.random_features._ridge._ridge import RandomFeatureRidge
from sklearn_ext.random_features._theory._eigenstructure import (
    MODELS,
    draw_pool,
    kernel_eigenstructure,
    signs_of,
    warn_of_large_shares,
)
from sklearn_ext.random_features._theory._time import rf_flow_curve

N_TIMES = 30  # predicted, and as many as may be measured


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
        X, y = draw_pool(X, y, max_pool, rng)
        pool = kernel_eigenstructure(
            model, X, y, center=model.fit_intercept, max_pool=len(y)
        )
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
            curve = _predicted(pool, n_rows, width, times)
            predicted[name] = curve
            if measure:
                shown = curve.time[:: -(-len(curve.time) // 10)]
                errors = _measured(model, X, y, n_rows, width, shown, n_repeats, rng)
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
                mean, spread = found.test.mean(axis=0), found.test.std(axis=0)
                spread = spread / np.sqrt(len(found.test))
                style = {"color": line.get_color(), "capsize": 3, "markersize": 4}
                ax.errorbar(found.time, mean, spread, fmt="o", **style)
        ax.set(xscale="log", yscale="log", xlabel="training time 1 / alpha")
        points = ", measured as points" if self.measured else ""
        ax.set_ylabel(f"test mean squared error{points}")
        ax.legend()
        return self


def _predicted(pool, n, width, times):
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


def _measured(estimator, X, y, n, width, times, n_repeats, rng):
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
    if hasattr(estimator, "alphas"):
        for name in ("kernel", "gamma", "length_scale", "standardize"):
            chosen = getattr(estimator, f"{name}_")
            params[name] = params[name] if chosen is None else chosen
        for name in ("gamma", "length_scale"):  # lists of a kernel that lost
            params[name] = params[name] if np.ndim(params[name]) == 0 else "auto"
    params.update(n_components=width, alpha=1 / time, filter="flow")
    params.update(map="random", solver="auto")
    known = model.get_params(deep=False)
    return model.set_params(**{n: v for n, v in params.items() if n in known})
