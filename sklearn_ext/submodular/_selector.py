"""A representative subset of a table whose rows come and go."""

import copy
import pickle
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    StrOptions,
    _num_samples,
    _safe_indexing,
)
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.submodular._gains._backends import BACKENDS
from sklearn_ext.submodular._living import LivingTable
from sklearn_ext.submodular._objectives._base import check_weighs
from sklearn_ext.submodular._objectives._named import OBJECTIVE, make_objective
from sklearn_ext.submodular._objectives._rounding import alike
from sklearn_ext.submodular._rows._encoding import (
    DATA,
    any_rows,
    encode,
    encoder_tags,
    first_rows,
)
from sklearn_ext.submodular._rows._slots import SHOWN, SlotTable, check_ids, listed

STREAMS = (np.random.RandomState, np.random.Generator)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The fitted state of a selector at one time."""

    parameters: dict
    state: dict


class DynamicSubmodularSelector(
    ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, ExtEstimator
):
    r"""A representative subset that stays good while rows come and go.

    It maximises a monotone submodular function of at most ``n_select`` rows. `fit`
    solves greedily; `partial_fit` and `forget` then keep sets with a proven part
    :math:`1 / (2 + \epsilon)` of the optimum, at an expected cost that does not grow
    with the number of rows. The answer is made when it is read: a greedy choice from
    those sets, the answer before and random rows, exchanged only for a better one, so
    that it seldom changes. ``certificate_`` says how much of the best possible value is
    proven; usually far more than half is reached.

    The guarantee holds against any order of updates; the cost is that of updates that
    do not depend on the answers. When you delete what was reported (active learning),
    do it in batches.

    Rows are compared at the scale of their columns: columns in other units are another
    table. `fit` warns where a few columns drown the others, or where nearly all
    similarities are zero or one; then scale them, for instance by ``encoder``.

    Parameters
    ----------
    n_select : int, default=8
        Rows to select. It may be more than there are, since the table may grow: then
        all rows that add something are selected, without a warning.
    objective : str or SubmodularObjective, default="facility_location"
        What a set is worth: "facility_location", "coverage", "feature_based",
        "saturated_coverage", "probabilistic_coverage", "log_det" or an instance.
    solver : {"lazy", "greedy", "stochastic", "threshold"}, default="lazy"
        How `fit` and `reoptimize` solve.
    algorithm : {"leveled", "bucketed", "greedy", "sieve"}, default="leveled"
        How updates are followed. "leveled" is after [2]_; "bucketed", after [1]_,
        rarely touches the set on a deletion, and its guarantee holds in expectation;
        "greedy" solves anew on reading; "sieve" stores few rows and cannot forget.
    epsilon : float, default=0.1
        What is given up of the guarantee for fewer operations.
    guesses : {"boundary", "all"}, default="boundary"
        Keep the two guesses of the optimum that enclose it, or all.
    max_guesses : int, default=3
        How many are kept at most with "boundary".
    refine : {"auto", "full", "pool", "guesses", "none"}, default="auto"
        What an answer is chosen from: all rows; the guesses, the answer before and
        ``pool_size`` random rows; without the random ones; or the best guess itself.
        "auto" is "full" for small tables and "pool" for others.
    pool_size : int, default=1000
        Random rows in the pool.
    stability : float, default=0.01
        Share by which a new set must be better to replace the one before.
    n_swaps : int, default=0
        Exchanges between answer and pool, for objectives of nearest members.
    initial : array-like of ids, default=None
        Rows that always belong to the set, beyond ``n_select``.
    forbidden : array-like of ids, default=None
        Rows that are never selected; they may be represented.
    encoder : transformer, default=None
        Maps rows to where they are compared: principal components, features of a
        network, of texts. `fit` fits a clone, and later calls only transform; put one
        that shall stay as it is into `sklearn.frozen.FrozenEstimator`. Rows may then be
        whatever it takes, such as texts, pictures or data frames; they are stored as
        they come, beside their encoded form. None compares the rows themselves.
    max_cache_mb : float, default=1024
        Memory for coordinates; beyond it they are computed anew when needed.
    backend : {"auto", "numpy", "numba", "torch"}, default="auto"
        What computes gains. "numba" (``pip install 'sklearn-ext[compiled]'``) compiles
        loops for `FacilityLocation` and `Coverage`, once on a machine, when the family
        is first imported; "torch" keeps their rows on a device. "auto" is "torch" when
        ``device`` is given; else compiled loops where numba is installed and there are
        some, and numpy elsewhere.
    device : str, default=None
        Torch device, for instance "cuda"; None stays on the CPU.
    random_state : int, RandomState instance or None, default=None
        Draws reference rows, orders and pools.

    Attributes
    ----------
    selected_ids_ : ndarray of shape (n_selected,)
        Identifiers of the selected rows, ``initial`` first, then by greedy gain. Fewer
        than ``n_select`` when no other row adds anything.
    selected_indices_ : ndarray of shape (n_selected,)
        Their positions in ``active_ids_``.
    exemplars_ : {ndarray, sparse array} of shape (n_selected, n_features)
        The rows as the selector got them: not encoded, but in a pipeline as its steps
        left them. Your own are ``frame.set_index("id").loc[selector.selected_ids_]``.
    gains_ : ndarray of shape (n_selected,)
        What each added to those before it.
    objective_ : float
        Value of the set.
    objective_curve_ : ndarray of shape (n_selected,)
        Values of its beginnings.
    upper_bound_ : float
        Proven bound on the value of every set of ``n_select`` rows.
    certificate_ : float
        ``objective_`` over ``upper_bound_``.
    labels_ : ndarray of shape (n_samples,)
        Most similar selected row, for the rows of the last `fit`.
    active_ids_ : ndarray of shape (n_active,)
        Identifiers of the rows in the table.
    n_active_ : int
        Their number.
    n_oracle_calls_ : int
        Gains evaluated since `fit` began.
    n_rebuilds_ : int
        Rebuilds of levels.
    n_changes_ : int
        Rows in the answer that the answer before did not have.
    guesses_ : list of dict
        gamma, full, size and value of the live guesses.
    stale_ : bool
        Whether work of an update is still to be done, which ``max_calls`` put off.
    objective_model_ : SubmodularObjective
        The objective with its reference.
    encoder_ : transformer or None
        The encoder as it was fitted.
    n_features_in_ : int
        Number of features, of rows that have some.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, only when all are strings.

    See Also
    --------
    maximize : Selects once.
    SubmodularSampler : Returns the selected rows themselves.
    sklearn.cluster.MiniBatchKMeans : Centres that are no rows, without forgetting.

    References
    ----------
    .. [1] K. Banihashem, L. Biabani, S. Goudarzi, M. Hajiaghayi, P. Jabbarzade and
       M. Monemizadeh, "Dynamic constrained submodular optimization with polylogarithmic
       update time", ICML 2023.
    .. [2] K. Banihashem, L. Biabani, S. Goudarzi, M. Hajiaghayi, P. Jabbarzade and
       M. Monemizadeh, "Dynamic algorithms for matroid submodular maximization", SODA
       2024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.submodular import DynamicSubmodularSelector
    >>> X, _ = load_digits(return_X_y=True)
    >>> selector = DynamicSubmodularSelector(5, random_state=0).fit(X[:1000])
    >>> selector = selector.partial_fit(X[1000:]).forget(range(500))
    >>> selector.n_active_, len(selector.selected_ids_)
    (1297, 5)
    """

    _takes_sparse = True
    _parameter_constraints: dict = {
        "n_select": [Interval(Integral, 1, None, closed="left")],
        "objective": OBJECTIVE,
        "solver": [StrOptions({"lazy", "greedy", "stochastic", "threshold"})],
        "algorithm": [StrOptions({"leveled", "bucketed", "greedy", "sieve"})],
        "epsilon": [Interval(Real, 0, 1, closed="neither")],
        "guesses": [StrOptions({"boundary", "all"})],
        "max_guesses": [Interval(Integral, 2, None, closed="left")],
        "refine": [StrOptions({"auto", "full", "pool", "guesses", "none"})],
        "pool_size": [Interval(Integral, 0, None, closed="left")],
        "stability": [Interval(Real, 0, None, closed="left")],
        "n_swaps": [Interval(Integral, 0, None, closed="left")],
        "initial": ["array-like", None],
        "forbidden": ["array-like", None],
        "encoder": [HasMethods(["fit", "transform"]), None],
        "max_cache_mb": [Interval(Real, 0, None, closed="left")],
        "backend": [StrOptions(BACKENDS)],
        "device": [str, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_select=8,
        objective="facility_location",
        *,
        solver="lazy",
        algorithm="leveled",
        epsilon=0.1,
        guesses="boundary",
        max_guesses=3,
        refine="auto",
        pool_size=1000,
        stability=0.01,
        n_swaps=0,
        initial=None,
        forbidden=None,
        encoder=None,
        max_cache_mb=1024,
        backend="auto",
        device=None,
        random_state=None,
    ):
        self.n_select = n_select
        self.objective = objective
        self.solver = solver
        self.algorithm = algorithm
        self.epsilon = epsilon
        self.guesses = guesses
        self.max_guesses = max_guesses
        self.refine = refine
        self.pool_size = pool_size
        self.stability = stability
        self.n_swaps = n_swaps
        self.initial = initial
        self.forbidden = forbidden
        self.encoder = encoder
        self.max_cache_mb = max_cache_mb
        self.backend = backend
        self.device = device
        self.random_state = random_state

    # tables and updates

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, *, sample_weight=None, ids=None):
        """Begin with a table and select from it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; copied.
        y : array-like of shape (n_samples,), default=None
            Passed to an encoder; nothing else looks at it.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts as one to be represented. Rows of weight zero are
            neither represented nor selected. An encoder is fitted without weights.
        ids : array-like of shape (n_samples,) or "index", default=None
            Identifiers by which rows are forgotten: numbers, strings, tuples. None
            counts from 0, "index" takes those of a data frame. None may be missing.

        Returns
        -------
        self : DynamicSubmodularSelector
            The fitted selector.
        """
        stored, Z = first_rows(self, X, y)
        weight = None if sample_weight is None else check_weights(sample_weight, Z)
        self._ids_given = ids is not None
        ids = check_ids(ids, X, stored.shape[0], SlotTable())
        if unknown := set(listed(self.initial)) - set(ids):
            raise ValueError(
                f"initial holds {sorted(unknown, key=repr)[:SHOWN]}, which no row that "
                "fit was given has as its id; leave them out, or pass their rows."
            )
        rng = check_random_state(self.random_state)
        objective = make_objective(self.objective, self.algorithm)
        objective.fit_reference(Z, weight, rng)
        seed, kept = int(rng.randint(2**31 - 1)), stored.copy()
        rows = kept, kept if Z is stored else Z
        self._living = LivingTable(self._settings, objective, *rows, ids, weight, seed)
        self.labels_ = self._nearest(Z)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y=None, *, sample_weight=None, ids=None):
        """Add rows; an unfitted selector begins with them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; copied.
        y : array-like of shape (n_samples,), default=None
            Passed to an encoder when the selector begins with these rows.
        sample_weight : array-like of shape (n_samples,), default=None
            The reference is that of `fit`, so only zeros matter: such rows are never
            selected.
        ids : array-like of shape (n_samples,) or "index", default=None
            Identifiers, not yet in use; None goes on counting, unless ids were given
            at `fit`.

        Returns
        -------
        self : DynamicSubmodularSelector
            The updated selector.
        """
        if not hasattr(self, "_living"):
            return self.fit(X, y, sample_weight=sample_weight, ids=ids)
        living = self._now
        rows = self._more_rows(X)
        weight = self._weights_of_more(sample_weight, rows[1])
        ids = self._ids_of_more(ids, X, rows[0].shape[0])
        living.apply(rows=rows, ids=ids, weight=weight)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def forget(self, ids, *, missing="raise", purge=False):
        """Remove rows.

        Parameters
        ----------
        ids : array-like
            Identifiers.
        missing : {"raise", "ignore"}, default="raise"
            Whether unknown identifiers raise a KeyError or are skipped.
        purge : bool, default=False
            Whether copies of the rows in the reference set are replaced too, by random
            living rows, and everything is solved anew; by default the reference stays,
            as it must when no row is left: then `fit` again.

        Returns
        -------
        self : DynamicSubmodularSelector
            The updated selector.
        """
        living = self._now
        leave = self._leaving_slots(ids, missing)
        if not len(leave):
            return self
        if purge and len(leave) < len(living.table):
            self._living = living.purged(leave)
        else:
            living.apply(leave)
        return self

    # without fit_context, whose checks of parameters take as long as an update
    def update(self, insert=None, forget=(), *, max_calls="auto"):
        """Remove and add rows at once: all or nothing.

        Parameters
        ----------
        insert : array-like of shape (n_samples, n_features) or tuple, default=None
            Rows to add, or ``(rows, ids)`` as in `partial_fit`.
        forget : array-like, default=()
            Identifiers of rows to remove; they go first, so their identifiers can be
            used again.
        max_calls : int, "auto" or None, default="auto"
            Gains to evaluate now, at least 1, beyond which work pauses after the
            current block, of at most 2,048 rows and their levels. What is left of a
            rebuild is carried on by later updates, while ``stale_`` is True and the
            answer is made without it, with a wider bound. "auto" is 10,000, with which
            an update of a hundred thousand rows takes milliseconds at most and one of
            a few thousand is rarely interrupted; with an objective of your own it does
            all work now. None always does.

        Returns
        -------
        self : DynamicSubmodularSelector
            The updated selector.
        """
        living = self._now
        leave = self._leaving_slots(forget, "raise")
        if max_calls not in (None, "auto") and not (
            isinstance(max_calls, Integral)
            and not isinstance(max_calls, bool)
            and max_calls > 0
        ):
            raise ValueError(
                f"max_calls must be 'auto', None or a positive int, got {max_calls!r}."
            )
        pair = insert if isinstance(insert, tuple) else (insert, None)
        if len(pair) != 2:
            raise ValueError(
                f"insert must be rows or a pair (rows, ids), got {len(pair)} parts."
            )
        rows, ids = pair
        n = 0 if rows is None else _num_samples(rows)
        if not n and np.ndim(rows) == 2:
            validate_data(self, rows, reset=False, ensure_min_samples=0, **DATA)
        checked = self._more_rows(rows) if n else None
        ids = self._ids_of_more(ids, rows, n, set(living.table.ids(leave).tolist()))
        if n or len(leave):
            living.apply(leave, checked, ids, max_calls=max_calls)
        return self

    def replace(self, ids, X):
        """Change rows: forget them and add new ones under the same identifiers.

        Parameters
        ----------
        ids : array-like of shape (n_samples,)
            Identifiers of living rows.
        X : array-like of shape (n_samples, n_features)
            Their new values.

        Returns
        -------
        self : DynamicSubmodularSelector
            The updated selector.
        """
        ids = listed(ids)
        return self.update((X, ids), forget=ids)

    # the answer

    @property
    def selected_ids_(self):
        """Chosen rows by their identifiers, ``initial`` first, then by greedy gain."""
        living = self._now
        return living.table.ids(living.answer.indices)

    @property
    def selected_indices_(self):
        """Positions of the chosen rows in ``active_ids_``."""
        living = self._now
        return np.searchsorted(living.table.slots, living.answer.indices)

    @property
    def exemplars_(self):
        """Chosen rows, as the selector got them."""
        living = self._now
        return living.X.take(living.answer.indices)

    @property
    def gains_(self):
        """Gain of each chosen row beyond those before it."""
        return np.array(self._now.answer.gains)

    @property
    def objective_(self):
        """Value of the chosen rows."""
        return self._now.answer.value

    @property
    def objective_curve_(self):
        """Value of the set after each choice."""
        return np.cumsum(self.gains_)

    @property
    def upper_bound_(self):
        """Proven bound on the value of every allowed set."""
        return self._now.answer.upper_bound

    @property
    def certificate_(self):
        """Value over upper bound: the proven share of the best value."""
        return float(self._now.answer.certificate)

    @property
    def n_changes_(self):
        """Count of rows that the answer before did not have."""
        living = self._now
        chosen = living.answer.indices.tolist()  # before it is known what it replaced
        return len(set(chosen) - set(living.replaced))

    # the state behind it

    @property
    def active_ids_(self):
        """All living rows by their identifiers."""
        table = self._now.table
        return table.ids(table.slots)

    @property
    def n_active_(self):
        """Count of living rows."""
        return len(self._now.table)

    @property
    def n_oracle_calls_(self):
        """Count of gains evaluated since ``fit`` began."""
        return self._now.oracle.n_calls

    @property
    def n_rebuilds_(self):
        """Count of rebuilds of levels so far."""
        return self._now.oracle.n_rebuilds

    @property
    def guesses_(self):
        """Live guesses of the optimum: gamma, full, size and value of each."""
        engine = self._now.engine
        return [] if engine is None else engine.describe()

    @property
    def stale_(self):
        """Whether work of earlier updates is still to be done."""
        return self._now.stale

    @property
    def objective_model_(self):
        """The objective with its reference."""
        return self._now.objective

    # rows and the selected ones

    def fit_predict(self, X, y=None, **fit_params):
        """Begin with a table, and return the most similar selected row of each.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Passed to `fit`.
        **fit_params : dict
            Passed to `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Positions in ``selected_ids_``.
        """
        return self.fit(X, y, **fit_params).labels_

    def predict(self, X):
        """Return the most similar selected row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Positions in ``selected_ids_``.
        """
        _, X = self._more_rows(X)
        return self._nearest(X)

    def transform(self, X):
        """Return similarities to the selected rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_selected)
            Similarities.
        """
        _, X = self._more_rows(X)
        return self._similarities(X).astype(X.dtype, copy=False)

    def score(self, X, y=None, sample_weight=None):
        """Return the mean similarity of rows to their most similar selected row.

        Similarities of two encoders, or at two scales, are not comparable: search such
        parameters by what comes after the selector.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The mean.
        """
        _, X = self._more_rows(X)
        weight = check_weights(sample_weight, X)
        nearest = [S.max(axis=1) for S in self._similarities_by_batch(X)]
        return float(np.average(np.concatenate(nearest), weights=weight))

    def select(self, X):
        """Return the selected rows out of the table that was fitted last.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table that `fit` was given: an array, a data frame, ... After an update
            look up ``selected_ids_`` in your own table instead.

        Returns
        -------
        array-like of shape (n_selected, n_features)
            Its selected rows.
        """
        n, n_updates = _num_samples(X), self._now.n_updates
        if n_updates or n != self.n_active_:
            raise ValueError(
                f"select takes the table of the last fit, unchanged since: got {n} "
                f"rows where {self.n_active_} are stored, after {n_updates} "
                "update(s); look the rows up by their ids, for instance "
                "frame.set_index('id').loc[selector.selected_ids_]."
            )
        return _safe_indexing(X, self.selected_indices_)

    def _similarities(self, X):
        exemplars = self._encoded_exemplars()
        if not exemplars.shape[0]:
            reason = (
                "no active rows to compare with; add some by partial_fit"
                if not self.n_active_
                else "no selected rows to compare with, because forbidden or zero "
                f"weights bar all {self.n_active_} active ones"
            )
            raise ValueError(f"There are {reason}.")
        return self.objective_model_.similarity(X, exemplars)

    def _encoded_exemplars(self):
        living = self._now
        return living.Z.take(living.answer.indices)

    def _similarities_by_batch(self, X):
        return (self._similarities(X[part]) for part in blocks(X.shape[0], 16_384))

    def _nearest(self, X):
        nearest = [alike(S).argmax(axis=1) for S in self._similarities_by_batch(X)]
        return np.concatenate(nearest)

    # changes of everything at once

    @fit_context(prefer_skip_nested_validation=False)
    def reoptimize(self):
        """Solve all living rows anew; the structures for updates stay.

        Returns
        -------
        self : DynamicSubmodularSelector
            The selector with a new answer.
        """
        living = self._now
        living.check_settled()
        if self.algorithm == "sieve":
            raise NotImplementedError(
                "algorithm='sieve' does not store the rows that it has passed over; "
                "use another algorithm, or fit."
            )
        living.reoptimize()
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def refresh_reference(self, X=None):
        """Draw a new reference set and solve anew.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            Rows to be represented; None takes the living ones.

        Returns
        -------
        self : DynamicSubmodularSelector
            The selector for the new reference.
        """
        living = self._now
        if not len(living.table):
            raise ValueError(
                "There are no active rows to solve for; add some by partial_fit."
            )
        X = None if X is None else self._more_rows(X)[1]
        self._living = living.refreshed(X)
        return self

    def snapshot(self):
        """Copy the fitted state.

        Returns
        -------
        Snapshot
            What `restore` takes.
        """
        self._now.finish()
        params = self.get_params(deep=False)
        own = {k: v for k, v in vars(self).items() if k not in params}
        # functions and frozen encoders are as they are, however large
        shared = [v for v in self.get_params().values() if _is_shared(v)]
        params = copy.deepcopy(params, {id(value): value for value in shared})
        return Snapshot(params, self._copied(own))

    def restore(self, snapshot):
        """Go back to a copied state.

        Parameters
        ----------
        snapshot : Snapshot
            What `snapshot` of a selector with these parameters returned.

        Returns
        -------
        self : DynamicSubmodularSelector
            The selector as it was.
        """
        if not isinstance(snapshot, Snapshot):
            raise ValueError(
                f"restore takes what snapshot() returned, got {snapshot!r}."
            )
        params, then = self.get_params(deep=False), snapshot.parameters
        if other := [name for name in params if not same(then[name], params[name])]:
            raise ValueError(
                "The snapshot is of a selector with other parameters: "
                f"{', '.join(other)}. Set them as they were, or restore into that "
                "selector."
            )
        state = {**params, **self._copied(snapshot.state)}
        self.__dict__.clear()
        self.__dict__.update(state)
        return self

    def _copied(self, state):
        encoder = state["encoder_"]  # shared: after fit it is only read
        return copy.deepcopy(state, {id(encoder): encoder})

    # what is passed to it

    @property
    def _now(self):
        """The state, told the parameters as they are now."""
        if not hasattr(self, "_living"):
            check_is_fitted(self)  # which takes long, and raises
        self._living.settings = self._settings
        return self._living

    @property
    def _settings(self):
        return SimpleNamespace(
            **{name: getattr(self, name) for name in self._parameter_constraints}
        )

    def _more_rows(self, X):
        """Return rows as they are stored and as they are compared.

        Both are the same object unless there is an encoder.
        """
        living = self._now
        if self.encoder_ is None:
            X = X if self._plain(X) else validate_data(self, X, reset=False, **DATA)
            return X, X
        X, given = any_rows(self, X, living.X.take([]).shape[1:])
        return X, encode(self.encoder_, given)

    def _plain(self, X):
        """Tell whether plain checks suffice, whose overhead is below an update."""
        return (
            type(X) is np.ndarray
            and X.dtype in FLOATS
            and X.ndim == 2
            and len(X) > 0
            and X.shape[1] == self.n_features_in_
            and not hasattr(self, "feature_names_in_")
            and np.isfinite(X).all()
        )

    def _ids_of_more(self, ids, X, n, leaving=()):
        if n and ids is None and self._ids_given:
            raise ValueError(
                "ids were given at fit; give them here too, as ids=... to partial_fit "
                "and (rows, ids) to update."
            )
        return check_ids(ids, X, n, self._living.table, leaving)

    def _weights_of_more(self, sample_weight, X):
        if sample_weight is None:
            return None
        check_weighs(self.objective_model_)
        weight = np.asarray(sample_weight)
        if weight.shape == (X.shape[0],) and not weight.any():
            return weight  # a batch may hold rows alone that are never selected
        return check_weights(sample_weight, X)

    def _leaving_slots(self, ids, missing):
        if missing not in ("raise", "ignore"):
            raise ValueError(f"missing must be 'raise' or 'ignore', got {missing!r}.")
        ids = listed(ids)
        if ids and self.algorithm == "sieve":
            raise NotImplementedError(
                "algorithm='sieve' cannot forget, because it stores only the rows that "
                "it selects; use algorithm='leveled'."
            )
        if fixed := set(ids) & set(listed(self.initial)):
            raise ValueError(
                f"id {fixed.pop()!r} is in initial and cannot be forgotten; fit with "
                "another initial."
            )
        return self._living.table.find(ids, missing=missing)

    # plumbing

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_living")

    @property
    def _n_features_out(self):
        return len(self._now.answer.indices)

    def __sklearn_tags__(self):
        tags = encoder_tags(super().__sklearn_tags__(), self.encoder)
        kept = ["float64", "float32"] if self.encoder is None else []
        tags.transformer_tags.preserves_dtype = kept
        return tags


def _is_shared(value):
    return callable(value) or isinstance(value, FrozenEstimator)


def same(first, second):
    """Tell whether two parameters are the same, by value and to the last entry.

    Streams of random numbers are always the same: how far one was read is no
    parameter.

    Parameters
    ----------
    first, second : object
        Parameters, or whatever parameters are made of.

    Returns
    -------
    bool
        Whether they are.
    """
    if first is second or (isinstance(first, STREAMS) and isinstance(second, STREAMS)):
        return True
    if type(first) is not type(second):
        return False
    if isinstance(first, BaseEstimator):
        return same(first.get_params(deep=False), second.get_params(deep=False))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            same(value, second[key]) for key, value in first.items()
        )
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if sparse.issparse(first):
        return first.shape == second.shape and abs(first - second).nnz == 0
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and same(first.tolist(), second.tolist())
    with suppress(ValueError, TypeError):  # frames compare entry by entry
        if first == second:
            return True
    with suppress(TypeError, AttributeError, pickle.PicklingError):
        return pickle.dumps(first) == pickle.dumps(second)
    return False
