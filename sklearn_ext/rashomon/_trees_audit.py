"""Questions to a fitted set of trees: who gets another answer, and from what."""

import numpy as np
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ext.rashomon._results import loss_threshold
from sklearn_ext.rashomon._splits import distinct_patterns
from sklearn_ext.rashomon._trees_extremes import largest_score
from sklearn_ext.rashomon._trees_members import TreeMembers
from sklearn_ext.rashomon._trees_patterns import (
    chao1,
    pattern_losses,
    tree_patterns,
)
from sklearn_ext.rashomon._trees_sets import ExactTreeSet
from sklearn_ext.rashomon._trees_votes import tree_shares


class TreeAuditMixin:
    """Audits of a fitted :class:`RashomonTreeClassifier`."""

    def log_ratio_at(self, theta):
        """Logarithm of the ratio at other thresholds, without refitting.

        Thresholds beyond the fitted one rerun the recursion on the merged rows; a
        sampled set refuses them.

        Parameters
        ----------
        theta : float or array-like
            Slack, measured as in ``theta_mode``.

        Returns
        -------
        float or ndarray
            Natural logarithm of the ratio.
        """
        check_is_fitted(self)
        thresholds = np.array([self._threshold_at(t) for t in np.ravel(theta)])
        found = self._set.widened(thresholds.max(initial=0.0))
        logs = [found.estimate(t, self.confidence_level).log_ratio for t in thresholds]
        return logs[0] if np.ndim(theta) == 0 else np.reshape(logs, np.shape(theta))

    def log_ratio_interval_at(self, theta):
        """Interval of the logarithm of the ratio at one other threshold.

        Parameters
        ----------
        theta : float
            Slack, measured as in ``theta_mode``.

        Returns
        -------
        low, high : float
            The interval.
        """
        check_is_fitted(self)
        threshold = self._threshold_at(theta)
        found = self._set.widened(threshold)
        estimate = found.estimate(threshold, self.confidence_level)
        return estimate.low, estimate.high

    def sample(self, n_samples=1, *, theta=None, random_state=None):
        """Draw trees from the Rashomon set, uniformly with respect to the prior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of independent draws.
        theta : float or None, default=None
            Slack of the set; None takes the fitted one.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        TreeMembers
            A sequence of :class:`RashomonTree`.

        Raises
        ------
        ValueError
            When the set is empty.
        """
        check_is_fitted(self)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
        threshold = self._threshold_at(self.theta if theta is None else theta)
        if self._log_ratio_of(threshold) == -np.inf:
            raise ValueError(
                "The Rashomon set is empty: no tree has a loss within the threshold. "
                "Raise theta or reference_loss."
            )
        trees = self._set.widened(threshold).draw(n_samples, rng, threshold)
        return TreeMembers(trees, self._splits, self.classes_)

    def member_predictions(self, X):
        """Predict with every stored member.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_members, n_samples)
            Class labels.
        """
        check_is_fitted(self)
        return self.classes_[self._member_labels(self._bits(X))]

    def vote_share(self, X):
        """Share of all trees of the set that vote for each class, exactly.

        Where the loss was bounded or sampled, it is the share among the trees of the
        upper bound, or among ``members_``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; unknown patterns cost another recursion.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Shares; rows sum to one.
        """
        check_is_fitted(self)
        if not self._has_exact_set():
            return self._member_share(self._bits(X))
        found, place = self._follow(self._bits(X))
        votes = tree_shares(found.upper, threshold=found.threshold).votes
        return votes[place] / votes[place].sum(axis=1, keepdims=True)

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
        theta, bits = np.ravel(np.asarray(theta, dtype=float)), self._bits(X)
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
        return self._extremes_of_bits(bits, values)

    def parity_range(self, X, group, *, positive=None):
        """Range over the set of the difference in positive rates of two groups.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        group : array-like of bool, shape (n_samples,)
            Membership of the first group.
        positive : object or None, default=None
            The class whose rate is compared; None takes the last of ``classes_``.

        Returns
        -------
        low, high : float
            Extreme values of rate in the group minus rate outside.
        """
        check_is_fitted(self)
        group = np.asarray(group, dtype=bool)
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

    def feature_usage(self):
        """How often the trees of the set use each feature.

        Returns
        -------
        Bunch
            ``root``: share of trees with the feature at the root. ``nodes``: mean
            number of nodes of a tree that split on it. Exact where the ratio is; else
            over ``members_``. Both have shape (n_features,).
        """
        check_is_fitted(self)
        n_splits = len(self._splits)
        if self._has_exact_set():
            shares = tree_shares(self._set.upper, threshold=self._set.threshold)
            root, nodes = shares.root, shares.nodes
        else:
            split = self.members_.arrays.split
            count = [np.bincount(s[s >= 0], minlength=n_splits) for s in split]
            root = np.mean([s[:1] == np.arange(n_splits) for s in split], axis=0)
            nodes = np.mean(count, axis=0)
        feature, p = self._splits.feature, self.n_features_in_
        return Bunch(
            root=np.bincount(feature, root, minlength=p),
            nodes=np.bincount(feature, nodes, minlength=p),
        )

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
        losses = self._set.losses_of(self.members_.arrays)
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

    def _places(self, labels, X, name):
        """Places of labels among the classes, one for each row of X."""
        labels = np.asarray(labels)
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
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

    def _has_exact_set(self):
        return isinstance(self._set, ExactTreeSet) and not self._set.upper.empty

    def _follow(self, bits, found=None):
        """Return the set with all patterns of ``bits``, and the place of each row."""
        found = self._set if found is None else found
        patterns, inverse = distinct_patterns(bits)
        place, missing = found.graph.rows.locate(patterns)
        return found.with_rows(missing), place[inverse]

    def _threshold_at(self, theta):
        total = self._rows_and_space()[0].total
        best = self._set.best_loss / total
        return total * loss_threshold(best, theta, self.theta_mode, self.reference_loss)

    def _log_ratio_of(self, threshold):
        found = self._set.widened(threshold)
        return found.estimate(threshold, self.confidence_level).log_ratio

    def _member_labels(self, bits):
        arrays = self.members_.arrays
        if self.device is None:
            return arrays.predict(bits)
        from sklearn_ext.rashomon._evaluate_torch import tree_labels_torch

        return tree_labels_torch(arrays.split, arrays.label, bits, device=self.device)

    def _member_share(self, bits):
        label = self._member_labels(bits)
        return np.stack(
            [(label == c).mean(axis=0) for c in range(len(self.classes_))], axis=1
        )
