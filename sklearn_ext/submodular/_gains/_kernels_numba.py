"""Compiled loops for objectives that are maxima over their members.

Signatures are explicit and results stored beside the package: importing this module
compiles on its first import on a machine, and loads afterwards. Nothing is compiled
later on. Each row is summed in one order, whatever it comes with.
"""

import numba as nb
import numpy as np
from numba.extending import overload

OPTIONS = {"fastmath": {"reassoc", "contract", "nsz"}, "nogil": True}
FLOATS = (nb.float32, nb.float64)


def _read(kind, ndim=1):
    return nb.types.Array(kind, ndim, "C", readonly=True)


DOUBLES, NUMBERS = _read(nb.float64), _read(nb.int64)
# rows as their store has them: a table; or values, columns, starts and lengths
DENSE = [nb.types.Tuple((_read(kind, 2),)) for kind in FLOATS]
AT = _read(nb.int32), NUMBERS, NUMBERS
STORES = [*DENSE, *(nb.types.Tuple((_read(kind), *AT)) for kind in FLOATS)]


def _row(rows, slot):
    """Return what a row stores: its entries, or its values and their columns."""
    raise NotImplementedError


@overload(_row, jit_options=OPTIONS)
def _row_of(rows, slot):
    def dense(rows, slot):
        return rows[0][slot]

    def sparse(rows, slot):
        values, columns, starts, lengths = rows
        start = starts[slot]
        stop = start + lengths[slot]
        return values[start:stop], columns[start:stop]

    return dense if len(rows) == 1 else sparse


def _gain(row, state, weights):
    """Return the gain of a row as `_row` returns it."""
    raise NotImplementedError


@overload(_gain, jit_options=OPTIONS)
def _gain_of(row, state, weights):
    def dense(row, state, weights):
        total = 0.0
        for j in range(row.shape[0]):
            total += max(row[j] - state[j], 0.0) * weights[j]
        return total

    def sparse(row, state, weights):
        values, columns = row
        total = 0.0
        for i in range(values.shape[0]):
            j = columns[i]
            total += max(values[i] - state[j], 0.0) * weights[j]
        return total

    return dense if isinstance(row, nb.types.Array) else sparse


GAINS = NUMBERS, DOUBLES, DOUBLES, nb.float64[::1]


@nb.njit([nb.void(rows, *GAINS) for rows in STORES], cache=True, **OPTIONS)
def gains(rows, slots, state, weights, found):
    """Write the gain of each slot at a state."""
    for i in range(slots.shape[0]):
        found[i] = _gain(_row(rows, slots[i]), state, weights)


SEARCH = _read(nb.float64, 2), DOUBLES, nb.float64, nb.int64, nb.int64[::1]


@nb.njit([nb.int64(rows, NUMBERS, *SEARCH) for rows in STORES], cache=True, **OPTIONS)
def levels(rows, slots, states, weights, tau, low, high):
    """Lower each slot's highest level to its level, and return gains evaluated."""
    calls = 0
    for i in range(slots.shape[0]):
        row, below = _row(rows, slots[i]), low
        while below < high[i]:
            middle = (below + high[i] + 1) // 2
            calls += 1
            if _gain(row, states[middle - 1], weights) >= tau:
                below = middle
            else:
                high[i] = middle - 1
    return calls


@nb.njit(**OPTIONS)
def _place(i, x, j, nearest, values):
    """Note a member's value in a coordinate where it is among the two largest."""
    if x > values[0, j]:
        nearest[1, j], values[1, j] = nearest[0, j], values[0, j]
        nearest[0, j], values[0, j] = i, x
    elif x > values[1, j]:
        nearest[1, j], values[1, j] = i, x


@nb.njit(**OPTIONS)
def _two_nearest(rows, members, base, j, nearest, values):
    """Find the two members that are largest in a coordinate; -1 is the base."""
    nearest[0, j], values[0, j] = -1, base[j]
    nearest[1, j], values[1, j] = -1, 0.0
    for i in range(members.shape[0]):
        _place(i, rows[members[i], j], j, nearest, values)


@nb.njit(**OPTIONS)
def _losses(nearest, values, weights, lost):
    """Write what is lost when a member leaves without anything in its place."""
    lost[:] = 0.0
    for j in range(weights.shape[0]):
        if nearest[0, j] >= 0:
            lost[nearest[0, j]] += weights[j] * (values[0, j] - values[1, j])


RULE = DOUBLES, DOUBLES, nb.float64, nb.float64, nb.int64
SETS = NUMBERS, nb.int64[::1]


@nb.njit([nb.int64(rows, *SETS, *RULE) for rows in DENSE], cache=True, **OPTIONS)
def exchanges(rows, slots, members, base, weights, slack, floor, most):
    """Exchange members against slots in turn, in place; return exchanges looked at.

    A member that leaves takes what its coordinates lose to the second nearest. That is
    known for all members before a slot is looked at; the slot's own row corrects it in
    the coordinates that it serves better (as in FasterPAM, Schubert and Rousseeuw).
    """
    table, k, m = rows[0], members.shape[0], base.shape[0]
    nearest, values = np.empty((2, m), np.int64), np.empty((2, m))
    for j in range(m):
        _two_nearest(table, members, base, j, nearest, values)
    lost, saved = np.zeros(k), np.zeros(k)
    _losses(nearest, values, weights, lost)
    inside = set(members)
    looked, made, since = 0, 0, 0
    while since < slots.shape[0] and made < most:
        for slot in slots:
            if since == slots.shape[0] or made == most:
                break
            since += 1
            if slot in inside:
                continue
            looked += 1
            row, gain = table[slot], 0.0
            saved[:] = 0.0
            for j in range(m):
                x = row[j]
                if x > values[1, j]:
                    i, first = nearest[0, j], values[0, j]
                    if x > first:
                        gain += weights[j] * (x - first)
                        x = first
                    if i >= 0:
                        saved[i] += weights[j] * (x - values[1, j])
            best = np.max(saved - lost)
            if gain + best <= floor:
                continue
            leaves = 0
            while saved[leaves] - lost[leaves] < best - slack:
                leaves += 1
            inside.remove(members[leaves])
            inside.add(slot)
            members[leaves] = slot
            for j in range(m):
                if nearest[0, j] == leaves or nearest[1, j] == leaves:
                    _two_nearest(table, members, base, j, nearest, values)
                else:
                    _place(leaves, row[j], j, nearest, values)
            _losses(nearest, values, weights, lost)
            made, since = made + 1, 1
    return looked
