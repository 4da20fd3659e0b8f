"""Classifiers inside an estimator: rows as they take them, weights as they ask for."""

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, check_cv
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch, assert_all_finite, get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
    validate_data,
)

from sklearn_ext._core._base import ExtEstimator
from sklearn_ext._core._compat import (
    _check_method_params,
    _raise_for_params,
    _routing_enabled,
    _safe_indexing,
)
from sklearn_ext._core._validation import check_weights
from sklearn_ext.calibration._folds import without
from sklearn_ext.calibration._opinions import numbers_of


class ClassifiersInside(ClassifierMixin, MetaEstimatorMixin, ExtEstimator):
    """An estimator that fits other classifiers, and asks them about rows held out.

    A class names them in ``_inside``, and has a ``cv``.
    """

    def _training(self, X, y, sample_weight, groups, params, cv):
        """Check what comes into ``fit``, and leave out the rows without weight.

        Returns
        -------
        Bunch
            ``X``, ``y``, ``groups`` and ``weight`` of the others; their ``classes`` and
            ``code``; what each classifier inside is given, as ``routed``; the user's
            ``splits``, or None.
        """
        inside = self._inside()
        X = rows_of(self, X, reset=True)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        X, y, groups = indexable(X, y, groups)
        weight = check_weights(sample_weight, X, dtype=np.float64)
        routed, split = self._routed(inside, X, sample_weight, groups, params)
        splits = None
        if cv is not None:  # splitters of the user see rows as they are
            splitter = check_cv(cv, y, classifier=True)
            splits = without(splitter.split(X, y, **split), weight > 0)
        data, kept = {"X": X, "y": y, "groups": groups, "weight": weight}, weight > 0
        if not kept.all():  # rows of weight zero are not there
            at = np.flatnonzero(kept)
            data = _check_method_params(X, data, at)
            routed = {k: _check_method_params(X, v, at) for k, v in routed.items()}
        data = Bunch(**data, routed=routed, splits=splits)
        data.classes, data.code = np.unique(data.y, return_inverse=True)
        if len(data.classes) == 1:
            raise ValueError(
                "y must hold at least two classes, got the one class "
                f"{data.classes.tolist()[0]!r}."
            )
        return data

    def _routed(self, inside, X, sample_weight, groups, params):
        """Return what each classifier inside is given by ``fit``, and the splitter."""
        if _routing_enabled():
            given = {"sample_weight": sample_weight, "groups": groups, **params}
            given = {name: value for name, value in given.items() if value is not None}
            routed = process_routing(self, "fit", **given)
            return {name: routed[name].fit for name in inside}, routed.splitter.split
        _raise_for_params(params, self, "fit")
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, X)
        fits = {name: weight_params(m, sample_weight) for name, m in inside.items()}
        return fits, {} if groups is None else {"groups": groups}

    def get_metadata_routing(self):
        """Tell scikit-learn who takes inputs of ``fit``.

        Returns
        -------
        MetadataRouter
            The routing.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        for name, classifier in self._inside().items():
            router.add(**{name: classifier}, method_mapping=to_fit)
        splitter = StratifiedGroupKFold() if self.cv is None else check_cv(self.cv)
        return router.add(
            splitter=get_routing_for_object(splitter),
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )


class ClassifierInside(ClassifiersInside):
    """An estimator around one classifier, whose predictions it keeps."""

    def _base(self):
        return default_classifier() if self.estimator is None else self.estimator

    def _inside(self):
        return {"estimator": self._base()}

    def predict(self, X):
        """Predict as the classifier does, every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted classes.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(rows_of(self, X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        base = get_tags(self._base())
        tags.input_tags = base.input_tags
        tags.classifier_tags = base.classifier_tags
        return tags


def fitted(classifier, X, y, rows, params):
    """Fit a clone to some rows, with what it is given of them."""
    params = _check_method_params(X, params, rows)
    return clone(classifier).fit(_safe_indexing(X, rows), y[rows], **params)


def has_scores(classifier):
    """Return whether a classifier ranks its classes."""
    return hasattr(classifier, "predict_proba") or hasattr(
        classifier, "decision_function"
    )


def default_classifier():
    """Return logistic regression on standardised columns, ready for any routing."""
    scaler, model = StandardScaler(), LogisticRegression()
    if _routing_enabled():
        scaler.set_fit_request(sample_weight=True)
        model.set_fit_request(sample_weight=True)
    return make_pipeline(scaler, model)


def weight_params(estimator, sample_weight):
    """Return how weights reach an estimator where routing is off.

    Parameters
    ----------
    estimator : object
        A classifier, or a pipeline, whose steps are told if they ask.
    sample_weight : ndarray of shape (n_samples,) or None
        The weights.

    Returns
    -------
    dict
        Parameters of ``fit``; empty where nobody asks.
    """
    if sample_weight is None:
        return {}
    if isinstance(estimator, Pipeline):
        return {
            f"{name}__{key}": value
            for name, step in estimator.steps
            if step is not None and step != "passthrough"
            for key, value in weight_params(step, sample_weight).items()
        }
    takes = has_fit_parameter(estimator, "sample_weight")
    return {"sample_weight": sample_weight} if takes else {}


def rows_of(estimator, X, *, reset=False):
    """Check names and number of columns; the models inside check the cells."""
    if sparse.issparse(X) and not get_tags(estimator).input_tags.sparse:
        raise TypeError(
            f"{type(estimator).__name__} got sparse rows, but what it fits takes dense "
            "ones only: use X.toarray(), or an estimator for sparse rows."
        )
    if hasattr(X, "columns") or hasattr(X, "column_names"):  # a table stays one
        validate_data(estimator, X, skip_check_array=True, reset=reset)
        return X
    if _are_texts(X):  # for a pipeline that starts with a vectorizer
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):
                estimator.__dict__.pop(name, None)
        return X
    options = {"accept_sparse": ("csr", "csc"), "dtype": None}
    return validate_data(estimator, X, ensure_all_finite=False, reset=reset, **options)


def _are_texts(X):
    if isinstance(X, (list, tuple)):
        return bool(X) and all(isinstance(row, str) for row in X)
    shape = getattr(X, "shape", ())
    return len(shape) == 1 and shape[0] > 0 and isinstance(np.asarray(X)[0], str)


def columns_seen(base, X):
    """Return the numbers that a classifier, or the end of a pipeline, is given."""
    if isinstance(base, FrozenEstimator):
        base = base.estimator
    if isinstance(base, Pipeline) and len(base.steps) > 1:
        X = base[:-1].transform(X)
    return numbers_of(X)
