"""Audits of a fitted set of trees: who gets another answer, and from what."""

import numpy as np
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ext.rashomon._checks import check_count
from sklearn_ext.rashomon._trees_extremes import largest_score
from sklearn_ext.rashomon._trees_fitted import FittedTreesMixin
from sklearn_ext.rashomon._trees_laws import random_structures
from sklearn_ext.rashomon._trees_members import TreeArrays
from sklearn_ext.rashomon._trees_patterns import chao1, pattern_losses, tree_patterns
from sklearn_ext.rashomon._trees_votes import tree_shares


class TreeAuditMixin(FittedTreesMixin):
    """Disagreement, patterns, ranges of a fitted :class:`RashomonTreeClassifier`."""

    def ambiguity(self, X):
        """Share of rows to which some tree of the set gives another class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        float
            Exact where the ratio is; else a lower bound from ``members_``.
        """
        return float(((self.vote_share(X) > 0).sum(axis=1) > 1).mean())

    def discrepancy(self, X, baseline=None):
        """Largest share of rows on which one tree of the set differs from a baseline.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        baseline : array-like of shape (n_samples,) or None, default=None
            Class labels; None takes the optimal tree ``best_``.

        Returns
        -------
        float
            Exact where the ratio is; else a lower bound from ``members_``.
        """
        check_is_fitted(self)
        if baseline is None:
            label = self._best.predict(self._bits(X))[0]
        else:
            label = self._places(baseline, X, "baseline")
        values = np.ones((len(label), len(self.classes_)))
        values[np.arange(len(label)), label] = 0.0
        return float(self.extremes(X, values)[1] / len(label))

    def multiplicity_at(self, X, theta):
        """Ambiguity, and discrepancy from ``best_``, at several thresholds.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        theta : array-like of shape (n_thetas,)
            Slacks, measured as in ``theta_mode``.

        Returns
        -------
        Bunch
            ``theta``, ``ambiguity`` and ``discrepancy``, each of shape (n_thetas,).
            Exact where the ratio is; else lower bounds from ``members_``. nan where
            no tree is inside.
        """
        check_is_fitted(self)
        theta, bits = np.ravel(theta), self._bits(X)
        thresholds = np.array([self._threshold_at(t) for t in theta])
        find = self._exact_pair if self._has_exact_set() else self._member_pair
        pairs = np.reshape(find(bits, thresholds), (len(theta), 2))
        return Bunch(theta=theta, ambiguity=pairs[:, 0], discrepancy=pairs[:, 1])

    def extremes(self, X, values):
        """Range over the set of an additive score of the predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        values : array-like of shape (n_samples, n_classes)
            Score of predicting each class for each row.

        Returns
        -------
        low, high : float
            Smallest and largest total score of any tree of the set. Exact where the
            ratio is, an outer bound where losses were rounded, and the range over
            ``members_`` where the set was sampled.
        """
        check_is_fitted(self)
        bits, values = self._bits(X), np.asarray(values, dtype=float)
        shape = len(bits), len(self.classes_)
        if values.shape != shape:
            raise ValueError(
                f"values must have one row for each of X and one column for each "
                f"class, shape {shape}; got {values.shape}."
            )
        if not np.isfinite(values).all():
            raise ValueError("values must be finite numbers, got nan or inf.")
        return self._extremes_of_bits(bits, values)

    def parity_range(self, X, group, *, positive=None):
        """Range over the set of the difference in positive rates of two groups.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        group : array-like of bool, shape (n_samples,)
            Membership of the first group, such as ``X["sex"] == "female"``.
        positive : object or None, default=None
            The class whose rate is compared; None takes the last of ``classes_``.

        Returns
        -------
        low, high : float
            Extreme values of rate in the group minus rate outside.
        """
        check_is_fitted(self)
        group = self._members_of(group, X)
        if group.all() or not group.any():
            raise ValueError(
                "group must have rows inside and outside, got "
                f"{int(group.sum())} of {len(group)} inside."
            )
        positive = self.classes_[-1] if positive is None else positive
        if positive not in self.classes_:
            raise ValueError(
                f"positive must be one of {self.classes_.tolist()}, got {positive!r}."
            )
        weight = np.where(group, 1 / group.sum(), -1 / (~group).sum())
        return self.extremes(X, weight[:, None] * (self.classes_ == positive))

    def model_class_reliance(self, X, y, *, n_repeats=5, random_state=None):
        """Range over the set of the loss added by permuting each feature.

        Trees may take any of several equal features, so each of these has the same
        range, which begins at zero or below: a tree can do without it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Classes.
        n_repeats : int, default=5
            Permutations of each feature.
        random_state : int, RandomState instance or None, default=None
            Source of the permutations.

        Returns
        -------
        ndarray of shape (n_features, 2)
            Smallest and largest reliance; zero for features without splits.
        """
        check_is_fitted(self)
        check_count("n_repeats", n_repeats)
        bits, rng = self._bits(X), check_random_state(random_state)
        label = self._places(y, X, "y")
        wrong = (np.arange(len(self.classes_)) != label[:, None]) / len(bits)
        order = np.concatenate([rng.permutation(len(bits)) for _ in range(n_repeats)])
        values = np.concatenate([-wrong, np.tile(wrong / n_repeats, (n_repeats, 1))])
        reliance = np.zeros((self.n_features_in_, 2))
        for feature in np.unique(self._splits.feature):
            columns = self._splits.feature == feature
            moved = np.tile(bits, (n_repeats, 1))
            moved[:, columns] = bits[order][:, columns]
            every = np.concatenate([bits, moved])
            reliance[feature] = self._extremes_of_bits(every, values)
        return reliance

    def pattern_ratio(
        self, max_patterns=10**6, *, method="exact", n_samples=10_000, random_state=None
    ):
        """Share of distinct prediction vectors on the training rows.

        Parameters
        ----------
        max_patterns : int, default=10**6
            Limit of the enumeration.
        method : {"exact", "sampled"}, default="exact"
            Enumerate, or complete the distinct patterns of draws from the set and
            from the space by the Chao1 estimate of unseen ones.
        n_samples : int, default=10_000
            Draws of the estimate.
        random_state : int, RandomState instance or None, default=None
            Source of randomness of the estimate.

        Returns
        -------
        Bunch
            ``ratio``, ``n_inside``, ``n_total`` and whether they are ``exact``.

        Raises
        ------
        ValueError
            For ``space="sparse"``, or when there are too many patterns.
        """
        check_is_fitted(self)
        check_count("max_patterns", max_patterns)
        check_count("n_samples", n_samples)
        rows, space = self._rows_and_space()
        if not space.complete:
            raise ValueError("pattern_ratio needs space='full', got space='sparse'.")
        if method not in ("exact", "sampled"):
            raise ValueError(f"method must be 'exact' or 'sampled', got {method!r}.")
        if method == "exact":
            label = tree_patterns(
                rows,
                space.depth,
                space.n_classes,
                repeats=space.repeats,
                max_patterns=max_patterns,
            )
            threshold = self.threshold_loss_ * rows.total + 1e-9 * rows.total
            inside = int((pattern_losses(label, rows.weight) <= threshold).sum())
            total, exact = len(label), True
        else:
            seed = check_random_state(random_state).randint(2**31, size=2)
            drawn = self.sample(n_samples, random_state=seed[0]).arrays
            every = self._draw_from_space(n_samples, np.random.default_rng(seed[1]))
            drawn = self._equal.as_distinct(drawn)
            inside, total = (chao1(t.predict(rows.bits)) for t in (drawn, every))
            exact = False
        return Bunch(
            ratio=min(inside / total, 1.0), n_inside=inside, n_total=total, exact=exact
        )

    def _extremes_of_bits(self, bits, values):
        if not self._has_exact_set():
            label = self._member_labels(bits)
            score = values[np.arange(len(values)), label].sum(axis=1)
            return float(score.min()), float(score.max())
        found, place = self._follow(bits)
        summed = np.zeros((len(found.graph.rows.bits), values.shape[1]))
        np.add.at(summed, place, values)
        low, high = (largest_score(found.upper, s * summed)[-1] for s in (-1.0, 1.0))
        return float(-low), float(high)

    def _exact_pair(self, bits, thresholds):
        found, place = self._follow(
            bits, self._set.widened(thresholds.max(initial=0.0))
        )
        label = self._best.predict(bits)[0]
        values = np.zeros((len(found.graph.rows.bits), len(self.classes_)))
        np.add.at(values, place, np.arange(len(self.classes_)) != label[:, None])
        farthest = largest_score(found.upper, values) / len(bits)
        slip = found.upper.grid.tolerance
        at = np.searchsorted(found.upper.losses, thresholds + slip, side="right") - 1
        pairs = np.full((len(thresholds), 2), np.nan)
        for i in np.flatnonzero((at >= 0) & (thresholds >= found.best_loss - slip)):
            votes = tree_shares(found.upper, threshold=thresholds[i]).votes[place]
            pairs[i] = ((votes > 0).sum(axis=1) > 1).mean(), farthest[at[i]]
        return pairs

    def _member_pair(self, bits, thresholds):
        label, best = self._member_labels(bits), self._best.predict(bits)[0]
        members = self._equal.as_distinct(self.members_.arrays)
        losses = self._set.losses_of(members)
        slip = 1e-9 * self._rows_and_space()[0].total
        pairs = np.full((len(thresholds), 2), np.nan)
        for i, threshold in enumerate(thresholds):
            P = np.concatenate([best[None], label[losses <= threshold + slip]])
            if threshold >= self._set.best_loss - slip:
                pairs[i] = (
                    (best != P).any(axis=0).mean(),
                    (best != P).mean(axis=1).max(),
                )
        return pairs

    def _draw_from_space(self, n_trees, rng):
        space = self._problem[1]
        trees = TreeArrays.blank(n_trees, space.depth)
        if space.depth:
            trees.split[:] = random_structures(space, n_trees, rng)
        leaves = trees.label[:, trees.split.shape[1] :]
        leaves[:] = rng.integers(space.n_classes, size=leaves.shape)
        return trees

    def _members_of(self, group, X):
        """Membership as truth values, one for each row of X."""
        group = np.asarray(group)
        shape, is_text = (_n_rows(X),), group.dtype.kind in "US"
        if group.shape != shape or is_text or not np.isin(group, (False, True)).all():
            first = ", ".join(map(repr, group.ravel()[:3].tolist()))
            raise ValueError(
                f"group must be a boolean mask of the {shape[0]} rows, e.g. X['sex'] "
                f"== 'female'; got {first}, ... of shape {group.shape} and dtype "
                f"{group.dtype}."
            )
        return group.astype(bool)

    def _places(self, labels, X, name):
        """Places of labels among the classes, one for each row of X."""
        labels = np.asarray(labels)
        n_rows = _n_rows(X)
        known = np.isin(labels, self.classes_)
        if labels.shape != (n_rows,) or not known.all():
            wrong = (
                f"shape {labels.shape}"
                if known.all()
                else repr(labels[~known].tolist()[0])
            )
            raise ValueError(
                f"{name} must hold one of the classes {self.classes_.tolist()} for "
                f"each of the {n_rows} rows, got {wrong}."
            )
        return np.searchsorted(self.classes_, labels)


def _n_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)
