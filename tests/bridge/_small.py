"""Small bridges, and pooled rows."""

import numpy as np

from sklearn_ext.bridge import LightSchrodingerBridge


def make(**params):
    return LightSchrodingerBridge(3, **{"epsilon": 1.0, "random_state": 0, **params})


def pooled(pair):
    X = np.vstack([pair.X, pair.Y])
    return X, np.repeat([0, 1], [len(pair.X), len(pair.Y)])
