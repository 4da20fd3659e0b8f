"""A representative subset of a table whose rows come and go."""

from dataclasses import replace
from numbers import Integral, Real

from sklearn.utils import check_random_state, get_tags

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    StrOptions,
)
from sklearn_ext._core._validation import check_weights
from sklearn_ext.submodular._backends import BACKENDS
from sklearn_ext.submodular._living import NOTHING, LivingTable
from sklearn_ext.submodular._named import OBJECTIVES
from sklearn_ext.submodular._selector_answers import SelectorAnswers
from sklearn_ext.submodular._selector_attributes import SelectorAttributes
from sklearn_ext.submodular._selector_moves import SelectorMoves
from sklearn_ext.submodular._selector_rows import SelectorRows
from sklearn_ext.submodular._slots import SlotTable, check_ids, listed


class DynamicSubmodularSelector(
    SelectorAttributes,
    SelectorAnswers,
    SelectorMoves,
    SelectorRows,
    LivingTable,
    ExtEstimator,
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
        Whether work of an update with ``max_calls`` is still to be done.
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

    _parameter_constraints: dict = {
        "n_select": [Interval(Integral, 1, None, closed="left")],
        "objective": [
            StrOptions(set(OBJECTIVES)),
            HasMethods(["fit_reference", "represent", "gains", "add"]),
        ],
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
        given = X
        X, Z = self._first_rows(X, y)
        weight = None if sample_weight is None else check_weights(sample_weight, Z)
        self._ids_given = ids is not None
        ids = check_ids(ids, given, X.shape[0], SlotTable())
        SlotTable().check_new(ids)
        self._check_initial(ids)
        self._previous = ()
        self._start(X, Z, ids, weight, check_random_state(self.random_state))
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
        if not hasattr(self, "_table"):
            return self.fit(X, y, sample_weight=sample_weight, ids=ids)
        given = X
        X, Z = self._more_rows(X)
        weight = self._weights_of_more(sample_weight, Z)
        ids = self._ids_of_more(ids, given, X.shape[0])
        self._table.check_new(ids)
        self._apply(NOTHING, (X, Z), ids, weight, None)
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
        leave = self._leaving_slots(ids, missing)
        if not len(leave):
            return self
        if purge and len(leave) < self.n_active_:
            self._purge(leave)
        else:
            self._apply(leave, None, [], None, None)
        return self

    # without fit_context, whose checks of parameters take as long as an update;
    # _apply undoes what it began
    def update(self, insert=None, forget=(), *, max_calls=None):
        """Remove and add rows at once: all or nothing.

        Parameters
        ----------
        insert : array-like of shape (n_samples, n_features) or tuple, default=None
            Rows to add, or ``(rows, ids)`` as in `partial_fit`.
        forget : array-like, default=()
            Identifiers of rows to remove; they go first, so their identifiers can be
            used again.
        max_calls : int, default=None
            Gains to evaluate now, at least 1, beyond which work pauses after the
            current block, of at most 2,048 rows and their levels. What is left of a
            rebuild is carried on by later updates, while ``stale_`` is True and the
            answer is made without it, with a wider bound. None does all work now.

        Returns
        -------
        self : DynamicSubmodularSelector
            The updated selector.
        """
        leave = self._leaving_slots(forget, "raise")
        if max_calls is not None and not (
            isinstance(max_calls, Integral) and max_calls > 0
        ):
            raise ValueError(
                f"max_calls must be None or a positive int, got {max_calls!r}."
            )
        rows, ids = insert, None
        if isinstance(insert, tuple):
            if len(insert) != 2:
                raise ValueError(
                    f"insert must be rows or a pair (rows, ids), got {len(insert)} "
                    "parts."
                )
            rows, ids = insert
        rows, new = self._coming_rows(rows, ids, self._table.ids(leave).tolist())
        if rows is None and not len(leave):
            return self
        self._apply(leave, rows, new, None, max_calls)
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

    # plumbing

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_table")

    def __getstate__(self):
        if hasattr(self, "_table"):
            self._finish_work()
        return super().__getstate__()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        if self.encoder is not None:  # rows are what it takes
            of_rows = get_tags(self.encoder).input_tags
            tags.input_tags = replace(of_rows, allow_nan=False)
            tags.target_tags = get_tags(self.encoder).target_tags
        kept = ["float64", "float32"] if self.encoder is None else []
        tags.transformer_tags.preserves_dtype = kept
        return tags
