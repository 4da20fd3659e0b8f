"""From a table to merged rows of bits and a space of trees over them.

Cuts turn features into binary splits; only the bits of a row and its class matter, so
rows with equal bits are merged and their weights added. Splits that are equal on all
rows are worked on as one and told apart where it matters. Weights count in their
largest common unit: multiplying all of them by a constant changes nothing.
"""

from dataclasses import dataclass, replace
from math import log, log10

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._classes import class_factors
from sklearn_ext.rashomon._class_weights import scaled_weights

SLIP = 1e-9  # of a total: what sums may differ by and still count as equal
EMPTY = (
    "The Rashomon set is empty: no tree has a loss within the threshold. Raise theta "
    "or reference_loss."
)
FINEST = 1e-6  # smallest common unit of weights, as a share of the largest one


@dataclass(frozen=True)
class Splits:
    """The split functions ``[x_feature <= threshold]`` and their prior.

    Parameters
    ----------
    feature : ndarray of shape (n_splits,)
        Column that each split reads.
    threshold : ndarray of shape (n_splits,)
        Rows at or below it go to the one-side.
    prior : ndarray of shape (n_splits,)
        Probability of each split; sums to one.
    """

    feature: np.ndarray
    threshold: np.ndarray
    prior: np.ndarray

    def __len__(self):
        return len(self.feature)

    def bits(self, X):
        """Evaluate every split on every row: bool of shape (n_samples, n_splits)."""
        out = np.empty((X.shape[0], len(self)), dtype=bool)
        for feature in np.unique(self.feature):
            columns = np.flatnonzero(self.feature == feature)
            out[:, columns] = column_of(X, feature)[:, None] <= self.threshold[columns]
        return out

    def keep(self, columns):
        """Keep some splits and renormalise the prior."""
        prior = _share(self.prior[columns])
        return Splits(self.feature[columns], self.threshold[columns], prior)


@dataclass(frozen=True)
class Rows:
    """Distinct bit patterns with the weight of every class.

    Parameters
    ----------
    bits : ndarray of bool, shape (n_rows, n_splits)
        The patterns.
    weight : ndarray of shape (n_rows, n_classes)
        Total weight of each class at each pattern.
    """

    bits: np.ndarray
    weight: np.ndarray

    @property
    def total(self):
        """Weight of all rows."""
        return float(self.weight.sum())

    @property
    def slip(self):
        """Difference of losses that is taken for rounding."""
        return SLIP * self.total

    @property
    def unavoidable(self):
        """Loss that no labels of the rows avoid."""
        return (self.weight.sum(axis=1) - self.weight.max(axis=1)).sum()

    def losses(self, trees, leaf_cost=0.0):
        """Weighted errors of trees, with the cost of their leaves."""
        right = np.zeros(len(trees))
        step = max(2**22 // max(len(self.bits), 1), 1)
        place = np.arange(len(self.bits))
        for start in range(0, len(trees), step):
            label = trees[start : start + step].predict(self.bits)
            right[start : start + step] = self.weight[place, label].sum(axis=1)
        return self.total - right + leaf_cost * (trees.label >= 0).sum(axis=1)

    def __add__(self, other):
        """Merge the rows of two tables over the same splits."""
        weight = np.concatenate([self.weight, other.weight])
        return Rows.merged(np.concatenate([self.bits, other.bits]), weight)

    @classmethod
    def merged(cls, bits, weight):
        """Add the weights of equal patterns, which come in lexicographic order."""
        patterns, place = distinct_patterns(bits)
        summed = [np.bincount(place, w, minlength=len(patterns)) for w in weight.T]
        return cls(patterns, np.stack(summed, axis=1))


def column_of(X, feature):
    """Return one column as a dense vector in double precision."""
    if sparse.issparse(X):
        X = X[:, [feature]].toarray()
        feature = 0
    return X[:, feature].astype(np.float64)  # cuts of narrow columns lie between too


def weighted_cuts(values, weight, n_cuts):
    """Place cuts at weighted quantiles of one feature.

    A cut lies halfway between an observed value and the next larger one. The
    quantiles invert the weighted distribution function, so integer weights give
    exactly the cuts of repeated rows.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        One feature.
    weight : ndarray of shape (n_samples,)
        Positive weights.
    n_cuts : int
        Number of cuts at most.

    Returns
    -------
    thresholds : ndarray of shape (n_found,)
        Increasing cuts; none when the feature is constant.
    gaps : ndarray of shape (n_found,)
        Half the distance between the two values around each cut.
    """
    distinct, inverse = np.unique(values, return_inverse=True)
    if len(distinct) > n_cuts + 1:
        share = np.cumsum(np.bincount(inverse, weight))
        share /= share[-1]
        levels = np.arange(1, n_cuts + 1) / (n_cuts + 1)
        left = np.searchsorted(share, levels - SLIP)
        left = np.unique(np.minimum(left, len(distinct) - 2))
    else:
        left = np.arange(len(distinct) - 1)
    below, above = distinct[left], distinct[left + 1]
    middle = below / 2 + above / 2
    cuts = np.where((middle >= below) & (middle < above), middle, below)
    return cuts, above / 2 - below / 2


def make_splits(X, weight, n_thresholds="auto", thresholds=None, prior="feature"):
    """Choose the splits of all features.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        Rows with positive weight.
    weight : ndarray of shape (n_samples,)
        Their weights.
    n_thresholds : int or "auto", default="auto"
        Cuts for each feature; "auto" shares about 64 among the features, one to
        sixteen each.
    thresholds : sequence of array-like or None, default=None
        Fixed cuts of every feature instead.
    prior : {"feature", "split", "gap"}, default="feature"
        Uniform over features and then over cuts; uniform over all cuts; uniform over
        features and then proportional to the gap around the cut.

    Returns
    -------
    Splits
        All splits, constant ones included when they were given.
    """
    n_features = X.shape[1]
    if thresholds is not None:
        thresholds = _checked_cuts(thresholds, n_features)
    if n_thresholds == "auto":
        n_thresholds = int(np.clip(64 // n_features, 1, 16))
    cuts, within = [], []
    for feature in range(n_features):
        if thresholds is None:
            cut, gap = weighted_cuts(column_of(X, feature), weight, n_thresholds)
        else:
            cut = np.unique(thresholds[feature])
            gap = np.gradient(cut) if len(cut) > 1 else np.ones(len(cut))
        mass = gap if prior == "gap" else np.ones(len(cut))
        cuts.append(cut)
        within.append(mass if prior == "split" else _share(mass))
    feature = np.repeat(np.arange(n_features), [len(c) for c in cuts])
    return Splits(feature, np.concatenate(cuts), _share(np.concatenate(within)))


def _share(mass):
    """Divide by the sum; nothing stays nothing."""
    return mass / (mass.sum() or 1.0)


def _checked_cuts(thresholds, n_features):
    if len(thresholds) != n_features:
        raise ValueError(
            f"thresholds must hold one array of cuts for each of the {n_features} "
            f"features, got {len(thresholds)}."
        )
    cuts = [np.asarray(cut, dtype=float) for cut in thresholds]
    for feature, cut in enumerate(cuts):
        if cut.ndim != 1 or not np.isfinite(cut).all():
            raise ValueError(
                "thresholds must hold a flat array of finite cuts for each feature, "
                f"got {thresholds[feature]!r} for feature {feature}."
            )
    return cuts


def merge_rows(bits, label, weight, n_classes):
    """Merge rows with equal bits: only class weights of a pattern matter.

    Parameters
    ----------
    bits : ndarray of bool, shape (n_samples, n_splits)
        Split values.
    label : ndarray of int, shape (n_samples,)
        Class index of each row.
    weight : ndarray of shape (n_samples,)
        Positive weights.
    n_classes : int
        Number of classes.

    Returns
    -------
    Rows
        Patterns in lexicographic order, whatever the order of the rows.
    """
    patterns, place = distinct_patterns(bits)
    cell, n_cells = place * n_classes + label, len(patterns) * n_classes
    summed = np.bincount(cell, weight, minlength=n_cells)  # no table of rows by classes
    return Rows(patterns, summed.reshape(-1, n_classes))


def distinct_patterns(bits):
    """Return the distinct rows of a bit matrix, in order, and where each row went."""
    first, place = _equal_rows(bits)
    return bits[first], place


def _equal_rows(bits):
    if bits.shape[1] == 0:
        return np.zeros(1, dtype=np.intp), np.zeros(len(bits), dtype=np.intp)
    packed = np.packbits(np.ascontiguousarray(bits), axis=1)
    keys = packed.view(f"V{packed.shape[1]}")[:, 0]
    return np.unique(keys, return_index=True, return_inverse=True)[1:]


def equal_columns(bits, merged=True):
    """Find equal columns of a bit matrix.

    Parameters
    ----------
    bits : ndarray of bool, shape (n_rows, n_splits)
        Split values; without rows all columns are equal.
    merged : bool, default=True
        Otherwise each column is a group of its own.

    Returns
    -------
    columns : ndarray of int
        First column of each group, in increasing order.
    group : ndarray of int, shape (n_splits,)
        Group of each column.
    """
    if not merged:
        return (np.arange(bits.shape[1]),) * 2
    first, group = _equal_rows(bits.T)
    order = np.argsort(first)
    return first[order], np.argsort(order)[group]


@dataclass(frozen=True)
class TreeSpace:
    """A space of depth-limited labelled trees over binary splits.

    Parameters
    ----------
    depth : int
        Greatest depth.
    n_classes : int
        Number of labels of a leaf.
    weight : ndarray of shape (n_splits,)
        Weight of each split: its prior, or the number of equal splits when trees are
        counted.
    multiplicity : ndarray of int, shape (n_splits,)
        Number of equal splits that were merged into each.
    complete : bool, default=True
        Whether every tree is complete to ``depth``; otherwise any node may be a leaf.
    leaf_weight : float
        Weight of one label of a leaf.
    leaf_cost : float, default=0.0
        Added to the weighted errors for each leaf.
    repeats : bool, default=True
        Whether a split may occur twice on a path.
    trivial : bool, default=True
        Whether a split may send all rows to one side.
    """

    depth: int
    n_classes: int
    weight: np.ndarray
    multiplicity: np.ndarray
    complete: bool = True
    leaf_weight: float = 1.0
    leaf_cost: float = 0.0
    repeats: bool = True
    trivial: bool = True

    @property
    def of_two_classes(self):
        """Whether differences of two classes tell the loss of every split."""
        return self.n_classes == 2 and self.repeats and bool(self.weight.all())

    def split_weights(self, used):
        """Weights after the splits in ``used`` (bool, any leading shape)."""
        if self.repeats:
            return self.weight
        left = np.where(used, 0.0, self.weight)
        if not self.complete:  # trees are counted
            return left
        total = left.sum(axis=-1, keepdims=True)
        return left / np.where(total > 0, total, 1.0)

    def grouped(self, group):
        """Take splits of one group as one."""
        multiplicity = np.bincount(group, self.multiplicity).astype(int)
        weight = np.bincount(group, self.weight)
        return replace(self, weight=weight, multiplicity=multiplicity)

    @property
    def size(self):
        """Number of labelled trees, an exact integer; data do not change it."""
        m, count = int(self.multiplicity.sum()), self.n_classes
        early = 0 if self.complete else count
        for level in reversed(range(self.depth)):
            free = m if self.repeats else max(m - level, 0)
            count = early + free * count**2
        return count

    @property
    def is_uniform(self):
        """Whether every tree has the same weight."""
        even = self.weight.sum() * self.multiplicity
        found = self.weight * self.multiplicity.sum()
        return self.depth == 0 or np.allclose(found, even, rtol=1e-12)

    @property
    def log_size(self):
        """Logarithm of the number of labelled trees."""
        return log(self.size)

    def largest_loss(self, total):
        """Loss, summed over rows of this total weight, that no tree exceeds."""
        return total + self.leaf_cost * 2**self.depth

    @property
    def log_total(self):
        """Logarithm of the weight of all trees."""
        return 0.0 if self.complete else self.log_size


@dataclass(frozen=True)
class EqualSplits:
    """The groups of splits that a space of trees works on.

    Parameters
    ----------
    group : ndarray of int, shape (n_splits,)
        Place of each split among the distinct ones; both are in the same order.
    weight : ndarray of shape (n_splits,)
        Weight of each split: its prior, or one where trees are counted.
    """

    group: np.ndarray
    weight: np.ndarray

    @property
    def first(self):
        """First split of each group."""
        return np.unique(self.group, return_index=True)[1]

    def usage(self, distinct):
        """Share out the usage of groups: within one it is as the weights are."""
        total = np.bincount(self.group, self.weight)
        return distinct[self.group] * self.weight / total[self.group]

    def with_any(self, trees, rng):
        """Write trees over distinct splits with splits drawn from each group."""
        drawn = trees.renamed(self.first)
        for g in np.flatnonzero(np.bincount(self.group) > 1):
            equal = np.flatnonzero(self.group == g)
            share = self.weight[equal] / self.weight[equal].sum()
            nodes = trees.split == g
            drawn.split[nodes] = rng.choice(equal, size=nodes.sum(), p=share)
        return drawn

    def joined(self, rows, space, bits):
        """Let other rows follow the trees, and tell splits apart that differ on them.

        Parameters
        ----------
        rows : Rows
            Merged rows over the distinct splits.
        space : TreeSpace
            The trees over the distinct splits.
        bits : ndarray of bool, shape (n_samples, n_splits)
            Values of all splits on the other rows.

        Returns
        -------
        rows : Rows
            With new patterns among them that weigh nothing; the same object where
            there are none.
        space : TreeSpace
            The same trees over the splits that are now distinct.
        place : ndarray of int, shape (n_samples,)
            Where the other rows are.
        """
        n, known = len(rows.bits), rows.bits[:, self.group]
        patterns, place = distinct_patterns(np.concatenate([known, bits]))
        if len(patterns) == n:
            return rows, space, place[n:]
        weight = np.zeros((len(patterns), rows.weight.shape[1]))
        weight[place[:n]] = rows.weight
        columns, group = equal_columns(patterns, space.repeats)
        ones = np.ones_like(self.group)
        every = replace(space, weight=self.weight, multiplicity=ones)
        return Rows(patterns[:, columns], weight), every.grouped(group), place[n:]


@dataclass(frozen=True)
class TreeStatistics:
    """Merged rows over all candidate splits; tables of blocks add.

    Parameters
    ----------
    rows : Rows
        Patterns and class weights.
    splits : Splits
        The candidates, constant ones included.
    n_rows : int or None
        Number of rows where each has weight one.
    """

    rows: Rows
    splits: Splits
    n_rows: int | None = None

    def __add__(self, other):
        counted = self.n_rows is not None and other.n_rows is not None
        n_rows = self.n_rows + other.n_rows if counted else None
        return TreeStatistics(self.rows + other.rows, self.splits, n_rows)


def tree_problem(statistics, classes, params):
    """Drop constant splits, take equal ones together and define the space.

    Parameters
    ----------
    statistics : TreeStatistics
        Rows over all candidate splits.
    classes : ndarray of shape (n_classes,)
        Class labels.
    params : RashomonTreeClassifier
        Its parameters are read.

    Returns
    -------
    rows : Rows
        Merged rows over the distinct splits, their weights in a common unit.
    splits : Splits
        All splits that are not constant.
    equal : EqualSplits
        Which of them are equal.
    space : TreeSpace
        The trees over the distinct splits.
    """
    weight = statistics.rows.weight
    repeats, complete = params.repeats, params.space == "full"
    total = weight.sum(axis=0)
    factor = class_factors(params.class_weight, classes, total, zero=True)
    weight = scaled_weights(weight, factor)
    if np.count_nonzero(weight.sum(axis=0)) < 2:
        raise ValueError(
            "RashomonTreeClassifier needs at least two classes with positive weight, "
            "got one class."
        )
    bits = statistics.rows.bits
    varying = np.flatnonzero(bits.any(axis=0) & ~bits.all(axis=0))
    splits, bits = statistics.splits.keep(varying), bits[:, varying]
    columns, group = equal_columns(bits, repeats)
    weight_of_split = splits.prior if complete else np.ones(len(splits))
    depth = params.max_depth if len(splits) else 0
    if not repeats and depth > len(splits):
        raise ValueError(
            f"max_depth={depth} without repeats needs at least as many splits; there "
            f"are {len(splits)}. Lower max_depth or add thresholds."
        )
    n_classes = len(classes)
    rows = Rows.merged(bits[:, columns], weight)
    weight, leaf_cost = in_units(rows.weight, 0.0 if complete else params.alpha)
    space = TreeSpace(
        depth,
        n_classes,
        np.bincount(group, weight_of_split),
        np.bincount(group),
        complete=complete,
        leaf_weight=1 / n_classes if complete else 1.0,
        leaf_cost=leaf_cost,
        repeats=repeats,
        trivial=complete or params.trivial_splits,
    )
    rows = Rows(rows.bits, weight)
    return rows, splits, EqualSplits(group, weight_of_split), space


def in_units(weight, alpha=0.0):
    """Write weights in their common unit, with the cost of a leaf beside them.

    Parameters
    ----------
    weight : ndarray of shape (n_rows, n_classes)
        Class weights of merged rows.
    alpha : float, default=0.0
        Cost of a leaf, as a share of all weight.

    Returns
    -------
    weight : ndarray of shape (n_rows, n_classes)
        Whole numbers where there is a unit; else their mean is one.
    leaf_cost : float
        Within five per cent of ``alpha`` times their sum; a whole number where they
        are, for which the unit is divided where it must be.
    """
    unit = common_unit(weight)
    if unit is None:
        weight = weight / weight[weight > 0].mean()
        return weight, float(alpha * weight.sum())
    weight = np.rint(weight / unit)
    cost = alpha * weight.sum()
    for parts in range(1, 21):
        whole = np.rint(parts * cost)
        if abs(whole - parts * cost) <= 0.05 * parts * cost:
            break
    return parts * weight, float(whole)


def common_unit(weight):
    """Find the largest number that divides all weights, as far as rounding lets see.

    Parameters
    ----------
    weight : ndarray
        Non-negative numbers, some of them positive.

    Returns
    -------
    float or None
        The unit; None where there is none, or only one so small that the numbers may
        as well be any.
    """
    values = np.unique(weight[weight > 0])
    if np.all(values == np.rint(values)) and values[-1] < 2**53:
        return float(np.gcd.reduce(values.astype(np.int64)))
    top = values[-1]
    values = left = values / top
    while len(left) and (unit := left.min()) > FINEST:
        times = np.rint(values / unit)
        refined = values @ times / (times @ times)  # free of what steps have rounded
        if np.abs(values - times * refined).max() <= 0.01 * SLIP:
            return refined * top
        rest = np.abs(left - np.rint(left / unit) * unit)  # Euclid's algorithm
        rest = rest[rest > SLIP]
        left = np.append(rest, unit) if len(rest) else rest
    return None


def is_whole(rows, space):
    """Whether every loss is a whole number."""
    weight = rows.weight
    return bool(np.all(weight == np.rint(weight))) and space.leaf_cost % 1 == 0


def describe_trees(space, total, split_prior):
    """Describe a space in words and numbers, for printing."""
    return {
        "name": "complete trees" if space.complete else "sparse trees",
        "log10_size": round(log10(space.size), 3),
        "prior": split_prior if space.complete else "count",
        "depth": space.depth,
        "n_splits": int(space.multiplicity.sum()),
        "n_classes": space.n_classes,
        "repeats": space.repeats,
    } | ({} if space.complete else {"leaf_cost": space.leaf_cost / total})
