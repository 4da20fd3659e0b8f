"""Columns that represent the others, and tell about the target."""

from numbers import Integral, Real

import numpy as np
from sklearn.feature_selection import (
    SelectorMixin,
    mutual_info_classif,
    mutual_info_regression,
)
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sklearn_ext._core import _blocks
from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval, RealNotInt, StrOptions
from sklearn_ext._core._validation import FLOATS
from sklearn_ext._numerics._classes import places_of
from sklearn_ext.submodular._engine._greedy import lazy
from sklearn_ext.submodular._gains._oracle import Oracle
from sklearn_ext.submodular._maximize import check_positions
from sklearn_ext.submodular._objectives._columns import (
    ColumnObjective,
    ColumnStatistics,
    groups_as_rows,
)
from sklearn_ext.submodular._rows._slots import listed
from sklearn_ext.submodular._rows._stores import row_store


class SubmodularFeatureSelector(SelectorMixin, ExtEstimator):
    r"""Select columns that represent all columns, without copies.

    .. math:: f(S) = (1 - t)\, \frac1p \sum_j \max_{i \in S} |\rho_{ij}|
              + t\, \frac1k \sum_{i \in S} r_i

    with correlations :math:`\rho` and relevances :math:`r` in [0, 1] is maximised
    greedily, within :math:`1 - 1/e` of the best [1]_. Correlations and the relevance
    "f" come from sums, so that `partial_fit` and `fit_blocks` give what one
    `fit` gives, and that columns can come and go (`add_features`, `forget_features`).

    With ``groups``, whole groups of columns are chosen: :math:`\rho_{ij}` and
    :math:`r_i` are then the largest of the columns in group i, k and
    ``n_features_to_select`` count groups, and in the mean over j each group has the
    same weight, however many columns it has. The guarantee is the same.

    Neither the scale of a column nor its sign matters to what is selected.

    Time is O(n_samples n_features^2) for the sums, and memory O(n_features^2).

    Parameters
    ----------
    n_features_to_select : int or float, default=10
        Columns (with ``groups``, groups) to select, a number or a share; fewer when no
        other column adds anything.
    relevance : {"none", "f", "mutual_info"} or callable, default="none"
        What a column tells about the target: nothing is asked; the explained share of
        variance (by the classes, or of a numeric target), which orders columns as the F
        statistic does; mutual information; or ``relevance(X, y)``. The last two need
        all rows at once and are divided by their maximum.
    trade_off : float, default=0.5
        Weight of relevance against representation; without effect for "none".
    initial : array-like of int or str, default=None
        Columns that are always selected, among the number; positions or names.
    groups : array-like of shape (n_features,), default=None
        Labels of columns that are only chosen together, such as the indicators of one
        variable. None chooses each column on its own.

    Attributes
    ----------
    support_ : ndarray of shape (n_features,)
        Which columns are selected.
    ranking_ : ndarray of shape (n_features,)
        1 for the column (or group) that was chosen first, and so on; all others share
        the next.
    gains_ : ndarray of shape (n_selected,)
        What each selected column (or group) added, in the order of choice.
    groups_ : ndarray of shape (n_features,)
        Group of each column; without ``groups``, its position.
    relevance_ : ndarray of shape (n_features,)
        Relevances.
    sufficient_statistics_ : ColumnStatistics
        The sums.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, only when all are strings.

    See Also
    --------
    sklearn.feature_selection.SelectKBest : By relevance alone, copies included.
    sklearn.cluster.FeatureAgglomeration : Means of groups of columns.

    References
    ----------
    .. [1] A. Krause and D. Golovin, "Submodular function maximization", Tractability,
       Cambridge University Press, 2014.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_ext.submodular import SubmodularFeatureSelector
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> SubmodularFeatureSelector(3, relevance="f").fit_transform(X, y).shape
    (569, 3)
    """

    _parameter_constraints: dict = {
        "n_features_to_select": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
        ],
        "relevance": [StrOptions({"none", "f", "mutual_info"}), callable],
        "trade_off": [Interval(Real, 0, 1, closed="both")],
        "initial": ["array-like", None],
        "groups": ["array-like", None],
    }

    def __init__(
        self,
        n_features_to_select=10,
        *,
        relevance="none",
        trade_off=0.5,
        initial=None,
        groups=None,
    ):
        self.n_features_to_select = n_features_to_select
        self.relevance = relevance
        self.trade_off = trade_off
        self.initial = initial
        self.groups = groups

    @fit_context()
    def fit(self, X, y=None):
        """Select columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Target, needed for a relevance.

        Returns
        -------
        self : SubmodularFeatureSelector
            The fitted selector.
        """
        X, y = self._check(X, y, reset=True)
        return self._solve(self._sum(X, y, None), self._relevance_of(y, X))

    @fit_context()
    def partial_fit(self, X, y=None, classes=None):
        """Add rows, and select again.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Target.
        classes : array-like, default=None
            All labels that will ever come, at the first call, when the target is a
            label.

        Returns
        -------
        self : SubmodularFeatureSelector
            The updated selector.
        """
        known = getattr(self, "sufficient_statistics_", None)
        X, y = self._check(X, y, reset=known is None)
        if known is None:
            return self._solve(self._sum(X, y, classes))
        return self._solve(known + self._sum(X, y, known.classes, regress=True))

    def fit_blocks(self, blocks, *, n_jobs=None):
        """Select columns of a table given in blocks.

        Parameters
        ----------
        blocks : iterable
            Tuples ``(X, y)``, or callables without arguments that load one; targets
            are numeric.
        n_jobs : int, default=None
            Threads, or workers of the active joblib backend.

        Returns
        -------
        self : SubmodularFeatureSelector
            The fitted selector.
        """
        return _blocks.fit_blocks(self, blocks, n_jobs=n_jobs)

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
        added = self._labels(groups, X_new.shape[1])
        labels = np.concatenate([self.groups_, added])
        self.groups_ = labels if self._grouped else np.arange(len(labels))
        if names is not None:
            self.feature_names_in_ = np.concatenate([self.feature_names_in_, names])
        self.n_features_in_ = len(labels)
        relevance = self._relevance_of(y, X, X_new)
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
            names = getattr(self, "feature_names_in_", range(self.n_features_in_))
            raise ValueError(
                f"column {names[fixed[0]]!r} is in initial and cannot be forgotten; "
                "fit with another initial."
            )
        kept = np.setdiff1d(np.arange(self.n_features_in_), gone)
        if not len(kept):
            raise ValueError("features names all columns; at least one must remain.")
        self._first = np.searchsorted(kept, self._first)
        self.groups_ = self.groups_[kept] if self._grouped else np.arange(len(kept))
        self.n_features_in_ = len(kept)
        if hasattr(self, "feature_names_in_"):
            self.feature_names_in_ = self.feature_names_in_[kept]
        relevance = None
        if self.relevance not in ("none", "f"):
            relevance = self.relevance_[kept]
            relevance = relevance / (relevance.max() or 1)
        return self._solve(self.sufficient_statistics_.of_columns(kept), relevance)

    def _summarize(self, X, y=None, sample_weight=None, *, reset=True):
        if sample_weight is not None:
            raise ValueError("SubmodularFeatureSelector takes no weights; repeat rows.")
        X, y = self._check(X, y, reset=reset)
        return self._sum(X, y, None, regress=True)

    def _check(self, X, y, *, reset):
        if self.relevance == "none":
            X, y = validate_data(self, X, dtype=FLOATS, reset=reset), None
        elif y is None:
            raise ValueError(
                f"This SubmodularFeatureSelector requires y to be passed, but the "
                f"target y is None: relevance={self.relevance!r} needs it."
            )
        else:
            X, y = validate_data(self, X, y, dtype=FLOATS, reset=reset)
        if reset:
            self.groups_ = self._labels(self.groups, X.shape[1])
            self._first = self._positions(self.initial, "initial")
        return X, y

    def _sum(self, X, y, classes, *, regress=False):
        return ColumnStatistics.of(X, *self._target(X, y, classes, regress=regress))

    def _target(self, X, y, classes, *, regress):
        """Return target columns, labels as indicators of their classes, and these."""
        if self.relevance != "f":
            return np.empty((len(X), 0)), None
        if classes is None and (regress or _is_numeric(y)):
            target = check_array(y, ensure_2d=False, dtype=np.float64)
            return target.reshape(-1, 1), None
        classes = np.unique(y if classes is None else classes)
        codes = places_of(y, classes)
        return np.arange(len(classes)) == codes[:, None], classes

    def _relevance_of(self, y, *tables):
        """Return relevances that need all rows, of tables side by side, or None."""
        if self.relevance in ("none", "f"):
            return None
        X = tables[0] if len(tables) == 1 else np.column_stack(tables)
        if callable(self.relevance):
            scores = np.asarray(self.relevance(X, y), dtype=np.float64)
            if scores.shape != (X.shape[1],) or not np.all(scores >= 0):
                raise ValueError(
                    f"relevance must return {X.shape[1]} non-negative numbers, got "
                    f"shape {scores.shape}."
                )
        else:
            numeric = _is_numeric(y)
            measure = mutual_info_regression if numeric else mutual_info_classif
            scores = measure(X, y, random_state=0)
        return scores / (scores.max() or 1)

    def _solve(self, statistics, relevance=None):
        if relevance is None:
            if self.relevance not in ("none", "f"):
                raise ValueError(
                    f"relevance={self.relevance!r} needs all rows at once: use fit, or "
                    "relevance='f'."
                )
            relevance = statistics.explained  # zero where there is no target
        self.sufficient_statistics_, self.relevance_ = statistics, relevance
        # groups are numbered by their first columns, and ties go to the lowest number
        number = {label: i for i, label in enumerate(dict.fromkeys(self.groups_))}
        codes = np.array([number[label] for label in self.groups_])
        rows = groups_as_rows(statistics.correlations, relevance, codes)
        n = len(rows)
        k = self.n_features_to_select
        k = min(k, n) if isinstance(k, Integral) else max(1, round(k * n))
        first = np.array([*dict.fromkeys(codes[self._first].tolist())], dtype=np.intp)
        trade_off = 0.0 if self.relevance == "none" else self.trade_off
        weights = (1 - trade_off) / (n * np.bincount(codes)[codes])
        weights = np.append(weights, trade_off / k)
        objective = ColumnObjective(weights=weights).fit_reference(rows)
        oracle = Oracle(objective, row_store(rows))
        state, gains = oracle.grow(objective.empty_state(), first)
        others = np.setdiff1d(np.arange(n), first)
        picks = lazy(oracle, others, max(k - len(first), 0), state)
        chosen = [*first.tolist(), *picks.slots] or [0]  # all columns are constant
        self.gains_ = np.array([*gains, *picks.gains] or [0.0])
        ranking = np.full(n, len(chosen) + 1)
        ranking[chosen] = np.arange(1, len(chosen) + 1)
        self.ranking_ = ranking[codes]
        self.support_ = self.ranking_ <= len(chosen)
        return self

    def _positions(self, columns, what):
        """Return positions of columns that are given by number or by name."""
        columns = listed(columns)
        if any(isinstance(c, str) for c in columns):
            known = list(getattr(self, "feature_names_in_", ()))
            if unknown := [c for c in columns if c not in known]:
                has = "have other names" if known else "have no names"
                raise ValueError(
                    f"{what} holds {unknown[:5]}, but the columns that were fitted "
                    f"{has}."
                )
            columns = [known.index(c) for c in columns]
        return check_positions(columns, self.n_features_in_, what, "column")

    def _new_names(self, X_new, names):
        """Return names of new columns, or None where columns have no names."""
        names = listed(getattr(X_new, "columns", None) if names is None else names)
        named = len(names) > 0 and all(isinstance(name, str) for name in names)
        old = getattr(self, "feature_names_in_", None)
        if old is None and named:
            raise ValueError(
                "The columns that were fitted have no names, so new ones cannot "
                "have any; pass arrays, or fit a data frame."
            )
        if old is None:
            return None
        if not named:
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

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.support_

    def _transform(self, X):
        if getattr(getattr(X, "dtype", None), "kind", "") == "O":
            X = X.astype(np.float64)
        return super()._transform(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.relevance != "none"
        return tags


def _is_numeric(y):
    return type_of_target(y).startswith("continuous")
