"""Fitted attributes of the selector that follow from its state when they are read."""

import numpy as np


def _while_fitted(compute):
    """Make a property that does not exist before fit."""

    def read(self):
        if not hasattr(self, "_table"):
            raise AttributeError(
                f"{type(self).__name__!r} has no attribute {compute.__name__!r} "
                "before fit."
            )
        return compute(self)

    read.__doc__ = compute.__doc__
    return property(read)


class SelectorAttributes:
    """What can be read from a fitted selector; updates are digested on reading."""

    @_while_fitted
    def selected_ids_(self):
        """Chosen rows by their identifiers, ``initial`` first, then by greedy gain."""
        return self._table.ids(np.array(self._answer().slots, dtype=np.intp))

    @_while_fitted
    def selected_indices_(self):
        """Positions of the chosen rows in ``active_ids_``."""
        slots = np.array(self._answer().slots, dtype=np.intp)
        return np.searchsorted(self._table.slots, slots)

    @_while_fitted
    def exemplars_(self):
        """Chosen rows, as the selector got them."""
        return self._X.take(np.array(self._answer().slots, dtype=np.intp))

    @_while_fitted
    def gains_(self):
        """Gain of each chosen row beyond those before it."""
        return np.array(self._answer().gains)

    @_while_fitted
    def objective_(self):
        """Value of the chosen rows."""
        return self._answer().value

    @_while_fitted
    def objective_curve_(self):
        """Value of the set after each choice."""
        return np.cumsum(self.gains_)

    @_while_fitted
    def upper_bound_(self):
        """Proven bound on the value of every allowed set."""
        return self._answer().bound

    @_while_fitted
    def certificate_(self):
        """Value over upper bound: the proven share of the best value."""
        answer = self._answer()
        return float(answer.value / answer.bound) if answer.bound > 0 else 1.0

    @_while_fitted
    def n_changes_(self):
        """Count of rows that the answer before did not have."""
        return self._answer().n_changes

    @_while_fitted
    def active_ids_(self):
        """All living rows by their identifiers."""
        return self._table.ids(self._table.slots)

    @_while_fitted
    def n_active_(self):
        """Count of living rows."""
        return len(self._table)

    @_while_fitted
    def n_oracle_calls_(self):
        """Count of gains evaluated since ``fit`` began."""
        return self._oracle.n_calls

    @_while_fitted
    def n_rebuilds_(self):
        """Count of rebuilds of levels so far."""
        return self._oracle.n_rebuilds

    @_while_fitted
    def guesses_(self):
        """Live guesses of the optimum: gamma, full, size and value of each."""
        return [] if self._engine is None else self._engine.describe()

    @_while_fitted
    def stale_(self):
        """Whether work of earlier updates is still to be done."""
        return self._engine is not None and not self._engine.idle

    @property
    def _n_features_out(self):
        return len(self._answer().slots)
