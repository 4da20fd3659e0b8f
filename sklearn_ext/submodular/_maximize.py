"""Static selection: one call from rows to a chosen subset."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array, check_random_state

from sklearn_ext._core._compat import Interval, StrOptions, validate_params
from sklearn_ext._core._validation import warn
from sklearn_ext.submodular._engine._greedy import (
    Picks,
    greedy,
    lazy,
    pruned,
    stochastic,
    threshold,
)
from sklearn_ext.submodular._engine._report import selection_of
from sklearn_ext.submodular._engine._sieve import sieve
from sklearn_ext.submodular._engine._swap import swap
from sklearn_ext.submodular._gains._backends import BACKENDS, make_oracle
from sklearn_ext.submodular._objectives._named import OBJECTIVE, make_objective

SOLVERS = {
    "greedy": greedy,
    "lazy": lazy,
    "stochastic": stochastic,
    "threshold": threshold,
    "sieve": sieve,
    "pruned": pruned,
}


@validate_params(
    {
        "objective": OBJECTIVE,
        "X": ["array-like", "sparse matrix"],
        "k": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions(set(SOLVERS))],
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
    objective = make_objective(objective).fit_reference(X, sample_weight, rng)
    oracle = make_oracle(objective, backend, device)
    oracle.load(X)
    slots = check_positions(candidates, X.shape[0], "candidates")
    slots = np.arange(X.shape[0]) if candidates is None else slots
    if sample_weight is not None:
        slots = slots[np.asarray(sample_weight)[slots] > 0]
    first = check_positions(initial, X.shape[0], "initial")
    state, gains = oracle.grow(oracle.empty_state(), first)
    slots = slots[~np.isin(slots, first)]
    if k > len(slots):
        warn(
            f"k={k} is more than the {len(slots)} rows to choose from; all that add "
            "something are chosen."
        )
    slots = slots if method == "sieve" else np.sort(slots)  # which keeps their order
    generator = np.random.default_rng(rng.randint(2**31 - 1))
    picks = SOLVERS[method](oracle, slots, k, state, generator, epsilon)
    if n_swaps != 0:
        picks = swap(oracle, picks, slots, n_swaps, state)
    return selection_of(oracle, Picks(state, slots=first, gains=gains), picks)


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
    positions = np.asarray([] if positions is None else positions)
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
