"""Balanced fixed-point iteration for light Schrödinger bridges.

A mixture is stationary exactly when every component solves the Gaussian entropic
transport problem between its share of the source and its share of the target, and both
shares have the same mass. A pass takes the shares, solves these problems in closed form
and balances the masses. It works on centred rows of any array API library.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    blocks,
    device_of,
    float64,
    like,
    namespace,
    to_numpy,
)
from sklearn_ext.bridge._mixture import (
    PotentialMixture,
    decompose,
    features,
    log_sum_exp,
    rotate,
    rotate_back,
    split,
)

BLOCK = 65_536  # rows whose responsibilities are worked on at a time
CYCLE = 10  # passes without a new low after which the iteration has settled


@dataclass(frozen=True)
class Rows:
    """One side of the problem: centred rows with weights that sum to one."""

    blocks: tuple  # of (features, weights)
    size: float  # how many rows these are worth, beside the prior's pseudo-rows
    second: Any  # weighted second moment where all components share one scale matrix

    @classmethod
    def of(cls, X, w, covariance_type, *, size=1.0, block=BLOCK):
        """Store rows X, with weights w, for components of a type."""
        xp = namespace(X)
        w = w / float(xp.sum(w, dtype=xp.float64))
        cuts = blocks(X.shape[0], block)
        parts = tuple((features(X[c, :], covariance_type), w[c]) for c in cuts)
        second = None
        if covariance_type == "tied":
            second = sum(float64((F * u[:, None]).T @ F)[None, ...] for F, u in parts)
        return cls(parts, size, second)

    @property
    def dtype(self):
        """Dtype of the rows."""
        return self.blocks[0][0].dtype


@dataclass(frozen=True)
class Moments(ArrayHolder):
    """Mass, mean and covariance of each component's share of the rows, in float64."""

    mass: Any  # (K,)
    mean: Any  # (K, D)
    spread: Any  # (K, 1), (K, D), (1, D, D) pooled, or (K, D, D)

    @classmethod
    def of_sums(cls, mass, first, second, covariance_type):
        """Centre sums of rows and of their squares, these in the form of spreads."""
        xp = namespace(mass)
        safe = xp.clip(mass, float(xp.finfo(mass.dtype).smallest_normal), None)
        mean = first / safe[:, None]
        if covariance_type == "tied":
            return cls(mass, mean, second - (mean * mass[:, None]).T @ mean)
        spread = second / taller(safe, second) - squares(mean, covariance_type)
        full = covariance_type == "full"
        return cls(mass, mean, spread if full else xp.clip(spread, 0.0, None))

    def sums(self, covariance_type):
        """Undo :meth:`of_sums`: what is blended are sums rather than means."""
        first = self.mass[:, None] * self.mean
        if covariance_type == "tied":
            return first, self.spread + self.mean.T @ first
        second = self.spread + squares(self.mean, covariance_type)
        return first, taller(self.mass, second) * second


def squares(mean, covariance_type):
    """Return squares of means in the form of spreads."""
    if covariance_type == "spherical":
        return namespace(mean).mean(mean**2, axis=1, keepdims=True)
    if covariance_type == "full":
        return mean[:, :, None] * mean[:, None, :]
    return mean**2


def taller(mass, spread):
    """Return masses of components with the dimensions of their spreads."""
    return mass[:, None] if spread.ndim == 2 else mass[:, None, None]


def own_mass(moments):
    """Return the mass that each spread stands for, in its dimensions; one has all."""
    mass = taller(moments.mass, moments.spread)
    shared = moments.spread.shape[0] < mass.shape[0]
    return namespace(mass).sum(mass, axis=0, keepdims=True) if shared else mass


def expect(scores, rows, covariance_type):
    """Return the weighted mean of log-sum-exp and the moments under the softmax.

    Parameters
    ----------
    scores : iterable of arrays of shape (n_components, n_block)
        Log-scores of each block; they are overwritten.
    rows : Rows
        The blocks.
    covariance_type : str
        Type of the components.

    Returns
    -------
    value : float
        Mean of log sum_k exp(score_k).
    moments : Moments
        Moments of each component's share.
    """
    value, raw = 0.0, None
    for A, (F, w) in zip(scores, rows.blocks, strict=True):
        xp = namespace(F)
        lse, share = log_sum_exp(A)
        value += float(xp.sum(w * lse, dtype=xp.float64))
        share *= w
        part = raw_moments(F, share, covariance_type)
        raw = part if raw is None else [a + b for a, b in zip(raw, part, strict=True)]
    mass, first, second = raw
    second = second if rows.second is None else rows.second
    return value, Moments.of_sums(mass, first, second, covariance_type)


def raw_moments(F, share, covariance_type):
    """Return masses, sums of rows and of squares; of tied ones the latter are known."""
    xp = namespace(F)
    mass = xp.sum(share, axis=1, dtype=xp.float64)
    if covariance_type == "full":
        # it may be nearly singular: single precision would not see it
        F, share = float64(F), float64(share)
        outer = [(F * share[k, :, None]).T @ F for k in range(share.shape[0])]
        return [mass, share @ F, xp.stack(outer)]
    sums = float64(share @ F)
    if covariance_type == "tied":
        return [mass, sums, 0.0]
    n_squares, n_each = 1, F.shape[1] - 1  # features are half squares, then rows
    if covariance_type == "diag":
        n_squares, n_each = F.shape[1] // 2, 1
    return [mass, sums[:, n_squares:], 2 * sums[:, :n_squares] / n_each]


def variance_map(v0, v1, epsilon):
    """Solve s^2 v0 + eps s = v1 for s >= 0, without cancellation."""
    xp = namespace(v0)
    return 2 * v1 / (epsilon + xp.sqrt(epsilon**2 + 4 * v0 * v1))


def covariance_map(C0, C1, epsilon):
    """Solve S C0 S + eps S = C1 for symmetric S >= 0; stacks of matrices are allowed.

    With G = C1^(1/2) and T = (G C0 G + eps^2/4 I)^(1/2) + eps/2 I the solution is
    S = G T^-1 G: neither C0 nor C1 is inverted, so both may be singular.
    """
    xp = namespace(C0)
    G = spectral(C1, xp.sqrt)
    inner = spectral(
        G @ C0 @ G, lambda mu: 1 / (epsilon / 2 + xp.sqrt(mu + epsilon**2 / 4))
    )
    S = G @ inner @ G
    return (S + xp.matrix_transpose(S)) / 2


def spectral(C, function):
    """Apply a function to the eigenvalues of symmetric matrices, negatives cut off."""
    xp = namespace(C)
    mu, V = xp.linalg.eigh((C + xp.matrix_transpose(C)) / 2)
    mu = function(xp.clip(mu, 0.0, None))
    return (V * mu[..., None, :]) @ xp.matrix_transpose(V)


@dataclass(frozen=True)
class Options:
    """What the solver is told beside the data."""

    n_components: int
    epsilon: float
    covariance_type: str
    prior_strength: float = 20.0
    reg_covar: float = 1e-6
    n_init: int = 2
    init_params: str = "kmeans"
    max_iter: int = 300
    tol: float = 1e-5
    balance_iter: int = 8
    anneal: bool = False


@dataclass(frozen=True)
class Problem:
    """What is fitted to what, and how."""

    source: Rows
    target: Rows
    options: Options
    floor: float  # added to every variance

    @property
    def prior(self):
        """Weight of the pooled covariance beside masses that sum to one (delta)."""
        if self.options.covariance_type == "tied":  # it is all there is
            return 0.0
        n, m = self.source.size, self.target.size
        return self.options.prior_strength * (n + m) / (2 * n * m)


def problem_of(source, target, options, sizes=None):
    """Store both samples as the solver wants them; ``sizes`` are those of the prior."""
    kind, sizes = options.covariance_type, sizes or (source.size, target.size)
    rows = (
        Rows.of(side.X, side.w, kind, size=size)
        for side, size in zip((source, target), sizes, strict=True)
    )
    variance = (source.mean_variance + target.mean_variance) / 2
    return Problem(*rows, options, options.reg_covar * variance)


@dataclass(frozen=True)
class State(ArrayHolder):
    """A mixture with balanced masses, its shares of both sides and its loss."""

    mixture: PotentialMixture
    source: Moments
    target: Moments
    loss: float


def balance(G, weights, log_weights, mass, n_steps, tol=1e-3):
    """Choose log-weights so that the gates have given masses.

    Minimises the convex function mean LSE_k(G_k + ell_k) - sum_k mass_k ell_k by
    rescaling: a softmax, then cheap multiplicative steps on it.

    Parameters
    ----------
    G : list of arrays of shape (n_components, n_block)
        Gate scores without log-weights.
    weights : list of arrays of shape (n_block,)
        Weights of the rows.
    log_weights : array of shape (n_components,)
        Where to start.
    mass : array of shape (n_components,)
        Wanted masses.
    n_steps : int
        Multiplicative steps in total.
    tol : float, default=1e-3
        Stop when the masses differ by less than this in total.

    Returns
    -------
    array of shape (n_components,)
        Log-weights, float64.
    """
    xp = namespace(mass)
    tiny, done = float(xp.finfo(G[0].dtype).smallest_normal), 0
    while done < n_steps:
        gates = [log_sum_exp(_plus(g, log_weights))[1] for g in G]
        log_a = mass * 0
        for _ in range(min(10, n_steps - done)):
            a = xp.astype(xp.exp(log_a), G[0].dtype)
            now = sum(p @ (u / (a @ p)) for p, u in zip(gates, weights, strict=True))
            now = xp.astype(now * a, xp.float64)
            done += 1
            if float(xp.sum(xp.abs(now - mass))) < tol:
                return log_weights + log_a
            step = xp.log(mass) - xp.log(xp.clip(now, tiny, None))
            log_a = log_a + xp.clip(step, -50.0, 50.0)
            if float(xp.max(xp.abs(log_a))) > 30:  # scores must be exponentiated anew
                break
        log_weights = log_weights + log_a
    return log_weights


def _plus(scores, log_weights):
    xp = namespace(scores)
    return scores + xp.astype(log_weights, scores.dtype)[:, None]


def evaluate(problem, mixture, mass=None):
    """Balance a mixture to the masses, if any, and take its shares of both sides."""
    xp, options = namespace(mixture.means), problem.options
    dtype = problem.source.dtype
    cast = mixture.convert(lambda a: xp.astype(a, dtype))
    bare = replace(cast, log_weights=cast.log_weights * 0)
    G = [bare.source_scores(F) for F, _ in problem.source.blocks]
    ell = mixture.log_weights
    if mass is not None and mixture.means.shape[0] > 1:
        weights = [u for _, u in problem.source.blocks]
        near = min(1e-3, 100 * options.tol)
        ell = balance(G, weights, ell, mass, options.balance_iter, near)
    mixture = replace(mixture, log_weights=ell)
    cast = replace(cast, log_weights=xp.astype(ell, dtype))
    kind = options.covariance_type
    c, source = expect((_plus(g, ell) for g in G), problem.source, kind)
    scores = (cast.target_scores(F) for F, _ in problem.target.blocks)
    v, target = expect(scores, problem.target, kind)
    return State(mixture, source, target, c - v)


def pooled(moments):
    """Return the covariance within components, averaged by mass."""
    xp = namespace(moments.mass)
    heavy = taller(moments.mass, moments.spread) * moments.spread
    return xp.sum(heavy, axis=0) / xp.sum(moments.mass)


def gaussian_step(problem, state):
    """Solve the Gaussian problem of every component between its two shares."""
    prior, sides = problem.prior, []
    for moments in (state.source, state.target):
        C = moments.spread
        if prior:
            mass = own_mass(moments)
            C = (mass * C + prior * pooled(moments)) / (mass + prior)
        sides.append(C + on_diagonal(problem.floor, C))
    solve = variance_map if C.ndim == 2 else covariance_map
    lam, axes = decompose(solve(*sides, state.mixture.epsilon))
    moved = rotate_back(lam * rotate(state.source.mean, axes), axes)  # S_k m0_k
    return replace(state.mixture, means=state.target.mean - moved, lam=lam, axes=axes)


def on_diagonal(floor, C):
    """Return what a floor adds to variances, or to the diagonals of covariances."""
    if C.ndim == 2:
        return floor
    return floor * namespace(C).eye(C.shape[-1], dtype=C.dtype, device=device_of(C))


def penalty(problem, mixture, state):
    """Return the prior's part of J, masses and pooled covariances of ``state`` fixed.

    J is what :func:`gaussian_step` minimises for fixed shares: the loss, the shrinkage
    and what the floor under the variances adds.
    """
    xp, lam, V = namespace(mixture.means), mixture.lam, mixture.axes
    if mixture.covariance_type == "tied":  # no prior, and the floor in any basis
        return float(xp.sum(lam + 1 / lam)) * problem.floor / (2 * mixture.epsilon)
    low = [prior_squares(problem, side) for side in (state.source, state.target)]
    if V is not None:  # diagonals of V_k' C V_k
        low = [xp.sum(V * (C @ V), axis=1) for C in low]
    cost = (lam * low[0] + low[1] / lam) / mixture.epsilon + problem.prior * xp.log(lam)
    return float(xp.sum(mixture.sum_over_features(cost))) / 2


def prior_squares(problem, moments):
    """Return what prior and floor add to the squares of each component."""
    mass = own_mass(moments) + problem.prior
    floor = on_diagonal(problem.floor, moments.spread)
    return problem.prior * pooled(moments) + mass * floor


def blend(old, new, step):
    """Go part of the way between two mixtures: r linearly, variances geometrically."""
    means = old.means + step * (new.means - old.means)
    if old.axes is None:
        return replace(old, means=means, lam=old.lam * (new.lam / old.lam) ** step)
    scales = old.scales + step * (new.scales - old.scales)
    lam, axes = split(scales, old.covariance_type)
    return replace(old, means=means, lam=lam, axes=axes)


def prune(problem, state):
    """Drop components that stand for less than a thousandth of a target row."""
    mass = to_numpy(state.target.mass)
    kept = mass * problem.target.size >= 1e-3
    kept[mass.argmax()] = True
    if kept.all():
        return state
    xp = namespace(state.target.mass)
    rows = like(np.flatnonzero(kept), state.target.mass, xp.int64)

    def keep(stack):  # what all components share is one entry, and stays
        return xp.take(stack, rows, axis=0) if stack.shape[0] == len(kept) else stack

    return replace(state.convert(keep), loss=np.inf)  # then any loss is accepted


def advance(problem, state):
    """Make one pass: Gaussian solutions, balanced masses, shorter steps if J rises.

    Returns
    -------
    state : State or None
        None when no step lowers the penalised loss J.
    drop : float
        By how much J fell, or would have fallen with the full step.
    """
    state = prune(problem, state)
    before = state.loss + penalty(problem, state.mixture, state)
    goal = gaussian_step(problem, state)
    xp = namespace(goal.means)
    slack = (1e-10 if problem.source.dtype == xp.float64 else 1e-6) * abs(before)
    mass, drops = state.target.mass / xp.sum(state.target.mass), []
    for halvings in range(6):
        step = 0.5**halvings
        proposal = goal if step == 1 else blend(state.mixture, goal, step)
        found = evaluate(problem, proposal, mass)
        drops.append(before - found.loss - penalty(problem, found.mixture, state))
        if drops[-1] >= -slack or before == np.inf:
            return found, drops[-1]
    return None, drops[0]


@dataclass(frozen=True)
class Fit:
    """How far an iteration has come."""

    state: State
    curve: tuple | list = ()  # loss after each pass
    converged: bool = False
    drop: float = np.inf  # of the penalised loss, in the last pass
    stopped: bool = False  # by the report


def iterate(problem, fit, max_iter, report=lambda state: False):
    """Make passes until J falls by less than ``tol`` a feature.

    ``max_iter`` counts the passes that the fit has made before. ``report`` is called
    after each pass and may ask to stop by returning True.
    """
    state, curve, drop = fit.state, [*fit.curve], fit.drop
    if fit.converged or len(curve) >= max_iter:
        return replace(fit, stopped=bool(report(state)))
    gain = problem.options.tol * state.mixture.means.shape[1]  # that is worth a pass
    lows, waited = (np.inf, np.inf), 0
    while len(curve) < max_iter:
        found, drop = advance(problem, state)
        if found is None:
            return Fit(state, curve, drop > -gain, drop)
        state = found
        curve.append(state.loss)
        value = state.loss + penalty(problem, state.mixture, state)
        lower = state.loss < lows[0] - gain or value < lows[1] - gain
        lows, waited = tuple(map(min, lows, (state.loss, value))), waited + 1
        if lower:
            waited = 0
        # the prior moves with the state, so that small cycles are possible
        done = drop < gain or waited == CYCLE
        if report(state) or done:
            return Fit(state, curve, done, drop, stopped=not done)
    return Fit(state, curve, False, drop)
