"""Sets with few labels: standardised tables, draws of labelled rows."""

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from benchmarks.real_data import frozen, load
from benchmarks.real_data_readers import keel

# the views, their weights and the fallback were chosen on these,
CHOICE = (
    "satimage",
    "letter",
    "adult",
    "magic",
    "spambase",
    "mushroom",
    "spam",
    "emoji",
    "texture",
    "german",
    "optdigits",
    "penbased",
)
# and these played no part in it
KEPT = ("mnist5k", "segment", "phoneme", "california", "hr", "chess")
NUMBERS = ("diabetes", "ames", "diamonds", "fifa", "apartments", "autompg")
LOGARITHMIC = ("ames", "diamonds", "fifa")
FROZEN = ("spam", "emoji")
RAW = ("segment", "phoneme")  # in the package, not in the catalogue
# a source and a target population: source of the table, column, its values at home and
# away (None: all others), columns that are left out
POPULATIONS = {
    "emoji, Google to Twitter": ("google", "twitter"),
    "emoji, Twitter to Google": ("twitter", "google"),
    "employment, 2015 to 2018": ("acs_employment", "year", [2015], [2018]),
    "vote, South to the rest": ("tv16", "state", "South", None),
    "income, US to others": ("adult", "native_country", ["United-States"], None),
    "income, under 35 to over 44": ("adult", "age", range(35), range(45, 100)),
}
SOUTH = """Alabama Arkansas Delaware Florida Georgia Kentucky Louisiana Maryland
Mississippi Oklahoma Tennessee Texas Virginia"""
SOUTH = [*SOUTH.split(), "North Carolina", "South Carolina", "West Virginia"]
N_ROWS = 3000
N_TEST = 2000


def table(name):
    """Return columns as numbers, categories as indicators, and the target.

    Parameters
    ----------
    name : str
        One of the sets above.

    Returns
    -------
    X : ndarray of shape (n, p)
        Columns that vary, not scaled.
    y : ndarray of shape (n,)
        Classes from zero, or numbers; prices are logarithms.
    """
    if name in FROZEN:
        return _embeddings(name)
    if name in RAW:
        frame = keel(name)
        data, target = frame.drop(columns="class"), frame["class"]
    else:
        found = load(name)
        data, target = found.data, found.target
    X = _numbers(data)
    if name in NUMBERS:
        y = target.to_numpy(np.float64)
        return X, np.log(y) if name in LOGARITHMIC else y
    return X, np.unique(target.astype(str), return_inverse=True)[1]


def _numbers(data):
    numbers = data.select_dtypes("number")
    categories = data.select_dtypes(exclude="number").astype(str)
    if categories.shape[1]:
        indicators = pd.get_dummies(categories, dtype=float)
        seen = indicators.loc[:, indicators.sum() >= 10]
        numbers = pd.concat([numbers, seen], axis=1)
    X = numbers.fillna(numbers.median()).to_numpy(np.float64)
    return X[:, X.std(axis=0) > 0]


def _embeddings(name):
    if name == "spam":
        found = frozen("spam")
        return found.data.astype(np.float64), np.asarray(found.target)
    return emoji("google")


def emoji(vendor):
    """Return embeddings of pictures without skin tones, and their categories.

    Parameters
    ----------
    vendor : {"google", "twitter"}
        Who drew them; the rows of both are the same pictures in the same order.

    Returns
    -------
    X : ndarray of shape (1906, 1280)
        Embeddings.
    y : ndarray of shape (1906,)
        Categories, from zero.
    """
    found = frozen(f"emoji-{vendor}")
    meta = found.meta
    plain = (meta["tone"].to_numpy() == "") & (meta["category"] != "Component")
    plain = np.flatnonzero(plain)
    codes = np.unique(
        meta["category"].to_numpy()[plain].astype(str), return_inverse=True
    )
    return found.data[plain].astype(np.float64), codes[1]


def populations(name):
    """Return the rows of two populations.

    Parameters
    ----------
    name : str
        One of ``POPULATIONS``.

    Returns
    -------
    X, y, X_away, y_away : ndarray
        Columns and classes of the source, and of the target; pictures are the same in
        both.
    """
    source, *rest = POPULATIONS[name]
    if len(rest) == 1:
        return *emoji(source), *emoji(*rest)
    column, home, away = rest
    found = load(source)
    values = found.frame[column]
    home = SOUTH if home == "South" else list(home)
    at_home = values.isin(home).to_numpy()
    at_away = ~at_home if away is None else values.isin(list(away)).to_numpy()
    data = found.data.drop(columns=column, errors="ignore")
    X, y = _numbers(data), np.unique(found.target.astype(str), return_inverse=True)[1]
    if column == "age":  # what else differs is left to be found
        X = np.column_stack([X, values])
    X = X[:, X[at_home].std(axis=0) > 0]
    return X[at_home], y[at_home], X[at_away], y[at_away]


def split(X, y, seed):
    """Return standardised rows to learn from, their target, and unseen rows.

    Parameters
    ----------
    X, y : ndarray
        A table.
    seed : int
        Of the split.

    Returns
    -------
    X, y, X_new, y_new : ndarray
        At most 3000 rows to learn from and 2000 new ones, at least a third of all.
    """
    order = np.random.default_rng(seed).permutation(len(y))
    n_test = min(N_TEST, len(y) // 3)
    test, train = order[:n_test], order[n_test : n_test + N_ROWS]
    scaler = StandardScaler().fit(X[train])
    return scaler.transform(X[train]), y[train], scaler.transform(X[test]), y[test]


def few_labels(y, n_labels, seed):
    """Return positions of rows to label: so many of each class, or of all.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Integer classes, or numbers.
    n_labels : int
        Of each class, at most half of its rows; of numbers altogether.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray
        The positions, sorted.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    if y.dtype.kind == "f":
        return np.sort(order[:n_labels])
    parts = [order[y[order] == label] for label in np.unique(y)]
    return np.sort(np.concatenate([p[: min(n_labels, len(p) // 2)] for p in parts]))
