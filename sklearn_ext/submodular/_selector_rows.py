"""How a selector checks what it is given: rows, which it encodes, ids, weights."""

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext.submodular._encoding import DATA, any_rows, encode, first_rows
from sklearn_ext.submodular._slots import SHOWN, check_ids, listed


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

    Rows are returned as they are stored and as they are compared: the same object
    unless there is an encoder.
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

    def _check_initial(self, ids):
        if unknown := set(listed(self.initial)) - set(ids):
            raise ValueError(
                f"initial holds {sorted(unknown, key=repr)[:SHOWN]}, which no row that "
                "fit was given has as its id; leave them out, or pass their rows."
            )

    def _ids_of_more(self, ids, X, n):
        if n and ids is None and self._ids_given:
            raise ValueError(
                "ids were given at fit; give them here too, as ids=... to partial_fit "
                "and (rows, ids) to update."
            )
        return check_ids(ids, X, n, self._table)

    def _coming_rows(self, rows, ids, leaving):
        """Check rows to add and their identifiers; no rows become None."""
        n = 0 if rows is None else extent(rows)
        checked = self._more_rows(rows) if n else None
        if not n and np.ndim(rows) == 2:
            validate_data(self, rows, reset=False, ensure_min_samples=0, **DATA)
        ids = self._ids_of_more(ids, rows, n)
        self._table.check_new(ids, leaving)
        return checked, ids

    def _weights_of_more(self, sample_weight, X):
        if sample_weight is None:
            return None
        if not getattr(self.objective_model_, "weighs_reference", True):
            raise ValueError(
                f"{type(self.objective_model_).__name__} has no reference rows that "
                "sample_weight could weigh; leave it out, or use FacilityLocation."
            )
        weight = np.asarray(sample_weight)
        if weight.shape == (X.shape[0],) and not weight.any():
            return weight  # a batch may hold rows alone that are never selected
        return check_weights(sample_weight, X)

    def _leaving_slots(self, ids, missing):
        check_is_fitted(self)
        if missing not in ("raise", "ignore"):
            raise ValueError(f"missing must be 'raise' or 'ignore', got {missing!r}.")
        ids = listed(ids)
        if ids and self.algorithm == "sieve":
            raise NotImplementedError(
                "algorithm='sieve' cannot forget, because it stores only the rows that "
                "it selects; use algorithm='leveled'."
            )
        if fixed := set(ids) & set(listed(self.initial)):
            raise ValueError(
                f"id {fixed.pop()!r} is in initial and cannot be forgotten; fit with "
                "another initial."
            )
        return self._table.find(ids, missing=missing)
