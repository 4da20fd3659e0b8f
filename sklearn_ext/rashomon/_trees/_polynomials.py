"""Truncated polynomials with non-negative coefficients, as arrays.

All products are direct sums of non-negative terms, so each coefficient keeps its
relative accuracy, however small it is beside the others. (A Fourier transform would
not do: its error is absolute and erases the low-loss tail.)
"""

import numpy as np

STRIP = 64  # rows of the product table that are summed while they are in cache


def sum_of_products(A, C, weight):
    """Coefficients of ``sum_j weight_j A_j(z) C_j(z)`` below the common length.

    Parameters
    ----------
    A, C : ndarray of shape (..., n_terms, length)
        Coefficients of the factors; there may be many sums.
    weight : ndarray of shape (..., n_terms)
        Weight of each term.

    Returns
    -------
    ndarray of shape (..., length)
        The truncated sum: antidiagonal sums of ``A' diag(weight) C``.
    """
    many, length = A.shape[:-2], A.shape[-1]
    out = np.zeros((*many, length))
    left = np.swapaxes(A * weight[..., None], -1, -2)
    for start in range(0, length, STRIP):
        strip = left[..., start : start + STRIP, :]
        height, width = strip.shape[-2], length - start
        table = np.zeros((*many, height, width + height))
        np.matmul(strip, C[..., :width], out=table[..., :width])
        # read with rows one shorter, row i moves i places to the right
        skew = table.reshape(*many, -1)[..., : height * (width + height - 1)]
        skew = skew.reshape(*many, height, -1)[..., :width]
        out[..., start:] += skew.sum(axis=-2)
    return out


def correlate_with(factors, adjoint):
    """Differentiate ``adjoint . (A * C)`` for ``A``: correlations with ``C``.

    Parameters
    ----------
    factors : ndarray of shape (n_terms, length)
        The other factor of each product.
    adjoint : ndarray of shape (length,)
        Derivative for each coefficient of the product.

    Returns
    -------
    ndarray of shape (n_terms, length)
        ``sum_b factors[:, b] adjoint[a + b]``.
    """
    length = len(adjoint)
    padded = np.concatenate([adjoint, np.zeros(length)])
    hankel = np.lib.stride_tricks.sliding_window_view(padded, length)[:length]
    return factors @ hankel


def shifted(rows, shift, fill=0.0):
    """Multiply each polynomial by ``z**shift`` and keep the length.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, length)
        Coefficients.
    shift : ndarray of int, shape (n_rows,)
        Shifts, upwards where they are positive.
    fill : float, default=0.0
        What moves in.

    Returns
    -------
    ndarray of shape (n_rows, length)
        Shifted coefficients; what passes an end is dropped.
    """
    if not shift.any():
        return rows
    length = rows.shape[1]
    source = np.arange(length) - shift[:, None]
    moved = np.take_along_axis(rows, np.clip(source, 0, length - 1), axis=1)
    moved[(source < 0) | (source >= length)] = fill
    return moved


def normalized(coefficients):
    """Divide by the largest coefficient; return its logarithm too (-inf for zero)."""
    top = coefficients.max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_top = np.log(top[..., 0])
    return coefficients / np.where(top > 0, top, 1.0), log_top


def best_sums(zero, one):
    """Max-plus sum of products: best ``zero[j, a] + one[j, b]`` for every a + b."""
    length = zero.shape[1]
    best = np.full(length, -np.inf)
    for a in np.flatnonzero(np.isfinite(zero).any(axis=0)):
        total = zero[:, a, None] + one[:, : length - a]
        np.maximum(best[a:], total.max(axis=0), out=best[a:])
    return best
