"""What the estimators of the family share: bags as metadata, scores at bag level."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import _num_samples

from sklearn_ext._core._base import ExtEstimator
from sklearn_ext._core._compat import _safe_indexing
from sklearn_ext._core._validation import check_weights
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext.aggregate._bags import Bags, bag_values
from sklearn_ext.aggregate._metrics import bag_r2_score


def check_lengths(X, y, bags):
    """Tell users who pass one value per bag how to give it to the rows."""
    if bags is None or not hasattr(y, "__len__") or not len(y):
        return
    n_rows = _num_samples(X)
    if len(y) == n_rows or len(bags) != n_rows:
        return  # scikit-learn, or the check of the labels, says the rest
    if len(Bags.of(bags, n_rows).ids) == len(y):
        raise ValueError(
            f"X has {n_rows} rows, but y has {len(y)} values. One value per bag? Give "
            "each row that of its bag: y=expand_aggregates(bag_ids, y, bags)."
        )


IN_FIT = (
    "In a Pipeline without metadata routing: fit(X, y, step__bags=bags), with the name "
    "of the step."
)
IN_SCORE = (
    "A Pipeline without metadata routing takes none: "
    "pipeline[-1].score(pipeline[:-1].transform(X), y, bags=bags)."
)


def _warn_if_forgotten(y, advice, stacklevel):
    """Warn of bags that somebody left out: then aggregates repeat on their rows."""
    values = y if y.ndim == 1 else y[:, 0]
    values = values[np.isfinite(values)]
    if not (values % 1).any():  # counts and classes repeat anyway
        return
    distinct = len(np.unique(values))
    if 2 * distinct > len(values):
        return
    warnings.warn(
        f"y repeats ({distinct} values in {len(values)} rows): were bags= forgotten? "
        f"{advice} bags=np.arange(len(y)) says that rows are their own bags.",
        UserWarning,
        stacklevel=stacklevel,
    )


_LARGEST = 1e150  # beyond it squares overflow


def check_magnitude(values, name):
    """Refuse numbers whose squares are infinite, where they would end as NaN."""
    values = values.data if sparse.issparse(values) else values
    largest = float(max(values.max(initial=0), -values.min(initial=0)))
    if largest > _LARGEST:
        raise ValueError(
            f"{name} holds numbers up to {largest:.3g}, whose squares overflow beyond "
            f"{_LARGEST:g}. Divide {name} by a constant first."
        )


def check_bags(X, y, bags, sample_weight, *, whole_rows=False):
    """Check labels and weights and leave out rows of weight zero.

    Parameters
    ----------
    X, y : arrays
        Rows and what they carry.
    bags : array-like or None
        Labels; None makes every row a bag.
    sample_weight : array-like or None
        Weights of the rows.
    whole_rows : bool, default=False
        Whether bags are left out, dealt or drawn: without labels, equal rows then are
        one bag with their summed weight, in an order that only their values decide.

    Returns
    -------
    X, y : arrays
        The rows that count.
    bags : Bags
        Their partition; a bag without weight is gone, with a warning.
    """
    weights = check_weights(sample_weight, X, dtype=np.float64)
    check_magnitude(y, "y")
    check_magnitude(weights, "sample_weight")
    found = Bags.of(bags, _num_samples(X), weights)
    if bags is None and whole_rows:
        rows = EqualRows.of(X, y, w=weights)
        X, y = X[rows.first], y[rows.first]
        _warn_if_forgotten(y, IN_FIT, stacklevel=5)
        return X, y, Bags.of(None, len(rows), rows.weight)
    if bags is None:
        _warn_if_forgotten(y, IN_FIT, stacklevel=5)
    if sample_weight is None or (keep := weights > 0).all():
        return X, y, found
    labels = None if bags is None else found.ids[found.codes[keep]]
    kept = Bags.of(labels, int(keep.sum()), weights[keep])
    if bags is not None and (lost := len(found.ids) - len(kept.ids)):
        warnings.warn(
            f"{lost} of {len(found.ids)} bags have a total weight of zero and are "
            "left out.",
            UserWarning,
            stacklevel=4,
        )
    return _safe_indexing(X, np.flatnonzero(keep)), y[keep], kept


class BagRegressorMixin(RegressorMixin):
    """Regressors that take ``bags`` in ``fit`` and ``score`` without being asked."""

    __metadata_request__fit = {"bags": True}
    __metadata_request__score = {"bags": True}

    def score(self, X, y, bags=None, sample_weight=None):
        """Return R², of bag means against aggregates when ``bags`` is given.

        Without bags ``y`` are responses of rows and the score is the usual one. With
        bags it never rewards predictions that shrink towards the replicated mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Responses, or aggregates replicated on the rows of their bag.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The score.
        """
        return self._score(X, y, bags, sample_weight)

    def _score(self, X, y, bags, sample_weight):
        if bags is None:
            score = super().score(X, y, sample_weight)
            _warn_if_forgotten(np.asarray(y, dtype=float), IN_SCORE, stacklevel=4)
            return score
        predicted = self.predict(X)
        y = check_array(y, ensure_2d=False, dtype=float, input_name="y")
        check_consistent_length(X, y)
        weights = check_weights(sample_weight, y, dtype=np.float64)
        partition = Bags.of(bags, len(y), weights)
        means = bag_values(y, partition, getattr(self, "aggregate", "mean"))
        return bag_r2_score(
            partition.spread(means), predicted, bags=bags, sample_weight=sample_weight
        )

    def predict_bags(self, X, bags):
        """Predict the aggregate of each bag.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        bags : array-like of shape (n_samples,)
            Labels of the bags.

        Returns
        -------
        ndarray of shape (n_bags,) or (n_bags, n_targets)
            Aggregates, in the sorted order of the labels.
        """
        predicted = self.predict(X)
        partition = Bags.of(bags, len(predicted))
        summed = getattr(self, "aggregate", "mean") == "sum"
        return partition.sums(predicted) if summed else partition.means(predicted)


class BagRegressorBase(BagRegressorMixin, ExtEstimator):
    """Base of the regressors of the family."""
