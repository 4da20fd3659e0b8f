"""Labelled tables that become bandit problems."""

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.frozen import frozen
from benchmarks.real_data import load
from benchmarks.real_data_readers import keel
from sklearn_ext.bandits import make_bandit_from_classification

KEEL = (
    "letter",
    "penbased",
    "satimage",
    "texture",
    "segment",
    "magic",
    "marketing",
    "spambase",
    "phoneme",
)
# the constants of the defaults were tuned on these, with other rows and seeds
SETS = (*KEEL, "mnist5k", "spam", "emoji")
# and nobody looked at these before everything was fixed
FRESH = ("ring", "twonorm", "optdigits", "banana", "vowel", "vehicle", "digits")


def table(name):
    """Return columns and labels; pictures and texts as 50 principal components."""
    if name == "mnist5k":
        bunch = load("mnist5k", as_frame=False)
        return _reduced(bunch.data / 255.0), np.asarray(bunch.target).astype(str)
    if name == "digits":
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        return X, y.astype(str)
    if name in ("spam", "emoji"):
        bunch = frozen("emoji-google") if name == "emoji" else frozen("spam")
        return _reduced(bunch.data), np.asarray(bunch.target).astype(str)
    frame = keel(name)
    return frame.iloc[:, :-1].to_numpy(float), frame["class"].astype(str).to_numpy()


def problem(name, seed, n_rows=4000, standardize=True):
    """Return a bandit problem of some rows in an order of a seed."""
    X, y = table(name)
    if standardize:  # for all contestants alike, by scales of the whole table
        X = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
    rows = np.random.default_rng(seed).permutation(len(X))[:n_rows]
    return make_bandit_from_classification(X[rows], y[rows])


def _reduced(X):
    return PCA(50, random_state=0).fit_transform(np.asarray(X, dtype=float))
