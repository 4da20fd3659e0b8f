"""From rows to published aggregates and back, and what bags can tell."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state

from sklearn_ext.aggregate._bags._make_bags import make_bags
from sklearn_ext.aggregate._bags._partition import Bags, encode_bags, show


class AggregatedResponses(NamedTuple):
    """One line per bag.

    Parameters
    ----------
    bag_ids : ndarray of shape (n_bags,)
        Sorted labels.
    values : ndarray of shape (n_bags,) or (n_bags, n_targets)
        Aggregates.
    sizes : ndarray of shape (n_bags,)
        Total weight of each bag.
    """

    bag_ids: np.ndarray
    values: np.ndarray
    sizes: np.ndarray


def aggregate_responses(y, bags, *, aggregate="mean", sample_weight=None):
    """Reduce responses of rows to one aggregate per bag.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Responses.
    bags : array-like of shape (n_samples,)
        Labels of the bags.
    aggregate : {"mean", "sum"}, default="mean"
        Weighted mean or total.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    AggregatedResponses
        The named tuple ``(bag_ids, values, sizes)``.

    Examples
    --------
    >>> from sklearn_ext.aggregate import aggregate_responses
    >>> aggregate_responses([1.0, 2.0, 6.0], ["a", "b", "b"]).values
    array([1., 4.])
    """
    if aggregate not in ("mean", "sum"):
        raise ValueError(f"aggregate must be 'mean' or 'sum', got {aggregate!r}.")
    y = np.asarray(y)
    if y.dtype.kind not in "buif":
        raise ValueError(
            f"y must be numbers, got {y.ravel()[:1].tolist()}. Labels go as they are "
            "to LabelProportionClassifier or AggregateNetClassifier, which use their "
            "shares only; the shares of a bag are the aggregates of "
            "np.asarray(y)[:, None] == np.unique(y)."
        )
    y = y.astype(float)
    partition = Bags.of(bags, len(y), sample_weight)
    reduce = partition.means if aggregate == "mean" else partition.sums
    return AggregatedResponses(partition.ids, reduce(y), partition.sizes)


def expand_aggregates(bag_ids, values, bags):
    """Give every row the aggregate of its bag.

    Parameters
    ----------
    bag_ids : array-like of shape (n_bags,)
        Labels of the published aggregates, each once.
    values : array-like of shape (n_bags,) or (n_bags, n_targets)
        The aggregates.
    bags : array-like of shape (n_samples,)
        Label of each row; all must be among ``bag_ids``.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_targets)
        The ``y`` that estimators of this family take.

    Examples
    --------
    >>> from sklearn_ext.aggregate import expand_aggregates
    >>> expand_aggregates(["a", "b"], [1.0, 4.0], ["b", "a", "b"])
    array([4., 1., 4.])
    """
    values = np.asarray(values)
    if len(bag_ids) != len(values):
        raise ValueError(
            f"There are {len(bag_ids)} bag_ids but {len(values)} values: one each."
        )
    if not len(bag_ids):
        raise ValueError("bag_ids and values are empty: there are no aggregates.")
    known, position = encode_bags(bag_ids, len(bag_ids), name="bag_ids")
    if (twice := np.bincount(position) > 1).any():
        raise ValueError(f"bag_ids holds {show(known[twice][0])} more than once.")
    order = np.argsort(position)
    ids, codes = encode_bags(bags, len(bags))
    at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    if (unknown := known[at] != ids).any():
        raise ValueError(
            f"bags holds {show(ids[unknown][0])}, which has no aggregate among "
            "bag_ids. Leave these rows out or publish the bag."
        )
    return values[order[at]][codes]


@dataclass(frozen=True)
class BagDiagnostics:
    """What bags keep of the features.

    Parameters
    ----------
    n_samples, n_bags, n_features : int
        Shapes.
    sizes : tuple of float
        Smallest, median and largest bag.
    between_share : float
        Share of the variance of the standardised features that lies between bags.
    expected_share : float
        What bags formed at random would keep: (m - 1) / (n - 1).
    effective_sample_size : float
        Rows with responses of their own that would hold as much scatter as the bags.
    verdict : {"random-like", "clustered"}
        Whether the share exceeds what chance explains. Random-like bags can be
        trusted for slopes of rows; in clustered ones slopes between bags may differ
        from slopes between rows, the ecological fallacy.
    enough_bags : bool
        Whether there are at least five bags per feature; below it ridge and tuning
        decide the result.
    """

    n_samples: int
    n_bags: int
    n_features: int
    sizes: tuple
    between_share: float
    expected_share: float
    effective_sample_size: float
    verdict: str
    enough_bags: bool


def bag_diagnostics(X, bags):
    """Describe how much of the features' scatter survives in the bags.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    bags : array-like of shape (n_samples,)
        Labels of the bags.

    Returns
    -------
    BagDiagnostics
        Shares, effective sample size and a verdict.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import bag_diagnostics
    >>> X = np.arange(30.0).reshape(-1, 1)
    >>> bag_diagnostics(X, np.arange(30) // 5).verdict
    'clustered'
    """
    X = check_array(X, dtype=float)
    n, partition = len(X), Bags.of(bags, len(X))
    m = len(partition.ids)
    X = X - X.mean(axis=0)
    total = (X**2).sum(axis=0)
    varying = total > 0
    between = (partition.sizes @ partition.means(X) ** 2)[varying]
    shares = between / total[varying] if varying.any() else np.ones(1)
    share, expected = float(shares.mean()), (m - 1) / max(n - 1, 1)
    by_chance = stats.beta.std((m - 1) / 2, (n - m) / 2) if 1 < m < n else 0.0
    clustered = m < n and share > expected + 4 * by_chance
    sizes = partition.sizes
    return BagDiagnostics(
        n_samples=n,
        n_bags=m,
        n_features=X.shape[1],
        sizes=(float(sizes.min()), float(np.median(sizes)), float(sizes.max())),
        between_share=share,
        expected_share=expected,
        effective_sample_size=share * n,
        verdict="clustered" if clustered else "random-like",
        enough_bags=m >= 5 * X.shape[1],
    )


@dataclass(frozen=True)
class PriorBoostResult:
    """Outcome of :func:`prior_boost`.

    Parameters
    ----------
    estimator : estimator
        Fitted to the aggregates of all rounds.
    bags : ndarray of shape (n_samples,)
        Label of each row.
    rounds : ndarray of shape (n_samples,)
        Round in which the row was bagged.
    y : ndarray of shape (n_samples,)
        Aggregates replicated on the rows of their bag.
    """

    estimator: object
    bags: np.ndarray
    rounds: np.ndarray
    y: np.ndarray


def prior_boost(estimator, X, y_oracle, *, n_rounds=2, bag_size, random_state=None):
    """Form later bags by the predictions of a model that earlier bags taught.

    The rows are split at random into ``n_rounds`` parts. The first is bagged at
    random; each later part is sorted by the predictions of the model so far and cut
    into bags of similar rows. Every response enters one aggregate only, so label
    privacy of a release in rounds is that of one round. The last model is fitted to
    all parts: the instance-level loss then still suffers from the random bags of the
    first, the bag-level loss does not.

    Parameters
    ----------
    estimator : estimator
        Any regressor whose ``fit`` takes ``bags``; it is cloned.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y_oracle : array-like of shape (n_samples,) or callable
        Responses of rows, of which only bag means are used; or a callable
        ``y_oracle(rows, bags)`` that returns the aggregates, replicated, of bags of
        the given row numbers: a curator that adds noise, for instance.
    n_rounds : int, default=2
        Number of parts.
    bag_size : int
        Rows of a bag.
    random_state : int, RandomState instance or None, default=None
        Seed of the parts and of the first bags.

    Returns
    -------
    PriorBoostResult
        The model, the bags and their aggregates.

    References
    ----------
    .. [1] Javanmard, Fahrbach, Mirrokni, "PriorBoost: An Adaptive Algorithm for
       Learning from Aggregate Responses", ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import BagRegressor, prior_boost
    >>> X = np.random.default_rng(0).normal(size=(400, 3))
    >>> done = prior_boost(BagRegressor(), X, X[:, 0], bag_size=10, random_state=0)
    >>> float(done.estimator.coef_[0].round(1))
    1.0
    """
    X = check_array(X, dtype=(np.float64, np.float32))
    if n_rounds < 1 or n_rounds * bag_size > len(X):
        raise ValueError(
            f"n_rounds={n_rounds} parts of bags of {bag_size} rows do not fit into "
            f"{len(X)} rows."
        )
    rng = check_random_state(random_state)
    responses = None if callable(y_oracle) else np.asarray(y_oracle)
    parts = np.array_split(rng.permutation(len(X)), n_rounds)
    bags, y = np.empty(len(X), dtype=np.intp), np.empty(len(X))
    rounds = np.empty(len(X), dtype=np.intp)
    model, n_bags, how = None, 0, {"random_state": rng}
    for number, rows in enumerate(parts):
        if model is not None:
            how = {"strategy": "sorted", "by": model.predict(X[rows])}
        labels = make_bags(len(rows), bag_size, **how) + n_bags
        n_bags = labels.max() + 1
        bags[rows], rounds[rows] = labels, number
        if responses is None:
            y[rows] = y_oracle(rows, labels)
        else:
            partition = Bags.of(labels, len(rows))
            y[rows] = partition.spread(partition.means(responses[rows]))
        seen = np.concatenate(parts[: number + 1])
        model = clone(estimator).fit(X[seen], y[seen], bags=bags[seen])
    return PriorBoostResult(model, bags, rounds, y)
