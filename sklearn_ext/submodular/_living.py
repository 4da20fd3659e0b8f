"""The state behind the selector: a table of slots, its coordinates, the engine."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, clone

from sklearn_ext.submodular._backends import make_oracle
from sklearn_ext.submodular._encoding import raw_store
from sklearn_ext.submodular._engine import Engine
from sklearn_ext.submodular._greedy import Picks, in_greedy_order
from sklearn_ext.submodular._maximize import solve
from sklearn_ext.submodular._named import OBJECTIVES
from sklearn_ext.submodular._report import Report, refine
from sklearn_ext.submodular._rows import grown, row_store
from sklearn_ext.submodular._sieve import Sieve
from sklearn_ext.submodular._slots import SlotTable, listed

FULL_REFINEMENT = 2e6  # coordinates of all rows, up to which all are candidates
NOTHING = np.empty(0, dtype=np.intp)


def make_objective(objective, algorithm):
    """Return a fresh objective by name or as a clone, fit for an algorithm.

    Parameters
    ----------
    objective : str or SubmodularObjective
        The user's.
    algorithm : str
        Dynamic ones need monotone objectives.

    Returns
    -------
    SubmodularObjective
        A new one.
    """
    if isinstance(objective, str):
        return OBJECTIVES[objective]()
    objective = clone(objective)
    if isinstance(objective, BaseEstimator):
        objective._validate_params()
    if not objective.monotone and algorithm != "greedy":
        raise ValueError(
            f"algorithm={algorithm!r} needs a monotone objective, which "
            f"{type(objective).__name__} is not; use algorithm='greedy', which solves "
            "anew after updates."
        )
    return objective


class LivingTable:
    """What a selector does with slots; it checks nothing."""

    def _start(self, X, Z, ids, weight, rng):
        """Begin with a table, of rows X that are compared as Z, and solve it."""
        self.objective_model_ = make_objective(self.objective, self.algorithm)
        self.objective_model_.fit_reference(Z, weight, rng)
        self._settled = self._settings()
        self._seed = int(rng.randint(2**31 - 1))
        self._n_updates = 0
        self._table = SlotTable(ids)
        self._store(X.copy(), Z)
        self._eligible = np.zeros(len(self._table.alive), dtype=bool)
        self._mark(self._table.slots, ids, weight)
        self._represent()
        if self.algorithm == "sieve":
            self._solve_again(insert=self._table.slots)
        else:
            self._solve_again()

    def _store(self, X, Z):
        """Keep rows, as they came and as they are compared."""
        if self.encoder_ is None:
            self._X = self._Z = row_store(X)
        else:
            self._X, self._Z = raw_store(X), row_store(Z)

    def _represent(self):
        """Start an oracle of the coordinates of all slots."""
        self._oracle = make_oracle(self.objective_model_, self.backend, self.device)
        self._oracle.follow(self._Z, self.max_cache_mb)

    def _mark(self, slots, ids, weight):
        """Note which slots can be chosen."""
        self._eligible = grown(self._eligible, len(self._table.alive))
        self._eligible[slots] = True if weight is None else weight > 0
        never = set(listed(self.forbidden)) | set(listed(self.initial))
        if never:
            barred = [i in never for i in ids]
            self._eligible[slots[barred]] = False

    def _solve_again(self, insert=NOTHING):
        """Forget all structures and solve the table as it is."""
        self._engine, self._sieve = None, None
        state, first = self._oracle.empty_state(), None
        if len(slots := self._table.find(listed(self.initial))):
            state, gains = self._oracle.grow(state, slots)
            value = self._oracle.value(state)
            first = Report(tuple(slots.tolist()), tuple(gains), value, value)
        self._state, self._initial, self._report = state, first, None
        if self.algorithm == "sieve":
            self._sieve = Sieve(self._oracle, self.n_select, state, self.epsilon)
            self._feed_sieve(insert)
            return
        self._bound = np.inf
        self._report = self._solve_all()

    def _solve_all(self, previous=()):
        """Solve with all candidates, and remember the bound."""
        picks = solve(
            self._oracle,
            self._candidates(),
            self.n_select,
            self._state,
            self.solver,
            self._generator(),
            self.epsilon,
        )
        self._bound = min(self._bound, picks.bound)
        if self.solver in ("stochastic", "threshold"):
            picks = in_greedy_order(self._oracle, self._state, picks.slots)
        return self._make_report(picks, self._bound, previous)

    def _generator(self):
        """Return randomness that depends on the seed and the updates so far only."""
        return np.random.default_rng((self._seed, self._n_updates))

    def _candidates(self):
        alive = self._table.alive
        return np.flatnonzero(alive & self._eligible[: len(alive)])

    # updates

    def _apply(self, leave, rows, ids, weight, max_calls):
        """Remove slots and add rows; a failure undoes both."""
        self._check_settled()
        if len(ids):
            X, Z = rows
            coordinates = self._oracle.represent(Z)
        self._ensure_engine(max_calls)
        table = self._table
        come, saved = table.vacant(len(ids)), table.saved()
        table.remove(leave)
        table.add(come, ids)
        try:
            if len(ids):
                self._X.put(come, X)
                if self.encoder_ is not None:
                    self._Z.put(come, Z)
                self._oracle.rows.put(come, coordinates)
                self._mark(come, ids, weight)
            self._update_engine(leave, come, max_calls)
        except BaseException:
            table.restore(saved, leave, come)
            raise
        self._outdate()
        self._bound = np.inf if len(come) else self._bound
        self._n_updates += 1

    def _ensure_engine(self, max_calls):
        self._drop_failed()
        if self.algorithm in ("leveled", "bucketed") and self._engine is None:
            engine = Engine(
                self._oracle,
                self.n_select,
                self._state,
                self.epsilon,
                self.algorithm,
                self.guesses,
                self.max_guesses,
                self._generator(),
            )
            engine.update(NOTHING, self._candidates(), max_calls)
            self._engine = engine

    def _update_engine(self, leave, come, max_calls):
        if self.algorithm == "sieve":
            self._feed_sieve(come)
            return
        if self._engine is not None:
            leave_, come_ = leave[self._eligible[leave]], come[self._eligible[come]]
            self._engine.update(leave_, come_, max_calls)
        if self._engine is None or self._engine.idle:
            self._table.release()

    def _feed_sieve(self, come):
        """Show rows to the sieve, and keep only those that it holds."""
        self._sieve.insert(come[self._eligible[come]])
        held = self._sieve.held | set(self._initial.slots if self._initial else ())
        held = held or set(self._candidates()[:1].tolist())  # which adds nothing yet
        slots = self._table.slots
        gone = slots[[s not in held for s in slots.tolist()]]
        self._table.remove(gone)
        self._table.release()

    # answers

    def _answer(self):
        """Return the report, made now if updates came since the last one."""
        if self._report is None:
            self._report = self._digest()
        return self._report

    def _settings(self):
        """Return the parameters that bounds and structures are made for."""
        names = ("n_select", "algorithm", "epsilon", "guesses", "max_guesses")
        return {name: getattr(self, name) for name in names}

    def _check_settled(self):
        now = self._settings()
        for name, value in self._settled.items():
            if now[name] != value:
                raise ValueError(
                    f"{name} was {value!r} in fit and is {now[name]!r} now, for which "
                    "nothing that is stored holds; call fit again."
                )

    def _digest(self):
        self._check_settled()
        previous = [s for s in self._previous if self._table.alive[s]]
        if self.algorithm == "sieve":
            picks = self._sieve.picks
            return self._make_report(picks, picks.bound, previous)
        candidates = self._candidates()
        full = self._refine_fully(len(candidates))
        if self.algorithm == "greedy" or full:
            report = self._solve_all(previous)
            if self.algorithm == "greedy":
                return report
        first = set(self._initial.slots if self._initial else ())
        kept = [s for s in previous if s not in first]
        best, bound = [], self._bound
        if self._engine is not None:
            bound = min(bound, self._engine.bound)
            best = self._engine.best() if self._engine.idle else []
        if full:
            best = [s for s in report.slots if s not in first]
        busy = self._engine is not None and not self._engine.idle
        if self.refine == "none" and not busy:
            picks = in_greedy_order(self._oracle, self._state, best or kept)
        else:
            alone = full or (self.refine == "guesses" and not busy)
            pool = self._pool(candidates, [*best, *kept], alone)
            picks = refine(
                self._oracle,
                self.n_select,
                self._state,
                pool,
                best,
                kept,
                self.stability,
                self.n_swaps,
            )
        return self._make_report(picks, bound, previous)

    def _refine_fully(self, n):
        size = n * self.objective_model_.n_coords_
        return self.refine == "full" or (
            self.refine == "auto" and size <= FULL_REFINEMENT
        )

    def _pool(self, candidates, members, alone):
        """Return what can be chosen: all guesses' rows, and random others.

        While work is under way the guesses may hold few rows that still live, so that
        random ones are needed whatever ``refine`` says.
        """
        live = set(candidates.tolist())
        members = {*members, *(self._engine.candidates if self._engine else ())}
        pool = np.array(sorted(members & live), dtype=np.intp)
        if alone:
            return pool
        size = min(max(self.pool_size, self.n_select), len(candidates))
        others = self._generator().choice(candidates, size, replace=False)
        return np.union1d(pool, others)

    def _make_report(self, picks, bound, previous):
        candidates = self._candidates()
        if not picks.slots and self._initial is None and len(candidates):
            bound = min(bound, picks.bound)
            if bound <= 0:
                warnings.warn(
                    "No row adds anything to the objective; the first one is reported "
                    "so that predict and transform work.",
                    UserWarning,
                    stacklevel=2,
                )
            picks = Picks(self._state, bound)
            gain = self._oracle.gains(candidates[:1], self._state)[0]
            picks.take(self._oracle, candidates[0], max(gain, 0.0))
        return Report.of(
            self._oracle, self._state, self._initial, picks, bound, previous
        )

    def _finish_work(self):
        self._drop_failed()
        if self._engine is not None and not self._engine.idle:
            self._engine.finish()
            self._outdate()
        self._table.release()

    def _outdate(self):
        """Let the next reading make a new answer."""
        if self._report is not None:
            self._previous, self._report = self._report.slots, None

    def _drop_failed(self):
        """Let go of an engine that stopped halfway: the next update makes another."""
        if self._engine is not None and self._engine.failed:
            self._engine = None
