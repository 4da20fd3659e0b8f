"""Binary splits of numeric features: cuts, their prior, rows as merged bit patterns."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse


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

    def cut_like(self, other):
        """Whether both hold the same cuts of the same features."""
        return np.array_equal(self.feature, other.feature) and np.array_equal(
            self.threshold, other.threshold
        )

    def keep(self, columns):
        """Keep some splits and renormalise the prior."""
        prior = self.prior[columns]
        total = prior.sum()
        return Splits(
            self.feature[columns],
            self.threshold[columns],
            prior / total if total > 0 else prior,
        )


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

    def __add__(self, other):
        """Merge the rows of two tables over the same splits."""
        bits = np.concatenate([self.bits, other.bits])
        weight = np.concatenate([self.weight, other.weight])
        patterns, place = distinct_patterns(bits)
        summed = np.stack(
            [np.bincount(place, w, minlength=len(patterns)) for w in weight.T], axis=1
        )
        return Rows(patterns, summed)

    def locate(self, bits):
        """Find patterns among the rows: their places, and those that are missing.

        Parameters
        ----------
        bits : ndarray of bool, shape (n_patterns, n_splits)
            Distinct patterns.

        Returns
        -------
        place : ndarray of int, shape (n_patterns,)
            Place of each; missing ones come after the last row.
        missing : ndarray of bool, shape (n_missing, n_splits)
            Patterns that are not among the rows.
        """
        at = {row.tobytes(): i for i, row in enumerate(np.packbits(self.bits, axis=1))}
        keys = [row.tobytes() for row in np.packbits(bits, axis=1)]
        absent = np.array([key not in at for key in keys], dtype=bool)
        place = np.array([at.get(key, -1) for key in keys], dtype=np.intp)
        place[absent] = len(self.bits) + np.arange(absent.sum())
        return place, bits[absent]

    def with_extra(self, bits):
        """Append weightless rows, so that their way through trees can be followed."""
        extra = np.zeros((len(bits), self.weight.shape[1]))
        return Rows(
            np.concatenate([self.bits, bits]), np.concatenate([self.weight, extra])
        )


def column_of(X, feature):
    """Return one column as a dense vector."""
    if sparse.issparse(X):
        return X[:, [feature]].toarray()[:, 0]
    return X[:, feature]


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
        Distance between the two values around each cut.
    """
    distinct, inverse = np.unique(values, return_inverse=True)
    if len(distinct) > n_cuts + 1:
        share = np.cumsum(np.bincount(inverse, weight))
        share /= share[-1]
        levels = np.arange(1, n_cuts + 1) / (n_cuts + 1)
        left = np.searchsorted(share, levels - 1e-12)
        left = np.unique(np.minimum(left, len(distinct) - 2))
    else:
        left = np.arange(len(distinct) - 1)
    below, above = distinct[left], distinct[left + 1]
    middle = below / 2 + above / 2
    return np.where((middle >= below) & (middle < above), middle, below), above - below


def make_splits(X, weight, *, n_thresholds="auto", thresholds=None, prior="feature"):
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
        cuts.append(cut)
        within.append(gap if prior == "gap" else np.ones(len(cut)))
    if prior != "split":
        within = [g / g.sum() if len(g) else g for g in within]
    mass = np.concatenate([np.asarray(g, dtype=float) for g in within])
    return Splits(
        np.repeat(np.arange(n_features), [len(c) for c in cuts]),
        np.concatenate(cuts).astype(float),
        mass / mass.sum() if len(mass) else mass,
    )


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
    cell = np.bincount(
        place * n_classes + label, weight, minlength=len(patterns) * n_classes
    )
    return Rows(patterns, cell.reshape(len(patterns), n_classes))


def distinct_patterns(bits):
    """Return the distinct rows of a bit matrix and where each row went."""
    n, m = bits.shape
    if m == 0:
        return np.zeros((1, 0), dtype=bool), np.zeros(n, dtype=np.intp)
    packed = np.packbits(bits, axis=1)
    keys = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}")[:, 0]
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return bits[first], place


def equal_columns(bits):
    """Find equal columns of a bit matrix.

    Parameters
    ----------
    bits : ndarray of bool, shape (n_rows, n_splits)
        Split values; without rows all columns are equal.

    Returns
    -------
    columns : ndarray of int
        First column of each group, in increasing order.
    group : ndarray of int, shape (n_splits,)
        Group of each column.
    """
    n, m = bits.shape
    if n == 0:
        return np.zeros(1, dtype=np.intp), np.zeros(m, dtype=np.intp)
    packed = np.packbits(np.ascontiguousarray(bits.T), axis=1)
    keys = packed.view(f"V{packed.shape[1]}")[:, 0]
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[group]
