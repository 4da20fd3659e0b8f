"""The loss distribution of a tree space by recursion, as one object."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sklearn_ext.rashomon._ratio import RatioEstimate, exactly
from sklearn_ext.rashomon._trees._descent import draw_trees, tree_shares
from sklearn_ext.rashomon._trees._graph import Grid, build_graph
from sklearn_ext.rashomon._trees._members import TreeArrays
from sklearn_ext.rashomon._trees._problem import EMPTY
from sklearn_ext.rashomon._trees._recursion import (
    count_trees,
    expand,
    largest_scores,
    smallest_losses,
    write_optimal_tree,
)

LOG_CLEAR = 20.0  # logarithm of counts that floats, right to 1e-10, tell exactly


@dataclass(frozen=True)
class ExactTreeSet:
    """Loss polynomials of a tree space, exact or between bounds.

    Parameters
    ----------
    graph : Graph
        The row subsets.
    smallest : SmallestLosses
        Smallest loss of every subset.
    threshold : float
        Largest loss (summed over rows) that is covered.
    n_cells : int or None
        None for losses that are whole numbers; otherwise the number of cells between
        the smallest loss and the threshold.
    upper, lower : TreeLosses
        Polynomials with leaf losses rounded down and up; the same object when exact.
    equal : EqualSplits or None, default=None
        The groups of splits that it works on; needed to read off what trees say.
    """

    graph: object
    smallest: object
    threshold: float
    n_cells: int | None
    upper: object
    lower: object
    equal: object = None

    @classmethod
    def of(cls, graph, smallest, threshold, n_cells=None, stage=None, equal=None):
        """Run the recursion; ``stage`` hears of its progress."""
        total, slip = graph.rows.total, graph.rows.slip
        last = min(threshold, graph.space.largest_loss(total))
        scale, ways = 1.0, ["exact"]
        if n_cells is not None:
            scale, ways = n_cells / max(last - smallest[0][0], slip), ["down", "up"]
        grids = [Grid(scale, way, slip) for way in ways]
        found = [expand(graph, smallest, grid, last, stage) for grid in grids]
        return cls(graph, smallest, threshold, n_cells, found[0], found[-1], equal)

    def __getstate__(self):
        """Leave out what predictions found: a stored set is that of the fit."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def best_loss(self):
        """Smallest loss of any tree, summed over rows."""
        return float(self.smallest[0][0])

    def best_tree(self):
        """One optimal tree."""
        trees = TreeArrays.blank(1, self.graph.space.depth)
        write_optimal_tree(self.graph, self.smallest, trees)
        return trees

    def widened(self, threshold):
        """Cover a larger threshold too."""
        if threshold <= self.threshold + self.graph.rows.slip:
            return self
        return self._again(self.graph, self.smallest, threshold)

    def _again(self, graph, smallest, threshold):
        return self.of(graph, smallest, threshold, self.n_cells, equal=self.equal)

    def estimate(self, threshold, confidence_level=None):
        """Log share of trees within a threshold that is covered."""
        space = self.graph.space
        all_fit = space.complete or space.trivial  # else some that count have no data
        if all_fit and threshold >= space.largest_loss(self.graph.rows.total):
            return exactly(0.0)
        total = space.log_total
        low, high = sorted(  # equal ones may differ by rounding
            min(losses.log_weight_within(threshold) - total, 0.0)
            for losses in (self.lower, self.upper)
        )
        if self.n_cells is None:
            return exactly(low)
        middle = (low + high) / 2 if np.isfinite(low) else high
        return RatioEstimate(middle, low, high, "bound")

    def draw(self, n_trees, rng, threshold):
        """Draw trees uniformly; where losses were rounded, by rejection."""
        if self.n_cells is None:
            return draw_trees(self.upper, n_trees, rng, threshold=threshold)
        if threshold < self.best_loss - self.graph.rows.slip:
            raise ValueError(EMPTY)
        found, missing = [], n_trees
        while missing:
            trees = draw_trees(self.upper, n_trees, rng, threshold=threshold)
            inside = self.losses_of(trees) <= threshold + self.graph.rows.slip
            found.append(trees[np.flatnonzero(inside)[:missing]])
            missing -= len(found[-1])
        columns = zip(*((some.split, some.label) for some in found), strict=True)
        return TreeArrays(*map(np.concatenate, columns))

    def count(self):
        """Count the trees, exactly; only where losses are whole numbers."""
        ranges, space = self.upper.ranges, self.graph.space
        if ranges.empty:
            return 0
        if space.is_uniform:
            logs = self.upper.log_cdf()[-1] - space.log_total + space.log_size
            if logs < LOG_CLEAR:  # sums of so few terms round to the right number
                return round(np.exp(logs))
        return sum(count_trees(ranges))

    def losses_of(self, trees):
        """Loss of each tree, summed over rows."""
        return self.graph.rows.losses(trees, self.graph.space.leaf_cost)

    def log_cdf(self):
        """Losses and log shares up to them."""
        losses = self.upper.ranges.losses
        if self.n_cells is None:
            logs = self.upper.log_cdf() - self.graph.space.log_total
            return losses, np.minimum(logs, 0.0)
        return losses, np.array([self.estimate(loss).log_ratio for loss in losses])

    @cached_property
    def shares(self):
        """Votes and usage of splits, of all trees; there must be some."""
        return tree_shares(self.upper, threshold=self.threshold)

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
        ranges = there.upper.ranges
        low, high = (largest_scores(ranges, s * summed)[-1] for s in (-1.0, 1.0))
        return float(-low), float(high)

    def multiplicity(self, bits, best, thresholds):
        """Ambiguity, and discrepancy from labels ``best``, up to each threshold."""
        there, place = self.widened(thresholds.max(initial=0.0))._at(bits)
        ranges, slip = there.upper.ranges, self.graph.rows.slip
        wrong = np.arange(self.graph.space.n_classes) != best[:, None]
        farthest = largest_scores(ranges, there._summed(place, wrong)) / len(bits)
        at = np.searchsorted(ranges.losses, thresholds + slip, side="right") - 1
        pairs = np.full((len(thresholds), 2), np.nan)
        for i in np.flatnonzero((at >= 0) & (thresholds >= self.best_loss - slip)):
            votes = tree_shares(there.upper, threshold=thresholds[i]).votes[place]
            pairs[i] = ((votes > 0).sum(axis=1) > 1).mean(), farthest[at[i]]
        return pairs

    def _at(self, bits):
        """Return the set with all patterns of ``bits``, and where each of them is."""
        graph = self.graph
        rows, space, place = self.equal.joined(graph.rows, graph.space, bits)
        if rows is graph.rows:
            return self, place
        graph = build_graph(rows, space)
        return self._again(graph, smallest_losses(graph), self.threshold), place

    def _summed(self, place, values):
        """Values by the merged rows of the set."""
        summed = np.zeros((len(self.graph.rows.bits), values.shape[1]))
        np.add.at(summed, place, values)
        return summed
