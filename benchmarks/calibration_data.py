"""Tables for the family of calibration: rows to learn from, and rows from elsewhere."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.real_data import load
from benchmarks.real_data_readers import rdata

TABLES = (
    "adult",
    "california",
    "hr",
    "magic",
    "penbased",
    "satimage",
    "spambase",
    "texture",
)
N_TRAIN, N_TEST = 1500, 2500


@dataclass(frozen=True)
class Shift:
    """A column that says which rows come from elsewhere.

    Parameters
    ----------
    column : str
        What decides; it stays among the columns if it is a number there.
    home, away : callable
        Take the column, say which rows are to be learnt from and asked about.
    source : str
        Name in the catalogue, or path of a set of R packages.
    target : str or callable, default=None
        Column of the classes, or what makes them from the table.
    used : tuple of str, default=()
        Columns that are used; empty means all of the catalogue's.
    is_in_view : bool, default=False
        Whether defaults were chosen with this one in view.
    """

    column: str
    home: object
    away: object
    source: str
    target: object = None
    used: tuple = ()
    is_in_view: bool = False


def _up_to(limit):
    return lambda c: c <= limit


def _beyond(limit):
    return lambda c: c > limit


def _above_median(column):
    return lambda frame: (frame[column] > frame[column].median()).astype(int)


def _in_view(source, column, limit):
    return Shift(column, _up_to(limit), _beyond(limit), source, is_in_view=True)


SOUTH = [
    "AL",
    "AR",
    "DE",
    "DC",
    "FL",
    "GA",
    "KY",
    "LA",
    "MD",
    "MS",
    "NC",
    "OK",
    "SC",
    "TN",
    "TX",
    "VA",
    "WV",
]
SOUTHERN = [
    "Alabama",
    "Arkansas",
    "Delaware",
    "Florida",
    "Georgia",
    "Kentucky",
    "Louisiana",
    "Maryland",
    "Mississippi",
    "Oklahoma",
    "Tennessee",
    "Texas",
    "Virginia",
]
SOUTHERN += ["North Carolina", "South Carolina", "West Virginia"]
SOUTHERN += ["District of Columbia", *SOUTH]
GSS = ("age", "race", "sex", "educ", "pid")
WAGES = ("age", "occrecode", "prestg10", "childs", "wrkstat", "gender", "educcat")
CRASH = ("dvcat", "airbag", "seatbelt", "frontal", "sex", "ageOFocc", "yearVeh")
HEALTH = ("age", "edlevel", "outwork", "female", "married", "kids", "hhninc", "self")
VOTER = ("age", "female", "collegeed", "racef", "famincr", "religimp", "churchatd")

SHIFTS = {
    "adult, older than 48": _in_view("adult", "age", 48),
    "employment, older than 57": _in_view("acs_employment", "AGEP", 57),
    "employment, 2018 after 2015": Shift(
        "year", _up_to(2015), _beyond(2017), "acs_employment", is_in_view=True
    ),
    "homes, north of 36.5": _in_view("california", "Latitude", 36.5),
    "hr, older than 45": _in_view("hr", "age", 45),
    "voters, older than 60": _in_view("tv16", "age", 60),
    "voters, South": Shift(
        "state",
        lambda c: ~c.isin(SOUTHERN),
        lambda c: c.isin(SOUTHERN),
        "stevedata/TV16",
        "votetrump",
        VOTER,
    ),
    "incomes, South": Shift(
        "state",
        lambda c: ~c.isin(SOUTHERN),
        lambda c: c.isin(SOUTHERN),
        "wooldridge/census2000",
        _above_median("lweekinc"),
        ("educ", "exper"),
    ),
    "earnings, South": Shift(
        "region",
        lambda c: c.str.lower() != "south",
        lambda c: c.str.lower() == "south",
        "AER/CPSSW8",
        _above_median("earnings"),
        ("gender", "age", "education"),
    ),
    "benefits, states without work": Shift(
        "stateur", _up_to(7.5), _beyond(8.5), "Ecdat/Benefits", "ui"
    ),
    "abortion, 2010 after 1990": Shift(
        "year", _up_to(1990), _beyond(2009), "stevedata/gss_abortion", "abany", GSS
    ),
    "wages, 2008 after 1990": Shift(
        "year",
        _up_to(1990),
        _beyond(2007),
        "stevedata/gss_wages",
        _above_median("realrinc"),
        WAGES,
    ),
    "crashes, 2001 after 1999": Shift(
        "yearacc",
        _up_to(1999),
        _beyond(2000),
        "DAAG/nassCDS",
        lambda frame: (frame["injSeverity"] >= 3).astype(int),
        CRASH,
    ),
    "doctors, 1988 after 1986": Shift(
        "year",
        _up_to(1986),
        _beyond(1987),
        "COUNT/rwm5yr",
        lambda frame: (frame["docvis"] > 0).astype(int),
        HEALTH,
    ),
}


def table(name, n_rows=None):
    """Return numbers, with categories as indicators, and classes."""
    data = _frame(name, n_rows)
    return encoded(data.data), data.target.to_numpy()


def _frame(name, n_rows):
    try:
        data = load(name, n_rows=n_rows) if n_rows else load(name)
    except ValueError:  # fewer rows than that
        data = load(name)
    kept = data.target.notna().to_numpy()
    data.data, data.target = data.data[kept], data.target[kept]
    return data


def encoded(frame):
    """Return numbers; categories of fewer than 20 rows are left out."""
    numbers = frame.select_dtypes("number")
    categories = frame.select_dtypes(exclude="number").astype(str)
    categories = categories.loc[:, categories.nunique() <= 60]
    if categories.shape[1]:
        indicators = pd.get_dummies(categories, dtype=float)
        indicators = indicators.loc[:, indicators.sum() >= 20]
        numbers = pd.concat([numbers, indicators], axis=1)
    X = numbers.astype(float).fillna(numbers.median()).to_numpy(np.float64)
    return X[:, X.std(axis=0) > 0]


def split(X, y, seed, n_train=N_TRAIN, n_test=N_TEST):
    """Return train rows, test rows and their classes."""
    order = np.random.default_rng(seed).permutation(len(y))
    n_train = min(n_train, int(0.6 * len(y)))
    train, test = order[:n_train], order[n_train : n_train + n_test]
    return X[train], X[test], y[train], y[test]


def drifted(X, train, seed):
    """Move half of the columns by 0.7 standard deviations, and blur them."""
    rng = np.random.default_rng(seed)
    scale = train.std(axis=0) * (rng.random(X.shape[1]) < 0.5)
    side = rng.choice([-0.7, 0.7], X.shape[1])
    return X + scale * (side + 0.5 * rng.normal(size=X.shape))


def elsewhere(label, seed):
    """Return rows to learn from, rows from home and from elsewhere, with classes."""
    shift = SHIFTS[label]
    if shift.target is None:
        data = _frame(shift.source, 40_000)
        columns, y, by = data.data, data.target, data.data[shift.column]
        columns = columns.drop(columns="year", errors="ignore")
    else:
        frame = rdata(shift.source)
        makes = callable(shift.target)
        y = shift.target(frame) if makes else frame[shift.target]
        raw = frame[[c for c in frame if c != shift.target]]
        columns = raw[list(shift.used)] if shift.used else raw.drop(columns="state")
        kept = y.notna()
        columns, y, by = columns[kept], y[kept], frame[shift.column][kept]
    X, y = encoded(columns), np.unique(y.to_numpy(), return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    here = rng.permutation(np.flatnonzero(np.asarray(shift.home(by))))
    there = rng.permutation(np.flatnonzero(np.asarray(shift.away(by))))[:N_TEST]
    train, test = here[:N_TRAIN], here[N_TRAIN : N_TRAIN + N_TEST]
    return X[train], X[test], X[there], y[train], y[test], y[there]
