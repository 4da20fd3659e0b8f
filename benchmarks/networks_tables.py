"""Raw tables for networks: frames with strings and missing values, and their splits.

Defaults were chosen on ``CHOICE``. The tables of ``EVIDENCE`` were named before
anything of ours was measured on them, and nothing was chosen by what was.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.real_data import load
from benchmarks.real_data_readers import keel, rdata

CHOICE = {  # name: training rows at most
    "phoneme": 1500,
    "vehicle": 1500,
    "german": 1500,
    "adult": 1500,
    "california": 1500,
    "splice": 1500,
    "contraceptive": 1500,
    "letter": 1500,
    "diamonds": 1500,
    "ames": 1500,
    "concrete": 1500,
    "deliveries": 1500,
    "loans": 1500,
    "fifa": 1500,
}
EVIDENCE = {
    "titanic": 1500,
    "credit": 3000,
    "attrition": 1500,
    "churn": 3000,
    "spambase": 3000,
    "satimage": 3000,
    "magic": 12_000,
    "employment": 50_000,
    "autompg": 300,
    "babies": 1500,
    "sacramento": 1500,
    "saratoga": 1500,
    "slid": 3000,
    "chicago": 3000,
    "hotel_rates": 6000,
    "flights": 50_000,
}
TABLES = CHOICE | EVIDENCE
N_TEST, N_SPLITS = 2000, 3

FRAMES = {  # name: set of an R package, target, columns that identify or give away
    "diamonds": ("ggplot2/diamonds", "price", ()),
    "ames": ("modeldata/ames", "Sale_Price", ()),
    "concrete": ("modeldata/concrete", "compressive_strength", ()),
    "deliveries": ("modeldata/deliveries", "time_to_delivery", ()),
    "loans": (
        "openintro/loans_full_schema",
        "interest_rate",
        ("emp_title", "grade", "sub_grade"),
    ),
    "credit": ("modeldata/credit_data", "Status", ()),
    "attrition": ("modeldata/attrition", "Attrition", ()),
    "churn": ("modeldata/mlc_churn", "churn", ()),
    "babies": ("openintro/babies", "bwt", ("case",)),
    "sacramento": ("modeldata/Sacramento", "price", ()),
    "saratoga": ("mosaicData/SaratogaHouses", "price", ()),
    "slid": ("carData/SLID", "wages", ()),
    "chicago": ("modeldata/Chicago", "ridership", ("date",)),
    "hotel_rates": ("modeldata/hotel_rates", "avg_price_per_room", ("arrival_date",)),
}
KEEL = ("phoneme", "vehicle", "splice", "contraceptive")
OTHERS = {  # sets of the catalogue: name there, columns that identify
    "employment": ("acs_employment", ()),
    "autompg": ("autompg", ("name",)),
    "flights": ("flights", ("flight", "tailnum", "time_hour")),
}
REGRESSION = {*list(CHOICE)[8:], *list(EVIDENCE)[8:]}
LOGARITHMS = {"diamonds", "ames", "fifa", "sacramento", "saratoga"}  # of prices


@dataclass(frozen=True)
class Table:
    """One table: a frame as its owner has it, and what is to be predicted."""

    name: str
    X: pd.DataFrame
    y: np.ndarray
    is_regression: bool

    def split(self, seed):
        """Return training and test rows of a split: their positions."""
        order = np.random.default_rng(seed).permutation(len(self.y))
        n_train = min(TABLES[self.name], int(0.7 * len(order)))
        return order[:n_train], order[n_train : n_train + N_TEST]

    @property
    def categories(self):
        """Names of the columns that hold categories, strings or truth values."""
        return list(self.X.select_dtypes(exclude="number").columns)


def table(name):
    """Read a table.

    Parameters
    ----------
    name : str
        A name of ``TABLES``.

    Returns
    -------
    Table
        Numbers are numbers, categories are strings, and both may be missing; prices
        are logarithms.
    """
    X, y = _read(name)
    X = X[y.notna().to_numpy()].reset_index(drop=True)
    y = y[y.notna()].to_numpy()
    numbers = X.select_dtypes("number").columns
    categories = X.columns.difference(numbers)
    X = X.astype({c: np.float64 for c in numbers} | {c: object for c in categories})
    for c in categories:
        X[c] = X[c].map(str, na_action="ignore").astype(object)
    is_regression = name in REGRESSION
    if is_regression:
        y = np.asarray(y, dtype=np.float64)
        y = np.log(y) if name in LOGARITHMS else y
    else:
        y = np.asarray(pd.Series(y).astype(str), dtype=str)
    return Table(name, X, y, is_regression)


def _read(name):
    if name in KEEL or name in FRAMES:
        path, target, hidden = FRAMES.get(name, (name, "class", ()))
        frame = (keel if name in KEEL else rdata)(path)
        return frame.drop(columns=[target, *hidden]), frame[target]
    known, hidden = OTHERS.get(name, (name, ()))
    data = load(known)
    kept = data.target.notna() & (data.target > 0 if name == "fifa" else True)
    return data.data[kept].drop(columns=list(hidden)), data.target[kept]
