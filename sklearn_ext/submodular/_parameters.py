"""Whether two objects are the same parameters."""

import pickle
from contextlib import suppress

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

STREAMS = (np.random.RandomState, np.random.Generator)


def same(first, second):
    """Tell whether two parameters are the same, by value and to the last entry.

    Streams of random numbers are always the same: how far one was read is no
    parameter.

    Parameters
    ----------
    first, second : object
        Parameters, or whatever parameters are made of.

    Returns
    -------
    bool
        Whether they are.
    """
    if first is second or (isinstance(first, STREAMS) and isinstance(second, STREAMS)):
        return True
    if type(first) is not type(second):
        return False
    if isinstance(first, BaseEstimator):
        return same(first.get_params(deep=False), second.get_params(deep=False))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            same(value, second[key]) for key, value in first.items()
        )
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if sparse.issparse(first):
        return first.shape == second.shape and abs(first - second).nnz == 0
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and same(first.tolist(), second.tolist())
    with suppress(ValueError, TypeError):  # frames compare entry by entry
        if first == second:
            return True
    with suppress(TypeError, AttributeError, pickle.PicklingError):
        return pickle.dumps(first) == pickle.dumps(second)
    return False
