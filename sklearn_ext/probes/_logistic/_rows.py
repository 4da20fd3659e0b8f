"""What users pass to the logistic probes, checked and encoded."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import compute_class_weight, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext._numerics._arrays import is_tensor, single, to_device


@dataclass(frozen=True)
class Labelled:
    """Rows of positive weight with the codes of their classes."""

    X: Any  # array, CSR matrix or tensor
    y: np.ndarray  # (n_samples,), codes
    weight: np.ndarray  # (n_samples,), float64
    classes: np.ndarray

    def on(self, device):
        """Return the rows on a torch device, or where they are."""
        if device is not None and sparse.issparse(self.X):
            raise TypeError(
                f"Sparse rows are computed on the host only, got device={device!r}. "
                "Choose device=None or pass dense rows."
            )
        return to_device(self.X, device)


def labelled(estimator, X, y, sample_weight, class_weight, *, reset=True) -> Labelled:
    """Check rows, labels and weights; rows without weight are as good as absent."""
    X, y = check_rows(estimator, X, y, reset=reset)
    check_squares(X)
    check_classification_targets(y)
    weight = check_weights(sample_weight, np.empty((len(y), 0)), dtype=np.float64)
    keep = weight > 0
    if not keep.all():
        X, y, weight = X[np.flatnonzero(keep)], y[keep], weight[keep]
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least 2 classes with weight, got "
            f"one class: {classes.tolist()[0]!r}."
        )
    if isinstance(class_weight, str):  # balanced, by the rows' own weights
        count = np.bincount(codes, weight)
        weight = weight * (weight.sum() / (len(classes) * count))[codes]
    elif class_weight is not None:
        each = compute_class_weight(class_weight, classes=classes, y=y)
        weight = weight * each[codes]
        if (weight <= 0).any():
            raise ValueError(
                "class_weight must be positive for every class in y, got "
                f"{class_weight!r}. Leave out rows of classes that are not wanted."
            )
    return Labelled(X, codes, weight, classes)


def check_squares(X):
    """Check that second moments will not overflow in the dtype of the rows."""
    dtype = np.float32 if single(X) else np.float64
    largest = max(float(X.max()), -float(X.min()))
    if largest > np.sqrt(np.finfo(dtype).max) / 4:
        raise ValueError(
            f"X holds values as large as {largest:.1e}, whose squares overflow; "
            "scale X."
        )


def check_rows(estimator, X, y="no_validation", *, reset=False):
    """Check rows, and labels if given; tensors off the host stay where they are."""
    y = y.cpu().numpy() if is_tensor(y) else y
    if is_tensor(X):
        X = X.detach()
        if X.dtype.is_floating_point and X.dtype.itemsize < 4:
            X = X.float()  # half precision is for storage
        if X.device.type != "cpu":
            X = _check_tensor(estimator, X, reset=reset)
            return X if isinstance(y, str) else (X, column_or_1d(y, warn=True))
        X = X.numpy()
    form = "csr" if get_tags(estimator).input_tags.sparse else False
    return validate_data(estimator, X, y, reset=reset, accept_sparse=form, dtype=FLOATS)


def _check_tensor(estimator, X, *, reset):
    if X.ndim != 2 or not all(X.shape):
        raise ValueError(
            f"Expected 2D array with rows and columns, got shape {tuple(X.shape)}. "
            "Reshape the tensor to (n_samples, n_features)."
        )
    X = X if X.dtype.is_floating_point else X.double()
    if not bool(X.isfinite().all()):
        raise ValueError("Input X contains NaN or infinity.")
    if reset:
        estimator.n_features_in_ = X.shape[1]
    elif X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    return X
