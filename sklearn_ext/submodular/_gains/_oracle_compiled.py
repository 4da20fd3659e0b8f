"""Gains by compiled loops, where numba is installed."""

import os
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sklearn_ext.submodular._gains._oracle import Oracle


@cache
def compiled_kernels():
    """Return the module of kernels, or None where there is no numba.

    numba also gives up where it finds no place to store what it compiles, by a
    RuntimeError, or by an OSError when the disk is full; compiling in each process
    again is not worth it.
    """
    try:
        return import_module("sklearn_ext.submodular._gains._kernels_numba")
    except (ImportError, RuntimeError, OSError):
        return None


def store_kernels():
    """Compile and store the kernels, unless they are stored beside the package."""
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    here = Path(__file__).parent / "__pycache__"
    stored = any(here.glob(f"_kernels_numba.*.{python}.nbi"))
    if find_spec("numba") and ("NUMBA_CACHE_DIR" in os.environ or not stored):
        compiled_kernels()


class CompiledOracle(Oracle):
    """An oracle whose gains and levels are compiled loops over the stored rows.

    No row is copied, and each finds its own level. It is for objectives that are maxima
    over their members. Without numba, as in a process that loads what another has
    stored, and for rows that are computed anew, which takes longer than their gains, it
    does what `Oracle` does.
    """

    @property
    def _loops(self):
        """Whether compiled loops can run, on these rows."""
        stored = hasattr(self.rows, "arrays")
        return compiled_kernels() if stored else None

    def gains(self, slots, state):
        """Return the gain of each slot."""
        if (loops := self._loops) is None:
            return super().gains(slots, state)
        self.n_calls += len(slots)
        gains, weights = np.empty(len(slots)), self.objective.coord_weights_
        loops.gains(self.rows.arrays, slots, state, weights, gains)
        return gains

    def levels(self, slots, states, tau, low, high):
        """Return levels as `Oracle.levels` does."""
        if (loops := self._loops) is None:
            return super().levels(slots, states, tau, low, high)
        found, weights = high.astype(np.int64), self.objective.coord_weights_
        self.n_calls += loops.levels(
            self.rows.arrays, slots, states.table, weights, tau, low, found
        )
        return found

    def level(self, slot, states, tau, high):
        """Return a level as `Oracle.level` does."""
        if self._loops is None:
            return super().level(slot, states, tau, high)
        slots, high = np.array([slot]), np.array([high])
        return int(self.levels(slots, states, tau, 1, high)[0])

    def exchange(self, members, slots, base, slack, floor, most):
        """Exchange members, as `Oracle.exchange` describes it."""
        if (loops := self._loops) is None or not self.rows.dense:
            return super().exchange(members, slots, base, slack, floor, most)
        weights = self.objective.coord_weights_
        self.n_calls += loops.exchanges(
            self.rows.arrays, slots, members, base, weights, slack, floor, most
        )
        return True


store_kernels()  # while the family is imported, so that no fit compiles
