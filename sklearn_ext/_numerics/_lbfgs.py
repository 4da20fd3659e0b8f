"""L-BFGS whose initial inverse Hessian is a preconditioner that follows the iterate."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Array = Any  # flat float64 array of NumPy or torch


@dataclass(frozen=True)
class Stopping:
    """When to stop."""

    tol: float = 1e-4  # relative gap, as the decreases foretell it or as it is bounded
    max_iter: int = 500
    floor: float = 0.0  # a value that counts as the infimum


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
    report : callable, optional
        Told ``(theta, evaluation)`` after each step; stops the search by True.

    Returns
    -------
    Minimum
        The last point and how it was reached.
    """
    now = evaluate(theta)
    pairs, used, n_iter = deque(maxlen=memory), 1, 0
    decreases, expected = deque(maxlen=6), np.inf
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
            break
        if found is None:
            pairs.clear()
            continue
        n_iter += 1
        point, new = found
        _remember(pairs, point - theta, new.gradient - now.gradient)
        decreases.append(max(now.value - new.value, 0.0))
        expected = _remaining(decreases) / max(new.value, 1e-12)
        theta, now = point, new
        converged = expected <= stopping.tol
        interrupted = report is not None and report(theta, now)
    return Minimum(theta, now, n_iter, used, converged, interrupted, expected)


def _reached(theta, now, gap, stopping):
    if now.value <= stopping.floor:
        return True
    return gap(theta, now) <= stopping.tol * max(now.value, 1e-12)


def _remaining(decreases):
    """Extrapolate the decreases as a geometric series: what is still to come."""
    if len(decreases) < 2:
        return np.inf
    recent, rate = max(decreases[-1], decreases[-2]), 0.5
    if len(decreases) == decreases.maxlen:
        older = max(decreases[0], decreases[1])
        rate = min((recent / older) ** 0.25, 0.99) if older > 0 else 0.99
    return recent * rate / (1 - rate)


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
