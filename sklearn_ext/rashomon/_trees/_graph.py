"""The graph of row subsets that paths reach, and the splits at its end.

Threshold splits meet often, so there are far fewer subsets than paths. The last two
levels of splits need no subsets of their own: below a node the class weights of all
cells of every pair of splits follow from one matrix product. They give the loss
polynomials of all stumps without any product of polynomials.
"""

from dataclasses import dataclass, replace
from functools import reduce
from math import prod

import numpy as np

from sklearn_ext.rashomon._trees._polynomials import STRIP
from sklearn_ext.rashomon._trees._problem import TreeSpace, equal_columns, is_whole

BATCH_BYTES = 2**19  # of the tables of nodes that are worked on at once
MOST_CELLS = 2.0**62  # integers of numpy hold no more
MOST_SINGLE = 2.0**24  # whole numbers below it are exact in single precision
PAIR_BYTES = 2**21  # of a table of pairs of splits: about the second cache
MOST_NODES = 64  # worked on at once
MANY_NODES = 8  # from which pairs of splits are better formed once for all of them
NO_CHILD = np.empty((0, 0, 2), dtype=np.int32)


@dataclass(frozen=True)
class Level:
    """The distinct row subsets at one depth.

    Parameters
    ----------
    sets : ndarray of uint8, shape (n_subsets, n_bytes)
        Packed membership of the merged rows.
    used : ndarray of bool, shape (n_subsets, n_splits)
        Splits on the way, when repeats are not allowed; else no columns.
    totals : ndarray of shape (n_subsets, n_classes)
        Class weights of each subset.
    child : ndarray of int32, shape (n_subsets, n_splits, 2)
        Places of the zero-side and the one-side in the next level; none at the last.
    """

    sets: np.ndarray
    used: np.ndarray
    totals: np.ndarray
    child: np.ndarray

    def __len__(self):
        return len(self.sets)


@dataclass(frozen=True)
class Graph:
    """Subsets of rows reached by any path of a space, down to two levels above leaves.

    Parameters
    ----------
    rows : Rows
        The merged rows.
    space : TreeSpace
        The trees.
    levels : tuple of Level
        One for each depth, from the root to two above the leaves; in shallow spaces
        to the leaves.
    """

    rows: object
    space: TreeSpace
    levels: tuple

    @property
    def ends_in_leaves(self):
        """Whether leaves follow the last level, and not two levels of splits."""
        return self.space.depth < 2

    def may_stop(self, t):
        """Whether nodes of a level may be leaves."""
        return not self.space.complete or t == self.space.depth

    def node_weights(self, t, nodes):
        """Weights of the splits at inner nodes, (n_nodes, n_splits); impossible: 0."""
        level, m = self.levels[t], len(self.space.weight)
        weight = self.space.split_weights(level.used[nodes])
        weight = np.broadcast_to(weight, (len(nodes), m))
        if self.space.trivial:
            return weight
        filled = self.levels[t + 1].totals.any(axis=1)
        return np.where(filled[level.child[nodes]].all(axis=2), weight, 0.0)

    def members(self, t, i):
        """Find the merged rows of one subset."""
        sets = self.levels[t].sets[i]
        return np.flatnonzero(np.unpackbits(sets, count=len(self.rows.bits)))

    def blocks(self, nodes, n_splits=None, length=1):
        """Go through nodes of the last level, a few at a time.

        Parameters
        ----------
        nodes : ndarray of int
            Places in the last level; neighbours share most of their rows.
        n_splits : ndarray of int, shape (n_nodes,) or None, default=None
            Number of splits of each that matter; None where only smallest losses do.
        length : int, default=1
            Coefficients of each polynomial that is made of them.

        Yields
        ------
        Block
            The nodes, with splits that are equal on their rows taken together; none
            where leaves follow.
        """
        if self.ends_in_leaves:
            return
        m, k = max(len(self.space.weight), 1), self.space.n_classes
        strip = min(STRIP, length)  # of a product of polynomials
        if n_splits is not None:
            needed = np.maximum(32 * k * m * n_splits, 8 * strip * (strip + length))
        else:
            each = (2 if self.space.of_two_classes else 32 * k) * m**2
            needed = np.full(len(nodes), each)
        step = int(BATCH_BYTES * len(nodes) // max(needed.sum(), 1))
        step = min(max(step, 1), MOST_NODES)
        for start in range(0, len(nodes), step):
            yield self.block(nodes[start : start + step], merged=self.space.repeats)

    def block(self, nodes, *, merged=False):
        """Gather rows and splits of some nodes of the last level.

        Parameters
        ----------
        nodes : ndarray of int
            Their places.
        merged : bool, default=False
            Whether splits that are equal on their rows become one column.

        Returns
        -------
        Block
            What their stumps are made of.
        """
        level, rows, space = self.levels[-1], self.rows, self.space
        inside = np.unpackbits(level.sets[nodes], axis=1, count=len(rows.bits))
        inside = inside.astype(bool)
        place = np.flatnonzero(inside.any(axis=0))
        columns, group = equal_columns(rows.bits[place], merged)
        bits = rows.bits[place][:, columns]
        if merged:
            space = space.grouped(group)
        most = rows.total + 4 * space.leaf_cost
        single = most < MOST_SINGLE and is_whole(rows, space)  # where sums are exact
        weight = rows.weight[place].astype(np.float32 if single else np.float64)
        inside, used = inside[:, place], level.used[nodes]
        return Block(space, nodes, place, bits, weight, inside, used, columns, group)


def build_graph(rows, space, known=None, above=None):
    """Find the distinct subsets of rows at every level.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.
    known : Graph or None, default=None
        That of the same space with a smaller depth, to go on from.
    above : ndarray of bool, shape (n_splits,) or None, default=None
        Splits that are used above the root, when repeats are not allowed.

    Returns
    -------
    Graph
        Threshold splits meet often, so there are far fewer subsets than paths.
    """
    masks = np.packbits(np.ascontiguousarray(rows.bits.T), axis=1)
    if known is None:
        sets = np.packbits(np.ones((1, len(rows.bits)), dtype=bool), axis=1)
        used = np.zeros(0 if space.repeats else len(space.weight), dtype=bool)
        used = (used if above is None else above)[None]
        levels = [Level(sets, used, _totals(sets, rows), NO_CHILD)]
    else:
        levels = list(known.levels)
    n_levels = space.depth - 1 if space.depth >= 2 else space.depth + 1
    while len(levels) < n_levels:
        level = levels.pop()
        child, sets, used = _children(level.sets, level.used, masks)
        levels.append(replace(level, child=child))
        levels.append(Level(sets, used, _totals(sets, rows), NO_CHILD))
    return Graph(rows, space, tuple(levels))


def _children(sets, used, masks):
    """Places of the children of some subsets, and the distinct children."""
    m, track = len(masks), used.shape[1]
    child = np.empty((len(sets), 2, m), dtype=np.int32)
    place = {}  # subset and the splits on the way to it, as bytes
    for i, members in enumerate(sets):
        # neighbours share rows: cuts are nested
        below = np.concatenate([members & ~masks, members & masks])
        if track:
            paths = np.tile(used[i] | np.eye(m, dtype=bool), (2, 1))
            below = np.concatenate([below, paths.view(np.uint8)], axis=1)
        keys = below.view(f"V{below.shape[1]}")[:, 0].tolist()
        child[i].flat = [place.setdefault(key, len(place)) for key in keys]
    found = np.frombuffer(b"".join(place), dtype=np.uint8).reshape(len(place), -1)
    sets, paths = np.split(found, [sets.shape[1]], axis=1)
    return child.transpose(0, 2, 1), np.ascontiguousarray(sets), paths.astype(bool)


def _totals(sets, rows, batch_size=1024):
    n, starts = len(rows.bits), range(0, len(sets), batch_size)
    parts = (np.unpackbits(sets[i : i + batch_size], axis=1, count=n) for i in starts)
    return np.concatenate([inside @ rows.weight for inside in parts])


@dataclass(frozen=True)
class Grid:
    """How the loss of a leaf becomes a number of cells.

    Parameters
    ----------
    scale : float, default=1.0
        Cells for each unit of loss.
    rounding : {"none", "exact", "down", "up"}, default="none"
        "none" keeps real losses; "exact" is for losses that are integers in cells.
    tolerance : float, default=0.0
        Losses this close count as equal.
    """

    scale: float = 1.0
    rounding: str = "none"
    tolerance: float = 0.0

    def cells(self, loss):
        """Convert losses to cells."""
        if self.rounding == "none":
            return loss
        if self.rounding == "exact" and self.scale == 1.0:
            return np.rint(loss).astype(np.int64)  # in the precision of the loss
        scaled = loss.astype(np.float64) * self.scale
        if self.rounding == "exact":
            return np.rint(scaled).astype(np.int64)
        nearest = np.floor if self.rounding == "down" else np.ceil
        cells = nearest(scaled - self.tolerance * self.scale)
        return np.maximum(cells, 0).astype(np.int64)

    def cells_below(self, loss):
        """Count the whole cells within a loss."""
        return int(np.floor(min((loss + self.tolerance) * self.scale, MOST_CELLS)))


@dataclass(frozen=True)
class Stumps:
    """All stumps below some nodes: splits with a labelled leaf on either side.

    The small axes (label, side) come first, so that sums over them are fast.

    Parameters
    ----------
    sides : ndarray of shape (n_classes, 2, ..., n_splits)
        Cells of a leaf by label, side (zero, one), node and split.
    leaf : ndarray of shape (n_classes, ...)
        Cells of a leaf in place of the stump.
    weight : ndarray of shape (n_splits,) or (..., n_splits)
        Weight of each split.
    space : TreeSpace
        Whether the leaf in place of the stump is excluded, and what labels weigh.
    """

    sides: np.ndarray
    leaf: np.ndarray
    weight: np.ndarray
    space: TreeSpace

    def at(self, *place):
        """Keep the nodes at some places, given for the last of their axes."""
        splits = (..., *place, slice(None))
        weight = self.weight[splits] if self.weight.ndim > 1 else self.weight
        return Stumps(self.sides[splits], self.leaf[..., *place], weight, self.space)

    def lowest(self):
        """Smallest cells of any stump, or leaf where it is allowed."""
        sides = reduce(np.minimum, self.sides)  # numpy's own is slower: a short axis
        best = sides[0] + sides[1]
        if not self.weight.all():
            beyond = np.inf if best.dtype.kind == "f" else np.iinfo(best.dtype).max // 4
            best = np.where(self.weight > 0, best, beyond)
        best = best.min(axis=-1)
        if self.space.complete:
            return best
        return np.minimum(best, reduce(np.minimum, self.leaf))

    def labelled(self, low):
        """Yield both labels and the cells above ``low``, shape (..., n_splits)."""
        for zero, one in np.ndindex(len(self.leaf), len(self.leaf)):
            yield zero, one, self.sides[zero, 0] + self.sides[one, 1] - low[..., None]

    def polynomials(self, low, length):
        """Coefficients from ``low`` upwards: shape (..., length)."""
        leaf_weight = self.space.leaf_weight
        mass, found = self.weight * leaf_weight**2, np.zeros((*low.shape, length))
        for _, _, at in self.labelled(low):
            found += histograms(at, mass, length)
        if not self.space.complete:
            at = np.moveaxis(self.leaf - low, 0, -1)
            found += histograms(at, leaf_weight, length)
        return found


def histograms(degree, mass, length):
    """Sum masses by degree, those below ``length``, along the last axis."""
    *many, _ = degree.shape
    inside = (degree < length) & (mass > 0)
    start = length * np.arange(prod(many)).reshape(*many, 1)
    mass = np.broadcast_to(mass, degree.shape)[inside]
    found = np.bincount((start + degree)[inside], mass, minlength=prod(many) * length)
    return found.reshape(*many, length)


@dataclass(frozen=True)
class Block:
    """Some subsets of the last level: their rows, and splits below them.

    Parameters
    ----------
    space : TreeSpace
        The trees over the columns.
    nodes : ndarray of int, shape (n_nodes,)
        Places of the subsets in the last level.
    place : ndarray of int, shape (n_rows,)
        Merged rows that any of them holds.
    bits : ndarray of bool, shape (n_rows, n_columns)
        Values of the splits, equal ones perhaps taken together.
    weight : ndarray of shape (n_rows, n_classes)
        Class weights.
    inside : ndarray of bool, shape (n_nodes, n_rows)
        Which of the rows each subset holds.
    used : ndarray of bool, shape (n_nodes, n_splits) or (n_nodes, 0)
        Splits on the way to each.
    columns : ndarray of int, shape (n_columns,)
        First split of each column.
    group : ndarray of int, shape (n_splits,)
        Column of each split.
    """

    space: TreeSpace
    nodes: np.ndarray
    place: np.ndarray
    bits: np.ndarray
    weight: np.ndarray
    inside: np.ndarray
    used: np.ndarray
    columns: np.ndarray
    group: np.ndarray

    def pairs(self, weight, node, upper):
        """Sum weights in the cells of pairs: (n_sums, 2, 2, n_terms, n_columns).

        Axes: sum, side of the lower split, side of the upper one, node with its upper
        split, lower split.
        """
        B = self.bits.astype(weight.dtype)
        member = self.inside.astype(weight.dtype)
        left, many = member[node] * B.T[upper], np.arange(len(node))
        shape = (weight.shape[1], 2, 2, len(node), B.shape[1])
        out = np.empty(shape, dtype=weight.dtype)
        for cells, w in zip(out, weight.T, strict=True):
            weighted = B * w[:, None]
            single, total = (member @ weighted)[node], (member @ w)[node, None]
            of_upper = single[many, upper][:, None]
            np.matmul(left, weighted, out=cells[1, 1])
            np.subtract(of_upper, cells[1, 1], out=cells[0, 1])
            np.subtract(single, cells[1, 1], out=cells[1, 0])
            np.subtract(total - of_upper, cells[1, 0], out=cells[0, 0])
        return out

    def stumps_below(self, grid, node, upper):
        """Stumps below both children of some nodes, and the weights of the splits.

        Parameters
        ----------
        grid : Grid
            Cells of the loss.
        node, upper : ndarray of int, shape (n_terms,)
            Nodes, and columns that split them.

        Returns
        -------
        stumps : Stumps
            Children have shape (2, n_terms): side of the split, and split.
        split_weight : ndarray of shape (n_terms,)
            Weights of the splits at the nodes; impossible ones are zero.
        """
        counts, space = self.pairs(self.weight, node, upper), self.space
        totals = upper_sides(counts)
        below = space.split_weights(self.used)
        shape = len(self.nodes), len(space.weight)
        split_weight = np.broadcast_to(below, shape)[node, upper]
        if not space.repeats:
            paths = self.used[node] | (np.arange(shape[1]) == upper[:, None])
            below = np.broadcast_to(space.split_weights(paths), counts.shape[2:])
        if not space.trivial:
            split_weight = np.where(_filled(totals), split_weight, 0.0)
            below = np.where(_filled(counts), below, 0.0)
        sides, leaf = (leaf_cells(part, space, grid) for part in (counts, totals))
        return Stumps(sides, leaf, below, space), split_weight

    def smallest(self):
        """Smallest loss where a split is followed by stumps: (n_nodes, n_splits)."""
        if self.space.of_two_classes:
            best = self._smallest_of_two_classes()
        else:
            shape = len(self.nodes), len(self.columns)
            node, upper = np.indices(shape).reshape(2, -1)
            stumps, weight = self.stumps_below(Grid(), node, upper)
            best = np.where(weight > 0, stumps.lowest().sum(axis=0), np.inf)
            best = best.reshape(shape)
        return best[:, self.group].astype(np.float64)

    def _smallest_of_two_classes(self):
        """Take differences of the classes alone.

        A leaf with weight n and difference g loses ``(n - |g|) / 2``. A split that
        sends a of the difference to one side leaves ``n - |a| - |g - a|``, and the last
        two terms make ``max(|g|, |2 a - g|)``: only the largest and the smallest
        a of all splits matter. Those without rows on one side lose as the leaf.
        """
        B = np.ascontiguousarray(self.bits.T).astype(self.weight.dtype)
        member = self.inside.T.astype(self.weight.dtype)  # (n_rows, n_nodes)
        gap, total = self.weight[:, 1] - self.weight[:, 0], self.weight.sum(axis=1)
        n, g = total @ member, gap @ member
        n_one, g_one = (B * total) @ member, (B * gap) @ member
        pairs = _pairs_of_ones(B, member * gap[:, None])
        best = self._stump_losses(n_one, g_one, pairs)
        np.subtract(g_one[:, None], pairs, out=pairs)
        best += self._stump_losses(n - n_one, g - g_one, pairs)
        if not self.space.trivial:
            filled = np.minimum(n_one, n - n_one) > 1e-12 * n
            best = np.where(filled, best, np.inf)
        return best.T

    def _stump_losses(self, total, gap, parts):
        spread = np.abs(gap)
        leaf, cost = (total - spread) / 2, self.space.leaf_cost
        for part in (parts.max(axis=0), parts.min(axis=0)):
            spread = np.maximum(spread, np.abs(2 * part - gap))
        best = (total - spread) / 2
        return best if self.space.complete else np.minimum(best + cost, leaf) + cost


def _pairs_of_ones(B, weight):
    """Sum weights (n_rows, n_sums) where two splits are one: (m, m, n_sums)."""
    (m, n_rows), n_sums = B.shape, weight.shape[1]
    if n_sums < MANY_NODES:
        left = (B * weight.T[:, None]).reshape(n_sums * m, n_rows)
        return np.moveaxis((left @ B.T).reshape(n_sums, m, m), 0, 2)
    first, second = np.triu_indices(m)
    place = np.empty((m, m), dtype=np.intp)
    place[first, second] = place[second, first] = np.arange(len(first))
    sums = np.zeros((len(first), n_sums), dtype=B.dtype)
    step = max(PAIR_BYTES // (4 * len(first)), 64)
    ends = np.cumsum(np.arange(m, 0, -1))
    for start in range(0, n_rows, step):
        part = B[:, start : start + step]
        both = np.empty((len(first), part.shape[1]), dtype=B.dtype)
        for j, end in enumerate(ends):
            np.multiply(part[j], part[j:], out=both[end - m + j : end])
        sums += both @ weight[start : start + step]
    return sums[place]


def leaf_cells(totals, space, grid):
    """Cells of a leaf by label, from class weights; classes in the first axis."""
    return grid.cells(reduce(np.add, totals) + space.leaf_cost - totals)


def upper_sides(pairs):
    """Add up the sides of the lower split of pairs: those of the upper one remain."""
    return pairs[:, 0, ..., 0] + pairs[:, 1, ..., 0]


def _filled(counts):
    """Whether both sides of a split hold weight, beyond what rounding leaves."""
    total = counts.sum(axis=0)
    return (total > 1e-12 * total.max(initial=0.0)).all(axis=0)
