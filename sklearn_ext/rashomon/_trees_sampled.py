"""Rashomon ratio of deep trees by sampling structures, labels integrated out.

``"mc"`` draws structures from the prior. ``"smc"`` tempers: particles move from the
prior to the distribution proportional to the prior times the expected
``exp(-beta loss)`` over labels, with beta chosen so that the effective sample size
falls slowly; the normalising constant is known along the way.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from sklearn_ext.rashomon._intervals import (
    effective_size,
    log_mean_interval,
    replicate_interval,
)
from sklearn_ext.rashomon._results import RatioEstimate
from sklearn_ext.rashomon._trees_laws import (
    LeafCounter,
    draw_labels,
    leaf_losses,
    loss_laws,
    random_splits,
    random_structures,
)
from sklearn_ext.rashomon._trees_members import TreeArrays

MAX_TEMPERATURES = 200


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
    rows, space, grid, low, threshold, *, n_draws, rng, device=None, batch_size=4096
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
    split, cells = np.concatenate(kept), np.concatenate(cells)
    weight = np.full(len(split), -np.log(n_draws))
    run = np.zeros(len(split), dtype=int)
    length = max(last - low + 1, 1)
    return SampledLosses(split, cells, weight, run, n_draws, 1, grid, low, length)


def _counter(rows, device):
    if device is None:
        return LeafCounter.of(rows)
    from sklearn_ext.rashomon._evaluate_torch import TorchLeafCounter

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
