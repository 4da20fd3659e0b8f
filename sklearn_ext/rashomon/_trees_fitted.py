"""A fitted set of trees: what it holds, who votes, and draws from it."""

from numbers import Real

import numpy as np
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._validation import FLOATS
from sklearn_ext.rashomon._checks import check_count
from sklearn_ext.rashomon._results import log_of, loss_threshold, warn_empty
from sklearn_ext.rashomon._splits import distinct_patterns
from sklearn_ext.rashomon._trees_counts import count_trees
from sklearn_ext.rashomon._trees_members import TreeMembers
from sklearn_ext.rashomon._trees_problem import describe_trees
from sklearn_ext.rashomon._trees_sets import ExactTreeSet
from sklearn_ext.rashomon._trees_votes import tree_shares

DATA = {"accept_sparse": ("csr", "csc"), "dtype": FLOATS}


class FittedTreesMixin:
    """Votes, draws and sizes of a fitted :class:`RashomonTreeClassifier`."""

    def predict(self, X):
        """Predict the class with the most votes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X):
        """Share of votes for each class, by the trees that ``voting`` names.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Shares in the order of ``classes_``.
        """
        check_is_fitted(self)
        if self.voting == "exact":
            return self.vote_share(X)
        if self.voting == "members":
            return self._member_share(self._bits(X))
        trees = self._best
        if self.voting == "simplest":
            leaves = [tree.n_leaves for tree in self.members_]
            place = int(np.argmin(leaves))
            trees = self.members_.arrays[place : place + 1]
        return np.eye(len(self.classes_))[trees.predict(self._bits(X))[0]]

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
        check_count("n_samples", n_samples)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
        threshold = self._threshold_at(self.theta if theta is None else theta)
        if self._log_ratio_of(threshold) == -np.inf:
            raise ValueError(
                "The Rashomon set is empty: no tree has a loss within the threshold. "
                "Raise theta or reference_loss."
            )
        trees = self._set.widened(threshold).draw(n_samples, rng, threshold)
        return self._named(self._equal.with_any(trees, rng))

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
            root, nodes = map(self._equal.usage, (shares.root, shares.nodes))
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

    def _describe(self, rows, space):
        total, found = rows.total, self._set
        self.min_loss_ = found.best_loss / total
        self.threshold_loss_ = self._threshold_at(self.theta) / total
        self._store_ratio(
            found.estimate(total * self.threshold_loss_, self.confidence_level)
        )
        losses, self.log_cdf_ = found.log_cdf()
        self.loss_grid_ = losses / total
        self.hypothesis_space_ = describe_trees(space, self.split_prior)
        self.count_, self.log_count_ = None, np.nan
        if space.is_uniform:
            self.log_count_ = self.log_ratio_ + space.counting().log_total
        if self.exact_counts:
            self.count_ = self._counted(found)
            self.log_count_ = log_of(self.count_)
        feature, threshold = self._splits.feature, self._splits.threshold
        self.splits_ = list(zip(feature.tolist(), threshold.tolist(), strict=True))

    def _counted(self, found):
        if self.method_ != "exact":
            raise ValueError(
                f"exact_counts=True needs the exact recursion, got method "
                f"{self.method_!r}. Use whole weights and a smaller space."
            )
        return 0 if found.upper.empty else sum(count_trees(found.upper))

    def _draw_members(self, rng):
        self._best = self._equal.with_first(self._set.best_tree())
        members = self._best
        if self.log_ratio_ == -np.inf:
            warn_empty(self.min_loss_, self.threshold_loss_, self.method_)
        else:
            threshold = self.threshold_loss_ * self._problem[0].total
            found = self._set.draw(self.n_members, rng, threshold)
            members = self._equal.with_any(found, rng)
        self.members_, self.best_ = self._named(members), self._named(self._best)[0]

    def _named(self, trees):
        names = getattr(self, "feature_names_in_", None)
        return TreeMembers(trees, self._splits, self.classes_, names)

    def _rows_and_space(self):
        return self._problem[:2]

    def _bits(self, X):
        X = validate_data(self, X, reset=False, **DATA)
        return self._splits.bits(X)

    def _has_exact_set(self):
        return isinstance(self._set, ExactTreeSet) and not self._set.upper.empty

    def _follow(self, bits, found=None):
        """Return the set with all patterns of ``bits``, and the place of each row."""
        found = self._set if found is None else found
        patterns, inverse = distinct_patterns(bits)
        rows, space = found.graph.rows, found.graph.space
        columns, rows, space = self._equal.apart_on(patterns, rows, space)
        place, missing = rows.locate(patterns[:, columns])
        if len(missing):
            rows = rows.with_extra(missing)
        return found.over(rows, space), place[inverse]

    def _threshold_at(self, theta):
        if not isinstance(theta, (Real, np.bool_)):
            raise ValueError(
                f"theta must be a finite number from 0 upwards, got {theta!r}."
            )
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
