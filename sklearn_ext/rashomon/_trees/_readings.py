"""What drawn members of a set say about rows, where not all of its trees can be asked.

They answer the same four questions as ``ExactTreeSet``, about rows as truth values of
all splits.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MemberReadings:
    """Readings of drawn trees.

    Parameters
    ----------
    found : ExactTreeSet or SampledTreeSet
        The set that they were drawn from.
    plan : TreePlan
        Rows, splits and trees that it was found for.
    trees : TreeArrays
        The members, over all splits.
    device : str or None
        Where rows are routed; None stays in NumPy.
    """

    found: object
    plan: object
    trees: object
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
            [(label == c).mean(axis=0) for c in range(self.plan.space.n_classes)],
            axis=1,
        )

    def usage(self):
        """How often each split is at the root, and anywhere."""
        split, n_splits = self.trees.split, len(self.plan.equal.group)
        count = [np.bincount(s[s >= 0], minlength=n_splits) for s in split]
        root = np.mean([s[:1] == np.arange(n_splits) for s in split], axis=0)
        return root, np.mean(count, axis=0)

    def extremes(self, bits, values):
        """Smallest and largest sum, over members, of values of predicted classes."""
        score = values[np.arange(len(values)), self.labels(bits)].sum(axis=1)
        return float(score.min()), float(score.max())

    def multiplicity(self, bits, best, thresholds):
        """Ambiguity, and discrepancy from labels ``best``, up to each threshold."""
        label, slip = self.labels(bits), self.plan.rows.slip
        losses = self.found.losses_of(self.trees.renamed(self.plan.equal.group))
        pairs = np.full((len(thresholds), 2), np.nan)
        for i, threshold in enumerate(thresholds):
            P = np.concatenate([best[None], label[losses <= threshold + slip]])
            if threshold >= self.found.best_loss - slip:
                differs = best != P
                pairs[i] = differs.any(axis=0).mean(), differs.mean(axis=1).max()
        return pairs
