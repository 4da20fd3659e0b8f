"""What the recursion will cost, before it starts."""

from dataclasses import dataclass
from math import comb

import numpy as np

from sklearn_ext.rashomon._trees_space import build_graph

OVERHEAD = 1e6  # operations that the handling of one subset is worth
SCATTER = 15  # operations for each entry that is added to a histogram
MEMORY = 4 * 2**30  # bytes that no method goes beyond
MEASURE = 200_000  # subsets that may be formed to measure a level


@dataclass(frozen=True)
class CostEstimate:
    """Predicted effort of the exact recursion.

    Parameters
    ----------
    flops : float
        Floating-point operations, overheads included.
    memory : float
        Bytes of the largest tables.
    subsets : tuple of int
        Row subsets at each level; upper bounds beyond the second.
    n_degrees : int
        Coefficients of one polynomial.
    """

    flops: float
    memory: float
    subsets: tuple
    n_degrees: int

    def __str__(self):
        return (
            f"about {self.flops:.2g} operations and {self.memory / 2**20:.0f} MB "
            f"({sum(self.subsets)} row subsets, {self.n_degrees} losses)"
        )


def recursion_cost(rows, space, n_degrees):
    """Predict the cost of the exact recursion.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.
    n_degrees : int
        Losses between the smallest one and the threshold.

    Returns
    -------
    CostEstimate
        Numbers of subsets are measured down to the second level where that is cheap,
        and bounded by binomial coefficients below.
    """
    m, n, k = len(space.weight), len(rows.bits), space.n_classes
    n_degrees = min(n_degrees, 2**62)
    subsets = _subsets(rows, space)
    flops = sum(count * (2 * m * n_degrees**2 + OVERHEAD) for count in subsets)
    size = n * 2.0 ** -(len(subsets) - 1)  # mean rows of a subset at the last level
    pairs = m**2 if space.depth >= 2 else m
    flops += subsets[-1] * pairs * (8 * k * size + 48 * k + 2 * SCATTER * k**2)
    table = sum(count * (8 * n_degrees + 8 * m + n / 8) for count in subsets)
    work = 8.0 * (12 * k * pairs + n * m + 64 * n_degrees)
    return CostEstimate(float(flops), float(table + work), subsets, int(n_degrees))


def check_members_fit(max_depth, n_members):
    """Refuse depths at which the kept trees alone would not fit in memory."""
    needed = max(n_members, 100) * 2.0 ** min(max_depth + 3, 1000)
    if needed > MEMORY:
        raise ValueError(
            f"max_depth={max_depth} with n_members={n_members} needs "
            f"{needed / 2**30:.3g} GB for the members alone, more than "
            f"{MEMORY / 2**30:.0f} GB. Lower max_depth."
        )


def sampling_cost(rows, space, n_trees, n_visits):
    """Predict the cost of sampling structures.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.
    n_trees : int
        Structures that are kept.
    n_visits : int
        Structures whose leaves are counted, all moves included.

    Returns
    -------
    seconds : float
        On one core, to a factor of about three.
    memory : float
        Bytes.
    """
    leaves, k = 2.0**space.depth, space.n_classes
    words = k + min(rows.total, 200_000) / 64
    seconds = n_visits * leaves * (4e-8 * k + 3e-8 * words)
    batch = min(n_trees, 4096)  # whose losses are worked on at once
    return seconds, leaves * (n_trees * (4 + 8 * k) + batch * 24 * k)


def _subsets(rows, space):
    m = len(space.weight)
    levels = max(space.depth - 2, 0) + 1
    if levels == 1:
        return (1,)
    counts, measured = [1, min(2 * m, 2 ** len(rows.bits))], 1
    if levels > 2 and (2 * m) ** 2 <= MEASURE:
        deep = build_graph(rows, _of_depth(space, 4))
        counts, measured = [len(level) for level in deep.levels], 2
    for t in range(measured + 1, levels):
        paths = comb(m, t) * 2**t if space.repeats else np.inf
        counts.append(int(min(paths, counts[-1] * 2 * m)))
    return tuple(counts[:levels])


def _of_depth(space, depth):
    return type(space)(
        depth,
        space.n_classes,
        space.weight,
        space.multiplicity,
        repeats=space.repeats,
    )
