"""Raw tables for the comparison of defaults: numbers as they come, on their scales."""

import numpy as np
import pandas as pd

from benchmarks.real_data import load
from benchmarks.real_data_readers import keel, rdata

CLASSES = (
    "iris",
    "wine",
    "breast_cancer",
    "digits",
    "german",
    "australian",
    "titanic",
    "hr",
    "california",
    "magic",
    "satimage",
    "spambase",
)
NUMBERS = (
    "diabetes",
    "autompg",
    "ames",
    "apartments",
    "diamonds",
    "fifa",
    "flights",
    "fertility",
    "birthdays",
    "chem97",
)
# the defaults of random features were chosen on these,
CHOICE_NUMBERS = (
    "diabetes",
    "autompg",
    "ames",
    "diamonds",
    "concrete",
    "wage",
    "hitters",
    "meats",
    "car_prices",
    "biomass",
    "deliveries",
)
CHOICE_CLASSES = (
    "wine",
    "breast_cancer",
    "digits",
    "german",
    "magic",
    "vowel",
    "vehicle",
    "segment",
    "phoneme",
    "pima",
)
# and looked at these once, when everything was fixed
KEPT_NUMBERS = (
    "apartments",
    "fifa",
    "flights",
    "fertility",
    "birthdays",
    "chem97",
    "hotel_rates",
    "cps",
    "slid",
    "babies",
    "wages",
)
KEPT_CLASSES = (
    "iris",
    "australian",
    "titanic",
    "hr",
    "california",
    "satimage",
    "spambase",
    "ionosphere",
    "contraceptive",
    "mammographic",
    "saheart",
    "ring",
)
FRAMES = {  # name: (set of an R package, target, columns that would give it away)
    "concrete": ("modeldata/concrete", "compressive_strength", []),
    "wage": ("ISLR/Wage", "wage", ["logwage"]),
    "hitters": ("ISLR/Hitters", "Salary", []),
    "meats": ("modeldata/meats", "fat", ["water", "protein"]),
    "car_prices": ("modeldata/car_prices", "Price", []),
    "biomass": ("modeldata/biomass", "HHV", ["sample"]),
    "deliveries": ("modeldata/deliveries", "time_to_delivery", []),
    "hotel_rates": ("modeldata/hotel_rates", "avg_price_per_room", ["arrival_date"]),
    "cps": ("AER/CPSSW8", "earnings", []),
    "slid": ("carData/SLID", "wages", []),
    "babies": ("openintro/babies", "bwt", ["case"]),
    "wages": ("plm/Wages", "lwage", []),
}
KEEL = {*CHOICE_CLASSES[5:], *KEPT_CLASSES[7:]}  # whose catalogue has no line for them
N_TRAIN, N_TEST, N_SPLITS = 500, 1000, 2


def raw(name, n_rows=N_TRAIN + N_TEST):
    """Return a table as its owner has it: numbers, and categories as indicators.

    Parameters
    ----------
    name : str
        A name of any of the lists above.
    n_rows : int, default=N_TRAIN + N_TEST
        Rows drawn from more.

    Returns
    -------
    X : ndarray of shape (n, p)
        Columns in their own units; missing numbers are medians, categories of fewer
        than 20 rows are left out, as are constant columns.
    y : ndarray of shape (n,)
        The target in its own units.
    """
    frame, target = _read(name, n_rows)
    kept = target.notna().to_numpy()
    frame, target = frame[kept], target[kept]
    numbers = frame.select_dtypes("number")
    categories = frame.select_dtypes(exclude="number").astype(str)
    if categories.shape[1]:
        indicators = pd.get_dummies(categories, dtype=float)
        indicators = indicators.loc[:, indicators.sum() >= 20]
        numbers = pd.concat([numbers, indicators], axis=1)
    X = numbers.astype(float).fillna(numbers.median()).to_numpy(np.float64)
    return X[:, X.std(axis=0) > 0], target.to_numpy()


def _read(name, n_rows):
    if name in FRAMES or name in KEEL:
        path, target, hidden = FRAMES.get(name, (name, "class", []))
        frame = (rdata if name in FRAMES else keel)(path).dropna(subset=target)
        if len(frame) > n_rows:
            frame = frame.sample(n_rows, random_state=0)
        return frame.drop(columns=[target, *hidden]), frame[target]
    try:
        data = load(name, n_rows=n_rows)
    except ValueError:  # fewer rows than that
        data = load(name)
    return data.data, data.target


def splits(n, n_splits=N_SPLITS, n_train=N_TRAIN):
    """Yield train and test rows, at most ``n_train`` and ``N_TEST`` of them."""
    for seed in range(n_splits):
        order = np.random.default_rng(seed).permutation(n)
        m = min(n_train, int(0.7 * n))
        yield order[:m], order[m : m + N_TEST]
