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
from functools import reduce

import numpy as np
from scipy.special import logsumexp
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ext.rashomon._ratio import (
    RatioEstimate,
    effective_size,
    exactly,
    log_mean_interval,
    replicate_interval,
    systematic,
)
from sklearn_ext.rashomon._trees._graph import Grid, build_graph
from sklearn_ext.rashomon._trees._members import TreeArrays
from sklearn_ext.rashomon._trees._problem import EMPTY, Rows, TreeSpace, is_whole
from sklearn_ext.rashomon._trees._recursion import (
    first_best,
    smallest_losses,
    write_optimal_tree,
)

BATCH = 4096  # structures whose losses are worked on at once
BATCH_BYTES = 2**23  # working set of one batch of structures: about the cache
FINE_CELLS = 2048  # of laws with losses that are not whole
MAX_TEMPERATURES = 200  # of one run
MOVES = 60  # Metropolis moves after each change of temperature


@dataclass(frozen=True)
class LeafCounter:
    """Counts class weights in the leaves of many structures at once.

    Parameters
    ----------
    masks : ndarray of uint64, shape (n_splits + 1, n_words)
        Packed split values, and the presence of rows.
    weight : ndarray of shape (n_words, n_classes) or (n_rows, n_classes)
        What a bit counts for each class, by its word or its place.
    by_word : bool
        Whether all bits of a word count alike: rows are then repeated as often as they
        weigh, and each class fills whole words.
    """

    masks: np.ndarray
    weight: np.ndarray
    by_word: bool

    @classmethod
    def of(cls, rows, max_rows=200_000):
        """Pack merged rows; small whole weights become repeated rows."""
        weight = rows.weight
        if weight.sum() > max_rows or not np.all(weight == np.rint(weight)):
            return cls(_words(rows.bits), weight, False)
        repeated = [np.repeat(rows.bits, w.astype(int), axis=0) for w in weight.T]
        words = [_words(bits) for bits in repeated]
        # single precision holds whole numbers up to 2**24, more than there are rows
        of_class = np.eye(len(words), dtype=np.float32)
        weight = np.repeat(of_class, [part.shape[1] for part in words], axis=0)
        return cls(np.concatenate(words, axis=1), weight, True)

    def counts(self, split):
        """Class weights of all leaves, shape (n_structures, n_leaves, n_classes)."""
        out = np.empty((len(split), split.shape[1] + 1, self.weight.shape[1]))
        step = max(BATCH_BYTES // (self.masks[0].nbytes * out.shape[1]), 1)
        for start in range(0, len(split), step):
            part = slice(start, start + step)
            out[part] = self._batch(split[part])
        return out

    def _batch(self, split):
        n, words = len(split), self.masks.shape[1]
        sets = np.broadcast_to(self.masks[-1], (n, 1, words))
        level, width = 0, 1
        while level < split.shape[1]:
            mask = self.masks[split[:, level : level + width]]
            below = np.empty((n, width, 2, words), dtype=np.uint64)
            np.bitwise_and(sets, mask, out=below[:, :, 1])
            np.bitwise_xor(sets, below[:, :, 1], out=below[:, :, 0])
            sets = below.reshape(n, 2 * width, words)
            level, width = level + width, 2 * width
        if self.by_word:
            return np.bitwise_count(sets).astype(np.float32) @ self.weight
        n_rows = len(self.weight)
        bits = np.unpackbits(
            sets.view(np.uint8), axis=-1, count=n_rows, bitorder="little"
        )
        return bits @ self.weight


def _words(bits):
    """Pack the columns into words, one that is always true last."""
    table = np.pad(bits, ((0, -len(bits) % 64), (0, 1)))
    table[: len(bits), -1] = True
    columns = np.ascontiguousarray(table.T)
    return np.packbits(columns, axis=1, bitorder="little").view(np.uint64)


def leaf_counter(rows, device=None):
    """Return what counts the rows in leaves, on a torch device where one is given."""
    if device is None:
        return LeafCounter.of(rows)
    from sklearn_ext.rashomon._trees._trees_torch import TorchLeafCounter

    return TorchLeafCounter(rows.bits, rows.weight, device)


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
    base = reduce(np.minimum, np.moveaxis(losses, -1, 0))  # numpy's own is slower
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
class Target:
    """The trees that are sampled for, and how their losses are counted.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        Complete trees.
    best : TreeArrays
        The best tree that was found, alone.
    threshold : float
        Largest loss (summed over rows) that is covered.
    grid : Grid
        What one cell means.
    low, last : int
        First and last cell of interest.
    """

    rows: Rows
    space: TreeSpace
    best: TreeArrays
    threshold: float
    grid: Grid
    low: int
    last: int

    @classmethod
    def of(cls, rows, space, best, threshold):
        """Count whole losses as they are, others in fine cells."""
        fine = FINE_CELLS / max(threshold, rows.slip)
        grid = Grid(1.0 if is_whole(rows, space) else fine, "exact", rows.slip)
        cells = grid.cells_below(rows.unavoidable), grid.cells_below(threshold)
        return cls(rows, space, best, threshold, grid, *cells)

    def cells(self, counts):
        """Cells of leaves by label, and which structures can be inside."""
        cells = self.grid.cells(leaf_losses(counts))
        return cells, cells.min(axis=-1).sum(axis=-1) <= self.last


@dataclass(frozen=True)
class SampledTreeSet:
    """A tree space that is too large for the recursion, seen through a sample.

    Parameters
    ----------
    target : Target
        What was sampled for.
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
    """

    target: Target
    split: np.ndarray
    cells: np.ndarray
    log_weight: np.ndarray
    replicate: np.ndarray
    n_drawn: int
    n_replicates: int

    @property
    def best_loss(self):
        """Loss of the best tree that was found, summed over rows."""
        return float(self.losses_of(self.best_tree())[0])

    def best_tree(self):
        """Return the best tree that was found."""
        return self.target.best

    def losses_of(self, trees):
        """Loss of each tree, summed over rows."""
        return self.target.rows.losses(trees)

    def widened(self, threshold):
        """Refuse larger thresholds: the sample was drawn for this one."""
        rows, covered = self.target.rows, self.target.threshold
        total = rows.total
        if min(threshold, total) <= covered + rows.slip:
            return self
        raise ValueError(
            "A sampled ratio covers thresholds up to the fitted one, "
            f"{covered / total:.6g}; got {threshold / total:.6g}. "
            "Refit with a larger theta."
        )

    def log_cdf(self):
        """Losses and log shares up to them."""
        low = self.target.low
        cells = np.arange(low, max(self.target.last, low) + 1)
        losses = cells / self.target.grid.scale
        if len(self.split) == 0:
            return losses, np.full(len(losses), -np.inf)
        with np.errstate(divide="ignore"):
            law = np.log(loss_laws(self.cells, low, len(losses)))
        logs = logsumexp(law + self.log_weight[:, None], axis=0)
        return losses, np.minimum(logs, 0.0)

    def estimate(self, threshold, confidence_level=0.95):
        """Log share of trees within a threshold that is covered."""
        if threshold >= self.target.rows.total:
            return exactly(0.0)
        logs = self._log_terms(self._last(threshold))
        if not np.isfinite(logs).any():
            tail = (1 - confidence_level) / 2
            high = float(np.log(-np.expm1(np.log(tail) / self.n_drawn)))
            return RatioEstimate(-np.inf, -np.inf, high, "confidence", 0.0)
        ess = float(effective_size(np.exp(logs - logs.max())))
        if self.n_replicates == 1:
            mean = min(float(logsumexp(logs)), 0.0)
            ends = log_mean_interval(mean, ess, self.n_drawn, confidence_level)
            return RatioEstimate(mean, *ends, "confidence", ess)
        runs = np.full(self.n_replicates, -np.inf)
        np.logaddexp.at(runs, self.replicate, logs + np.log(self.n_replicates))
        mean, low, high = replicate_interval(runs, confidence_level)
        return RatioEstimate(min(mean, 0.0), low, high, "confidence", ess)

    def draw(self, n_trees, rng, threshold):
        """Draw trees: structures by their contribution, then labels uniformly."""
        last = self._last(threshold)
        logs = self._log_terms(last)
        if not np.isfinite(logs).any():
            raise ValueError(EMPTY)
        share = np.exp(logs - logs.max())
        chosen = rng.choice(len(share), size=n_trees, p=share / share.sum())
        trees = TreeArrays.blank(n_trees, self.target.space.depth)
        trees.split[:] = self.split[chosen]
        leaves = trees.label[:, self.split.shape[1] :]
        for i, k in enumerate(chosen):
            leaves[i] = draw_labels(self.cells[k], last, rng)
        return trees

    def _last(self, threshold):
        return min(self.target.grid.cells_below(threshold), self.target.last)

    def _log_terms(self, last):
        """Logarithm of each structure's contribution up to one cell."""
        if last < self.target.low:
            return np.full(len(self.split), -np.inf)
        law = loss_laws(self.cells, self.target.low, last - self.target.low + 1)
        with np.errstate(divide="ignore"):
            return np.log(law[:, -1]) + self.log_weight

    def improved(self):
        """Take the best labelling of any structure where it beats the best tree."""
        if len(self.split) == 0:
            return self
        best = self.cells.min(axis=-1).sum(axis=-1).argmin()
        trees = TreeArrays.blank(1, self.target.space.depth)
        trees.split[0] = self.split[best]
        trees.label[0, self.split.shape[1] :] = self.cells[best].argmin(axis=-1)
        if self.losses_of(trees)[0] >= self.best_loss:
            return self
        return replace(self, target=replace(self.target, best=trees))


def sample_losses(target, counter, n_draws, rng, report=None):
    """Draw structures from the prior and keep those that can be inside.

    Parameters
    ----------
    target : Target
        What is sampled for.
    counter : LeafCounter or TorchLeafCounter
        What counts the rows in leaves.
    n_draws : int
        Number of structures.
    rng : numpy.random.Generator
        Source of randomness.
    report : callable or None, default=None
        Called with the number of structures after each batch.

    Returns
    -------
    SampledTreeSet
        The sample.
    """
    kept, cells = [], []
    for start in range(0, n_draws, BATCH):
        split = random_structures(target.space, min(BATCH, n_draws - start), rng)
        found, inside = target.cells(counter.counts(split))
        kept.append(split[inside])
        cells.append(found[inside])
        if report is not None:
            report(len(split))
    split = np.concatenate(kept)
    logs, run = np.full(len(split), -np.log(n_draws)), np.zeros(len(split), dtype=int)
    return SampledTreeSet(target, split, np.concatenate(cells), logs, run, n_draws, 1)


def temper_losses(target, counter, n_particles, seeds, n_jobs=None, report=None):
    """Run independent tempered samplers, for rare sets.

    Parameters
    ----------
    target, counter
        As for :func:`sample_losses`.
    n_particles : int
        Structures of each run.
    seeds : list of numpy.random.SeedSequence
        One for each run.
    n_jobs : int or None, default=None
        Threads.
    report : callable or None, default=None
        Called after each run.

    Returns
    -------
    SampledTreeSet
        Particles at the temperature whose mean loss is the threshold.
    """
    runs, parts = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator"), []
    for part in runs(
        delayed(_tempered_run)(
            target, counter, n_particles, np.random.default_rng(seed)
        )
        for seed in seeds
    ):
        parts.append(part)
        if report is not None:
            report(1)
    run = np.repeat(np.arange(len(seeds)), [len(part[0]) for part in parts])
    split, cells, logs = map(np.concatenate, zip(*parts, strict=True))
    logs, n_drawn = logs - np.log(len(seeds)), n_particles * len(seeds)
    return SampledTreeSet(target, split, cells, logs, run, n_drawn, len(seeds))


def _tempered_run(target, counter, n_particles, rng):
    """One run: structures, cells and log weights once the mean loss is inside.

    Beyond that temperature particles crowd at the smallest losses and miss most of
    the set, which lies near the threshold, while their weights look ever more even:
    the effective sample size must not choose where to stop.
    """
    space, scale = target.space, target.grid.scale
    split = random_structures(space, n_particles, rng)
    counts = counter.counts(split)
    beta, log_z, total = 0.0, 0.0, counts[0].sum()
    for _ in range(MAX_TEMPERATURES):
        log_w = _log_weight(counts, beta)
        if _mean_loss(counts, beta).mean() * scale <= max(target.last, target.low):
            break
        step = _next_step(counts, beta, log_w, n_particles, total)
        change = _log_weight(counts, beta + step) - log_w
        log_z += float(logsumexp(change) - np.log(n_particles))
        beta += step
        chosen = systematic(change, n_particles, rng)
        split, counts = _move(counter, space, split[chosen], counts[chosen], beta, rng)
    logs = log_z - np.log(n_particles) - _log_weight(counts, beta)
    cells, inside = target.cells(counts)
    return split[inside], cells[inside], logs[inside]


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


def _move(counter, space, split, counts, beta, rng):
    """Metropolis moves that redraw one node of every particle from the prior."""
    n, inner = split.shape
    log_w, rows = _log_weight(counts, beta), np.arange(n)
    for _ in range(MOVES):
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

    def grow(rows, used, node, depth):
        if depth <= 2:
            above = None if space.repeats else used
            graph = build_graph(rows, replace(space, depth=depth), above=above)
            write_optimal_tree(graph, smallest_losses(graph), trees, node)
            return
        j = _purest(rows, space.repeats | ~used)
        trees.split[0, node] = j
        path = used | (np.arange(len(used)) == j)
        for side in (0, 1):
            there = rows.bits[:, j] == side
            part = Rows(rows.bits[there], rows.weight[there])
            grow(part, path, 2 * node + 1 + side, depth - 1)

    grow(rows, np.zeros(len(space.weight), dtype=bool), 0, space.depth)
    return trees


def _purest(rows, free):
    """First split with the smallest Gini impurity, up to rounding."""
    weight = rows.weight
    one = weight.T @ rows.bits
    counts = np.stack([weight.sum(axis=0)[:, None] - one, one])  # (2, n_classes, m)
    total = np.maximum(counts.sum(axis=1), 1e-300)
    purity = ((counts**2).sum(axis=1) / total).sum(axis=0)
    return first_best(np.where(free, -purity, np.inf), rows.slip)
