"""Static selection: one call from rows to a chosen subset."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_array, check_random_state

from sklearn_ext._core._compat import HasMethods, Interval, StrOptions, validate_params
from sklearn_ext.submodular._engine._greedy import greedy, lazy, stochastic, threshold
from sklearn_ext.submodular._engine._sieve import sieve
from sklearn_ext.submodular._engine._swap import swap
from sklearn_ext.submodular._gains._backends import BACKENDS, make_oracle
from sklearn_ext.submodular._objectives._named import OBJECTIVES

SOLVERS = {
    "greedy": greedy,
    "lazy": lazy,
    "stochastic": stochastic,
    "threshold": threshold,
    "sieve": sieve,
}
POOL_SIZE = 1000


@dataclass(frozen=True)
class Selection:
    """A chosen subset.

    Parameters
    ----------
    indices : ndarray of shape (n_selected,)
        Rows in the order of choice.
    gains : ndarray of shape (n_selected,)
        What each added to those before it.
    value : float
        Value of the set.
    upper_bound : float
        Proven bound on the value of every set of k candidates.
    n_calls : int
        Gains that were evaluated.

    Examples
    --------
    >>> from sklearn_ext.submodular import Coverage, maximize
    >>> maximize(Coverage(), [[1, 1, 0], [0, 0, 1]], 1).certificate
    1.0
    """

    indices: np.ndarray
    gains: np.ndarray
    value: float
    upper_bound: float
    n_calls: int

    @property
    def certificate(self):
        """Value over upper bound: a proven part of the best possible."""
        return self.value / self.upper_bound if self.upper_bound > 0 else 1.0


@validate_params(
    {
        "objective": [
            StrOptions(set(OBJECTIVES)),
            HasMethods(["fit_reference", "represent", "gains", "add"]),
        ],
        "X": ["array-like", "sparse matrix"],
        "k": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({*SOLVERS, "pruned"})],
        "candidates": ["array-like", None],
        "initial": ["array-like", None],
        "sample_weight": ["array-like", None],
        "n_swaps": [Interval(Integral, 0, None, closed="left"), None],
        "epsilon": [Interval(Real, 0, 1, closed="neither")],
        "backend": [StrOptions(BACKENDS)],
        "device": [str, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=False,
)
def maximize(
    objective,
    X,
    k,
    *,
    method="lazy",
    candidates=None,
    initial=None,
    sample_weight=None,
    n_swaps=0,
    epsilon=0.1,
    backend="auto",
    device=None,
    random_state=None,
):
    r"""Choose at most k rows of a table that together are worth most.

    "greedy" and "lazy" find the same set, within :math:`1-1/e` of the best, the latter
    with about two or three evaluations a row. Every answer comes with an upper bound: a
    set can add at most the k largest gains to any prefix of the chosen rows. It is
    infinite where a sample alone was looked at, by "stochastic" and "pruned".

    Parameters
    ----------
    objective : str or SubmodularObjective
        What the rows are worth, cloned before it is fitted; "facility_location",
        "coverage", "feature_based", "saturated_coverage", "probabilistic_coverage" and
        "log_det" name one with its defaults.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    k : int
        Rows to choose. Rows that add nothing are never chosen, so fewer may return;
        more than there are raises a warning.
    method : str, default="lazy"
        "greedy" evaluates all rows in each round and "lazy" [1]_ those that can win,
        "stochastic" [2]_ looks at a random sample in each round, "threshold" lowers a
        threshold, "sieve" [3]_ reads the rows once in their order, "pruned" is "lazy"
        on 1000 random candidates.
    candidates : array-like of int, default=None
        Rows that can be chosen; None means all.
    initial : array-like of int, default=None
        Rows that belong to the set from the start, beyond the k.
    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts as one to be represented; rows of weight zero are
        neither represented nor chosen.
    n_swaps : int or None, default=0
        Exchanges of chosen rows afterwards, for `FacilityLocation` and `Coverage`; None
        goes on until no exchange helps.
    epsilon : float, default=0.1
        What "stochastic", "threshold" and "sieve" give up of their ratio.
    backend : {"auto", "numpy", "numba", "torch"}, default="auto"
        What computes gains. "numba" (``pip install 'sklearn-ext[compiled]'``) compiles
        loops for `FacilityLocation` and `Coverage`, once on a machine, when the family
        is first imported; "torch" keeps their rows on a device. "auto" is "torch" when
        ``device`` is given; else compiled loops where numba is installed and there are
        some, and numpy elsewhere.
    device : str, default=None
        Torch device, for instance "cuda"; None stays on the CPU.
    random_state : int, RandomState instance or None, default=None
        Draws samples of rows and references.

    Returns
    -------
    Selection
        Indices in the order of choice, gains, value and bound; `initial` rows come
        first.

    See Also
    --------
    DynamicSubmodularSelector : Keeps the set good while rows come and go.

    References
    ----------
    .. [1] M. Minoux, "Accelerated greedy algorithms for maximizing submodular set
       functions", Optimization Techniques, 1978.
    .. [2] B. Mirzasoleiman, A. Badanidiyuru, A. Karbasi, J. Vondrak and A. Krause,
       "Lazier than lazy greedy", AAAI 2015.
    .. [3] E. Kazemi, M. Mitrovic, M. Zadimoghaddam, S. Lattanzi and A. Karbasi,
       "Submodular streaming in all its glory: tight approximation, minimum memory and
       low adaptive complexity", ICML 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.submodular import FacilityLocation, maximize
    >>> X, _ = load_digits(return_X_y=True)
    >>> found = maximize(FacilityLocation(), X, 10, random_state=0)
    >>> len(found.indices), found.certificate > 0.8
    (10, True)
    """
    X = check_array(X, accept_sparse="csr", dtype=(np.float64, np.float32))
    rng = check_random_state(random_state)
    named = isinstance(objective, str)
    objective = OBJECTIVES[objective]() if named else clone(objective)
    if isinstance(objective, BaseEstimator):
        objective._validate_params()
    objective.fit_reference(X, sample_weight, rng)
    oracle = make_oracle(objective, backend, device)
    oracle.load(X, copy=False)
    slots = check_positions(candidates, X.shape[0], "candidates")
    slots = np.arange(X.shape[0]) if candidates is None else slots
    if sample_weight is not None:
        slots = slots[np.asarray(sample_weight)[slots] > 0]
    first = check_positions(initial, X.shape[0], "initial")
    state, first_gains = oracle.grow(oracle.empty_state(), first)
    slots = slots[~np.isin(slots, first)]
    if k > len(slots):
        warnings.warn(
            f"k={k} is more than the {len(slots)} rows to choose from; all that add "
            "something are chosen.",
            UserWarning,
            stacklevel=3,  # above validate_params
        )
    slots = slots if method == "sieve" else np.sort(slots)  # which keeps their order
    generator = np.random.default_rng(rng.randint(2**31 - 1))
    picks = solve(oracle, slots, k, state, method, generator, epsilon)
    if n_swaps != 0:
        picks = swap(oracle, picks, slots, n_swaps, state)
    value = oracle.value(picks.state)
    bound = oracle.value(state) + picks.bound
    return Selection(
        np.array([*first, *picks.slots], dtype=np.intp),
        np.array([*first_gains, *picks.gains]),
        value,
        float(max(bound, value)),
        oracle.n_calls,
    )


def solve(oracle, slots, k, state, method, rng, epsilon=0.1):
    """Run a solver by its name.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    slots : ndarray of shape (n,)
        Candidates.
    k : int
        Rows to choose at most.
    state : object
        State to start from.
    method : str
        Name of the solver.
    rng : Generator
        Randomness of those that need it.
    epsilon : float, default=0.1
        What the approximate ones give up.

    Returns
    -------
    Picks
        The chosen.
    """
    if method == "pruned":
        if len(slots) > POOL_SIZE:
            slots = np.sort(rng.choice(slots, POOL_SIZE, replace=False))
            picks = lazy(oracle, slots, k, state)
            picks.bound = np.inf  # of the pool, not of all
            return picks
        method = "lazy"
    extra = {"greedy": (), "lazy": ()}.get(method, (epsilon,))
    return SOLVERS[method](oracle, slots, k, state, rng, *extra)


def check_positions(positions, n, name, what="row"):
    """Check positions of rows: distinct integers in range.

    Parameters
    ----------
    positions : array-like of int or None
        The positions; None means none.
    n : int
        Number of rows.
    name : str
        What the caller calls them.
    what : str, default="row"
        What they are positions of.

    Returns
    -------
    ndarray of int
        The positions.
    """
    if positions is None:
        return np.empty(0, dtype=np.intp)
    positions = np.asarray(positions)
    if positions.size == 0:
        return np.empty(0, dtype=np.intp)
    if positions.dtype.kind not in "iu" or positions.ndim != 1:
        raise ValueError(f"{name} must be a list of {what} numbers, got {positions!r}.")
    if positions.min() < 0 or positions.max() >= n:
        raise ValueError(
            f"{name} must be {what} numbers from 0 to {n - 1}, got {positions.min()} "
            f"to {positions.max()}."
        )
    if len(np.unique(positions)) < len(positions):
        raise ValueError(f"{name} holds a {what} twice.")
    return positions.astype(np.intp)
