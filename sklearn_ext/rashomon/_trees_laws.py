"""Random tree structures: class weights of their leaves and the law of their loss.

A structure says which split every inner node makes. Labels of leaves are never
sampled: given a structure, leaf losses are independent and each is uniform over the
labels, so the law of the total loss is a convolution.
"""

from dataclasses import dataclass

import numpy as np

BATCH_BYTES = 2**23  # working set of one batch of structures: about the cache


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
