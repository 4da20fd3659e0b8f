"""All that a selector knows, as one object: its rows, its sets, its last answer."""

import copy
import warnings
from dataclasses import dataclass, fields

import numpy as np
from scipy import sparse

from sklearn_ext.submodular._engine._greedy import Picks, in_greedy_order
from sklearn_ext.submodular._engine._guesses import NOTHING, Engine
from sklearn_ext.submodular._engine._report import Report, refine
from sklearn_ext.submodular._engine._sieve import Sieve
from sklearn_ext.submodular._gains._backends import make_oracle
from sklearn_ext.submodular._maximize import solve
from sklearn_ext.submodular._rows._slots import SlotTable, listed
from sklearn_ext.submodular._rows._stores import grown, raw_store, row_store

GUESSING = "leveled", "bucketed"  # algorithms that keep guesses
LATENCY = 10_000  # gains of one update by default, about: a few milliseconds
FULL_REFINEMENT = 2e6  # coordinates of all rows, up to which all are candidates
SETTLED = ("n_select", "algorithm", "epsilon", "guesses", "max_guesses")


@dataclass(frozen=True)
class Settings:
    """The parameters of a selector that a living table works by."""

    n_select: int
    solver: str
    algorithm: str
    epsilon: float
    guesses: str
    max_guesses: int
    refine: str
    pool_size: int
    stability: float
    n_swaps: int
    initial: object
    forbidden: object
    max_cache_mb: float
    backend: str
    device: str | None

    @classmethod
    def of(cls, estimator):
        """Return the parameters of an estimator as they are now."""
        return cls(*(getattr(estimator, field.name) for field in fields(cls)))


class LivingTable:
    """A table whose rows come and go, and the selection from it.

    It checks nothing that a user passes. A change that raises an error leaves it as it
    was; an answer is made when it is read. Storing or copying it does the work that is
    left of updates.

    Parameters
    ----------
    settings : Settings
        Parameters; a later change of those in ``SETTLED`` is refused.
    objective : SubmodularObjective
        With its reference fitted.
    X : {ndarray, sparse array} of shape (n_samples, ...)
        Rows as they came, which nobody else may change.
    Z : {ndarray, sparse array} of shape (n_samples, n_features)
        The rows as they are compared; ``X`` itself without an encoder.
    ids : list of hashable
        Identifiers of the rows.
    weight : ndarray of shape (n_samples,) or None
        Rows of weight zero are never selected.
    seed : int
        Seed of all randomness.
    """

    def __init__(self, settings, objective, X, Z, ids, weight, seed):
        self.settings, self.objective, self._seed = settings, objective, seed
        self._settled = {name: getattr(settings, name) for name in SETTLED}
        self.n_updates, self._previous = 0, ()
        self.table = SlotTable(ids)
        self._hold(X, Z)
        self._eligible = np.zeros(len(self.table.alive), dtype=bool)
        self._mark(self.table.slots, ids, weight)
        self.oracle = self._make_oracle()
        self._solve_again()

    def _hold(self, X, Z):
        """Keep rows, as they came and as they are compared."""
        if Z is X:
            self.X = self.Z = row_store(X)
        else:
            self.X, self.Z = raw_store(X), row_store(Z)

    def _mark(self, slots, ids, weight):
        """Note which slots can be chosen."""
        self._eligible = grown(self._eligible, len(self.table.alive))
        self._eligible[slots] = True if weight is None else weight > 0
        never = {*listed(self.settings.forbidden), *listed(self.settings.initial)}
        if never:
            barred = [i in never for i in ids]
            self._eligible[slots[barred]] = False

    def _make_oracle(self):
        """Return an oracle of the coordinates of all slots."""
        settings = self.settings
        oracle = make_oracle(self.objective, settings.backend, settings.device)
        oracle.follow(self.Z, settings.max_cache_mb)
        return oracle

    def _solve_again(self):
        """Forget all structures and solve the table as it is."""
        self.engine, self.sieve, self._ready = None, None, None
        state, first = self.oracle.empty_state(), None
        if len(slots := self.table.find(listed(self.settings.initial))):
            state, gains = self.oracle.grow(state, slots)
            value = self.oracle.value(state)
            first = Report(tuple(slots.tolist()), tuple(gains), value, value)
        self.state, self._initial, self._report = state, first, None
        self._bound = np.inf
        if self.settings.algorithm == "sieve":
            settings = self.settings
            self.sieve = Sieve(self.oracle, settings.n_select, state, settings.epsilon)
            self._feed_sieve(self.table.slots)
        else:
            self._report = self._solve_all()
            if self.settings.algorithm in GUESSING:
                self._ready = self._stand()

    def _stand(self):
        """Return what the first update starts from: rows, their gains, the answer.

        With it that update need not do all work, nor know less than the fit did.
        """
        slots = self._candidates()
        chosen = [s for s in self._report.slots if s not in self._first]
        state, _ = self.oracle.grow(self.state, chosen)
        top = np.sort(self.oracle.gains(slots, state))[-self.settings.n_select :]
        top = np.maximum(top, 0.0)
        # k others add the largest gains at most; a new row replaces the least of them
        least = float(top[0]) if len(top) == self.settings.n_select else 0.0
        bound = self.oracle.value(state) - self.oracle.value(self.state) + top.sum()
        standing = (chosen, float(bound), state, least)
        return slots, self.oracle.gains(slots, self.state), standing

    def _solve_all(self, previous=()):
        """Solve with all candidates, and remember the bound."""
        settings = self.settings
        picks = solve(
            self.oracle,
            self._candidates(),
            settings.n_select,
            self.state,
            settings.solver,
            self._generator(),
            settings.epsilon,
        )
        self._bound = min(self._bound, picks.bound)
        if settings.solver in ("stochastic", "threshold"):
            picks = in_greedy_order(self.oracle, self.state, picks.slots)
        return self._make_report(picks, self._bound, previous)

    def _generator(self):
        """Return randomness that depends on the seed and the updates so far only."""
        return np.random.default_rng((self._seed, self.n_updates))

    def _candidates(self):
        alive = self.table.alive
        return np.flatnonzero(alive & self._eligible[: len(alive)])

    def check_settled(self):
        """Refuse parameters for which nothing that is stored holds."""
        for name, value in self._settled.items():
            if (now := getattr(self.settings, name)) != value:
                raise ValueError(
                    f"{name} was {value!r} in fit and is {now!r} now, for which "
                    "nothing that is stored holds; call fit again."
                )

    # updates

    def apply(self, leave=NOTHING, rows=None, ids=(), weight=None, max_calls=None):
        """Remove slots and add rows; a failure undoes both.

        Parameters
        ----------
        leave : ndarray of int
            Slots of the rows that leave.
        rows : tuple (X, Z) or None, default=None
            Rows that come, as they came and as they are compared.
        ids : sequence of hashable, default=()
            Their identifiers.
        weight : ndarray or None, default=None
            Their weights.
        max_calls : int, "auto" or None, default=None
            Gains to evaluate now, about. "auto" bounds them where no function of the
            user is called, whose errors would leave work half done.
        """
        self.check_settled()
        if isinstance(max_calls, str):
            max_calls = None if self.oracle.may_fail else LATENCY
        if len(ids):
            X, Z = rows
            coordinates = self.oracle.represent(Z)
        self._ensure_engine(max_calls)
        come, saved = self.table.vacant(len(ids)), self.table.saved()
        self.table.remove(leave)
        self.table.add(come, ids)
        try:
            if len(ids):
                self.X.put(come, X)
                if self.Z is not self.X:
                    self.Z.put(come, Z)
                self.oracle.rows.put(come, coordinates)
                self._mark(come, ids, weight)
            self._follow(leave, come, max_calls)
        except BaseException:
            self.table.restore(saved, leave, come)
            raise
        self._outdate()
        self._bound = np.inf if len(come) else self._bound
        self.n_updates += 1

    def _ensure_engine(self, max_calls):
        """Build the structures for updates, at the first one."""
        settings = self.settings
        if settings.algorithm in GUESSING and self.engine is None:
            engine = Engine(
                self.oracle,
                settings.n_select,
                self.state,
                settings.epsilon,
                settings.algorithm,
                settings.guesses,
                settings.max_guesses,
                self._generator(),
            )
            slots, *known = self._ready or (self._candidates(), None, None)
            engine.update(NOTHING, slots, max_calls, *known)
            self.engine, self._ready = engine, None

    def _follow(self, leave, come, max_calls):
        if self.sieve is not None:
            self._feed_sieve(come)
            return
        if self.engine is not None:
            leave, come = leave[self._eligible[leave]], come[self._eligible[come]]
            self.engine.update(leave, come, max_calls)
        if not self.stale:
            self.table.release()

    def _feed_sieve(self, come):
        """Show rows to the sieve, and keep only those that it holds."""
        self.sieve.insert(come[self._eligible[come]])
        held = self.sieve.held | self._first
        held = held or set(self._candidates()[:1].tolist())  # which adds nothing yet
        slots = self.table.slots
        gone = slots[[s not in held for s in slots.tolist()]]
        self.table.remove(gone)
        self.table.release()

    @property
    def stale(self):
        """Whether work of earlier updates is still to be done."""
        return self.engine is not None and not self.engine.idle

    def finish(self):
        """Do the work that is left of updates."""
        if self.stale:
            self.engine.finish()
            self._outdate()
        self.table.release()

    def _outdate(self):
        """Let the next reading make a new answer."""
        if self._report is not None:
            self._previous, self._report = self._report.slots, None

    # answers

    @property
    def answer(self):
        """The report, made now if updates came since the last one."""
        if self._report is None:
            self._report = self._digest()
        return self._report

    @property
    def chosen(self):
        """Slots of the chosen rows."""
        return np.array(self.answer.slots, dtype=np.intp)

    @property
    def _first(self):
        """Slots that always belong to the set."""
        return set(self._initial.slots if self._initial else ())

    def _digest(self):
        self.check_settled()
        settings, engine = self.settings, self.engine
        previous = [s for s in self._previous if self.table.alive[s]]
        if self.sieve is not None:
            picks = self.sieve.picks
            return self._make_report(picks, picks.bound, previous)
        candidates = self._candidates()
        full = self._refine_fully(len(candidates))
        if settings.algorithm == "greedy" or full:
            report = self._solve_all(previous)
            if settings.algorithm == "greedy":
                return report
        kept = [s for s in previous if s not in self._first]
        best, bound = [], self._bound
        if engine is not None:
            bound = min(bound, engine.bound)
            best = [] if self.stale else engine.best()
        if full:
            best = [s for s in report.slots if s not in self._first]
        if settings.refine == "none" and not self.stale:
            picks = in_greedy_order(self.oracle, self.state, best or kept)
        else:
            alone = full or (settings.refine == "guesses" and not self.stale)
            picks = refine(
                self.oracle,
                settings.n_select,
                self.state,
                self._pool(candidates, [*best, *kept], alone),
                best,
                kept,
                settings.stability,
                settings.n_swaps,
            )
        return self._make_report(picks, bound, previous)

    def _refine_fully(self, n):
        size = n * self.objective.n_coords_
        refine = self.settings.refine
        return refine == "full" or (refine == "auto" and size <= FULL_REFINEMENT)

    def _pool(self, candidates, members, alone):
        """Return what can be chosen: all guesses' rows, and random others.

        While work is under way the guesses may hold few rows that still live, so that
        random ones are needed whatever ``refine`` says.
        """
        live = set(candidates.tolist())
        members = {*members, *(self.engine.candidates if self.engine else ())}
        pool = np.array(sorted(members & live), dtype=np.intp)
        if alone:
            return pool
        settings = self.settings
        size = min(max(settings.pool_size, settings.n_select), len(candidates))
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
            picks = Picks(self.state, bound)
            gain = self.oracle.gains(candidates[:1], self.state)[0]
            picks.take(self.oracle, candidates[0], max(gain, 0.0))
        return Report.of(self.oracle, self.state, self._initial, picks, bound, previous)

    # changes of everything at once

    def reoptimize(self):
        """Solve all living rows anew; the structures for updates stay."""
        self.check_settled()
        self._report = self._solve_all(self.answer.slots)

    def refreshed(self, X):
        """Return a table with a new reference, drawn from X or from its own rows.

        Parameters
        ----------
        X : {ndarray, sparse array} or None
            Rows as they are compared; None takes the living ones.

        Returns
        -------
        LivingTable
            Another one, solved anew.
        """
        self.check_settled()
        X = self.Z.take(self.table.slots) if X is None else X
        objective = copy.deepcopy(self.objective)
        seed = self._generator().integers(2**31 - 1)
        objective.fit_reference(X, None, int(seed))
        return self._moved(objective, self.table.slots)

    def purged(self, leave):
        """Return a table without slots, nor copies of their rows in any reference.

        Parameters
        ----------
        leave : ndarray of int
            The slots; others remain.

        Returns
        -------
        LivingTable
            Another one, solved anew.
        """
        self.check_settled()
        rows = self.Z.take(leave)
        kept = np.setdiff1d(self.table.slots, leave)
        objective = copy.deepcopy(self.objective)
        gone = set(_keys(_dense(rows)))
        for member in _members(objective):
            if getattr(member, "reference_", None) is None:
                continue
            reference = _dense(member.reference_)
            keys = _keys(reference.astype(rows.dtype))
            copies = np.flatnonzero([key in gone for key in keys])
            drawn = self._generator().choice(kept, len(copies))
            reference = reference.copy()
            reference[copies] = _dense(self.Z.take(drawn))
            member.reference_ = reference
        return self._moved(objective, kept)

    def _moved(self, objective, slots):
        """Return a table of slots of living rows under another objective model.

        All parts that change are replaced, so that this one stays as it is.
        """
        new = copy.copy(self)
        X, ids = self.X.take(slots), self.table.ids(slots).tolist()
        new.objective, new.table = objective, SlotTable(ids)
        new.table.next_id = self.table.next_id
        new._hold(X, X if self.Z is self.X else self.Z.take(slots))
        new._eligible = grown(self._eligible[slots], len(new.table.alive))
        new._previous = ()
        new.n_updates += 1
        new.oracle = new._make_oracle()
        new.oracle.n_calls = self.oracle.n_calls
        new.oracle.n_rebuilds = self.oracle.n_rebuilds
        new._solve_again()
        return new

    def __getstate__(self):
        self.finish()  # what is under way cannot be stored
        return {**self.__dict__, "_ready": None}


def _members(objective):
    """Return an objective, or all that a mixture is made of."""
    parts = getattr(objective, "objectives_", None)
    if parts is None:
        return [objective]
    return [member for part in parts for member in _members(part)]


def _keys(rows):
    return [row.tobytes() for row in rows + 0.0]  # without negative zeros


def _dense(rows):
    return rows.toarray() if sparse.issparse(rows) else rows
