"""Compiled loops for objectives that are maxima over their members.

Signatures are explicit and results stored beside the package: importing this module
compiles on its first import on a machine, and loads afterwards. Nothing is compiled
later on. Each row is summed in one order, whatever it comes with.
"""

import numba as nb
import numpy as np

OPTIONS = {"fastmath": {"reassoc", "contract", "nsz"}, "nogil": True}
DOUBLES = nb.types.Array(nb.float64, 1, "C", readonly=True)
TABLE = nb.types.Array(nb.float64, 2, "C", readonly=True)
NUMBERS = nb.types.Array(nb.int64, 1, "C", readonly=True)
COLUMNS = nb.types.Array(nb.int32, 1, "C", readonly=True)
FLOATS = (nb.float32, nb.float64)


def _signatures(result, stored, *rest):
    """Return signatures for rows of singles and of doubles."""
    return [result(*(make(kind) for make in stored), *rest) for kind in FLOATS]


def _matrix(kind):
    return nb.types.Array(kind, 2, "C", readonly=True)


def _values(kind):
    return nb.types.Array(kind, 1, "C", readonly=True)


DENSE = (_matrix,)
SPARSE = (_values, lambda _: COLUMNS, lambda _: NUMBERS, lambda _: NUMBERS)
GAINS = (NUMBERS, DOUBLES, DOUBLES, nb.float64[::1])
STEPS = (nb.float64, nb.float64, nb.int64)
LEVELS = (NUMBERS, TABLE, DOUBLES, nb.float64, nb.int64, nb.int64[::1])


@nb.njit(**OPTIONS)
def _dense_gain(row, state, weights):
    total = 0.0
    for j in range(row.shape[0]):
        total += max(row[j] - state[j], 0.0) * weights[j]
    return total


@nb.njit(**OPTIONS)
def _sparse_gain(values, columns, state, weights):
    total = 0.0
    for i in range(values.shape[0]):
        j = columns[i]
        total += max(values[i] - state[j], 0.0) * weights[j]
    return total


@nb.njit(_signatures(nb.void, DENSE, *GAINS), cache=True, **OPTIONS)
def dense_gains(rows, slots, state, weights, gains):
    """Write the gain of each slot at a state."""
    for i in range(slots.shape[0]):
        gains[i] = _dense_gain(rows[slots[i]], state, weights)


@nb.njit(_signatures(nb.void, SPARSE, *GAINS), cache=True, **OPTIONS)
def sparse_gains(values, columns, starts, lengths, slots, state, weights, gains):
    """Write the gain of each slot at a state."""
    for i in range(slots.shape[0]):
        start = starts[slots[i]]
        stop = start + lengths[slots[i]]
        part = values[start:stop]
        gains[i] = _sparse_gain(part, columns[start:stop], state, weights)


@nb.njit(_signatures(nb.int64, DENSE, *LEVELS), cache=True, **OPTIONS)
def dense_levels(rows, slots, states, weights, tau, low, high):
    """Lower each slot's highest level to its level, and return gains evaluated."""
    calls = 0
    for i in range(slots.shape[0]):
        row, below = rows[slots[i]], low
        while below < high[i]:
            middle = (below + high[i] + 1) // 2
            calls += 1
            if _dense_gain(row, states[middle - 1], weights) >= tau:
                below = middle
            else:
                high[i] = middle - 1
    return calls


@nb.njit(_signatures(nb.int64, SPARSE, *LEVELS), cache=True, **OPTIONS)
def sparse_levels(
    values, columns, starts, lengths, slots, states, weights, tau, low, high
):
    """Lower each slot's highest level to its level, and return gains evaluated."""
    calls = 0
    for i in range(slots.shape[0]):
        start = starts[slots[i]]
        stop = start + lengths[slots[i]]
        part, at, below = values[start:stop], columns[start:stop], low
        while below < high[i]:
            middle = (below + high[i] + 1) // 2
            calls += 1
            if _sparse_gain(part, at, states[middle - 1], weights) >= tau:
                below = middle
            else:
                high[i] = middle - 1
    return calls


@nb.njit(**OPTIONS)
def _two_nearest(rows, members, base, j, nearest, values):
    """Find the two members that are largest in a coordinate; -1 is the base."""
    nearest[0, j], values[0, j] = -1, base[j]
    nearest[1, j], values[1, j] = -1, 0.0
    for i in range(members.shape[0]):
        x = rows[members[i], j]
        if x > values[0, j]:
            nearest[1, j], values[1, j] = nearest[0, j], values[0, j]
            nearest[0, j], values[0, j] = i, x
        elif x > values[1, j]:
            nearest[1, j], values[1, j] = i, x


@nb.njit(
    _signatures(nb.int64, DENSE, NUMBERS, nb.int64[::1], DOUBLES, DOUBLES, *STEPS),
    cache=True,
    **OPTIONS,
)
def dense_exchanges(rows, slots, members, base, weights, slack, floor, most):
    """Exchange members against slots in turn, in place; return exchanges looked at.

    A member that leaves takes what its coordinates lose to the second nearest. That is
    known for all members before a slot is looked at; the slot's own row corrects it in
    the coordinates that it serves better (as in FasterPAM, Schubert and Rousseeuw).
    """
    k, m = members.shape[0], base.shape[0]
    nearest, values = np.empty((2, m), np.int64), np.empty((2, m))
    for j in range(m):
        _two_nearest(rows, members, base, j, nearest, values)
    lost, saved = np.zeros(k), np.zeros(k)
    inside = set(members)
    looked, made, since, stale = 0, 0, 0, True
    while since < slots.shape[0] and made < most:
        for slot in slots:
            if since == slots.shape[0] or made == most:
                break
            since += 1
            if slot in inside:
                continue
            looked += 1
            if stale:
                lost[:] = 0.0
                for j in range(m):
                    if nearest[0, j] >= 0:
                        lost[nearest[0, j]] += weights[j] * (
                            values[0, j] - values[1, j]
                        )
                stale = False
            row, gain = rows[slot], 0.0
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
                x = row[j]
                if nearest[0, j] == leaves or nearest[1, j] == leaves:
                    _two_nearest(rows, members, base, j, nearest, values)
                elif x > values[0, j]:
                    nearest[1, j], values[1, j] = nearest[0, j], values[0, j]
                    nearest[0, j], values[0, j] = leaves, x
                elif x > values[1, j]:
                    nearest[1, j], values[1, j] = leaves, x
            made, since, stale = made + 1, 1, True
    return looked
