"""One guess of the optimum, kept by batches that tolerate deletions."""

from dataclasses import dataclass, field

import numpy as np

from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.submodular._engine._guess import Guess
from sklearn_ext.submodular._objectives._rounding import SLACK, below

GROWTH = 1.5  # a level is rebuilt when insertions made it larger by this factor
TOLERANCE = 0.1  # share of a bucket that may go, and of a sample that may fail
STEP = np.log1p(TOLERANCE)  # width of a bucket, in logs
GONE = -1
SAMPLE = 64  # rows looked at to decide whether a batch goes on


@dataclass
class Batch:
    """What was drawn from the fullest bucket of a level, and what this has lost."""

    bucket: np.ndarray  # slots, ascending
    size: int  # rows of the level now
    built: int  # and when it was built
    removed: set = field(default_factory=set)  # slots of the bucket that have gone
    slots: list = field(default_factory=list)  # drawn in turn; GONE for those that left

    def lose(self, slot):
        """Note that a row of the level has gone, whether it was drawn or not."""
        self.size -= 1
        at = np.searchsorted(self.bucket, slot)
        if slot in self.bucket[at : at + 1]:
            self.removed.add(slot)  # a slot can be reused: it counts once
        # and it may come again for another row
        self.slots = [GONE if s == slot else s for s in self.slots]


class BucketedGuess(Guess):
    r"""Batches of rows of nearly the same gain, drawn from the fullest bucket.

    Level i holds the rows that gain the threshold at the batches before it. Its batch
    is a random sample of a bucket, rows with gains within a factor 1.1. A deletion only
    marks its row; a level is rebuilt when a tenth of its bucket has gone, or when it
    has grown by half. These triggers look at levels and buckets, never at the batches:
    so the batches stay uniform given that nothing was rebuilt.

    The value holds in expectation, when deletions do not depend on the answers.
    """

    def __init__(self, oracle, gamma, k, state, rng):
        super().__init__(oracle, gamma, k, state, rng)
        self.batches = []  # one a level

    @property
    def full(self):
        """Whether k rows were chosen, those that have gone since included."""
        return self._room == 0

    @property
    def _room(self):
        return self.k - sum(len(batch.slots) for batch in self.batches)

    @property
    def chosen(self):
        """Living chosen slots."""
        return [s for batch in self.batches for s in batch.slots if s != GONE]

    @property
    def gain(self):
        """What the living chosen rows add to the first state."""
        if not any(GONE in batch.slots for batch in self.batches):
            return self._built
        state, _ = self.oracle.grow(self.states[0], self.chosen)
        return self.oracle.value(state) - self.oracle.value(self.states[0])

    def _take(self, slots, found):
        """Rebuild from the first level that has grown too much."""
        deep = len(self.batches)
        for i, batch in enumerate(self.batches):
            batch.size += int((found > i).sum())
        for i, batch in enumerate(self.batches):
            if batch.size >= GROWTH * batch.built + 1:
                yield from self._construct(i, np.flatnonzero(self.level > i))
                return
        if (found > deep).any():
            yield from self._construct(deep, slots[found > deep])

    def delete(self, slots):
        """Mark rows as gone; rebuild from the first level that lost too much."""
        for slot in slots.tolist():
            above = self.batches[: self.level[slot]]  # a chosen row goes no deeper
            self.level[slot] = 0
            for batch in above:
                batch.lose(slot)
            for i, batch in enumerate(above):
                if len(batch.removed) > TOLERANCE * len(batch.bucket):
                    yield from self._construct(i, np.flatnonzero(self.level > i))
                    break

    def _construct(self, i, candidates):
        """Keep i batches and draw the others from candidates, all of level i + 1."""
        self.oracle.n_rebuilds += 1
        del self.batches[i:]
        self.states.cut(i + 1)
        while not self.full:
            gains = np.empty(len(candidates))
            for part in blocks(len(candidates), self.oracle.largest):
                gains[part] = self.oracle.gains(candidates[part], self.states[-1])
                yield
            passed = gains >= self.tau
            self.level[candidates] = len(self.batches) + passed
            candidates, gains = candidates[passed], gains[passed]
            if not len(candidates):
                return
            powers = np.floor((np.log(gains / self.tau) + SLACK) / STEP)
            kinds, sizes = np.unique(powers, return_counts=True)
            fullest = kinds[sizes.argmax()]
            bucket = np.sort(candidates[powers == fullest])
            batch = Batch(bucket, len(candidates), len(candidates))
            low = min(self.tau * np.exp(fullest * STEP), gains[powers == fullest].min())
            yield from self._draw(batch, below(low))
            self.level[candidates] = len(self.batches)
            candidates = np.setdiff1d(candidates, batch.slots)
            yield
        self.level[candidates] = len(self.batches)

    def _draw(self, batch, low):
        """Accept random rows of the bucket while most of the others still gain."""
        order, state = self._rng.permutation(batch.bucket), self.states[-1]
        room, check = self._room, 1
        for trials, slot in enumerate(order.tolist(), 1):
            if self.oracle.gains(np.array([slot]), state)[0] >= low:
                batch.slots.append(slot)
                state = self.oracle.add(state, slot)
            if len(batch.slots) == room:
                break
            if trials >= check:
                check = max(trials + 1, int(1.5 * trials))
                rest = order[trials:]
                if len(rest) > SAMPLE:
                    rest = self._rng.choice(rest, SAMPLE, replace=False)
                good = self.oracle.gains(rest, state) >= low
                if good.sum() < (1 - TOLERANCE) * len(good):
                    break
                yield
        self.batches.append(batch)
        self.states.append(state)
