"""Columns that come and go, and what they are called."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import fit_context
from sklearn_ext._core._validation import FLOATS
from sklearn_ext.submodular._maximize import check_positions
from sklearn_ext.submodular._slots import listed


class FeatureMoves:
    """Changes of the columns of a fitted selector."""

    @fit_context()
    def add_features(self, X_new, X, y=None, *, names=None, groups=None):
        """Add columns behind the others, and select again.

        It computes only the moments that the new columns take part in, which costs
        O(n_samples n_new (n_features + n_new)).

        Parameters
        ----------
        X_new : array-like of shape (n_samples, n_new)
            The new columns of all rows that were fitted.
        X : array-like of shape (n_samples, n_features)
            The same rows as they were fitted, in any order: how a new column goes with
            the others cannot be known without them.
        y : array-like of shape (n_samples,), default=None
            Their target, needed for a relevance.
        names : array-like of str, default=None
            Names of the new columns, where the others have names; None takes those of
            a data frame.
        groups : array-like of shape (n_new,), default=None
            Groups of the new columns, where the others have groups.

        Returns
        -------
        self : SubmodularFeatureSelector
            The updated selector, which now takes rows of ``n_features + n_new``
            columns.
        """
        check_is_fitted(self)
        X, y = self._check(X, y, reset=False)
        names = self._new_names(X_new, names)
        X_new = check_array(X_new, dtype=FLOATS, input_name="X_new")
        check_consistent_length(X_new, X)
        known = self.sufficient_statistics_
        T, _ = self._target(X, y, known.classes, regress=True)
        if not known.is_of(X, T):
            raise ValueError(
                f"X and y must be the {known.n:.0f} rows that were fitted, got others "
                f"({len(X)} of them): without all rows, add the columns by fit."
            )
        if names is not None and len(names) != X_new.shape[1]:
            raise ValueError(
                f"names must hold one name a column: got {len(names)} for "
                f"{X_new.shape[1]} columns."
            )
        if (groups is not None) != self._grouped:
            raise ValueError(
                "groups must be given for new columns exactly when the others have "
                f"some, got groups={groups!r}."
            )
        p, n_new = X.shape[1], X_new.shape[1]
        added = self._labels(groups, n_new)
        labels = np.concatenate([self.groups_, added])
        self.groups_ = labels if self._grouped else np.arange(p + n_new)
        if names is not None:
            old = self.feature_names_in_
            self.feature_names_in_ = np.concatenate([old, names])
        self.n_features_in_ = p + n_new
        relevance = None
        if self.relevance not in ("none", "f"):
            relevance = self._relevance_of(np.column_stack([X, X_new]), y)
        return self._solve(known.with_columns(X, X_new, T), relevance)

    @fit_context()
    def forget_features(self, features):
        """Remove columns, and select again from the others.

        Parameters
        ----------
        features : array-like of int or str
            Positions or names of the columns.

        Returns
        -------
        self : SubmodularFeatureSelector
            The updated selector, which now takes rows without these columns.
            Relevances that need all rows are not computed anew; they are divided by
            the largest that is left.
        """
        check_is_fitted(self)
        gone = self._positions(features, "features")
        if not len(gone):
            return self
        if len(fixed := np.intersect1d(gone, self._first)):
            raise ValueError(
                f"column {self._name(fixed[0])} is in initial and cannot be forgotten; "
                "fit with another initial."
            )
        kept = np.setdiff1d(np.arange(self.n_features_in_), gone)
        if not len(kept):
            raise ValueError("features names all columns; at least one must remain.")
        self._first = np.searchsorted(kept, self._first)
        self.groups_ = (
            np.arange(len(kept)) if self.groups is None else self.groups_[kept]
        )
        self.n_features_in_ = len(kept)
        if hasattr(self, "feature_names_in_"):
            self.feature_names_in_ = self.feature_names_in_[kept]
        relevance = None
        if self.relevance not in ("none", "f"):
            relevance = self.relevance_[kept]
            relevance = relevance / (relevance.max() or 1)
        return self._solve(self.sufficient_statistics_.of_columns(kept), relevance)

    def _positions(self, columns, what):
        """Return positions of columns that are given by number or by name."""
        columns = listed(columns)
        if not any(isinstance(c, str) for c in columns):
            n = self.n_features_in_
            return check_positions(columns or None, n, what, "column")
        known = list(getattr(self, "feature_names_in_", ()))
        if unknown := [c for c in columns if c not in known]:
            has = "have other names" if known else "have no names"
            raise ValueError(
                f"{what} holds {unknown[:5]}, but the columns that were fitted {has}."
            )
        at = [known.index(c) for c in columns]
        return check_positions(at, len(known), what, "column")

    def _name(self, column):
        names = getattr(self, "feature_names_in_", None)
        return int(column) if names is None else repr(names[column])

    def _new_names(self, X_new, names):
        """Return names of new columns, or None where columns have no names."""
        old = getattr(self, "feature_names_in_", None)
        if names is None:
            names = list(getattr(X_new, "columns", ())) or None
        if old is None:
            if names is not None and all(isinstance(name, str) for name in names):
                raise ValueError(
                    "The columns that were fitted have no names, so new ones cannot "
                    "have any; pass arrays, or fit a data frame."
                )
            return None
        names = [] if names is None else listed(names)
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError(
                "The columns that were fitted have names, so new ones need some: pass "
                "a data frame or names."
            )
        if twice := [c for c in names if c in old or names.count(c) > 1]:
            raise ValueError(f"There would be two columns {twice[0]!r}; name it anew.")
        return np.array(names, dtype=object)

    @property
    def _grouped(self):
        return self.groups_.dtype == object  # positions are numbers

    def _labels(self, groups, n):
        """Check groups of columns; None gives each column one of its own."""
        if groups is None:
            return np.arange(n)
        groups = listed(groups)
        if len(groups) != n:
            raise ValueError(
                f"groups must hold one label a column: got {len(groups)} for {n} "
                "columns."
            )
        return np.fromiter(groups, dtype=object, count=n)
