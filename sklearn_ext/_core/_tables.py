"""Tables of any library: which columns are categories, and which values they hold.

pandas, polars and pyarrow are never imported: a table is what has columns with names.
"""

from numbers import Number

import numpy as np

# what dtypes of pandas, polars and pyarrow are called when they hold
CATEGORIES = ("category", "Categorical", "Enum", "dictionary")
STRINGS = ("str", "String", "Utf8", "large_string")
TRUTHS = ("bool", "Bool")


def column_names(X):
    """Return the names of the columns of a table; an empty list of anything else."""
    return list(getattr(X, "column_names", getattr(X, "columns", ())))


def column(X, at):
    """Return one column of a table or an array, by position."""
    if hasattr(X, "iloc"):  # pandas
        return X.iloc[:, at]
    if hasattr(X, "to_series"):  # polars
        return X.to_series(at)
    return X.column(int(at)) if hasattr(X, "column") else X[:, at]  # pyarrow, arrays


def dtypes(X):
    """Return the names of the dtypes of a table's columns; none of anything else."""
    columns = (column(X, at) for at in range(len(column_names(X))))
    return [str(getattr(c, "dtype", getattr(c, "type", ""))) for c in columns]


def category_mask(X, chosen, known=CATEGORIES):
    """Return which columns are categories.

    Parameters
    ----------
    X : table or array-like of shape (n_samples, n_features)
        The rows.
    chosen : "from_dtype", array-like or None
        Columns of a table whose dtype is known as one of categories, or a mask,
        positions, or names. None has none.
    known : tuple of str, default=CATEGORIES
        How the names of such dtypes begin.

    Returns
    -------
    ndarray of bool of shape (n_features,)
        The mask; of no length where nothing can be a category.
    """
    if chosen is None:
        return np.zeros(0, dtype=bool)
    if isinstance(chosen, str):  # from_dtype
        return np.array([name.startswith(known) for name in dtypes(X)], dtype=bool)
    names, chosen = column_names(X), np.asarray(chosen)
    n = len(names) or np.shape(X)[-1]
    if chosen.dtype.kind == "b":
        if len(chosen) != n:
            raise ValueError(
                f"categorical_features is a mask of {len(chosen)} columns, got {n}."
            )
        return chosen.copy()
    mask = np.zeros(n, dtype=bool)
    if chosen.dtype.kind in "iu":
        if len(chosen) and not (-n <= chosen.min() and chosen.max() < n):
            raise ValueError(
                f"categorical_features names column {int(abs(chosen).max())}, got {n} "
                "columns."
            )
        mask[chosen] = True
        return mask
    if missing := sorted(set(chosen.tolist()) - set(names)):
        raise ValueError(
            f"categorical_features names {missing}, which are no columns of X: it has "
            f"{names or 'no names'}."
        )
    mask[[names.index(name) for name in chosen.tolist()]] = True
    return mask


def factorize(values):
    """Return a column as codes of its distinct values.

    Parameters
    ----------
    values : series, chunked array or ndarray of shape (n_samples,)
        One column of a table.

    Returns
    -------
    codes : ndarray of int of shape (n_samples,)
        Place of each value among the distinct ones, -1 where it is missing.
    keys : list
        The distinct values, equal for equal ones of any library: texts, numbers as
        floats, truths as ``"True"`` and ``"False"``, anything else as its text.
    """
    if hasattr(values, "factorize"):  # pandas
        codes, found = values.factorize()
        found = found.tolist()
    else:
        as_list = getattr(values, "to_pylist", getattr(values, "tolist", None))
        places: dict = {}
        cells = (values.to_list if as_list is None else as_list)()
        codes = np.array([places.setdefault(v, len(places)) for v in cells], np.intp)
        found = list(places)
    keys, place = {}, np.empty(len(found) + 1, dtype=np.intp)
    place[-1] = -1  # where codes are -1
    for at, value in enumerate(found):
        place[at] = -1 if _missing(value) else keys.setdefault(_key(value), len(keys))
    return place[codes], list(keys)


def as_floats(values):
    """Return a column of objects as numbers if it holds nothing else, or None."""
    codes, keys = factorize(values)
    if any(isinstance(key, str) for key in keys):
        return None
    return np.array([*keys, np.nan])[codes]


def _missing(value):
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, Number) and bool(value != value)


def _key(value):
    if isinstance(value, Number) and not isinstance(value, (bool, np.bool, complex)):
        return float(value) + 0.0  # never -0.0
    return str(value)
