"""Bags as a partition of the rows: what arrives is checked, coded, summed, held out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_ext._core._compat import _num_samples, _safe_indexing
from sklearn_ext._core._validation import check_weights, warn
from sklearn_ext._numerics._equal_rows import EqualRows, hash_rows


@dataclass(frozen=True)
class Bags:
    """A partition of weighted rows into bags.

    ``codes[i]`` is the position of row i's bag among the sorted labels ``ids``.
    """

    ids: np.ndarray  # (n_bags,)
    codes: np.ndarray  # (n_samples,)
    weights: np.ndarray  # (n_samples,), s_i

    @classmethod
    def of(cls, bags, n_samples: int, weights=None) -> Bags:
        """Code the labels; without labels every row is a bag of its own."""
        weights = np.ones(n_samples) if weights is None else np.asarray(weights, float)
        if bags is None:
            codes = np.arange(n_samples)
            return cls(codes, codes, weights)
        return cls(*encode_bags(bags, n_samples), weights)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Total weight S_a of each bag."""
        return np.bincount(self.codes, self.weights, minlength=len(self.ids))

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of rows of each bag."""
        return np.bincount(self.codes, minlength=len(self.ids))

    @cached_property
    def first(self) -> np.ndarray:
        """Position of the first row of each bag."""
        first = np.empty(len(self.ids), dtype=np.intp)
        first[self.codes[::-1]] = np.arange(len(self.codes))[::-1]  # the last one stays
        return first

    @property
    def are_rows(self) -> bool:
        """Whether the bags are the rows, in their order."""
        return self.ids is self.codes

    @cached_property
    def _indicator(self):
        n, m = len(self.codes), len(self.ids)
        return sparse.csr_array(
            (self.weights, self.codes, np.arange(n + 1)), shape=(n, m)
        )

    def sums(self, values):
        """Weighted sums per bag of a vector, a dense or a sparse matrix.

        One pass with one ``axpy`` a row, whatever the order of the rows: a product
        with the transpose of the sparse row indicator.
        """
        if values.ndim == 1:
            return np.bincount(
                self.codes, self.weights * values, minlength=len(self.ids)
            )
        return self._indicator.T @ values

    def means(self, values):
        """Weighted means per bag, 0 without weight; sparse in, sparse out."""
        if self.are_rows:
            return values
        return self.per_weight(self.sums(values))

    def per_weight(self, totals):
        """Divide totals of bags by their weights."""
        sizes = np.where(self.sizes > 0, self.sizes, 1)
        if sparse.issparse(totals):
            return sparse.diags_array(1 / sizes) @ totals
        return totals / (sizes if totals.ndim == 1 else sizes[:, None])

    def spread(self, bag_values):
        """Give every row the value of its bag."""
        return bag_values if self.are_rows else bag_values[self.codes]

    def repeat(self, values) -> bool:
        """Whether some bag has several rows, and values are constant in each."""
        return len(self.ids) < len(self.codes) and np.array_equal(
            values, values[self.first][self.codes]
        )

    def subset(self, rows) -> Bags:
        """Return the partition of some rows, given as a mask or by their numbers."""
        weights = self.weights[rows]
        if self.are_rows:
            return Bags.of(None, len(weights), weights)
        present, codes = encode_bags(self.codes[rows], len(weights))
        return Bags(self.ids[present], codes, weights)

    def hold_out(self, X, y, fraction, rng):
        """Draw a share of the bags: rows, what they carry and bags, then theirs."""
        n_bags = len(self.ids)
        n_held = round(fraction * n_bags)
        if not 0 < n_held < n_bags:
            raise ValueError(
                f"validation_fraction={fraction:g} holds {n_held} of {n_bags} bags "
                "out: at least one must be on each side."
            )
        held = np.zeros(n_bags, dtype=bool)
        held[rng.permutation(n_bags)[:n_held]] = True
        sides = ~held[self.codes], held[self.codes]
        return tuple((X[rows], y[rows], self.subset(rows)) for rows in sides)

    def order(self):
        """Row numbers sorted by bag, and where each bag begins among them."""
        rows = np.argsort(self.codes, kind="stable")
        return rows, np.concatenate([[0], np.cumsum(self.counts)])


def encode_bags(
    bags, n_samples: int, name: str = "bags"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted labels and the position of each row's label.

    Integers of a small range take one counting pass instead of a sort.
    """
    labels = _as_array(bags)
    if labels.ndim != 1:
        raise ValueError(
            f"{name} must be one label per row, a 1-D array; got shape {labels.shape}."
        )
    if len(labels) != n_samples:
        raise ValueError(
            f"{name} has length {len(labels)}, expected {n_samples}: one label per row."
        )
    if labels.dtype.kind in "iu" and len(labels):
        low = labels.min()
        if int(labels.max()) - int(low) <= 4 * n_samples + 1000:
            # modulo 2^64 the difference is right for every integer dtype
            offsets = np.subtract(labels, low, dtype=np.int64, casting="unsafe")
            present = np.bincount(offsets) > 0
            ids = np.flatnonzero(present).astype(labels.dtype) + low
            return ids, (np.cumsum(present) - 1)[offsets]
    if _has_missing(labels):
        raise ValueError(
            f"{name} has missing labels (NaN or None): every row must belong to a bag. "
            "Give these rows a label or leave them out."
        )
    try:
        ids, codes = np.unique(labels, return_inverse=True)
        if labels.dtype.kind == "O" and not all(a < b for a, b in pairwise(ids)):
            raise TypeError("no order, as of sets")
    except TypeError:
        raise ValueError(
            f"{name} holds labels that cannot be sorted, such as numbers mixed with "
            "strings, or sets: use labels of one type."
        ) from None
    return ids, codes


def _as_array(bags):
    labels = np.asarray(bags)
    listed = labels.dtype.kind == "U" and isinstance(bags, list | tuple)
    if listed and not all(isinstance(label, str) for label in bags):
        return np.asarray(bags, dtype=object)  # numpy would write numbers as words
    return labels


def show(label) -> str:
    """Return the repr of a label as the user wrote it, not as numpy holds it."""
    return repr(label.item() if isinstance(label, np.generic) else label)


def _has_missing(labels) -> bool:
    if labels.dtype.kind != "O":
        return bool((labels != labels).any())  # NaN and NaT
    return any(
        label is None or type(label).__name__ == "NAType" or label != label
        for label in labels
    )


def bag_values(y, bags: Bags, aggregate: str = "mean"):
    """Return the published aggregate of each bag as a (weighted) mean.

    ``"mean"`` averages ``y`` inside the bag, so that replicated means and individual
    responses give the same; ``"sum"`` reads the bag total that each row carries.
    """
    if aggregate == "mean":
        return bags.means(y)
    totals = y[bags.first]
    apart = ~np.isclose(y, bags.spread(totals), rtol=1e-8, atol=0.0)
    if apart.any():
        row = np.flatnonzero(apart.reshape(len(y), -1).any(axis=1))[0]
        label = show(bags.ids[bags.codes[row]])
        raise ValueError(
            "aggregate='sum' expects the total of a bag on each of its rows, but y is "
            f"not constant in bag {label}. Replicate the totals with "
            "expand_aggregates, or use aggregate='mean'."
        )
    return bags.per_weight(totals)


def split_missing(y):
    """Return ``y`` as numbers with 0 for NaN, and where it was NaN.

    Its shape and what else it holds are for others to check, who name the estimator.
    """
    y = check_array(
        y,
        dtype=float,
        ensure_all_finite=False,
        ensure_2d=False,
        allow_nd=True,
        ensure_min_samples=0,
        input_name="y",
    )
    missing = np.isnan(y)
    return np.where(missing, 0.0, y), missing


def check_lengths(X, y, bags):
    """Tell users who pass one value per bag how to give it to the rows."""
    if bags is None or not hasattr(y, "__len__") or sparse.issparse(y) or not len(y):
        return
    n_rows = _num_samples(X)
    if len(y) == n_rows or len(bags) != n_rows:
        return  # scikit-learn, or the check of the labels, says the rest
    if len(Bags.of(bags, n_rows).ids) == len(y):
        raise ValueError(
            f"X has {n_rows} rows, but y has {len(y)} values. One value per bag? Give "
            "each row that of its bag: y=expand_aggregates(bag_ids, y, bags)."
        )


IN_FIT = (
    "In a Pipeline without metadata routing: fit(X, y, step__bags=bags), with the name "
    "of the step."
)
IN_SCORE = (
    "A Pipeline without metadata routing takes none: "
    "pipeline[-1].score(pipeline[:-1].transform(X), y, bags=bags)."
)


def warn_if_forgotten(y, advice):
    """Warn of bags that somebody left out: then aggregates repeat on their rows.

    Returns whether it did.
    """
    values = y if y.ndim == 1 else y[:, 0]
    values = values[np.isfinite(values)]
    if not (values % 1).any():  # counts and classes repeat anyway
        return False
    distinct = len(np.unique(values))
    if distinct > 0.55 * len(values):
        return False
    warn(
        f"y repeats ({distinct} values in {len(values)} rows): were bags= forgotten? "
        f"{advice} bags=np.arange(len(y)) says that rows are their own bags.",
    )
    return True


_LARGEST = 1e150  # beyond it squares overflow


def check_magnitude(values, name):
    """Refuse numbers whose squares are infinite, where they would end as NaN."""
    values = values.data if sparse.issparse(values) else values
    largest = float(max(values.max(initial=0), -values.min(initial=0)))
    if largest > _LARGEST:
        raise ValueError(
            f"{name} holds numbers up to {largest:.3g}, whose squares overflow beyond "
            f"{_LARGEST:g}. Divide {name} by a constant first."
        )


def check_bags(X, y, bags, sample_weight, *, whole_rows=False):
    """Check labels and weights and leave out rows of weight zero.

    Parameters
    ----------
    X, y : arrays
        Rows and what they carry.
    bags : array-like or None
        Labels; None makes every row a bag.
    sample_weight : array-like or None
        Weights of the rows.
    whole_rows : bool, default=False
        Whether bags are left out, dealt or drawn: without labels, equal rows then are
        one bag with their summed weight, in an order that only their features decide,
        to single precision.

    Returns
    -------
    X, y : arrays
        The rows that count.
    bags : Bags
        Their partition; a bag without weight is gone, with a warning.
    """
    weights = check_weights(sample_weight, X, dtype=np.float64)
    check_magnitude(y, "y")
    check_magnitude(weights, "sample_weight")
    found = Bags.of(bags, _num_samples(X), weights)
    if bags is None and whole_rows:
        rows = EqualRows.of(X, y, w=weights)
        order = np.argsort(hash_rows(X[rows.first].astype(np.float32)), kind="stable")
        first = rows.first[order]
        X, y, found = X[first], y[first], Bags.of(None, len(first), rows.weight[order])
    if bags is None:
        warn_if_forgotten(y, IN_FIT)
    if (keep := found.weights > 0).all():
        return X, y, found
    kept = found.subset(keep)
    if bags is not None and (lost := len(found.ids) - len(kept.ids)):
        warn(
            f"{lost} of {len(found.ids)} bags have a total weight of zero and are "
            "left out.",
        )
    return _safe_indexing(X, np.flatnonzero(keep)), y[keep], kept
