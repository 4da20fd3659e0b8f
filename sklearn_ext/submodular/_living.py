"""All that a selector knows, as one object: its rows, its sets, its last answer."""

import copy

import numpy as np

from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._arrays import dense
from sklearn_ext._numerics._equal_rows import hash_rows
from sklearn_ext.submodular._engine._greedy import Picks, in_greedy_order
from sklearn_ext.submodular._engine._guesses import NOTHING, Engine
from sklearn_ext.submodular._engine._report import refine, selection_of
from sklearn_ext.submodular._engine._sieve import Sieve
from sklearn_ext.submodular._gains._backends import make_oracle
from sklearn_ext.submodular._maximize import SOLVERS
from sklearn_ext.submodular._rows._slots import SlotTable, listed
from sklearn_ext.submodular._rows._stores import grown, raw_store, row_store

LATENCY = 10_000  # gains of one update by default, about: a few milliseconds
FULL_REFINEMENT = 2e6  # coordinates of all rows, up to which all are candidates
SETTLED = ("n_select", "algorithm", "epsilon", "guesses", "max_guesses")


class LivingTable:
    """A table whose rows come and go, and the selection from it.

    It checks nothing that a user passes. A change that raises an error leaves it as it
    was; an answer is made when it is read. Storing or copying it does the work that is
    left of updates.

    Parameters
    ----------
    settings : SimpleNamespace
        The parameters of a selector, which may be replaced by later ones; a change of
        those in ``SETTLED`` is refused.
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
    n_updates : int, default=0
        How many changes came before.
    """

    def __init__(self, settings, objective, X, Z, ids, weight, seed, n_updates=0):
        self.settings, self.objective, self._seed = settings, objective, seed
        self._settled = {name: getattr(settings, name) for name in SETTLED}
        self.n_updates, self._bound = n_updates, np.inf
        self.table = SlotTable(ids)
        if Z is X:
            self.X = self.Z = row_store(X)
        else:
            self.X, self.Z = raw_store(X), row_store(Z)
        self._eligible = np.zeros(len(ids), dtype=bool)
        self._mark(self.table.slots, ids, weight)
        self.oracle = make_oracle(objective, settings.backend, settings.device)
        self.oracle.follow(self.Z, settings.max_cache_mb)
        self.engine, self.sieve, self._answer, self._previous = None, None, None, ()
        first = self.table.find(listed(settings.initial)).tolist()
        state, gains = self.oracle.grow(self.oracle.empty_state(), first)
        self.start = Picks(state, slots=first, gains=gains)
        if settings.algorithm == "sieve":
            self.sieve = Sieve(self.oracle, settings.n_select, state, settings.epsilon)
            self.sieve.insert(self._candidates())
            self._drop_unheld()
            return
        picks = self._solve()
        self._answer = self._report(picks)
        if settings.algorithm != "greedy":
            self.engine = Engine(self.oracle, settings, state, self._generator())
            self._tell_engine(picks)

    def _mark(self, slots, ids, weight):
        """Note which slots can be chosen."""
        self._eligible = grown(self._eligible, self.Z.n_slots)
        self._eligible[slots] = True if weight is None else weight > 0
        never = {*listed(self.settings.forbidden), *listed(self.settings.initial)}
        if never:
            self._eligible[slots[[i in never for i in ids]]] = False

    def _tell_engine(self, picks):
        """Tell the engine rows, their gains and the answer.

        With them the first update need not do all work, nor know less than the fit did.
        """
        slots, start, k = self._candidates(), self.start.state, self.settings.n_select
        top = np.sort(self.oracle.gains(slots, picks.state))[-k:]
        top = np.maximum(top, 0.0)
        # k others add the largest gains at most; a new row replaces the least of them
        least = float(top[0]) if len(top) == k else 0.0
        bound = self.oracle.value(picks.state) - self.oracle.value(start) + top.sum()
        standing = (picks.slots, float(bound), picks.state, least)
        self.engine.start(slots, self.oracle.gains(slots, start), standing)

    def _solve(self):
        """Solve with all candidates, and remember the bound."""
        settings, state = self.settings, self.start.state
        solver, k, rng = SOLVERS[settings.solver], settings.n_select, self._generator()
        slots = self._candidates()
        picks = solver(self.oracle, slots, k, state, rng, settings.epsilon)
        self._bound = min(self._bound, picks.bound)
        if settings.solver in ("stochastic", "threshold"):
            picks = in_greedy_order(self.oracle, state, picks.slots)
        return picks

    def _generator(self):
        """Return randomness that depends on the seed and the updates so far only."""
        return np.random.default_rng((self._seed, self.n_updates))

    def _candidates(self):
        slots = self.table.slots
        return slots[self._eligible[slots]]

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

        Whatever can fail comes before the table of slots is changed: what was written
        for rows that did not come is in slots that nobody reads.

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
            coordinates = self.oracle.represent(Z)  # or a refusal
        come = self.table.vacant(len(ids))
        if len(ids):
            self.X.put(come, X)
            if self.Z is not self.X:
                self.Z.put(come, Z)
            self.oracle.rows.put(come, coordinates)
            self._mark(come, ids, weight)
        useful = come[self._eligible[come]]
        if self.engine is not None:
            self.engine.update(leave[self._eligible[leave]], useful, max_calls)
        elif self.sieve is not None:
            self.sieve.insert(useful)
        self.table.remove(leave)
        self.table.add(come, ids)
        if self.sieve is not None:
            self._drop_unheld()
        elif not self.stale:
            self.table.release()
        self._outdate()
        self._bound = np.inf if len(ids) else self._bound
        self.n_updates += 1

    def _drop_unheld(self):
        """Keep only the rows that the sieve holds, and one where it holds none."""
        held = self.sieve.held | set(self.start.slots)
        held = held or set(self._candidates()[:1].tolist())  # which adds nothing yet
        slots = self.table.slots
        self.table.remove(slots[[s not in held for s in slots.tolist()]])
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
        if self._answer is not None:
            self._previous, self._answer = self._answer.indices.tolist(), None

    # answers

    @property
    def answer(self):
        """The selection, its slots as indices; made now if updates came since."""
        if self._answer is None:
            self._answer = self._digest()
        return self._answer

    def _digest(self):
        self.check_settled()
        settings, state = self.settings, self.start.state
        previous = [s for s in self._previous if self.table.alive[s]]
        if self.sieve is not None:
            return self._report(self.sieve.picks, previous)
        if self.engine is None:
            return self._report(self._solve(), previous)
        candidates = self._candidates()
        size = len(candidates) * self.objective.n_coords_
        small = settings.refine == "auto" and size <= FULL_REFINEMENT
        if full := small or settings.refine == "full":
            best = self._solve().slots
        else:
            best = [] if self.stale else self.engine.best()
        kept = [s for s in previous if s not in self.start.slots]
        if settings.refine == "none" and not self.stale:
            picks = in_greedy_order(self.oracle, state, best or kept)
        else:
            alone = full or (settings.refine == "guesses" and not self.stale)
            pool = self._pool(candidates, [*best, *kept], alone)
            picks = refine(self.oracle, settings, state, pool, best, kept)
        picks.bound = min(picks.bound, self.engine.bound)
        return self._report(picks, previous)

    def _pool(self, candidates, members, alone):
        """Return what can be chosen: all guesses' rows, and random others.

        While work is under way the guesses may hold few rows that still live, so that
        random ones are needed whatever ``refine`` says.
        """
        members = np.array([*members, *self.engine.candidates], dtype=np.intp)
        pool = np.intersect1d(candidates, members)
        if alone:
            return pool
        size = max(self.settings.pool_size, self.settings.n_select)
        size = min(size, len(candidates))
        others = self._generator().choice(candidates, size, replace=False)
        return np.union1d(pool, others)

    def _report(self, picks, previous=()):
        """Make the answer of picks; of the first candidate where these are none."""
        candidates = self._candidates()
        if not picks.slots and not self.start.slots and len(candidates):
            if min(self._bound, picks.bound) <= 0:
                warn(
                    "No row adds anything to the objective; the first one is reported "
                    "so that predict and transform work."
                )
            gain = self.oracle.gains(candidates[:1], self.start.state)[0]
            picks.take(self.oracle, candidates[0], max(gain, 0.0))
        self.replaced = previous
        return selection_of(self.oracle, self.start, picks, self._bound)

    # changes of everything at once

    def reoptimize(self):
        """Solve all living rows anew; the structures for updates stay."""
        self.check_settled()
        previous = self.answer.indices.tolist()
        self._answer = self._report(self._solve(), previous)

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
        X = self.Z.take(self.table.slots) if X is None else X
        objective, seed = copy.deepcopy(self.objective), self._generator()
        objective.fit_reference(X, None, int(seed.integers(2**31 - 1)))
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
        gone, kept = self.Z.take(leave), np.setdiff1d(self.table.slots, leave)
        objective = copy.deepcopy(self.objective)
        for member in _members(objective):
            if getattr(member, "reference_", None) is None:
                continue
            reference = dense(member.reference_).copy()
            hashes = hash_rows(reference.astype(gone.dtype))
            copies = np.flatnonzero(np.isin(hashes, hash_rows(gone)))
            drawn = self._generator().choice(kept, len(copies))
            reference[copies] = dense(self.Z.take(drawn))
            member.reference_ = reference
        return self._moved(objective, kept)

    def _moved(self, objective, slots):
        """Return a table of slots of living rows under another objective model."""
        self.check_settled()
        X, ids = self.X.take(slots), self.table.ids(slots).tolist()
        Z = X if self.Z is self.X else self.Z.take(slots)
        more = ids, self._eligible[slots], self._seed, self.n_updates + 1
        new = LivingTable(self.settings, objective, X, Z, *more)
        new.table.next_id = self.table.next_id
        new.oracle.n_calls += self.oracle.n_calls
        new.oracle.n_rebuilds += self.oracle.n_rebuilds
        return new

    def __getstate__(self):
        self.finish()  # what is under way cannot be stored
        return {**self.__dict__, "settings": None}  # which its selector tells anew


def _members(objective):
    """Return an objective, or all that a mixture is made of."""
    parts = getattr(objective, "objectives_", None)
    if parts is None:
        return [objective]
    return [member for part in parts for member in _members(part)]
