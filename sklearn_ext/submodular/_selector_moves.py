"""Solving anew, other references, snapshots."""

import copy
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import fit_context
from sklearn_ext.submodular._parameters import same
from sklearn_ext.submodular._rows import grown
from sklearn_ext.submodular._slots import SlotTable


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The fitted state of a selector at one time."""

    parameters: dict
    state: dict


class SelectorMoves:
    """Changes of the whole state at once."""

    @fit_context(prefer_skip_nested_validation=False)
    def reoptimize(self):
        """Solve all living rows anew; the structures for updates stay.

        Returns
        -------
        self : DynamicSubmodularSelector
            The selector with a new answer.
        """
        check_is_fitted(self)
        self._check_settled()
        if self.algorithm == "sieve":
            raise NotImplementedError(
                "algorithm='sieve' does not store the rows that it has passed over; "
                "use another algorithm, or fit."
            )
        self._report = self._solve_all(self._answer().slots)
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
        check_is_fitted(self)
        self._check_settled()
        if not self.n_active_:
            raise ValueError(
                "There are no active rows to solve for; add some by partial_fit."
            )
        if X is None:
            X = self._Z.take(self._table.slots)
        else:
            _, X = self._more_rows(X)
        objective = copy.deepcopy(self.objective_model_)
        seed = self._generator().integers(2**31 - 1)
        objective.fit_reference(X, None, int(seed))
        self._move_to(objective, self._table.slots)
        return self

    def snapshot(self):
        """Copy the fitted state.

        Returns
        -------
        Snapshot
            What `restore` takes.
        """
        check_is_fitted(self)
        self._finish_work()
        own = {k: v for k, v in vars(self).items() if k not in self.get_params()}
        return Snapshot(copy.deepcopy(self._own_params()), self._copied(own))

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
        params, then = self._own_params(), snapshot.parameters
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

    def _own_params(self):
        return self.get_params(deep=False)

    def _purge(self, leave):
        """Remove slots and copies of their rows in all references, and solve anew."""
        self._check_settled()
        rows = self._Z.take(leave)
        kept = np.setdiff1d(self._table.slots, leave)
        objective = copy.deepcopy(self.objective_model_)
        gone = set(_keys(_dense(rows)))
        for member in _members(objective):
            if getattr(member, "reference_", None) is None:
                continue
            reference = _dense(member.reference_)
            keys = _keys(reference.astype(rows.dtype))
            copies = np.flatnonzero([key in gone for key in keys])
            drawn = self._generator().choice(kept, len(copies))
            reference = reference.copy()
            reference[copies] = _dense(self._Z.take(drawn))
            member.reference_ = reference
        self._move_to(objective, kept)

    def _move_to(self, objective, slots):
        """Take another objective model, and solve slots of living rows under it.

        All parts are replaced, so that `fit_context` can put the old ones back.
        """
        counted = self._oracle.n_calls, self._oracle.n_rebuilds
        X, ids = self._X.take(slots), self._table.ids(slots).tolist()
        Z = X if self.encoder_ is None else self._Z.take(slots)
        eligible = self._eligible[slots]
        next_id = self._table.next_id
        self.objective_model_ = objective
        self._table = SlotTable(ids)
        self._store(X, Z)
        self._table.next_id = next_id
        self._eligible = grown(eligible, len(self._table.alive))
        self._previous = ()
        self._represent()
        self._oracle.n_calls, self._oracle.n_rebuilds = counted
        self._n_updates += 1
        self._solve_again(insert=self._table.slots)


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
