"""L-BFGS whose initial inverse Hessian is a preconditioner that follows the iterate."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

Array = Any  # flat float64 array of NumPy or torch

STALLED = 1e-3  # an excess that the gradient's own rounding may foretell


@dataclass(frozen=True)
class Stopping:
    """When to stop."""

    tol: float = 1e-4  # relative gap, as the decreases foretell it or as it is bounded
    max_iter: int = 500
    floor: float = 0.0  # a value that counts as the infimum
    patience: float = 0.0  # share of the iterations, the last ones, that count as well
    nothing: float = -np.inf  # a value near its infimum where no step is left


class Minimum(NamedTuple):
    """Where a minimisation ended."""

    theta: Array
    evaluation: Any
    n_iter: int
    n_evaluations: int
    converged: bool
    interrupted: bool  # by the caller's report
    expected_gap: float  # relative, as the decreases foretell it


def minimise(
    evaluate: Callable,
    theta: Array,
    precondition: Callable,
    gap: Callable,
    stopping: Stopping,
    *,
    memory: int = 10,
    noise: float = 0.0,
    first_length: Callable | None = None,
    excess: Callable | None = None,
    report: Callable | None = None,
) -> Minimum:
    """Minimise a smooth convex function.

    Parameters
    ----------
    evaluate : callable
        Maps a point to an object with ``value`` and ``gradient``.
    theta : array
        Where to start.
    precondition : callable
        ``(vector, evaluation)`` to an approximate inverse Hessian there times vector.
    gap : callable
        ``(theta, evaluation)`` to a bound on the excess over the minimum.
    stopping : Stopping
        When to stop.
    memory : int
        Number of steps remembered.
    noise : float
        Relative rounding error of the value, which the line search tolerates.
    first_length : callable, optional
        ``(theta, step)`` to the length that the first iteration tries; one by default.
    excess : callable, optional
        ``(theta, evaluation)`` to an estimate of the excess over the minimum, without
        which the decreases alone decide: on a plateau they foretell too little.
    report : callable, optional
        Told ``(theta, evaluation)`` after each step; stops the search by True.

    Returns
    -------
    Minimum
        The last point and how it was reached.
    """
    now = evaluate(theta)
    pairs, used, n_iter = deque(maxlen=memory), 1, 0
    values, expected = [now.value], np.inf
    converged = interrupted = False
    while not (converged or interrupted) and n_iter < stopping.max_iter:
        if _reached(theta, now, gap, stopping):
            converged = True
            break
        step = _direction(now, pairs, precondition)
        length = first_length(theta, step) if first_length and not n_iter else 1.0
        found, tries = _search(evaluate, theta, step, now, noise, length or 1.0)
        used += tries
        if found is None and not pairs:  # nothing below here in this precision
            converged = now.value <= stopping.nothing
            break
        if found is None:
            pairs.clear()
            continue
        n_iter += 1
        point, new = found
        _remember(pairs, point - theta, new.gradient - now.gradient)
        values.append(min(new.value, values[-1]))
        theta, now = point, new
        expected = _remaining(values, stopping.patience)
        moving = values[-7:][0] - now.value > noise * now.value  # beyond rounding
        settled = expected <= stopping.tol * max(now.value, 1e-12)
        if excess is not None and settled:
            foretold = excess(theta, now)
            if moving or foretold > STALLED * max(now.value, 1e-12):
                expected = max(expected, foretold)
        expected /= max(now.value, 1e-12)
        converged = expected <= stopping.tol
        interrupted = report is not None and report(theta, now)
    return Minimum(theta, now, n_iter, used, converged, interrupted, expected)


def _reached(theta, now, gap, stopping):
    if now.value <= stopping.floor:
        return True
    return gap(theta, now) <= stopping.tol * max(now.value, 1e-12)


def _remaining(values, patience):
    """Extrapolate the last decreases as a geometric series: what is still to come.

    On a plateau they say nothing. Whoever cannot rule one out asks for patience: what
    the last iterations gained together, a share of all, is then to come as well.
    """
    if len(values) < 3:
        return np.inf
    decreases = [before - after for before, after in pairwise(values[-7:])]
    recent, rate = max(decreases[-2:]), 0.5
    if len(decreases) == 6:
        older = max(decreases[:2])
        rate = min((recent / older) ** 0.25, 0.99) if older > 0 else 0.99
    window = math.ceil(patience * (len(values) - 1))
    return max(recent * rate / (1 - rate), values[-1 - window] - values[-1])


def _direction(now, pairs, precondition):
    """Two-loop recursion: minus the inverse Hessian estimate times the gradient."""
    q = -now.gradient
    shares = []
    for s, y, inverse in reversed(pairs):
        share = inverse * float(s @ q)
        q = q - share * y
        shares.append(share)
    z = precondition(q, now)
    if pairs:
        _, y, inverse = pairs[-1]
        z = z / (inverse * float(y @ precondition(y, now)))
    for (s, y, inverse), share in zip(pairs, reversed(shares), strict=True):
        z = z + s * (share - inverse * float(y @ z))
    return z


def _remember(pairs, s, y):
    product = float(s @ y)
    if product > 0:  # else the curvature is lost in rounding
        pairs.append((s, y, 1 / product))


def _search(evaluate, theta, step, now, noise, length, tries=12):
    """Shorten the step until the value falls enough (Armijo)."""
    slope = float(step @ now.gradient)
    slack = noise * abs(now.value)
    for tried in range(1, tries + 1):
        point = theta + length * step
        new = evaluate(point)
        if new.value <= now.value + 1e-4 * length * slope + slack:
            return (point, new), tried
        excess = new.value - now.value - length * slope
        shrink = -slope * length / (2 * excess) if np.isfinite(excess) else 0.1
        length *= min(max(shrink, 0.1), 0.5)
    return None, tries
