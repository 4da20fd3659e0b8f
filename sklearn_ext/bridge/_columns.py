"""Names of columns that two tables must share."""


def names_of(X):
    """Return the names of the columns of a table, or None where there are none."""
    for attribute in ("columns", "column_names"):  # pyarrow has the latter
        names = getattr(X, attribute, None)
        if names is not None and all(isinstance(name, str) for name in names):
            return list(names)
    return None


def check_columns(table, expected, *, name, of):
    """Refuse a table whose named columns are not the expected ones, in order.

    Parameters
    ----------
    table : array-like
        What is checked.
    expected : list of str or None
        Names of the columns of the other table.
    name, of : str
        What the caller calls the table and the other one, for the message.
    """
    names = names_of(table)
    if names is None or expected is None or names == list(expected):
        return
    missing = [column for column in expected if column not in names]
    unexpected = [column for column in names if column not in expected]
    if missing or unexpected:
        parts = (("missing", missing), ("unexpected", unexpected))
        told = ", ".join(f"{what} {_few(some)}" for what, some in parts if some)
        raise ValueError(f"{name} must have the columns of {of}: {told}.")
    raise ValueError(
        f"{name} must have the columns of {of} in the same order, which is "
        f"{_few(expected)}, got {_few(names)}. Select them in that order."
    )


def _few(names, limit=8):
    shown = [str(column) for column in names]
    if len(shown) <= limit:
        return str(shown)
    return f"{shown[:limit]} and {len(shown) - limit} more"
