"""From the user's rows to rows that similarities are computed of, and their store."""

from dataclasses import replace

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_array, get_tags
from sklearn.utils.validation import validate_data

from sklearn_ext._core._compat import _check_n_features, _num_samples
from sklearn_ext._core._validation import FLOATS

DATA = {"accept_sparse": "csr", "dtype": FLOATS}  # how rows are checked


def first_rows(estimator, X, y=None):
    """Check the rows of `fit`, fit a clone of the encoder, and encode them.

    Parameters
    ----------
    estimator : estimator
        Its parameter ``encoder`` may be None; ``encoder_`` is set.
    X : object
        Rows.
    y : object, default=None
        Target, for encoders that learn from one.

    Returns
    -------
    X : {ndarray, sparse array} of shape (n_samples, ...)
        The rows as they are stored.
    Z : {ndarray, sparse array} of shape (n_samples, n_components)
        The rows as they are compared; without an encoder, ``X`` itself.
    """
    estimator.encoder_ = None
    if estimator.encoder is None:
        X = validate_data(estimator, X, **DATA)
        return X, X
    X, given = any_rows(estimator, X)
    estimator.encoder_ = clone(estimator.encoder).fit(given, y)
    return X, encode(estimator.encoder_, given)


def any_rows(estimator, X, shape=None):
    """Check rows that an encoder takes, in whatever dtype and shape.

    Parameters
    ----------
    estimator : estimator
        Learns the number and the names of features, or compares them.
    X : object
        Rows.
    shape : tuple, default=None
        Shape of one row as those of `fit` had it; None if these are the first.

    Returns
    -------
    X : {ndarray, sparse array} of shape (n_samples, ...)
        The rows as they are stored: texts as objects, since later ones may be longer,
        and sparse entries as floats.
    given : object
        The rows for the encoder; data frames keep names and dtypes.
    """
    first = shape is None
    checked = validate_data(
        estimator,
        X,
        reset=first,
        accept_sparse="csr",
        dtype=None,
        ensure_2d=not first and len(shape) == 1,
        allow_nd=True,
        ensure_all_finite=False,
    )
    if first and checked.ndim == 2:
        _check_n_features(estimator, checked, reset=True)
    if not first and checked.shape[1:] != shape:
        raise ValueError(
            f"Rows must have the shape {shape}, as those of fit had, got "
            f"{checked.shape[1:]}."
        )
    given = X if hasattr(X, "columns") else checked
    if sparse.issparse(checked):
        kept = checked.dtype in FLOATS
        return checked if kept else checked.astype(np.float64), given
    is_text = checked.dtype.kind in "US"
    return checked.astype(object) if is_text else checked, given


def encode(encoder, X):
    """Return encoded rows, checked and in memory of their own.

    Parameters
    ----------
    encoder : transformer
        Fitted.
    X : object
        Rows.

    Returns
    -------
    {ndarray, sparse array} of shape (n_samples, n_components)
        Encoded rows, of floats.
    """
    Z = check_array(
        encoder.transform(X),
        accept_sparse="csr",
        dtype=FLOATS,
        copy=True,
        input_name="encoded rows",
    )
    if Z.shape[0] != (n := _num_samples(X)):
        raise ValueError(
            f"The encoder must return one row for each row, got {Z.shape[0]} for {n}."
        )
    return Z


def encoder_tags(tags, encoder):
    """Return tags of an estimator whose rows and target are what its encoder takes.

    Parameters
    ----------
    tags : Tags
        Those without an encoder; changed in place.
    encoder : transformer or None
        Unfitted; rows without values have no similarity, whatever it takes.

    Returns
    -------
    Tags
        The same object.
    """
    if encoder is not None:
        own = get_tags(encoder)
        tags.input_tags = replace(own.input_tags, allow_nan=False)
        tags.target_tags = own.target_tags
    return tags
