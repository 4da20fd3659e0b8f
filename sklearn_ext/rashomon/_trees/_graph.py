"""The graph of row subsets that paths reach, and the splits at its end.

Threshold splits meet often, so there are far fewer subsets than paths. The last two
levels of splits need no subsets of their own: below a node the class weights of all
cells of every pair of splits follow from one matrix product. They give the loss
polynomials of all stumps without any product of polynomials.
"""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ext.rashomon._trees._polynomials import STRIP
from sklearn_ext.rashomon._trees._problem import TreeSpace, equal_columns, is_whole

BATCH_BYTES = 2**19  # of the tables of nodes that are worked on at once
MOST_CELLS = 2.0**62  # integers of numpy hold no more
MOST_SINGLE = 2.0**24  # whole numbers below it are exact in single precision


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
        Places of the zero-side and the one-side in the next level; empty at the last.
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
        One for each depth from the root to ``max(depth - 2, 0)``.
    """

    rows: object
    space: TreeSpace
    levels: tuple

    @property
    def bottom_depth(self):
        """Levels of splits below the last stored level: 0, 1 or 2."""
        return min(self.space.depth, 2)

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

    def blocks(self, nodes, length=1):
        """Go through nodes of the last level, a few at a time.

        Parameters
        ----------
        nodes : ndarray of int
            Places in the last level; neighbours share most of their rows.
        length : int, default=1
            Coefficients of each polynomial that is made of them.

        Yields
        ------
        Block
            The nodes, with splits that are equal on their rows taken together.
        """
        counts = 32 * self.space.n_classes * len(self.space.weight) ** 2
        strip = min(STRIP, length)  # of a product of polynomials
        step = max(BATCH_BYTES // max(counts, 8 * strip * (strip + length)), 1)
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
        bits, group = rows.bits[place], np.arange(rows.bits.shape[1])
        if merged:
            columns, group = equal_columns(bits)
            bits = bits[:, columns]
            space = replace(
                space,
                weight=np.bincount(group, space.weight),
                multiplicity=np.bincount(group, space.multiplicity).astype(int),
            )
        weight = rows.weight[place].astype(self.precision)
        inside, used = inside[:, place], level.used[nodes]
        return Block(space, nodes, place, bits, weight, inside, used, group)

    @property
    def precision(self):
        """Single where all sums of weights are exact in it."""
        most = self.rows.total + 4 * self.space.leaf_cost
        exact = is_whole(self.rows, self.space) and most < MOST_SINGLE
        return np.float32 if exact else np.float64


def build_graph(rows, space):
    """Find the distinct subsets of rows at every level.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.

    Returns
    -------
    Graph
        Threshold splits meet often, so there are far fewer subsets than paths.
    """
    masks = np.packbits(np.ascontiguousarray(rows.bits.T), axis=1)
    whole = np.packbits(np.ones((1, len(rows.bits)), dtype=bool), axis=1)
    n_used = 0 if space.repeats else len(space.weight)
    sets, used = whole, np.zeros((1, n_used), dtype=bool)
    levels = []
    for _ in range(space.depth - 2):
        child, found, found_used = _children(sets, used, masks)
        levels.append(Level(sets, used, _totals(sets, rows), child))
        sets, used = found, found_used
    none = np.empty((len(sets), 0, 2), dtype=np.int32)
    levels.append(Level(sets, used, _totals(sets, rows), none))
    return Graph(rows, space, tuple(levels))


def _children(sets, used, masks):
    m, track = len(masks), used.shape[1] > 0
    child = np.empty((len(sets), m, 2), dtype=np.int32)
    place, found, found_used = {}, [], []
    for i, members in enumerate(sets):
        below = np.stack([members & ~masks, members & masks], axis=1)  # (m, 2, bytes)
        for side, j in np.ndindex(2, m):  # neighbours share rows: cuts are nested
            path = used[i]
            if track:
                path = path.copy()
                path[j] = True
            key = below[j, side].tobytes() + path.tobytes()
            at = place.setdefault(key, len(found))
            if at == len(found):
                found.append(below[j, side])
                found_used.append(path)
            child[i, j, side] = at
    return child, np.array(found), np.array(found_used)


def _totals(sets, rows, batch_size=1024):
    n = len(rows.bits)
    return np.concatenate(
        [
            np.unpackbits(sets[i : i + batch_size], axis=1, count=n) @ rows.weight
            for i in range(0, len(sets), batch_size)
        ]
    )


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
            return np.rint(loss).astype(np.int64)
        loss = loss.astype(np.float64)
        scaled, slip = loss * self.scale, self.tolerance * self.scale
        if self.rounding == "exact":
            return np.rint(scaled).astype(np.int64)
        if self.rounding == "down":
            return np.maximum(np.floor(scaled - slip), 0).astype(np.int64)
        return np.maximum(np.ceil(scaled - slip), 0).astype(np.int64)

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
    leaf_weight : float
        Weight of one label of a leaf.
    complete : bool
        Whether the leaf in place of the stump is excluded.
    """

    sides: np.ndarray
    leaf: np.ndarray
    weight: np.ndarray
    leaf_weight: float
    complete: bool

    def at(self, *place):
        """Keep the nodes at some places, given for the last of their axes."""
        weight = self.weight
        return Stumps(
            self.sides[(..., *place, slice(None))],
            self.leaf[(..., *place)],
            weight[(..., *place, slice(None))] if weight.ndim > 1 else weight,
            self.leaf_weight,
            self.complete,
        )

    def lowest(self):
        """Smallest cells of any stump, or leaf where it is allowed."""
        sides = _small_min(self.sides)
        best = sides[0] + sides[1]
        if not self.weight.all():
            best = np.where(self.weight > 0, best, _beyond(best))
        best = best.min(axis=-1)
        return best if self.complete else np.minimum(best, _small_min(self.leaf))

    def polynomials(self, low, length):
        """Coefficients from ``low`` upwards: shape (..., length)."""
        n_classes, shape, m = len(self.sides), low.shape, self.sides.shape[-1]
        mass = np.broadcast_to(
            self.weight * self.leaf_weight**2, self.sides.shape[2:]
        ).reshape(low.size, m)
        low = low.reshape(-1, 1)
        sides = self.sides.reshape(n_classes, 2, low.size, m)
        found = np.zeros((low.size, length))
        for zero in range(n_classes):
            for one in range(n_classes):
                degree = sides[zero, 0] + sides[one, 1]
                found += _histograms(degree, mass, low, length)
        if not self.complete:
            leaf = self.leaf.reshape(n_classes, low.size).T
            found += leaf_polynomials(leaf, self.leaf_weight, low, length)
        return found.reshape(*shape, length)


def _small_min(values):
    """Minimum over a short first axis; numpy's own is slower there."""
    best = values[0]
    for other in values[1:]:
        best = np.minimum(best, other)
    return best


def leaf_polynomials(cells, leaf_weight, low, length):
    """Coefficients of single leaves from their cells, (n_nodes, n_classes)."""
    mass = np.full(cells.shape, leaf_weight)
    return _histograms(cells, mass, low, length)


def _histograms(degree, mass, low, length):
    place = degree - np.reshape(low, (-1, 1))
    inside = (place < length) & (mass > 0)
    rows = np.arange(len(degree))[:, None] * length
    found = np.bincount(
        (rows + place)[inside], mass[inside], minlength=len(degree) * length
    )
    return found.reshape(len(degree), length)


def _beyond(cells):
    return np.inf if cells.dtype.kind == "f" else np.iinfo(cells.dtype).max // 4


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
    group: np.ndarray

    def singles(self, weight):
        """Sum weights on the sides of splits: (n_sums, 2, n_nodes, n_columns)."""
        one = self.inside @ (self.bits * weight.T[:, :, None])
        return np.stack([self.totals(weight)[..., None] - one, one], axis=1)

    def totals(self, weight):
        """Sum weights in the subsets: (n_sums, n_nodes)."""
        return weight.T @ self.inside.T

    def pairs(self, weight, upper=slice(None)):
        """Sum weights in the cells of pairs: (n_sums, 2, 2, n_nodes, n_upper, m).

        Axes: sum, side of the lower split, side of the upper one, node, upper and
        lower split.
        """
        n_nodes, m = len(self.inside), self.bits.shape[1]
        B = self.bits.astype(weight.dtype)
        member = self.inside.astype(weight.dtype)
        U = B.T[upper]
        left = (member[:, None] * U).reshape(n_nodes * len(U), len(B))
        shape = (weight.shape[1], 2, 2, n_nodes, len(U), m)
        out = np.empty(shape, dtype=weight.dtype)
        for cells, w in zip(out, weight.T, strict=True):
            weighted = B * w[:, None]
            single, total = member @ weighted, (member @ w)[:, None, None]
            of_upper, single = single[:, upper, None], single[:, None]
            np.matmul(left, weighted, out=cells[1, 1].reshape(len(left), m))
            np.subtract(of_upper, cells[1, 1], out=cells[0, 1])
            np.subtract(single, cells[1, 1], out=cells[1, 0])
            np.subtract(total - of_upper, cells[1, 0], out=cells[0, 0])
        return out

    def stumps(self, grid):
        """Stumps directly below the nodes."""
        weight = self.space.split_weights(self.used)
        counts = self.singles(self.weight)
        return _stumps(counts, self.totals(self.weight), weight, self.space, grid)

    def stumps_below(self, grid, upper=slice(None)):
        """Stumps below the children of the nodes, and the weights of the splits.

        Parameters
        ----------
        grid : Grid
            Cells of the loss.
        upper : ndarray of int or slice, default=slice(None)
            Columns that matter as splits of the nodes.

        Returns
        -------
        stumps : Stumps
            Children have shape (2, n_nodes, n_upper): side and split of the node.
        split_weight : ndarray of shape (n_nodes, n_upper)
            Weights of the splits at the nodes; impossible ones are zero.
        """
        counts, space, used = self.pairs(self.weight, upper), self.space, self.used
        totals = counts[:, 0, ..., 0] + counts[:, 1, ..., 0]  # of any one lower split
        below = space.split_weights(used)
        shape = len(self.nodes), len(space.weight)
        split_weight = np.broadcast_to(below, shape)[:, upper]
        if not space.repeats:
            paths = used[:, None] | np.eye(used.shape[1], dtype=bool)[upper]
            below = np.broadcast_to(space.split_weights(paths), counts.shape[2:])
        if not space.trivial:
            split_weight = np.where(_filled(totals), split_weight, 0.0)
        return _stumps(counts, totals, below, space, grid), split_weight

    def smallest(self):
        """Smallest loss where a split is followed by stumps: (n_nodes, n_splits)."""
        space = self.space
        if space.n_classes == 2 and space.repeats and space.weight.all():
            best = self._smallest_of_two_classes()
        else:
            stumps, split_weight = self.stumps_below(Grid())
            best = np.where(split_weight > 0, stumps.lowest().sum(axis=0), np.inf)
        return best[:, self.group].astype(np.float64)

    def _smallest_of_two_classes(self):
        """Take differences of the classes alone.

        A leaf with weight n and difference g loses ``(n - |g|) / 2``. A split that
        sends a of the difference to one side leaves ``n - |a| - |g - a|``, and the last
        two terms make ``max(|g|, |2 a - g|)``: only the largest and the smallest
        a of all splits matter. Those without rows on one side lose as the leaf.
        """
        space, m = self.space, self.bits.shape[1]
        B = self.bits.astype(self.weight.dtype)
        member = self.inside.astype(self.weight.dtype)
        gap, total = self.weight[:, 1] - self.weight[:, 0], self.weight.sum(axis=1)
        gaps = B * gap[:, None]
        n, g = (member @ total)[:, None], (member @ gap)[:, None]
        n_one, g_one = member @ (B * total[:, None]), member @ gaps
        left = (member[:, None] * B.T).reshape(len(member) * m, len(B))
        pairs = (left @ gaps).reshape(len(member), m, m)  # symmetric
        best = self._stump_losses(n_one, g_one, pairs)
        np.subtract(g_one[:, :, None], pairs, out=pairs)
        best += self._stump_losses(n - n_one, g - g_one, pairs)
        if not space.trivial:
            filled = np.minimum(n_one, n - n_one) > 1e-12 * n
            best = np.where(filled, best, np.inf)
        return best

    def _stump_losses(self, total, gap, parts):
        spread = np.abs(gap)
        leaf, cost = (total - spread) / 2, self.space.leaf_cost
        for part in (parts.max(axis=1), parts.min(axis=1)):
            spread = np.maximum(spread, np.abs(2 * part - gap))
        best = (total - spread) / 2
        return best if self.space.complete else np.minimum(best + cost, leaf) + cost


def leaf_cells(totals, space, grid):
    """Cells of a leaf by label, from class weights; classes in the first axis."""
    total = totals[0]
    for other in totals[1:]:
        total = total + other
    return grid.cells(total + space.leaf_cost - totals)


def _stumps(counts, totals, weight, space, grid):
    if not space.trivial:
        weight = np.where(_filled(counts), weight, 0.0)
    return Stumps(
        leaf_cells(counts, space, grid),
        leaf_cells(totals, space, grid),
        weight,
        space.leaf_weight,
        space.complete,
    )


def _filled(counts):
    """Whether both sides of a split hold weight, beyond what rounding leaves."""
    total = counts.sum(axis=0)
    return (total > 1e-12 * total.max(initial=0.0)).all(axis=0)
