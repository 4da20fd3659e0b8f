"""How a selector checks rows, and encodes them."""

import numpy as np
from sklearn.utils.validation import validate_data

from sklearn_ext._core._validation import FLOATS
from sklearn_ext.submodular._encoding import DATA, any_rows, encode, first_rows


def extent(X):
    """Return the number of rows of anything that has some.

    Parameters
    ----------
    X : object
        An array, a data frame, a list.

    Returns
    -------
    int
        Number of rows.
    """
    if shape := getattr(X, "shape", None):
        return shape[0]
    return len(X) if hasattr(X, "__len__") and shape is None else 1


class SelectorRows:
    """Checks rows and brings them to the space where similarities are computed.

    Both methods return the rows as they are stored and as they are compared: the same
    object unless there is an encoder.
    """

    def _first_rows(self, X, y):
        X, Z = first_rows(self, X, y)
        self._row_shape = X.shape[1:]
        return X, Z

    def _more_rows(self, X):
        if self.encoder_ is None:
            X = X if self._plain(X) else validate_data(self, X, reset=False, **DATA)
            return X, X
        X, given = any_rows(self, X, self._row_shape)
        return X, encode(self.encoder_, given)

    def _plain(self, X):
        """Tell whether plain checks suffice, whose overhead is below an update."""
        return (
            type(X) is np.ndarray
            and X.dtype in FLOATS
            and X.ndim == 2
            and len(X) > 0
            and X.shape[1] == self.n_features_in_
            and not hasattr(self, "feature_names_in_")
            and np.isfinite(X).all()
        )
