"""How does a new task fare with a few labelled rows? Folds and a curve that ask it."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state, check_X_y

from sklearn_ext._core._compat import Interval, _num_samples, validate_params
from sklearn_ext.tasks._groups import check_groups
from sklearn_ext.tasks._task_ridge import TaskRidge


class ContextSplit(BaseCrossValidator):
    """Folds of tasks whose test tasks leave some of their rows in training.

    What a search with these folds measures is what will happen to a new store of which
    ``n_context`` sales are known.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds; every task is tested in one of them.
    n_context : int, default=5
        Rows of a test task that are in training. Tasks that have no more are never
        tested; with 0 this is a split by groups.
    shuffle : bool, default=True
        Whether the rows that stay in training are drawn at random, and the tasks dealt
        at random. False keeps the first rows of each test task, in the order of the
        table: where rows are in time order, the past foretells the future.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    See Also
    --------
    context_curve : Error against the number of known rows.
    sklearn.model_selection.GroupKFold : Nothing of a test task is known.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.tasks import ContextSplit
    >>> store = np.array(["a", "a", "a", "b", "b", "b"])
    >>> folds = ContextSplit(2, n_context=1, shuffle=False)
    >>> for train, test in folds.split(np.zeros((6, 1)), groups=store):
    ...     print(train, test)
    [0 3 4 5] [1 2]
    [0 1 2 3] [4 5]
    """

    __metadata_request__split = {"groups": True}

    def __init__(self, n_splits=5, *, n_context=5, shuffle=True, random_state=None):
        self.n_splits = n_splits
        self.n_context = n_context
        self.shuffle = shuffle
        self.random_state = random_state

    def split(self, X, y=None, groups=None):
        """Generate row numbers for training and testing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Ignored.
        groups : array-like of shape (n_samples,)
            The task of each row.

        Yields
        ------
        train, test : ndarray
            Row numbers, ascending.

        Raises
        ------
        ValueError
            When there are no groups, fewer than ``n_splits``, or a fold has no row to
            test.
        """
        if groups is None:
            raise ValueError("ContextSplit needs groups=: the task of each row.")
        for name in ("n_splits", "n_context"):
            _check_count(name, getattr(self, name))
        if not isinstance(self.shuffle, (bool, np.bool_)):
            raise TypeError(f"shuffle must be True or False, got {self.shuffle!r}.")
        n = _num_samples(X)
        labels, codes = np.unique(check_groups(groups, n), return_inverse=True)
        if not 2 <= self.n_splits <= len(labels):
            raise ValueError(
                f"n_splits={self.n_splits} must lie between 2 and the number of tasks, "
                f"{len(labels)}."
            )
        rng = check_random_state(self.random_state)
        rank = _rank_in_task(codes, rng if self.shuffle else None)
        deal = rng.permutation(len(labels)) if self.shuffle else np.arange(len(labels))
        able = np.bincount(codes) > self.n_context
        deal = deal[np.argsort(~able[deal], kind="stable")]  # a test for every fold
        fold = (np.argsort(deal) % self.n_splits)[codes]
        for k in range(self.n_splits):
            test = (fold == k) & (rank >= self.n_context)
            if not test.any():
                raise ValueError(
                    f"no task of fold {k} has more than n_context={self.n_context} "
                    "rows: nothing is left to test. Lower n_context or n_splits."
                )
            yield np.flatnonzero(~test), np.flatnonzero(test)

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.
        groups : object, default=None
            Ignored.

        Returns
        -------
        int
            The number of folds.
        """
        return self.n_splits


@dataclass(frozen=True)
class ContextCurve:
    """Error for new tasks against the number of their rows that are known.

    Parameters
    ----------
    n_context : ndarray of shape (n_sizes,)
        Known rows of each new task.
    error : ndarray of shape (n_sizes, n_repeats)
        Mean squared error of the model, conditioned on the known rows.
    predicted : ndarray of shape (n_sizes, n_repeats)
        What the model itself expects this error to be.
    population : ndarray of shape (n_repeats,)
        Error of the population's prediction, which uses none of them.
    own : ndarray of shape (n_sizes, n_repeats)
        Error of a ridge for each task alone, its penalty chosen by leave-one-out; NaN
        below two rows.
    """

    n_context: np.ndarray
    error: np.ndarray
    predicted: np.ndarray
    population: np.ndarray
    own: np.ndarray


@validate_params(
    {
        "estimator": [TaskRidge],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "test_size": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def context_curve(
    estimator,
    X,
    y,
    groups,
    *,
    n_context=(0, 1, 2, 4, 8, 16),
    n_repeats=5,
    test_size=0.3,
    random_state=None,
):
    """Measure how many labelled rows a new task needs.

    In each repeat some tasks are new: the model is fitted to the others, conditioned
    on a few rows of each new task, and tested on the rest of its rows. The test rows
    are the same for every number of known rows, so the curve compares like with like.

    Parameters
    ----------
    estimator : TaskRidge
        Unfitted or fitted; clones of it are fitted. ``group_feature`` must be None.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Target.
    groups : array-like of shape (n_samples,)
        The task of each row.
    n_context : sequence of int, default=(0, 1, 2, 4, 8, 16)
        Numbers of known rows; those that leave a new task without test rows are left
        out for all, so that the sizes shown share their tasks.
    n_repeats : int, default=5
        Draws of the new tasks.
    test_size : float, default=0.3
        Share of the tasks that are new.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    ContextCurve
        Errors of the model, of the population and of a ridge for each task alone.

    Raises
    ------
    ValueError
        When no task has enough rows, or the estimator takes its groups from a column.

    See Also
    --------
    ContextCurveDisplay : Draws it.
    ContextSplit : The same question inside a search.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.tasks import TaskRidge, context_curve
    >>> rng = np.random.default_rng(0)
    >>> store, X = np.repeat(np.arange(30), 8), rng.normal(size=(240, 1))
    >>> y = rng.normal(size=30)[store] + X[:, 0] + 0.1 * rng.normal(size=240)
    >>> curve = context_curve(
    ...     TaskRidge(), X, y, store, n_context=[0, 2], random_state=0
    ... )
    >>> curve.error.mean(axis=1).round(1)
    array([1., 0.])
    """
    if estimator.group_feature is not None:
        raise ValueError(
            "context_curve takes groups=: set group_feature=None and pass the column."
        )
    X, y = check_X_y(X, y, dtype=np.float64)
    labels, codes = np.unique(check_groups(groups, len(X)), return_inverse=True)
    if len(labels) < 2:
        raise ValueError(
            "context_curve needs at least two tasks: one stays to learn from."
        )
    asked = np.ravel(n_context)
    for size in asked:
        _check_count("n_context", size)
    sizes = np.unique(asked.astype(int))
    counts = np.bincount(codes)
    sizes = sizes[sizes < counts.max()]
    if len(sizes) == 0:
        raise ValueError(
            f"n_context={tuple(asked)} must hold numbers from 0 to "
            f"{counts.max() - 1}, one less than the rows of the largest task."
        )
    rng = check_random_state(random_state)
    able = np.flatnonzero(counts > sizes[-1])
    n_new = max(1, min(round(test_size * len(labels)), len(able), len(labels) - 2))
    repeats = [
        _one_repeat(estimator, X, y, codes, rng.permutation(able)[:n_new], sizes, rng)
        for _ in range(n_repeats)
    ]
    error, predicted, population, own = map(np.array, zip(*repeats, strict=True))
    return ContextCurve(sizes, error.T, predicted.T, population, own.T)


def _check_count(name, value):
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {value!r}.")
    if value < 0:
        raise ValueError(f"{name} must not be negative, got {value}.")


def _one_repeat(estimator, X, y, codes, new, sizes, rng):
    is_new = np.isin(codes, new)
    model = clone(estimator).fit(X[~is_new], y[~is_new], groups=codes[~is_new])
    rank = _rank_in_task(codes, rng)
    test = is_new & (rank >= sizes[-1])
    error, predicted, own = [], [], []
    for size in sizes:
        known = is_new & (rank < size)
        informed = model
        if size:
            informed = model.condition(X[known], y[known], groups=codes[known])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No group is known")
            mean, std = informed.predict(X[test], codes[test], return_std=True)
        error.append(np.mean((mean - y[test]) ** 2))
        predicted.append(np.mean(std**2))
        own.append(_alone(X, y, codes, known, test, new) if size > 1 else np.nan)
        if size == sizes[0]:
            base = model.predict(X[test], np.full(test.sum(), codes.max() + 1))
    return error, predicted, np.mean((base - y[test]) ** 2), own


def _alone(X, y, codes, known, test, new):
    """Return the error of one ridge a task."""
    errors = []
    for task in new:
        rows, held = known & (codes == task), test & (codes == task)
        ridge = RidgeCV(np.logspace(-3, 3, 13)).fit(X[rows], y[rows])
        errors.append((ridge.predict(X[held]) - y[held]) ** 2)
    return np.concatenate(errors).mean()


def _rank_in_task(codes, rng=None):
    """Return the position of each row within its task, in an order drawn if asked."""
    n = len(codes)
    order = np.arange(n) if rng is None else rng.permutation(n)
    sorted_rows = order[np.argsort(codes[order], kind="stable")]
    starts = np.searchsorted(codes[sorted_rows], np.arange(codes.max() + 1))
    rank = np.empty(n, dtype=int)
    rank[sorted_rows] = np.arange(n) - starts[codes[sorted_rows]]
    return rank
