"""The dynamic engine by itself, on rows of coordinates."""

from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ext._core._compat import Interval, StrOptions, validate_params
from sklearn_ext._numerics._arrays import dense
from sklearn_ext.submodular._engine._greedy import in_greedy_order
from sklearn_ext.submodular._engine._guesses import KINDS, NOTHING, Engine
from sklearn_ext.submodular._gains._backends import BACKENDS, make_oracle
from sklearn_ext.submodular._rows._slots import SlotTable, check_ids, listed


class DynamicMaximizer:
    r"""Keep a set of k rows near the best while rows come and go.

    This is what `DynamicSubmodularSelector` is made of, without tables, refinement or
    stability: sets with at least 1 / (2 + epsilon) of the optimum, and a proven upper
    bound. An insertion or a deletion that does not depend on the answers costs
    O(k log k) gains in expectation for each guess, however many rows there are. When
    the objective raises an error during an update, everything is as before it.

    Parameters
    ----------
    objective : SubmodularObjective
        Monotone, and with its reference fitted.
    k : int
        Rows to choose.
    epsilon : float, default=0.1
        Spacing of the guesses of the optimum.
    algorithm : {"leveled", "bucketed"}, default="leveled"
        How a guess is kept.
    guesses : {"boundary", "all"}, default="boundary"
        Keep the two guesses that enclose the optimum, or all.
    max_guesses : int, default=3
        How many are kept at most with "boundary".
    backend : {"auto", "numpy", "numba", "torch"}, default="auto"
        What computes gains, as in `DynamicSubmodularSelector`.
    device : str, default=None
        Torch device, for instance "cuda"; None stays on the CPU.
    random_state : int, RandomState instance or None, default=None
        Randomness of the choices; it matters for the cost alone.

    Attributes
    ----------
    n_calls : int
        Gains evaluated so far.

    See Also
    --------
    DynamicSubmodularSelector : The estimator.
    CallableObjective : Wraps a function of your own.

    Examples
    --------
    >>> from sklearn_ext.submodular import Coverage, DynamicMaximizer
    >>> rows = [[1, 1, 0], [1, 0, 0], [0, 0, 1]]
    >>> engine = DynamicMaximizer(Coverage().fit_reference(rows), 2, random_state=0)
    >>> engine.insert(rows, ids=["a", "b", "c"]).delete(["a"]).solution()
    ['b', 'c']
    """

    @validate_params(
        {
            "k": [Interval(Integral, 1, None, closed="left")],
            "epsilon": [Interval(Real, 0, 1, closed="neither")],
            "algorithm": [StrOptions(set(KINDS))],
            "guesses": [StrOptions({"boundary", "all"})],
            "max_guesses": [Interval(Integral, 2, None, closed="left")],
            "backend": [StrOptions(BACKENDS)],
            "device": [str, None],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        objective,
        k,
        *,
        epsilon=0.1,
        algorithm="leveled",
        guesses="boundary",
        max_guesses=3,
        backend="auto",
        device=None,
        random_state=None,
    ):
        if not objective.monotone:
            raise ValueError(
                f"DynamicMaximizer needs a monotone objective, which "
                f"{type(objective).__name__} is not; use maximize."
            )
        if not hasattr(objective, "n_coords_"):
            raise ValueError(
                "The objective has no reference yet: call its fit_reference first."
            )
        self._table = SlotTable()
        self._oracle = make_oracle(objective, backend, device)
        self._oracle.hold(np.empty((0, objective.n_coords_)))
        settings = SimpleNamespace(
            n_select=k,
            epsilon=epsilon,
            algorithm=algorithm,
            guesses=guesses,
            max_guesses=max_guesses,
        )
        seed = check_random_state(random_state).randint(2**31 - 1)
        rng, state = np.random.default_rng(seed), self._oracle.empty_state()
        self._engine = Engine(self._oracle, settings, state, rng)

    @property
    def n_calls(self):
        """Gains evaluated so far."""
        return self._oracle.n_calls

    def insert(self, rows, ids=None):
        """Add rows of coordinates.

        Parameters
        ----------
        rows : {array-like, sparse array} of shape (n_rows, n_coords)
            What ``objective.represent`` returns.
        ids : array-like of shape (n_rows,), default=None
            Identifiers; None goes on counting from 0.

        Returns
        -------
        self : DynamicMaximizer
            The engine.
        """
        rows = np.asarray(dense(rows), dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self._oracle.objective.n_coords_:
            raise ValueError(
                f"Expected rows of {self._oracle.objective.n_coords_} coordinates, got "
                f"shape {rows.shape}."
            )
        if not np.isfinite(rows).all():
            raise ValueError("rows must be finite, got NaN or infinity.")
        ids = check_ids(ids, rows, len(rows), self._table)
        slots = self._table.vacant(len(ids))
        self._oracle.rows.put(slots, rows)
        self._engine.update(NOTHING, slots)
        self._table.add(slots, ids)
        return self

    def delete(self, ids):
        """Remove rows.

        Parameters
        ----------
        ids : array-like
            Identifiers.

        Returns
        -------
        self : DynamicMaximizer
            The engine.
        """
        slots = self._table.find(listed(ids))
        self._engine.update(slots, NOTHING)
        self._table.remove(slots)
        self._table.release()
        return self

    def solution(self):
        """Return the best set that is kept.

        Returns
        -------
        list
            Identifiers, by greedy gain.
        """
        picks = in_greedy_order(self._oracle, self._engine.state, self._engine.best())
        return self._table.ids(picks.slots).tolist()

    def bounds(self):
        """Return what is proven about the optimum.

        Returns
        -------
        lower : float
            Value of the best set that is kept.
        upper : float
            No set of k rows has more.
        """
        state, _ = self._oracle.grow(self._engine.state, self._engine.best())
        lower = self._oracle.value(state)
        return lower, max(self._engine.bound, lower)
