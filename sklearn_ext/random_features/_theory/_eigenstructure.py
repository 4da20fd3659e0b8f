"""From data to the eigenstructure that the theory needs, and to its forecasts."""

import numpy as np
from scipy import linalg
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_array

from sklearn_ext._core._pipelines import innermost
from sklearn_ext._core._validation import warn
from sklearn_ext.random_features._maps import InfiniteMap, RandomMap
from sklearn_ext.random_features._ridge._classifier import RandomFeatureRidgeClassifier
from sklearn_ext.random_features._ridge._classifier_cv import (
    RandomFeatureRidgeClassifierCV,
)
from sklearn_ext.random_features._ridge._ridge import RandomFeatureRidge
from sklearn_ext.random_features._ridge._ridge_cv import RandomFeatureRidgeCV
from sklearn_ext.random_features._theory._framework import rf_ridge_path

TUNED = RandomFeatureRidgeCV, RandomFeatureRidgeClassifierCV
MODELS = (
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
)


def kernel_eigenstructure(
    kernel, X, y, *, center=True, max_pool=5000, random_state=None
):
    """Measure the eigenvalues of a kernel and the coefficients of a target.

    With ``N`` pool rows and ``K / N = U diag(lambda) U'`` the coefficients are ``U' y /
    sqrt(N)``. They contain the noise of the targets, as a flat tail: predictions from
    them take ``noise=0`` and ``n_pool=N``. It costs ``9 N ** 3`` operations.

    Parameters
    ----------
    kernel : callable or estimator
        ``kernel(X, Y)``, or a fitted estimator of this family with a random or
        infinite map, also at the end of a Pipeline: the theory does not describe
        landmarks.
    X : array-like of shape (n_samples, n_features)
        The pool.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets; of a classifier, labels.
    center : bool, default=True
        Whether to centre kernel and targets, as an intercept does.
    max_pool : int, default=5000
        Rows, drawn at random from more.
    random_state : int, RandomState instance or None, default=None
        Seed of that draw.

    Returns
    -------
    Bunch
        ``eigenvalues`` of shape (n_pool,), descending, ``eigencoefs`` of shape
        (n_pool, n_targets) and ``n_pool``.

    Raises
    ------
    ValueError
        When the estimator has landmarks or a transformer of the user.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.random_features import RandomFeatureRidge
    >>> from sklearn_ext.random_features import kernel_eigenstructure
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidge(standardize=True).fit(X, y)
    >>> kernel_eigenstructure(model, X, y).eigenvalues.shape
    (442,)
    """
    if isinstance(kernel, BaseEstimator):
        user = "kernel_eigenstructure"
        kernel, (X,), _ = innermost(kernel, X, wanted=MODELS, user=user)
    X, y = _draw_pool(X, y, max_pool, random_state)
    y = signs_of(kernel, y)
    n = X.shape[0]
    K = _kernel_of(kernel)(X) / n
    if center:
        mean = K.mean(axis=0)
        K = K - mean - mean[:, None] + mean.mean()
        y = y - y.mean(axis=0)
    e, U = linalg.eigh(K, driver="evd", check_finite=False)
    eigenvalues, eigencoefs = np.maximum(e, 0.0)[::-1], (U.T @ y)[::-1] / np.sqrt(n)
    return Bunch(eigenvalues=eigenvalues, eigencoefs=eigencoefs, n_pool=n)


def _draw_pool(X, y, max_pool, random_state):
    """Check rows and targets, and draw as many of them at most."""
    X = check_array(X, accept_sparse="csr", dtype=np.float64)
    y = np.asarray(y)
    if len(y) != X.shape[0]:
        raise ValueError(
            f"X and y must have as many rows, got {X.shape[0]} and {len(y)}."
        )
    if X.shape[0] > max_pool:
        rng = check_random_state(random_state)
        rows = rng.choice(X.shape[0], max_pool, replace=False)
        X, y = X[rows], y[rows]
    return X, y


def pool_of(model, X, y, max_pool, random_state):
    """Draw a pool and return it with the eigenstructure of a model's kernel on it."""
    X, y = _draw_pool(X, y, max_pool, random_state)
    center = model.fit_intercept
    return X, y, kernel_eigenstructure(model, X, y, center=center, max_pool=len(y))


def signs_of(model, y):
    """Return columns of targets: of a classifier, plus one and minus one.

    Parameters
    ----------
    model : estimator or callable
        Whose targets they are.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets or labels.

    Returns
    -------
    ndarray of shape (n_samples, n_targets)
        The columns, one for two classes.
    """
    if hasattr(model, "classes_"):
        y = np.where(np.asarray(y)[:, None] == model.classes_, 1.0, -1.0)
        return y[:, 1:] if y.shape[1] == 2 else y
    y = np.asarray(y, dtype=np.float64)
    return y.reshape(len(y), -1)


def _kernel_of(kernel):
    if not isinstance(kernel, MODELS):
        return kernel
    features = kernel._features
    if not isinstance(features.map, (RandomMap, InfiniteMap)):
        raise ValueError(
            "The theory describes independent random features, got "
            f"{type(features.map).__name__}. Fit a model with map='random', for "
            "instance of the kernel that was chosen, and without a feature_map."
        )

    def scaled(X):
        return features.map.kernel(X if features.scaler is None else features.scaler(X))

    return scaled


def warn_of_large_shares(n_grid, n_pool):
    """Warn once where predictions rest on few rows that are not drawn.

    Parameters
    ----------
    n_grid : ndarray of int
        Numbers of training rows.
    n_pool : int
        Rows of the pool.
    """
    if 2 * n_grid.max() > n_pool:
        warn(
            f"{n_grid.max()} training rows are more than half of the {n_pool} rows of "
            "the pool: on targets with little noise predictions are then far too low. "
            "Pass more rows, or ask for fewer."
        )


def scaling_report(
    estimator, X, y, n_grid, k_grid, *, max_pool=3000, random_state=None
):
    """Predict what more rows and more features would buy, with tuned ridges.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of this family, for its kernel, or a Pipeline that ends in
        one, whose other steps stay as they are.
    X : array-like of shape (n_samples, n_features)
        The pool, best rows that were held out as well as those trained on.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets; of a classifier, labels.
    n_grid : array-like of int
        Numbers of rows, below those of the pool; more than half is warned about.
    k_grid : array-like
        Numbers of features; ``inf`` is allowed.
    max_pool : int, default=3000
        Rows of the pool, drawn at random from more.
    random_state : int, RandomState instance or None, default=None
        Seed of that draw.

    Returns
    -------
    Bunch
        ``n_grid``, ``k_grid``, and arrays of shape (len(n_grid), len(k_grid)):
        ``error``, the test error at the best ridge, mean over targets; ``ridge``;
        ``gain_of_rows`` and ``gain_of_features``, the share of the error that doubling
        either would remove. ``gain_of_rows`` is nan from half of the pool on, so at the
        largest size of a grid that reaches so far: the pool says nothing of twice as
        many rows. Enlarge the pool, or end the grid at a quarter.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.random_features import RandomFeatureRidge, scaling_report
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidge(standardize=True, random_state=0).fit(X, y)
    >>> report = scaling_report(model, X, y, n_grid=[50, 100], k_grid=[100, 1000])
    >>> bool((report.gain_of_rows[0] > report.gain_of_features[0]).all())
    True
    """
    model, (X,), _ = innermost(estimator, X, wanted=MODELS, user="scaling_report")
    _, _, found = pool_of(model, X, y, max_pool, random_state)
    n_grid, k_grid = np.asarray(n_grid), np.asarray(k_grid)
    warn_of_large_shares(n_grid, found.n_pool)
    t = found.eigencoefs.shape[1]

    def tuned(n, k):
        if n >= found.n_pool and n not in n_grid:
            return np.nan, np.nan
        task = found.eigenvalues, found.eigencoefs, n, k
        path = rf_ridge_path(*task, n_points=200, n_pool=found.n_pool)
        best = int(np.argmin(path.test))
        return path.test[best] / t, path.ridge[best]

    table = np.array([[tuned(n, k) for k in k_grid] for n in n_grid])
    error, ridge = table[:, :, 0], table[:, :, 1]
    rows = np.array([[tuned(2 * n, k)[0] for k in k_grid] for n in n_grid])
    features = np.array([[tuned(n, 2 * k)[0] for k in k_grid] for n in n_grid])
    return Bunch(
        n_grid=n_grid,
        k_grid=k_grid,
        error=error,
        ridge=ridge,
        gain_of_rows=1 - rows / error,
        gain_of_features=1 - features / error,
    )


def fitting_ratio_score(estimator, X_train, y_train, X_test, y_test):
    """Return training over test mean squared error of a fitted regressor.

    Parameters
    ----------
    estimator : estimator
        A fitted regressor.
    X_train : array-like of shape (n_train, n_features)
        Rows it was fitted to.
    y_train : array-like of shape (n_train,) or (n_train, n_targets)
        Their targets.
    X_test : array-like of shape (n_test, n_features)
        Other rows.
    y_test : array-like of shape (n_test,) or (n_test, n_targets)
        Their targets.

    Returns
    -------
    float
        The ratio; near zero for models that interpolate, near one for stiff ones.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.random_features import RandomFeatureRidge, fitting_ratio_score
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidge(standardize=True, random_state=0)
    >>> model = model.fit(X[:300], y[:300])
    >>> fitting_ratio_score(model, X[:300], y[:300], X[300:], y[300:]) < 1
    True
    """
    train, test = (
        np.mean((np.asarray(y) - estimator.predict(X)) ** 2)
        for X, y in ((X_train, y_train), (X_test, y_test))
    )
    return float(train / test)
