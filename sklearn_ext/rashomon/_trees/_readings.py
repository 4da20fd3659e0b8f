"""What the trees of a set say about rows: all of them exactly, or drawn members.

Both kinds answer the same four questions, about rows as truth values of all splits.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sklearn_ext.rashomon._trees._descent import tree_shares
from sklearn_ext.rashomon._trees._recursion import largest_scores


@dataclass(frozen=True)
class ExactReadings:
    """Readings of all trees, off the recursion.

    Parameters
    ----------
    found : ExactTreeSet
        The set; it must not be empty.
    equal : EqualSplits
        The groups of splits that it works on.
    """

    found: object
    equal: object

    @cached_property
    def shares(self):
        """Votes and usage of splits."""
        return tree_shares(self.found.upper, threshold=self.found.threshold)

    def votes(self, bits):
        """Share of trees that vote for each class, one row for each of ``bits``."""
        there, place = self._at(bits)
        votes = there.shares.votes[place]
        return votes / votes.sum(axis=1, keepdims=True)

    def usage(self):
        """How often each split is at the root, and anywhere."""
        return map(self.equal.usage, (self.shares.root, self.shares.nodes))

    def extremes(self, bits, values):
        """Smallest and largest sum, over trees, of the values of predicted classes."""
        there, place = self._at(bits)
        summed = there._summed(place, values)
        ranges = there.found.upper.ranges
        low, high = (largest_scores(ranges, s * summed)[-1] for s in (-1.0, 1.0))
        return float(-low), float(high)

    def multiplicity(self, bits, best, thresholds):
        """Ambiguity, and discrepancy from labels ``best``, up to each threshold."""
        wide = self.found.widened(thresholds.max(initial=0.0))
        there, place = ExactReadings(wide, self.equal)._at(bits)
        ranges, slip = there.found.upper.ranges, wide.slip
        wrong = np.arange(there.found.graph.space.n_classes) != best[:, None]
        farthest = largest_scores(ranges, there._summed(place, wrong)) / len(bits)
        at = np.searchsorted(ranges.losses, thresholds + slip, side="right") - 1
        pairs = np.full((len(thresholds), 2), np.nan)
        for i in np.flatnonzero((at >= 0) & (thresholds >= wide.best_loss - slip)):
            votes = tree_shares(there.found.upper, threshold=thresholds[i]).votes[place]
            pairs[i] = ((votes > 0).sum(axis=1) > 1).mean(), farthest[at[i]]
        return pairs

    def _at(self, bits):
        """Read the set with all patterns of ``bits``; say where each of them is."""
        graph = self.found.graph
        rows, space, place = self.equal.joined(graph.rows, graph.space, bits)
        if rows is graph.rows:
            return self, place
        return ExactReadings(self.found.over(rows, space), self.equal), place

    def _summed(self, place, values):
        """Values by the merged rows of the set."""
        summed = np.zeros((len(self.found.graph.rows.bits), values.shape[1]))
        np.add.at(summed, place, values)
        return summed


@dataclass(frozen=True)
class MemberReadings:
    """Readings of drawn trees.

    Parameters
    ----------
    found : ExactTreeSet or SampledTreeSet
        The set that they were drawn from.
    equal : EqualSplits
        The groups of splits that it works on.
    trees : TreeArrays
        The members, over all splits.
    n_classes : int
        Number of classes.
    device : str or None
        Where rows are routed; None stays in NumPy.
    """

    found: object
    equal: object
    trees: object
    n_classes: int
    device: str | None

    def labels(self, bits):
        """Places of predicted classes, one row for each member."""
        if self.device is None:
            return self.trees.predict(bits)
        from sklearn_ext.rashomon._trees._trees_torch import tree_labels_torch

        return tree_labels_torch(
            self.trees.split, self.trees.label, bits, device=self.device
        )

    def votes(self, bits):
        """Share of members that vote for each class, one row for each of ``bits``."""
        label = self.labels(bits)
        return np.stack(
            [(label == c).mean(axis=0) for c in range(self.n_classes)], axis=1
        )

    def usage(self):
        """How often each split is at the root, and anywhere."""
        split, n_splits = self.trees.split, len(self.equal.group)
        count = [np.bincount(s[s >= 0], minlength=n_splits) for s in split]
        root = np.mean([s[:1] == np.arange(n_splits) for s in split], axis=0)
        return root, np.mean(count, axis=0)

    def extremes(self, bits, values):
        """Smallest and largest sum, over members, of values of predicted classes."""
        score = values[np.arange(len(values)), self.labels(bits)].sum(axis=1)
        return float(score.min()), float(score.max())

    def multiplicity(self, bits, best, thresholds):
        """Ambiguity, and discrepancy from labels ``best``, up to each threshold."""
        label, slip = self.labels(bits), self.found.slip
        losses = self.found.losses_of(self.equal.as_distinct(self.trees))
        pairs = np.full((len(thresholds), 2), np.nan)
        for i, threshold in enumerate(thresholds):
            P = np.concatenate([best[None], label[losses <= threshold + slip]])
            if threshold >= self.found.best_loss - slip:
                differs = best != P
                pairs[i] = differs.any(axis=0).mean(), differs.mean(axis=1).max()
        return pairs
