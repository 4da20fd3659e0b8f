"""Load a data set by name, and check what came out."""

from importlib.util import find_spec

import numpy as np
from sklearn.utils import Bunch, check_random_state

from benchmarks.real_data_catalogue import CATALOGUE, closest
from benchmarks.real_data_packages import PACKAGES, installed_version

NEEDS = {  # modules that read the files of a package, besides pandas
    "nannyml": ("pyarrow",),
    "scanpy": ("h5py",),
    "emoji-datasource-google": ("PIL",),
    "emoji-datasource-twitter": ("PIL",),
}


def load(name, *, as_frame=True, n_rows=None, random_state=0):
    """Load one data set of the catalogue.

    Parameters
    ----------
    name : str
        A name of :func:`list_datasets`; hyphen and underscore are one.
    as_frame : bool, default=True
        Return data frames; else numpy arrays (of objects where columns are mixed).
    n_rows : int, default=None
        Draw so many rows without replacement, kept in their order.
    random_state : int, default=0
        Seed of that draw.

    Returns
    -------
    bunch : Bunch
        ``data`` (n, p), ``target`` (n,) or None, ``bags`` (n,) or None (natural
        groups that share a response), ``groups`` (n,) or None, ``frame`` (data,
        target and every further column; its index is the row in the full set),
        ``feature_names``, ``DESCR``, ``source``.

    Raises
    ------
    DatasetUnavailable
        If the package is absent; the message says how to get it.
    ValueError
        If the name is unknown, ``n_rows`` does not fit, or the files hold another
        number of rows, columns or class members than the catalogue says.
    """
    entry = closest(name, CATALOGUE, "data set")
    frame = entry.read()
    roles = {entry.target, entry.bags, entry.groups, *entry.hidden}
    features = [column for column in frame if column not in roles]
    check(entry, frame, features)
    if n_rows is not None:
        frame = frame.iloc[draw_rows(entry.n, n_rows, random_state)]

    def column(role):
        if role is None:
            return None
        return frame[role] if as_frame else frame[role].to_numpy()

    data = frame[features]
    return Bunch(
        data=data if as_frame else data.to_numpy(),
        target=column(entry.target),
        bags=column(entry.bags),
        groups=column(entry.groups),
        frame=frame if as_frame else None,
        feature_names=features,
        DESCR=describe(entry),
        source=f"{entry.package} {installed_version(PACKAGES[entry.package])}",
    )


def list_datasets(tag=None):
    """Table of all data sets, or of those that serve one family of estimators.

    Parameters
    ----------
    tag : {"probes", "random_features", "aggregate", "bridge", "rashomon", \
            "submodular", "tasks", "general"}, default=None

    Returns
    -------
    DataFrame with columns name, tag, n, p, target, package, version, licence
    """
    import pandas as pd

    tags = {t for entry in CATALOGUE.values() for t in entry.tags}
    if tag is not None and tag not in tags:
        raise ValueError(f"Unknown tag {tag!r}; known: {sorted(tags)}.")
    rows = []
    for entry in CATALOGUE.values():
        if tag is None or tag in entry.tags:
            package = PACKAGES[entry.package]
            about = (entry.name, " ".join(entry.tags), entry.n, entry.p, entry.target)
            rows.append((*about, package.name, package.version, package.licence))
    columns = ["name", "tag", "n", "p", "target", "package", "version", "licence"]
    return pd.DataFrame(rows, columns=columns)


def available(name):
    """Tell whether a set can be loaded here: its package and pandas are installed.

    For the name of a frozen set, such as ``"food-minilm"``, tell whether it can be
    read from a cache or built.
    """
    from benchmarks.frozen import FROZEN, frozen_available  # frozen imports load

    key = str(name).replace("_", "-")
    if key in FROZEN:
        return frozen_available(FROZEN[key])
    package = closest(name, CATALOGUE, "data set").package
    modules = ("pandas", *NEEDS.get(package, ()))
    return all(map(find_spec, modules)) and bool(installed_version(PACKAGES[package]))


def check(entry, frame, features):
    """Compare a reading with the catalogue."""
    found = (len(frame), len(features))
    if found != (entry.n, entry.p):
        raise ValueError(
            f"{entry.name}: expected shape {(entry.n, entry.p)}, got {found}."
        )
    if entry.counts:
        counts = frame[entry.target].value_counts().sort_index()
        if tuple(counts) != entry.counts:
            raise ValueError(
                f"{entry.name}: expected {entry.counts} rows per class of "
                f"{entry.target}, got {counts.to_dict()}."
            )


def draw_rows(n, n_rows, random_state):
    """Sorted row numbers of a seeded draw without replacement."""
    if not 0 < n_rows <= n:
        raise ValueError(f"n_rows must be between 1 and {n}, got {n_rows}.")
    rows = check_random_state(random_state).choice(n, size=n_rows, replace=False)
    return np.sort(rows)


def describe(entry):
    """Write one paragraph about a set."""
    package = PACKAGES[entry.package]
    target = f"target {entry.target}" if entry.target else "no target"
    text = f"{entry.name}: {entry.n} rows, {entry.p} features, {target}."
    origin = f"Source: {package.name} {package.version}".rstrip()
    origin += f" ({package.licence})."
    return " ".join(part for part in (text, entry.note, origin) if part)
