"""The last two levels of splits in closed form, from pair counts.

Below a node, the class weights of all cells of every pair of splits follow from one
matrix product. They give the loss polynomials of all stumps without any product of
polynomials.
"""

from dataclasses import dataclass

import numpy as np

MOST_CELLS = 2.0**62  # integers of numpy hold no more


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

    def below(self, *place):
        """Keep the children at some places, given for the last axes of the nodes."""
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


def leaf_cells(totals, space, grid):
    """Cells of a leaf by label, from class weights; classes in the first axis."""
    total = totals[0]
    for other in totals[1:]:
        total = total + other
    return grid.cells(total + space.leaf_cost - totals)


def single_counts(bits, weight):
    """Class weights of the sides of every split: (n_classes, 2, n_splits)."""
    one = weight.T @ bits
    return np.stack([weight.sum(axis=0)[:, None] - one, one], axis=1)


def pair_counts(bits, weight, inside=None, upper=slice(None)):
    """Class weights of all cells of pairs: (n_classes, 2, 2, ..., n_upper, m).

    Axes: class, side of the lower split, side of the upper one, node, upper and lower
    split. Without ``inside`` there is one node, all rows, and no axis for it.
    """
    m, n_classes = bits.shape[1], weight.shape[1]
    B = bits.astype(float)
    member = np.ones((1, len(B))) if inside is None else inside.astype(float)
    U = B.T[upper]
    left = (member[:, None] * U).reshape(len(member) * len(U), len(B))
    out = np.empty((n_classes, 2, 2, len(member), len(U), m))
    for cells, w in zip(out, weight.T, strict=True):
        weighted = B * w[:, None]
        single, total = member @ weighted, (member @ w)[:, None, None]
        of_upper, single = single[:, upper, None], single[:, None]
        np.matmul(left, weighted, out=cells[1, 1].reshape(len(left), m))
        np.subtract(of_upper, cells[1, 1], out=cells[0, 1])
        np.subtract(single, cells[1, 1], out=cells[1, 0])
        np.subtract(total - of_upper, cells[1, 0], out=cells[0, 0])
    return out[:, :, :, 0] if inside is None else out


def stumps_at(bits, weight, used, space, grid):
    """Stumps directly below one node."""
    counts = single_counts(bits, weight)
    return _stumps(counts, weight.sum(axis=0), space.split_weights(used), space, grid)


def stumps_below(bits, weight, used, space, grid, *, inside=None, upper=slice(None)):
    """Stumps below the children of some nodes, and the split weights.

    Parameters
    ----------
    bits : ndarray of bool, shape (n_rows, n_splits)
        Rows of the nodes.
    weight : ndarray of shape (n_rows, n_classes)
        Their class weights.
    used : ndarray of bool, shape (..., n_splits) or (..., 0)
        Splits on the way to each node.
    space : TreeSpace
        The trees.
    grid : Grid
        Cells of the loss.
    inside : ndarray of bool, shape (n_nodes, n_rows), or None, default=None
        Rows of each node; None is one node with all rows, and no axis for it.
    upper : ndarray of int or slice, default=slice(None)
        Splits of the nodes that matter.

    Returns
    -------
    stumps : Stumps
        Nodes have shape (2, ..., n_upper): side and split of the upper node.
    split_weight : ndarray of shape (..., n_upper)
        Weights of the splits at the nodes themselves; impossible ones are zero.
    """
    counts = pair_counts(bits, weight, inside, upper)
    totals = counts[:, 0, ..., 0] + counts[:, 1, ..., 0]  # of any one lower split
    below = space.split_weights(used)
    split_weight = np.broadcast_to(below, (*counts.shape[3:-2], len(space.weight)))
    split_weight = split_weight[..., upper]
    if not space.repeats:
        paths = used[..., None, :] | np.eye(used.shape[-1], dtype=bool)[upper]
        below = np.broadcast_to(space.split_weights(paths), counts.shape[2:])
    if not space.trivial:
        split_weight = np.where(_filled(totals), split_weight, 0.0)
    return _stumps(counts, totals, below, space, grid), split_weight


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
