"""Decisions that do not hang on the last bit.

The same gain, summed in another order or by another processor, differs in its last
digits. Whatever is compared is therefore first rounded to fewer digits, and a
threshold that a value defines lies a little below it.
"""

import numpy as np

SLACK = 1e-9  # share by which values that are equal but for rounding may differ
DROPPED = 20  # of the 52 binary digits behind the point; 2e-10 of the value


def alike(values):
    """Round to 33 binary digits: what is equal but for rounding becomes equal.

    Rounding keeps order, so that of values that do not rise none comes to rise.

    Parameters
    ----------
    values : array-like
        Finite numbers.

    Returns
    -------
    ndarray of float64
        The rounded numbers.
    """
    bits = np.array(values, dtype=np.float64).view(np.int64)
    bits += 1 << (DROPPED - 1)
    bits &= -(1 << DROPPED)
    return bits.view(np.float64)


def below(value):
    """Return a threshold that admits what is equal to a value but for rounding.

    Parameters
    ----------
    value : float
        A positive number.

    Returns
    -------
    float
        A number a little below.
    """
    return (1 - SLACK) * value
