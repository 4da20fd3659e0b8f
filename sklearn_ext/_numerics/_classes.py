"""Labels as places among sorted classes, their rows, and what a class weighs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import single, to_device


def places_of(y, classes, *, name="y", advice="leave their rows out"):
    """Return the place of each label among sorted classes.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    name : str, default="y"
        What the caller calls the labels, for the message.
    advice : str, default="leave their rows out"
        What to do about labels that are no classes.

    Returns
    -------
    ndarray of shape (n_samples,)
        Places.
    """
    if (y.dtype.kind in "OSU") != (classes.dtype.kind in "OSU"):
        unknown = np.ones(len(y), dtype=bool)  # text and numbers do not compare
    else:
        places = np.searchsorted(classes, y)
        places[places == len(classes)] = 0
        unknown = classes[places] != y
    if unknown.any():
        raise ValueError(
            f"{name} has labels {np.unique(y[unknown])[:5].tolist()} that are not "
            f"among the classes {classes.tolist()[:10]}; {advice}."
        )
    return places


def classes_of_stream(classes, known=None):
    """Return the classes that all blocks of a stream share, sorted.

    Parameters
    ----------
    classes : array-like of shape (n_classes,) or None
        What this call of ``partial_fit`` was given.
    known : ndarray of shape (n_classes,) or None, default=None
        Classes of the calls before; None at the first.

    Returns
    -------
    ndarray of shape (n_classes,)
        Classes.
    """
    if classes is None and known is None:
        raise ValueError(
            "The first partial_fit needs classes, all labels that any block may hold, "
            "got None."
        )
    if classes is None:
        return known
    found = np.unique(classes)
    if known is not None and not np.array_equal(found, known):
        raise ValueError(
            f"classes must stay as at the first call, {known.tolist()}, got "
            f"{found.tolist()}."
        )
    return found


def class_factors(class_weight, classes, total, *, zero=False):
    """Return what ``class_weight`` multiplies the weights of each class by.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Factors by label; missing labels have one.
    classes : ndarray of shape (n_classes,)
        Class labels.
    total : ndarray of shape (n_classes,)
        Weight of the rows of each class.
    zero : bool, default=False
        Whether a factor may be zero.

    Returns
    -------
    ndarray of shape (n_classes,)
        Factors.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, str):  # balanced, by the rows' own weights
        return total.sum() / (len(total) * np.where(total > 0, total, 1.0))
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown and len(class_weight) - len(unknown) < len(labels):
        raise ValueError(
            f"class_weight names {unknown[0]!r}, which is not one of the classes "
            f"{labels}."
        )
    factors = np.array([float(class_weight.get(label, 1.0)) for label in labels])
    allowed = factors >= 0 if zero else factors > 0
    if not (np.isfinite(factors) & allowed).all():
        rule = "hold finite numbers from 0 upwards" if zero else "be positive"
        raise ValueError(
            f"class_weight must {rule} for every class, got {class_weight!r}. Leave "
            "out rows of classes that are not wanted."
        )
    return factors


@dataclass(frozen=True)
class Labelled:
    """Rows of positive weight with the places of their classes."""

    X: Any  # array, CSR matrix or tensor
    y: np.ndarray  # (n_samples,), places
    weight: np.ndarray  # (n_samples,), float64, positive
    classes: np.ndarray

    @classmethod
    def of(cls, X, y, weight, class_weight=None, *, user, alone=False):
        """Take checked rows and labels; those without weight are as good as absent.

        ``alone`` lets rows of one class pass, as a block of a stream may hold.
        """
        keep = weight > 0
        if not keep.all():
            X, y, weight = X[np.flatnonzero(keep)], y[keep], weight[keep]
        classes, places = np.unique(y, return_inverse=True)
        if len(classes) < 2 and not alone:
            found = "one class" if keep.all() else "one class with weight"
            raise ValueError(
                f"{user} needs at least two classes, got {found}: "
                f"{classes.tolist()[0]!r}."
            )
        total = np.bincount(places, weight)
        weight = weight * class_factors(class_weight, classes, total)[places]
        return cls(X, places, weight, classes)

    def on(self, device):
        """Return the rows on a torch device, or where they are."""
        if device is not None and sparse.issparse(self.X):
            raise TypeError(
                f"Sparse rows are computed on the host only, got device={device!r}. "
                "Choose device=None or pass dense rows."
            )
        return to_device(self.X, device)

    def take(self, rows):
        """Return some rows, without the classes that none of them has."""
        kept, places = np.unique(self.y[rows], return_inverse=True)
        return Labelled(self.X[rows], places, self.weight[rows], self.classes[kept])


def check_squares(X):
    """Check that second moments will not overflow in the dtype of the rows."""
    dtype = np.float32 if single(X) else np.float64
    largest = max(float(X.max()), -float(X.min()))
    if largest > np.sqrt(np.finfo(dtype).max) / 4:
        raise ValueError(
            f"X holds values as large as {largest:.1e}, whose squares overflow; "
            "scale X."
        )
