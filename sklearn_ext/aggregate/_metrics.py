"""Scores that compare predictions with aggregates, bag by bag."""

import warnings
from numbers import Integral

import numpy as np
from scipy.special import rel_entr
from sklearn import config_context
from sklearn.metrics import (
    get_scorer_names,
    make_scorer,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
)
from sklearn.model_selection import check_cv, cross_validate

from sklearn_ext._core._validation import check_weights, warn
from sklearn_ext.aggregate._bags._partition import Bags, encode_bags
from sklearn_ext.aggregate._bags._splitters import BagKFold


def _bag_means(y_true, y_pred, bags, sample_weight):
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if len(y_true) != len(y_pred):
        raise ValueError(f"y_true has {len(y_true)} rows but y_pred has {len(y_pred)}.")
    weights = check_weights(sample_weight, y_true, dtype=np.float64)
    partition = Bags.of(bags, len(y_true), weights)
    return partition.means(y_true), partition.means(y_pred), partition.sizes


def bag_mean_squared_error(y_true, y_pred, *, bags, sample_weight=None):
    """Mean squared error of bag means, weighted by the size of the bags.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Responses, or aggregates replicated on the rows of their bag.
    y_pred : array-like of the same shape
        Predictions of the rows.
    bags : array-like of shape (n_samples,)
        Labels of the bags.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float
        The error.

    Examples
    --------
    >>> from sklearn_ext.aggregate import bag_mean_squared_error
    >>> bag_mean_squared_error([1, 1, 3, 3], [0, 2, 3, 5], bags=[0, 0, 1, 1])
    0.5
    """
    true, predicted, sizes = _bag_means(y_true, y_pred, bags, sample_weight)
    return mean_squared_error(true, predicted, sample_weight=sizes)


def bag_mean_absolute_error(y_true, y_pred, *, bags, sample_weight=None):
    """Mean absolute error of bag means, weighted by the size of the bags.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Responses, or aggregates replicated on the rows of their bag.
    y_pred : array-like of the same shape
        Predictions of the rows.
    bags : array-like of shape (n_samples,)
        Labels of the bags.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float
        The error.

    Examples
    --------
    >>> from sklearn_ext.aggregate import bag_mean_absolute_error
    >>> bag_mean_absolute_error([1, 1, 3, 3], [0, 2, 3, 5], bags=[0, 0, 1, 1])
    0.5
    """
    true, predicted, sizes = _bag_means(y_true, y_pred, bags, sample_weight)
    return mean_absolute_error(true, predicted, sample_weight=sizes)


def bag_r2_score(y_true, y_pred, *, bags, sample_weight=None):
    """Share of the variance of the aggregates that predicted bag means explain.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Responses, or aggregates replicated on the rows of their bag.
    y_pred : array-like of the same shape
        Predictions of the rows.
    bags : array-like of shape (n_samples,)
        Labels of the bags.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float
        R² over bags, weighted by their size.

    Examples
    --------
    >>> from sklearn_ext.aggregate import bag_r2_score
    >>> bag_r2_score([1, 1, 3, 3], [0, 2, 3, 5], bags=[0, 0, 1, 1])
    0.5
    """
    true, predicted, sizes = _bag_means(y_true, y_pred, bags, sample_weight)
    return r2_score(true, predicted, sample_weight=sizes)


def bag_log_loss(y_true, y_pred, *, bags, sample_weight=None, labels=None):
    """Kullback-Leibler divergence from predicted to observed class proportions.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_classes)
        Class labels, or the proportions of the bag replicated on its rows.
    y_pred : array-like of shape (n_samples, n_classes) or (n_samples,)
        Class probabilities of the rows; one column is the second of two classes.
    bags : array-like of shape (n_samples,)
        Labels of the bags.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.
    labels : array-like of shape (n_classes,), default=None
        Classes in the order of the columns of ``y_pred``; None takes the sorted
        labels in ``y_true``.

    Returns
    -------
    float
        Mean divergence of a bag, weighted by size; zero when the predicted
        proportions are exact.

    Examples
    --------
    >>> from sklearn_ext.aggregate import bag_log_loss
    >>> bag_log_loss(["a", "b"], [[0.3, 0.7], [0.7, 0.3]], bags=[0, 0])
    0.0
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, dtype=float)
    if y_pred.ndim == 1:
        y_pred = np.column_stack([1 - y_pred, y_pred])
    if y_true.ndim == 1:
        labels = np.unique(y_true) if labels is None else np.asarray(labels)
        if (foreign := ~np.isin(y_true, labels)).any():
            raise ValueError(
                f"y_true holds {np.unique(y_true[foreign]).tolist()}, which is not "
                f"among the classes {labels.tolist()}."
            )
        y_true = (y_true[:, None] == labels).astype(float)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_true has {y_true.shape[1]} classes but y_pred has {y_pred.shape[1]} "
            "columns. Name all classes with labels=."
        )
    true, predicted, sizes = _bag_means(y_true, y_pred, bags, sample_weight)
    predicted = np.clip(predicted, np.finfo(float).eps, 1)
    divergence = rel_entr(true, predicted).sum(axis=1)
    return float(max(np.average(divergence, weights=sizes), 0.0))


def instance_mse_from_bags(y_true, y_pred, *, bags):
    r"""Estimate the mean squared error of *rows* from aggregates of random bags.

    With errors :math:`e_a` of the bag means, their size-weighted mean :math:`\mu` and
    :math:`v = \sum_a k_a (e_a - \mu)^2 / (m - 1)` it returns
    :math:`v + \mu^2 - v / n`, which is unbiased when rows were put into bags at
    random, whatever the sizes. For bags of similar rows it is not an estimate of the
    error of rows.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Aggregates replicated on the rows of their bag.
    y_pred : array-like of shape (n_samples,)
        Predictions of the rows, of a model that did not see these bags.
    bags : array-like of shape (n_samples,)
        Labels of the bags; at least two bags.

    Returns
    -------
    float
        The estimate.

    Examples
    --------
    >>> from sklearn_ext.aggregate import instance_mse_from_bags
    >>> instance_mse_from_bags([1.0, 2.0, 3.0], [1.0, 2.5, 3.0], bags=[0, 1, 2])
    0.0833...
    """
    spread, mean = _error_moments(y_true, y_pred, bags)
    return float(spread + mean**2 - spread / len(np.asarray(y_true)))


def instance_r2_from_bags(y_true, y_pred, *, bags):
    """Estimate the R² of *rows* from aggregates of random bags.

    The estimated mean squared error over the estimated variance of the rows, both as
    in :func:`instance_mse_from_bags`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Aggregates replicated on the rows of their bag.
    y_pred : array-like of shape (n_samples,)
        Predictions of the rows, of a model that did not see these bags.
    bags : array-like of shape (n_samples,)
        Labels of the bags; at least two bags.

    Returns
    -------
    float
        The estimate.

    Examples
    --------
    >>> from sklearn_ext.aggregate import instance_r2_from_bags
    >>> instance_r2_from_bags([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], bags=[0, 1, 2])
    1.0
    """
    variance, _ = _error_moments(y_true, np.zeros(len(np.asarray(y_true))), bags)
    return float(1 - instance_mse_from_bags(y_true, y_pred, bags=bags) / variance)


def _error_moments(y, pred, bags):
    true, predicted, sizes = _bag_means(y, pred, bags, None)
    if len(sizes) < 2:
        raise ValueError(
            "The spread of errors over bags needs at least two bags, got one."
        )
    errors = true - predicted
    mean = np.average(errors, weights=sizes)
    return sizes @ (errors - mean) ** 2 / (len(sizes) - 1), mean


_SCORERS = {
    "bag_r2": (bag_r2_score, True, "predict"),
    "neg_bag_mean_squared_error": (bag_mean_squared_error, False, "predict"),
    "neg_bag_mean_absolute_error": (bag_mean_absolute_error, False, "predict"),
    "neg_bag_log_loss": (bag_log_loss, False, "predict_proba"),
    "neg_instance_mse": (instance_mse_from_bags, False, "predict"),
    "instance_r2": (instance_r2_from_bags, True, "predict"),
}


def get_bag_scorer(name):
    """Return a scorer that asks for ``bags`` under metadata routing.

    Parameters
    ----------
    name : {"bag_r2", "neg_bag_mean_squared_error", "neg_bag_mean_absolute_error", \
            "neg_bag_log_loss", "neg_instance_mse", "instance_r2"}
        Which score.

    Returns
    -------
    callable
        A scorer for ``scoring=`` of searches and cross-validation.

    See Also
    --------
    bag_cross_validate : Cross-validation when routing is off.

    Notes
    -----
    "neg_bag_log_loss" takes proportions in the sorted order of the classes, as
    ``predict_proba`` gives them. Where ``classes=`` of a classifier names another
    order, its own ``score`` follows that.

    Examples
    --------
    >>> from sklearn_ext.aggregate import get_bag_scorer
    >>> get_bag_scorer("bag_r2")
    make_scorer(bag_r2_score, response_method='predict')
    """
    if name not in _SCORERS:
        raise ValueError(f"name must be one of {sorted(_SCORERS)}, got {name!r}.")
    metric, greater_is_better, response = _SCORERS[name]
    scorer = make_scorer(
        metric, greater_is_better=greater_is_better, response_method=response
    )
    with config_context(enable_metadata_routing=True):
        return scorer.set_score_request(bags=True)


def bag_cross_validate(estimator, X, y, *, bags, cv=5, scoring="bag_r2", **params):
    """Cross-validate without cutting a bag, scoring at bag level.

    For users who have not enabled metadata routing: it is on inside the call only.

    Parameters
    ----------
    estimator : estimator
        Any estimator, or a Pipeline; those of this family get the bags in ``fit``.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Aggregates replicated on the rows of their bag.
    bags : array-like of shape (n_samples,)
        Labels of the bags.
    cv : int, splitter or iterable of splits, default=5
        An int stands for ``BagKFold(cv)``; other splitters get the bags as groups. A
        split that cuts a bag is refused.
    scoring : str, callable, list or dict, default="bag_r2"
        A name for :func:`get_bag_scorer`, or what ``cross_validate`` takes; a list or
        dict may hold such names as well.
    **params : object
        Passed to :func:`sklearn.model_selection.cross_validate`.

    Returns
    -------
    dict
        As ``cross_validate`` returns.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import BagRegressor, bag_cross_validate
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> scores = bag_cross_validate(BagRegressor(), X, X[:, 0], bags=np.arange(60) // 3)
    >>> len(scores["test_score"])
    5
    """
    scoring = _resolve(scoring, y, bags)
    splitter = check_cv(BagKFold(cv) if isinstance(cv, Integral) else cv)
    with warnings.catch_warnings():  # a KFold warns that it has no use for groups
        warnings.simplefilter("ignore", UserWarning)
        splits = list(splitter.split(X, y, groups=bags))
    _refuse_cut_bags(splits, bags)
    routed = {"bags": bags, **params.pop("params", {})}
    with config_context(enable_metadata_routing=True):
        return cross_validate(
            estimator, X, y, cv=splits, scoring=scoring, params=routed, **params
        )


def _resolve(scoring, y, bags):
    """Turn names of bag scores into scorers; warn of scores that mislead."""
    if isinstance(scoring, list | tuple | set):
        scoring = {name: name for name in scoring}
    if isinstance(scoring, dict):
        return {key: _resolve(value, y, bags) for key, value in scoring.items()}
    if not isinstance(scoring, str):
        return scoring
    if scoring in _SCORERS:
        return get_bag_scorer(scoring)
    if scoring not in get_scorer_names():
        raise ValueError(
            f"scoring={scoring!r} is unknown. Scores of bags are {sorted(_SCORERS)}; "
            "those of rows are scikit-learn's."
        )
    if Bags.of(bags, len(bags)).repeat(np.asarray(y)):
        warn(
            f"scoring={scoring!r} compares predictions of rows with the aggregates of "
            "their bags, which rewards predictions that shrink towards the mean. "
            f"Scores of bags are {sorted(_SCORERS)}.",
        )
    return scoring


def _refuse_cut_bags(splits, bags):
    codes = encode_bags(bags, len(bags))[1]
    for train, test in splits:
        if np.isin(codes[train], codes[test]).any():
            raise ValueError(
                "cv cuts a bag: some of its rows are for training, others for testing, "
                "and its aggregate would be seen in both. Use BagKFold, "
                "BagShuffleSplit, LeaveOneBagOut or a splitter by groups."
            )
