"""One guess of the optimum, kept by batches that tolerate deletions."""

import numpy as np

from sklearn_ext.submodular._engine._guess import Guess
from sklearn_ext.submodular._objectives._rounding import SLACK, below

GROWTH = 1.5  # a level is rebuilt when insertions made it larger by this factor
TOLERANCE = 0.1  # share of a bucket that may go, and of a sample that may fail
STEP = np.log1p(TOLERANCE)  # width of a bucket, in logs
GONE = -1
SAMPLE = 64  # rows looked at to decide whether a batch goes on


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
        self.batches = []  # S_1, ..., S_L; GONE for rows that have left
        self.sizes, self.built = [], []  # |R_i| now, and when level i was built
        self.buckets, self.removed = [], []  # sorted slots, and which have gone

    @property
    def full(self):
        """Whether k rows were chosen, those that have gone since included."""
        return sum(map(len, self.batches)) == self.k

    @property
    def chosen(self):
        """Living chosen slots."""
        return [s for batch in self.batches for s in batch if s != GONE]

    @property
    def gain(self):
        """What the living chosen rows add to the first state."""
        if not any(GONE in batch for batch in self.batches):
            return self._built
        state, _ = self.oracle.grow(self.states[0], self.chosen)
        return self.oracle.value(state) - self.oracle.value(self.states[0])

    @property
    def _parts(self):
        return self.batches, self.sizes, self.built, self.buckets, self.removed

    def _take(self, slots, found):
        """Rebuild from the first level that has grown too much."""
        deep = len(self.batches)
        for i in range(deep):
            self.sizes[i] += int((found > i).sum())
        for i in range(deep):
            if self.sizes[i] >= GROWTH * self.built[i] + 1:
                yield from self._construct(i, np.flatnonzero(self.level > i))
                return
        if (found > deep).any():
            yield from self._construct(deep, slots[found > deep])

    def delete(self, slots):
        """Mark rows as gone; rebuild from the first level that lost too much."""
        for slot in slots.tolist():
            found = int(self.level[slot])
            self.level[slot] = 0
            if not found:
                continue
            for i in range(min(found, len(self.batches))):
                self.sizes[i] -= 1
                bucket, removed = self.buckets[i], self.removed[i]
                at = np.searchsorted(bucket, slot)
                if at < len(bucket) and bucket[at] == slot:
                    # a slot can be reused: it counts once
                    removed[at] = True
            # its slot may come again for another row
            self.batches = [
                [GONE if s == slot else s for s in batch] if slot in batch else batch
                for batch in self.batches
            ]
            for i in range(min(found, len(self.batches))):
                if self.removed[i].sum() > TOLERANCE * len(self.buckets[i]):
                    yield from self._construct(i, np.flatnonzero(self.level > i))
                    break

    def _construct(self, i, candidates):
        """Keep i batches and draw the others from candidates, all of level i + 1."""
        self.oracle.n_rebuilds += 1
        for part in self._parts:
            del part[i:]
        self.states.cut(i + 1)
        while not self.full:
            gains = yield from self._gains(candidates)
            passed = gains >= self.tau
            self.level[candidates] = len(self.batches) + passed
            candidates, gains = candidates[passed], gains[passed]
            if not len(candidates):
                return
            powers = np.floor((np.log(gains / self.tau) + SLACK) / STEP)
            kinds, sizes = np.unique(powers, return_counts=True)
            fullest = kinds[sizes.argmax()]
            bucket = np.sort(candidates[powers == fullest])
            self.sizes.append(len(candidates))
            self.built.append(len(candidates))
            self.buckets.append(bucket)
            self.removed.append(np.zeros(len(bucket), dtype=bool))
            low = min(self.tau * np.exp(fullest * STEP), gains[powers == fullest].min())
            yield from self._draw(self._rng.permutation(bucket), below(low))
            self.level[candidates] = len(self.batches)
            # a chosen row goes no deeper
            candidates = np.setdiff1d(candidates, self.batches[-1])
            yield
        self.level[candidates] = len(self.batches)

    def _gains(self, slots):
        gains = np.empty(len(slots))
        for start in range(0, len(slots), self.oracle.largest):
            part = slice(start, start + self.oracle.largest)
            gains[part] = self.oracle.gains(slots[part], self.states[-1])
            yield
        return gains

    def _draw(self, order, low):
        """Accept rows of a bucket in order while most of the others still gain."""
        batch, state = [], self.states[-1]
        room = self.k - sum(map(len, self.batches))
        check = 1
        for trials, slot in enumerate(order.tolist(), 1):
            if self.oracle.gains(np.array([slot]), state)[0] >= low:
                batch.append(slot)
                state = self.oracle.add(state, slot)
            if len(batch) == room:
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
