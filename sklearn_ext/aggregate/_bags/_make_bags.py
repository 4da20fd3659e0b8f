"""Forming bags: at random, by a sorted value, by balanced clusters."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_array, check_random_state

from sklearn_ext._core._compat import Interval, StrOptions, validate_params


@validate_params(
    {
        "bag_size": [Interval(Integral, 1, None, closed="left")],
        "strategy": [StrOptions({"random", "sorted", "kmeans", "optimal1d"})],
        "by": ["array-like", Integral, None],
        "remainder": [StrOptions({"merge", "drop", "short"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_bags(
    n_or_X,
    bag_size,
    *,
    strategy="random",
    by=None,
    remainder="merge",
    random_state=None,
):
    """Form bags of a given size and label the rows.

    Bags of rows with similar expected responses keep more information than random
    ones; sort or cluster by features or by predictions of an earlier model. Never by
    the responses: that biases every later fit and voids label privacy.

    Parameters
    ----------
    n_or_X : int or array-like of shape (n_samples, n_features)
        Number of rows, or the rows.
    bag_size : int
        Rows of a bag; the least for ``"optimal1d"``.
    strategy : {"random", "sorted", "kmeans", "optimal1d"}, default="random"
        ``"sorted"`` cuts the rows, sorted by ``by``, into consecutive bags: the best
        partition into equal bags for the scatter of ``by`` inside bags.
        ``"optimal1d"`` lets sizes vary between k and 2k - 1 and finds the best
        partition of that kind in O(n k). ``"kmeans"`` halves the rows again and again
        by balanced 2-means.
    by : array-like of shape (n_samples,), int or None, default=None
        Values to sort by, or the column of ``X`` that holds them.
    remainder : {"merge", "drop", "short"}, default="merge"
        Whether rows beyond a multiple of ``bag_size`` join the last bag, get the label
        -1, or make a smaller bag.
    random_state : int, RandomState instance or None, default=None
        Seed of ``"random"``.

    Returns
    -------
    ndarray of shape (n_samples,)
        Labels 0, 1, ....

    Examples
    --------
    >>> from sklearn_ext.aggregate import make_bags
    >>> make_bags(5, 2, strategy="sorted", by=[3.0, 1.0, 2.0, 9.0, 8.0])
    array([1, 0, 0, 1, 1])
    """
    X = None if isinstance(n_or_X, Integral) else np.asarray(n_or_X)
    n = int(n_or_X) if X is None else len(X)
    if bag_size > n:
        raise ValueError(f"bag_size={bag_size} exceeds the number of rows, {n}.")
    if strategy == "random":
        order = check_random_state(random_state).permutation(n)
    elif strategy == "kmeans":
        if X is None or X.ndim != 2:
            raise ValueError(
                "strategy='kmeans' needs the rows: pass X instead of their number."
            )
        order = _balanced_order(check_array(X, dtype=float), bag_size)
    else:
        values = _values(X, n, by)
        order = np.argsort(values, kind="stable")
        if strategy == "optimal1d":
            return _scatter_labels(order, optimal_cuts(values[order], bag_size))
    return _scatter_labels(order, _equal_cuts(n, bag_size, remainder))


def _values(X, n, by):
    if by is None:
        raise ValueError("This strategy sorts: pass by=, values or a column of X.")
    if isinstance(by, Integral):
        if X is None:
            raise ValueError(f"by={by} names a column: pass X instead of its length.")
        if X.ndim != 2 or not -X.shape[1] <= by < X.shape[1]:
            raise ValueError(f"by={by} names no column of X, of shape {X.shape}.")
        by = X[:, by]
    values = check_array(by, ensure_2d=False, dtype=float, input_name="by")
    if values.shape != (n,):
        raise ValueError(
            f"by must hold one value for each of {n} rows, got shape {values.shape}."
        )
    return values


def _equal_cuts(n, bag_size, remainder):
    """Return the label of each position in the order."""
    labels = np.arange(n) // bag_size
    left_over = labels == n // bag_size
    if remainder == "merge":
        labels[left_over] -= 1
    elif remainder == "drop":
        labels[left_over] = -1
    return labels


def _scatter_labels(order, labels):
    bags = np.empty(len(order), dtype=np.intp)
    bags[order] = labels
    return bags


def optimal_cuts(values, least: int):
    """Partition sorted values into runs of ``least`` or more with least scatter.

    Longer runs than ``2 * least - 1`` can be cut without loss, so a dynamic programme
    over the end of the last run looks at ``least`` sizes only.
    """
    n = len(values)
    values = values - values.mean()
    sums, squares = (np.r_[0, np.cumsum(v)] for v in (values, values**2))
    cost = np.full(n + 1, np.inf)
    cost[0], last = 0.0, np.zeros(n + 1, dtype=np.intp)
    for end in range(least, n + 1):
        begin = np.arange(max(0, end - 2 * least + 1), end - least + 1)
        run = sums[end] - sums[begin]
        scatter = squares[end] - squares[begin] - run**2 / (end - begin)
        total = cost[begin] + scatter
        best = np.argmin(total)
        cost[end], last[end] = total[best], begin[best]
    starts = np.zeros(n, dtype=np.intp)
    end = n
    while end:
        end = last[end]
        starts[end] = 1
    return np.cumsum(starts) - 1


def _balanced_order(X, bag_size):
    """Order the rows so that consecutive bags are clusters of equal size."""
    order, pending = np.arange(len(X)), [(0, len(X))]
    while pending:
        start, stop = pending.pop()
        n_bags = (stop - start) // bag_size
        if n_bags < 2:
            continue
        rows = order[start:stop]
        cut = (n_bags // 2) * bag_size
        order[start:stop] = rows[_halve(X[rows], cut)]
        pending += [(start, start + cut), (start + cut, stop)]
    return order


def _halve(X, cut, n_iter=4):
    """Sort so that the first ``cut`` rows and the others are balanced 2-means."""
    centred = X - X.mean(axis=0)
    direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    for _ in range(n_iter):
        order = np.argpartition(centred @ direction, cut)
        near, far = centred[order[:cut]], centred[order[cut:]]
        direction = far.mean(axis=0) - near.mean(axis=0)
    return order
