"""Rashomon ratio of deep trees by sampling structures, labels integrated out.

A structure says which split every inner node makes. Labels of leaves are never
sampled: given a structure, leaf losses are independent and each is uniform over the
labels, so the law of the total loss is a convolution. ``"mc"`` draws structures from
the prior. ``"smc"`` tempers: particles move from the prior to the distribution
proportional to the prior times the expected ``exp(-beta loss)`` over labels, with beta
chosen so that the effective sample size falls slowly; the normalising constant is known
along the way.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from sklearn_ext.rashomon._ratio import (
    RatioEstimate,
    effective_size,
    log_mean_interval,
    replicate_interval,
)
from sklearn_ext.rashomon._trees._graph import Graph, build_graph
from sklearn_ext.rashomon._trees._members import TreeArrays
from sklearn_ext.rashomon._trees._problem import SLIP
from sklearn_ext.rashomon._trees._recursion import (
    first_best,
    smallest_losses,
    write_optimal_tree,
)

BATCH_BYTES = 2**23  # working set of one batch of structures: about the cache
MAX_TEMPERATURES = 200  # of one run


@dataclass(frozen=True)
class LeafCounter:
    """Counts class weights in the leaves of many structures at once.

    Parameters
    ----------
    masks : ndarray of uint64, shape (n_splits, n_words)
        Packed split values; rows are sorted by class, each class fills whole words.
    full : ndarray of uint64, shape (n_words,)
        Packed presence of rows.
    starts : ndarray of int, shape (n_classes,)
        First word of each class.
    row_weight : ndarray of shape (n_rows,) or None
        Weights of the packed places when they are not all one.
    """

    masks: np.ndarray
    full: np.ndarray
    starts: np.ndarray
    row_weight: np.ndarray | None

    @classmethod
    def of(cls, rows, max_rows=200_000):
        """Pack merged rows; small whole weights become repeated rows."""
        weight = rows.weight
        whole = np.all(weight == np.rint(weight)) and weight.sum() <= max_rows
        parts, present, starts, weights, place = [], [], [], [], 0
        for w in weight.T:
            times = w.astype(np.int64) if whole else (w > 0).astype(np.int64)
            bits = np.repeat(rows.bits, times, axis=0)
            n_words = max(-(-len(bits) // 64), 1)
            pad = 64 * n_words - len(bits)
            parts.append(np.pad(bits, ((0, pad), (0, 0))))
            present.append(np.pad(np.ones(len(bits), dtype=bool), (0, pad)))
            weights.append(np.pad(np.repeat(w, times), (0, pad)))
            starts.append(place)
            place += n_words
        pack = lambda b: np.packbits(b, axis=-1, bitorder="little").view(np.uint64)  # noqa: E731
        return cls(
            pack(np.ascontiguousarray(np.concatenate(parts).T)),
            pack(np.concatenate(present)),
            np.array(starts),
            None if whole else np.concatenate(weights),
        )

    def counts(self, split):
        """Class weights of all leaves, shape (n_structures, n_leaves, n_classes)."""
        n, inner = split.shape
        words = len(self.full)
        n_leaves = inner + 1
        step = max(BATCH_BYTES // (8 * words * n_leaves), 1)
        out = np.empty((n, n_leaves, len(self.starts)))
        for start in range(0, n, step):
            part = slice(start, start + step)
            out[part] = self._batch(split[part])
        return out

    def _batch(self, split):
        n, words = len(split), len(self.full)
        sets = np.broadcast_to(self.full, (n, 1, words))
        level, width = 0, 1
        while level < split.shape[1]:
            mask = self.masks[split[:, level : level + width]]
            below = np.empty((n, width, 2, words), dtype=np.uint64)
            np.bitwise_and(sets, mask, out=below[:, :, 1])
            np.bitwise_xor(sets, below[:, :, 1], out=below[:, :, 0])
            sets = below.reshape(n, 2 * width, words)
            level, width = level + width, 2 * width
        if self.row_weight is None:
            label = np.searchsorted(self.starts, np.arange(words), side="right") - 1
            # float32 holds whole numbers up to 2**24, more than there are rows
            of_class = np.eye(len(self.starts), dtype=np.float32)[label]
            return np.bitwise_count(sets).astype(np.float32) @ of_class
        return self._weighted(sets)

    def _weighted(self, sets):
        bits = np.unpackbits(sets.view(np.uint8), axis=-1, bitorder="little")
        ends = [*(64 * self.starts[1:]), bits.shape[-1]]
        return np.stack(
            [
                bits[..., a:b] @ self.row_weight[a:b]
                for a, b in zip(64 * self.starts, ends, strict=True)
            ],
            axis=-1,
        )


def random_splits(space, shape, rng):
    """Draw single splits from the prior, independently.

    Parameters
    ----------
    space : TreeSpace
        Its weights of splits are the prior.
    shape : int or tuple of int
        Shape of the result.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int
        Splits.
    """
    share = np.cumsum(space.weight / space.weight.sum())
    drawn = np.searchsorted(share, rng.random(shape), side="right")
    return np.minimum(drawn, len(share) - 1)


def random_structures(space, n_structures, rng):
    """Draw structures of complete trees from the prior.

    Parameters
    ----------
    space : TreeSpace
        A space of complete trees.
    n_structures : int
        Number of draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int32, shape (n_structures, 2**depth - 1)
        Splits of the heap.
    """
    inner = 2**space.depth - 1
    if space.repeats:
        return random_splits(space, (n_structures, inner), rng).astype(np.int32)
    split = np.empty((n_structures, inner), dtype=np.int32)
    rows = np.arange(n_structures)
    for node in range(inner):
        used = np.zeros((n_structures, len(space.weight)), dtype=bool)
        above = node
        while above:
            above = (above - 1) // 2
            used[rows, split[:, above]] = True
        share = np.cumsum(space.split_weights(used), axis=1)
        drawn = (rng.random((n_structures, 1)) >= share).sum(axis=1)
        split[:, node] = np.minimum(drawn, len(space.weight) - 1)
    return split


def random_labelled(space, n_trees, rng):
    """Draw complete trees from the prior, labels of leaves included.

    Parameters
    ----------
    space : TreeSpace
        A space of complete trees.
    n_trees : int
        Number of draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    TreeArrays
        The trees.
    """
    trees = TreeArrays.blank(n_trees, space.depth)
    if space.depth:
        trees.split[:] = random_structures(space, n_trees, rng)
    leaves = trees.label[:, trees.split.shape[1] :]
    leaves[:] = rng.integers(space.n_classes, size=leaves.shape)
    return trees


def leaf_losses(counts):
    """Loss of each leaf by label, from class weights in the last axis."""
    return counts.sum(axis=-1, keepdims=True) - counts


def loss_laws(losses, low, length, *, batch_size=512):
    """Distribution functions of the total loss of given structures.

    Parameters
    ----------
    losses : ndarray of int, shape (n_structures, n_leaves, n_classes)
        Cells of each leaf by label.
    low : int
        First cell of the result, not above the smallest total of any structure.
    length : int
        Number of cells.
    batch_size : int, default=512
        Structures worked on at a time.

    Returns
    -------
    ndarray of shape (n_structures, length)
        ``P(loss <= low + k)`` with labels uniform.
    """
    base = losses[..., 0]
    for c in range(1, losses.shape[-1]):  # numpy is slow along a short axis
        base = np.minimum(base, losses[..., c])
    gaps = losses - base[..., None]
    shift = base.sum(axis=-1) - low  # first reachable cell
    out = np.zeros((len(losses), length))
    alive = np.flatnonzero(shift < length)
    for start in range(0, len(alive), batch_size):
        at = alive[start : start + batch_size]
        law = _convolved(gaps[at], shift[at], length)
        out[at] = np.cumsum(law, axis=1)
    return out


def _convolved(gaps, shift, length):
    """Mix one leaf after the other: each shifts the law by its gap for every label.

    Most leaves of a deep tree are empty, or lose too much under all labels but one;
    they scale the law and no more. The others come first in each structure, and
    structures with many of them first, so that every step works on leading rows.
    """
    n, _, n_classes = gaps.shape
    left = length - shift
    mixing, kept = np.zeros((2, *gaps.shape[:2]), dtype=int)
    for gap in np.moveaxis(gaps, 2, 0):
        mixing |= (gap > 0) & (gap < left[:, None])
        kept += gap == 0
    kept = np.where(mixing, n_classes, kept)
    scale = (kept / n_classes).prod(axis=1)
    n_mixing = mixing.sum(axis=1)
    order = np.argsort(-n_mixing, kind="stable")
    leaf = np.argsort(-mixing[order], axis=1, kind="stable")[:, : n_mixing.max()]
    gaps = np.take_along_axis(gaps[order], leaf[..., None], axis=1)
    start = length - np.minimum(gaps, length)
    padded = np.zeros((n, 2 * length))  # zeros move in from the left
    padded[np.arange(n), length + shift[order]] = 1.0
    windows = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    for step in range(leaf.shape[1]):
        busy = np.arange(np.count_nonzero(n_mixing > step))
        mixed = windows[busy, start[busy, step, 0]]
        for c in range(1, n_classes):
            mixed += windows[busy, start[busy, step, c]]
        np.divide(mixed, n_classes, out=padded[: len(busy), length:])
    law = np.empty((n, length))
    law[order] = padded[:, length:] * scale[order, None]
    return law


def draw_labels(losses, limit, rng):
    """Draw leaf labels of one structure uniformly among those within a limit.

    Parameters
    ----------
    losses : ndarray of int, shape (n_leaves, n_classes)
        Cells of each leaf by label.
    limit : int
        Largest total.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (n_leaves,)
        Labels.
    """
    base = losses.min(axis=1)
    gaps, left = losses - base[:, None], int(limit - base.sum())
    n_leaves, n_classes = gaps.shape
    ahead = np.ones((n_leaves + 1, left + 1))  # P(rest of the leaves <= r)
    for leaf in reversed(range(n_leaves)):
        ahead[leaf] = 0.0
        for gap in gaps[leaf]:
            if gap <= left:
                ahead[leaf, gap:] += ahead[leaf + 1, : left + 1 - gap] / n_classes
    labels = np.empty(n_leaves, dtype=np.int32)
    for leaf, gap in enumerate(gaps):
        mass = np.where(gap <= left, ahead[leaf + 1, np.maximum(left - gap, 0)], 0.0)
        labels[leaf] = rng.choice(n_classes, p=mass / mass.sum())
        left -= int(gap[labels[leaf]])
    return labels


@dataclass(frozen=True)
class SampledLosses:
    """Weighted structures and the loss distribution that they estimate.

    Parameters
    ----------
    split : ndarray of int32, shape (n_kept, n_inner)
        Structures that can be inside the threshold.
    cells : ndarray of int, shape (n_kept, n_leaves, n_classes)
        Cells of each of their leaves by label.
    log_weight : ndarray of shape (n_kept,)
        The ratio is the sum of ``exp(log_weight)`` times each structure's share.
    replicate : ndarray of int, shape (n_kept,)
        Independent run that each structure belongs to.
    n_drawn, n_replicates : int
        Structures drawn in total, and independent runs.
    grid : Grid
        What one cell means.
    low, length : int
        First cell and number of cells.
    """

    split: np.ndarray
    cells: np.ndarray
    log_weight: np.ndarray
    replicate: np.ndarray
    n_drawn: int
    n_replicates: int
    grid: object
    low: int
    length: int

    @property
    def losses(self):
        """Losses of the cells, summed over rows."""
        return (self.low + np.arange(self.length)) / self.grid.scale

    def joined(self, others):
        """Average with independent runs."""
        runs = [self, *others]
        sizes = [len(run.split) for run in runs]
        return replace(
            self,
            split=np.concatenate([run.split for run in runs]),
            cells=np.concatenate([run.cells for run in runs]),
            log_weight=np.concatenate([r.log_weight for r in runs]) - np.log(len(runs)),
            replicate=np.repeat(np.arange(len(runs)), sizes),
            n_drawn=sum(run.n_drawn for run in runs),
            n_replicates=len(runs),
        )

    def log_terms(self):
        """Logarithm of each structure's contribution at every cell."""
        with np.errstate(divide="ignore"):
            law = np.log(loss_laws(self.cells, self.low, self.length))
        return law + self.log_weight[:, None]

    def log_cdf(self):
        """Logarithm of the estimated share up to each of ``losses``."""
        if len(self.split) == 0:
            return np.full(self.length, -np.inf)
        return np.minimum(logsumexp(self.log_terms(), axis=0), 0.0)

    def estimate(self, threshold, confidence_level):
        """Estimate the ratio at one threshold with its interval."""
        place = min(self.grid.cells_below(threshold) - self.low, self.length - 1)
        column = loss_laws(self.cells, self.low, max(place + 1, 1))[:, -1]
        column = column if place >= 0 else np.zeros(len(column))
        with np.errstate(divide="ignore"):
            logs = np.log(column) + self.log_weight
        if not column.any():
            high = self._no_hits(confidence_level)
            return RatioEstimate(-np.inf, -np.inf, high, "confidence", 0.0)
        ess = float(effective_size(np.exp(logs - logs.max())))
        if self.n_replicates == 1:
            mean = min(float(logsumexp(logs)), 0.0)
            ends = log_mean_interval(mean, ess, self.n_drawn, confidence_level)
            return RatioEstimate(mean, *ends, "confidence", ess)
        runs = np.full(self.n_replicates, -np.inf)
        for r in range(self.n_replicates):
            mine = logs[self.replicate == r]
            if len(mine):
                runs[r] = logsumexp(mine) + np.log(self.n_replicates)
        mean, low, high = replicate_interval(runs, confidence_level)
        return RatioEstimate(min(mean, 0.0), low, high, "confidence", ess)

    def _no_hits(self, confidence_level):
        tail = (1 - confidence_level) / 2
        return float(np.log(-np.expm1(np.log(tail) / self.n_drawn)))

    def best_tree(self):
        """Return the best labelling of the best structure, if there is a structure."""
        if len(self.split) == 0:
            return None
        best = self.cells.min(axis=-1).sum(axis=-1).argmin()
        leaf = self.cells[best].argmin(axis=-1)
        blank = np.full(self.split.shape[1], -1)
        label = np.concatenate([blank, leaf]).astype(np.int32)
        return TreeArrays(self.split[best : best + 1], label[None])

    def draw(self, n_trees, rng, threshold):
        """Draw trees: structures by their contribution, then labels uniformly."""
        limit = min(self.grid.cells_below(threshold), self.low + self.length - 1)
        law = loss_laws(self.cells, self.low, limit - self.low + 1)[:, -1]
        with np.errstate(divide="ignore"):
            logs = np.log(law) + self.log_weight
        share = np.exp(logs - logs.max())
        chosen = rng.choice(len(share), size=n_trees, p=share / share.sum())
        depth = (self.split.shape[1] + 1).bit_length() - 1
        trees = TreeArrays.blank(n_trees, depth)
        trees.split[:] = self.split[chosen]
        first = self.split.shape[1]
        for i, k in enumerate(chosen):
            trees.label[i, first:] = draw_labels(self.cells[k], limit, rng)
        return trees


def sample_losses(
    rows,
    space,
    grid,
    low,
    threshold,
    *,
    n_draws,
    rng,
    device=None,
    batch_size=4096,
    report=None,
):
    """Draw structures from the prior and keep those that can be inside.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        Complete trees.
    grid : Grid
        Cells of the loss.
    low : int
        First cell of interest.
    threshold : float
        Largest loss of interest, summed over rows.
    n_draws : int
        Number of structures.
    rng : numpy.random.Generator
        Source of randomness.
    device : str or None, default=None
        Torch device that routes the rows; None packs them into words.
    batch_size : int, default=4096
        Structures drawn at a time.
    report : callable or None, default=None
        Called with the number of structures after each batch.

    Returns
    -------
    SampledLosses
        The sample.
    """
    counter = _counter(rows, device)
    last = grid.cells_below(threshold)
    kept, cells = [], []
    for start in range(0, n_draws, batch_size):
        size = min(batch_size, n_draws - start)
        split = random_structures(space, size, rng)
        found = grid.cells(leaf_losses(counter.counts(split)))
        inside = found.min(axis=-1).sum(axis=-1) <= last
        kept.append(split[inside])
        cells.append(found[inside])
        if report is not None:
            report(size)
    split, cells = np.concatenate(kept), np.concatenate(cells)
    weight = np.full(len(split), -np.log(n_draws))
    run = np.zeros(len(split), dtype=int)
    length = max(last - low + 1, 1)
    return SampledLosses(split, cells, weight, run, n_draws, 1, grid, low, length)


def _counter(rows, device):
    if device is None:
        return LeafCounter.of(rows)
    from sklearn_ext.rashomon._trees._trees_torch import TorchLeafCounter

    return TorchLeafCounter(rows.bits, rows.weight, device)


def temper_losses(
    rows, space, grid, low, threshold, *, n_particles, n_moves, rng, device=None
):
    """Run one tempered sampler, for rare sets.

    Parameters
    ----------
    rows, space, grid, low, threshold
        As for :func:`sample_losses`.
    n_particles : int
        Structures of the run.
    n_moves : int
        Metropolis moves of every particle after each change of temperature.
    rng : numpy.random.Generator
        Source of randomness.
    device : str or None, default=None
        Torch device that routes the rows.

    Returns
    -------
    SampledLosses
        Particles at the temperature whose mean loss is the threshold; independent
        runs can be joined.
    """
    counter = _counter(rows, device)
    last = grid.cells_below(threshold)
    length = max(last - low + 1, 1)
    split, counts, logs = _tempered_run(
        counter, space, grid, low, length, n_particles, n_moves, rng
    )
    cells = grid.cells(leaf_losses(counts))
    inside = cells.min(axis=-1).sum(axis=-1) <= last
    run = np.zeros(int(inside.sum()), dtype=int)
    kept = split[inside], cells[inside], logs[inside], run
    return SampledLosses(*kept, n_particles, 1, grid, low, length)


def _tempered_run(counter, space, grid, low, length, n_particles, n_moves, rng):
    """One run: structures, counts and log weights once the mean loss is inside.

    Beyond that temperature particles crowd at the smallest losses and miss most of
    the set, which lies near the threshold, while their weights look ever more even:
    the effective sample size must not choose where to stop.
    """
    split = random_structures(space, n_particles, rng)
    counts = counter.counts(split)
    beta, log_z, total = 0.0, 0.0, counts[0].sum()
    for _ in range(MAX_TEMPERATURES):
        log_w = _log_weight(counts, beta)
        if _mean_loss(counts, beta).mean() * grid.scale <= low + length - 1:
            break
        step = _next_step(counts, beta, log_w, n_particles, total)
        change = _log_weight(counts, beta + step) - log_w
        log_z += float(logsumexp(change) - np.log(n_particles))
        beta += step
        share = np.exp(change - change.max())
        chosen = _systematic(share / share.sum(), rng)
        split, counts = split[chosen], counts[chosen]
        split, counts = _move(counter, space, split, counts, beta, n_moves, rng)
    return split, counts, log_z - np.log(n_particles) - _log_weight(counts, beta)


def _mean_loss(counts, beta):
    """Mean loss of each structure when labels are weighted by exp(-beta loss)."""
    losses = leaf_losses(counts)
    share = np.exp(-beta * (losses - losses.min(axis=-1, keepdims=True)))
    return ((losses * share).sum(axis=-1) / share.sum(axis=-1)).sum(axis=-1)


def _log_weight(counts, beta):
    """Logarithm of the mean of ``exp(-beta loss)`` over labels."""
    terms = -beta * leaf_losses(counts)
    top = terms.max(axis=-1, keepdims=True)
    return (np.log(np.exp(terms - top).mean(axis=-1)) + top[..., 0]).sum(axis=-1)


def _next_step(counts, beta, log_w, n_particles, total, keep=0.7):
    """Largest step of beta that keeps 70 per cent effective particles."""
    small, large = 0.0, max(beta, 10.0 / total)
    for _ in range(30):
        middle = (small + large) / 2
        change = _log_weight(counts, beta + middle) - log_w
        if effective_size(np.exp(change - change.max())) >= keep * n_particles:
            small = middle
        else:
            large = middle
    return max(small, 1e-3 * large)


def _systematic(share, rng):
    points = (rng.random() + np.arange(len(share))) / len(share)
    return np.minimum(np.searchsorted(np.cumsum(share), points), len(share) - 1)


def _move(counter, space, split, counts, beta, n_moves, rng):
    """Metropolis moves that redraw one node of every particle from the prior."""
    n, inner = split.shape
    log_w, rows = _log_weight(counts, beta), np.arange(n)
    for _ in range(n_moves):
        proposal = split.copy()
        node = rng.integers(inner, size=n)
        proposal[rows, node] = random_splits(space, n, rng)
        found = counter.counts(proposal)
        log_new = _log_weight(found, beta)
        accept = np.log(rng.random(n)) < log_new - log_w
        split = np.where(accept[:, None], proposal, split)
        counts = np.where(accept[:, None, None], found, counts)
        log_w = np.where(accept, log_new, log_w)
    return split, counts


def greedy_tree(rows, space):
    """Grow one complete tree.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        Complete trees.

    Returns
    -------
    TreeArrays
        The tree, alone.
    """
    trees = TreeArrays.blank(1, space.depth)
    members = np.arange(len(rows.bits))
    used = np.zeros(len(space.weight), dtype=bool)
    _grow(rows, space, members, used, 0, space.depth, trees)
    return trees


def _grow(rows, space, members, used, node, depth, trees):
    if depth <= 2:
        _finish(rows, space, members, used, node, depth, trees)
        return
    free = np.ones(len(used), dtype=bool) if space.repeats else ~used
    j = _purest(rows.bits[members], rows.weight[members], free)
    trees.split[0, node] = j
    path = used | (np.arange(len(used)) == j)
    one = rows.bits[members, j]
    _grow(rows, space, members[~one], path, 2 * node + 1, depth - 1, trees)
    _grow(rows, space, members[one], path, 2 * node + 2, depth - 1, trees)


def _purest(bits, weight, free):
    """First split with the smallest Gini impurity, up to rounding."""
    one = weight.T @ bits
    counts = np.stack([weight.sum(axis=0)[:, None] - one, one])  # (2, n_classes, m)
    total = np.maximum(counts.sum(axis=1), 1e-300)
    purity = ((counts**2).sum(axis=1) / total).sum(axis=0)
    return first_best(np.where(free, -purity, np.inf), SLIP * weight.sum())


def _finish(rows, space, members, used, node, depth, trees):
    """Write the optimal subtree of depth at most two below a node."""
    part = type(rows)(rows.bits[members], rows.weight[members])
    inner = replace(space, depth=depth)
    root = build_graph(part, replace(inner, depth=2)).levels[0]
    tracked = root.used if space.repeats else used[None]
    known = Graph(part, inner, (replace(root, used=tracked),))
    graph = build_graph(part, inner, known)
    write_optimal_tree(graph, smallest_losses(graph), trees, node)
