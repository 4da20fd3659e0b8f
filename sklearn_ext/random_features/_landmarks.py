"""Which rows become landmarks: drawn by their hash, or chosen one after the other."""

import numpy as np
from scipy import linalg, sparse

from sklearn_ext._numerics._arrays import to_numpy
from sklearn_ext._numerics._equal_rows import EqualRows

POOL, LEAST = 10, 10_000  # rows to choose from: for each landmark, and in all
BLOCK, WIDER = 32, 4  # landmarks at a time, chosen from so many times as many rows
DIGITS = 9  # of what is not explained: rounding decides nothing


def draw_landmarks(X, m, rng):
    """Return positions of ``m`` distinct rows, all of them if there are no more.

    They are those of least seeded hash, in its order: a uniform draw that depends
    neither on the order of the rows nor on their copies.
    """
    seed = rng.randint(2**31 - 1)
    return EqualRows.of(X if sparse.issparse(X) else to_numpy(X), seed=seed).first[:m]


def pool_size(m):
    """Return from how many rows ``m`` landmarks are chosen."""
    return max(POOL * m, LEAST)


def greedy_landmarks(kernel, rows, m):
    """Return positions of ``m`` rows, each chosen where those before explain least.

    That is Cholesky with pivots on the rows' kernel matrix, of which only chosen
    columns are formed: ``n_rows * m ** 2`` operations and ``8 * n_rows * m`` bytes. A
    block of pivots is found among the rows that are explained least, exactly, and
    then taken out of all rows at once.

    Parameters
    ----------
    kernel : Kernel
        The kernel.
    rows : array of shape (n_rows, n_features)
        Rows to choose from; of equal ones the first is taken.
    m : int
        Number of landmarks.

    Returns
    -------
    ndarray of shape (min(m, n_rows),)
        The positions.
    """
    n = rows.shape[0]
    if m >= n:
        return np.arange(n)
    rows = rows if sparse.issparse(rows) else to_numpy(rows)
    left = _diagonal(kernel, rows)
    top, F, chosen = left.max(), np.empty((m, n)), np.empty(0, dtype=int)
    while len(chosen) < m:
        j, size = len(chosen), min(BLOCK, m - len(chosen))
        near = np.argsort(-np.round(left / top, DIGITS), kind="stable")[: WIDER * size]
        inside = kernel(rows[near]) - F[:j, near].T @ F[:j, near]
        own, L = _pivots(inside, size, top)
        if not len(own):  # all rows are explained: any others do
            rest = np.setdiff1d(np.arange(n), chosen)
            return np.concatenate([chosen, rest[: m - j]])
        new = near[own]
        columns = kernel(rows, rows[new]).T - F[:j, new].T @ F[:j]
        part = linalg.solve_triangular(L, columns, lower=True, check_finite=False)
        F[j : j + len(new)] = part
        left = np.maximum(left - np.einsum("ij,ij->j", part, part), 0.0)
        chosen = np.append(chosen, new)
        left[chosen] = 0.0
    return chosen


def _pivots(K, size, top):
    """Return pivots of a small matrix in their order, and its factor there."""
    left, F, chosen = np.diagonal(K).copy(), np.empty((size, len(K))), []
    for j in range(size):
        i = int(np.argmax(np.round(left / top, DIGITS)))
        if left[i] <= 10.0**-DIGITS * top:
            break
        F[j] = (K[i] - F[:j, i] @ F[:j]) / np.sqrt(left[i])
        left = left - F[j] ** 2
        left[i] = 0.0
        chosen.append(i)
    return np.array(chosen, dtype=int), F[: len(chosen), chosen].T


def _diagonal(kernel, rows, size=256):
    parts = [rows[i : i + size] for i in range(0, rows.shape[0], size)]
    return np.concatenate([np.diagonal(kernel(part)) for part in parts])
