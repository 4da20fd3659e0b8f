"""Bags as a partition of the rows: coding of labels, sums and means per bag."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse


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
    except TypeError:
        raise ValueError(
            f"{name} mixes labels that cannot be sorted, such as numbers and strings: "
            "use labels of one type."
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
    if labels.dtype.kind == "f":
        return bool(np.isnan(labels).any())
    if labels.dtype.kind in "mM":
        return bool(np.isnat(labels).any())
    if labels.dtype.kind == "O":
        return any(
            label is None or type(label).__name__ == "NAType" or label != label
            for label in labels
        )
    return False


def bag_values(y, bags: Bags, aggregate: str = "mean"):
    """Return the published aggregate of each bag as a (weighted) mean.

    ``"mean"`` averages ``y`` inside the bag, so that replicated means and individual
    responses give the same; ``"sum"`` reads the bag total that each row carries.
    """
    if aggregate == "mean":
        return bags.means(y)
    first = np.empty(len(bags.ids), dtype=np.intp)
    first[bags.codes[::-1]] = np.arange(len(bags.codes))[::-1]
    totals = y[first]
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
