"""The classifier inside: its rows as it takes them, its weights as it asks for them."""

import numpy as np
from scipy import sparse
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter, validate_data

from sklearn_ext._core._compat import _routing_enabled
from sklearn_ext.calibration._opinions import numbers_of


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
