"""Distinct prediction vectors of a tree space, and of its Rashomon set."""

import numpy as np


def tree_patterns(rows, space, max_patterns=10**6):
    """List the distinct predictions of complete trees on merged rows.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.
    max_patterns : int, default=10**6
        Limit of the size of any intermediate set.

    Returns
    -------
    ndarray of int, shape (n_patterns, n_rows)
        Class index of each merged row.

    Raises
    ------
    ValueError
        When there are more patterns.
    """
    (n, m), n_classes, repeats = rows.bits.shape, space.n_classes, space.repeats
    width = max((n_classes - 1).bit_length(), 1)
    *ones, everything = (
        sum(1 << (width * i) for i in np.flatnonzero(inside).tolist())
        for inside in [*rows.bits.T, np.ones(n)]
    )
    memo = {}

    def patterns(members, depth, used):
        if members == 0:
            return {0}
        key = (members, depth, used)
        if key in memo:
            return memo[key]
        found = set()
        if depth == 0:
            found = {label * members for label in range(n_classes)}
        for j in range(m if depth else 0):
            if not repeats and j in used:
                continue
            path = used if repeats else used | {j}
            one = members & ones[j]
            high = patterns(one, depth - 1, path)
            low = patterns(members ^ one, depth - 1, path)
            if len(high) * len(low) + len(found) > 8 * max_patterns:
                _too_many(max_patterns)
            found |= {a | b for a in high for b in low}
            if len(found) > max_patterns:
                _too_many(max_patterns)
        memo[key] = found
        return found

    found = sorted(patterns(everything, space.depth, frozenset()))
    n_bytes = (n * width + 7) // 8
    packed = b"".join(v.to_bytes(n_bytes, "little") for v in found)
    packed = np.frombuffer(packed, dtype=np.uint8).reshape(len(found), n_bytes)
    bits = np.unpackbits(packed, axis=1, count=n * width, bitorder="little")
    return bits.reshape(len(found), n, width) @ 2 ** np.arange(width, dtype=np.uint8)


def _too_many(limit):
    raise ValueError(
        f"There are more than max_patterns={limit} patterns. Raise max_patterns, use "
        "fewer thresholds, or take the estimate from draws: "
        "pattern_ratio(method='sampled')."
    )


def pattern_losses(label, weight):
    """Weighted errors of every pattern: (n_patterns,)."""
    errors = weight.sum(axis=1, keepdims=True) - weight  # (n_rows, n_classes)
    return sum(
        (label == c).astype(float) @ errors[:, c] for c in range(weight.shape[1])
    )


def chao1(label):
    """Estimate the number of distinct rows from a sample, unseen ones included.

    Parameters
    ----------
    label : ndarray of shape (n_draws, n_columns)
        Sampled patterns.

    Returns
    -------
    float
        Bias-corrected Chao1: seen + f1 (f1 - 1) / (2 (f2 + 1)), where f1 and f2 are
        the patterns seen once and twice.
    """
    _, times = np.unique(label, axis=0, return_counts=True)
    once, twice = (times == 1).sum(), (times == 2).sum()
    return float(len(times) + once * (once - 1) / (2 * (twice + 1)))
