"""Predict what each way to the loss distribution costs, take one and go it."""

import warnings
from dataclasses import dataclass, replace
from math import comb

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ext.rashomon._ratio import ENOUGH, loss_threshold, warn_weak
from sklearn_ext.rashomon._trees._graph import Grid, build_graph
from sklearn_ext.rashomon._trees._problem import SLIP, is_whole
from sklearn_ext.rashomon._trees._recursion import smallest_losses
from sklearn_ext.rashomon._trees._sampled import (
    greedy_tree,
    sample_losses,
    temper_losses,
)
from sklearn_ext.rashomon._trees._sets import (
    ExactTreeSet,
    SampledTreeSet,
    tree_losses,
)

OVERHEAD = 1e6  # operations that the handling of one subset is worth
SCATTER = 15  # operations for each entry that is added to a histogram
MEMORY = 4 * 2**30  # bytes that no method goes beyond
MEASURE = 200_000  # subsets that may be formed to measure a level
BRACKET_CELLS = 512  # for "auto"
FINE_UNITS = 30  # in the lightest row, from which a unit is finer than rows
CHEAP = 1e10  # operations: half a second
FINE_CELLS = 2048  # of sampled laws with losses that are not whole
PATIENCE = 30  # predicted seconds without a warning, to a factor of three
TEMPERATURES = 40  # of a usual tempered run
MOVES = 60  # Metropolis moves after each change of temperature
PARTS = 20  # of a fit, as progress bars see it


class Progress:
    """Work that is done, told in a fixed number of equal parts.

    Parameters
    ----------
    tell : callable or None, default=None
        Called after each part.
    """

    def __init__(self, tell=None):
        self.tell = tell

    def stage(self, total, share=1.0):
        """Return what a stage of the work calls with the amount that it has done."""
        done, told, parts = 0, 0, round(PARTS * share)

        def report(amount):
            nonlocal done, told
            done += amount
            while self.tell is not None and told < parts * done // max(total, 1):
                told += 1
                self.tell()

        return report


@dataclass(frozen=True)
class CostEstimate:
    """Predicted effort of the exact recursion.

    Parameters
    ----------
    flops : float
        Floating-point operations, overheads included.
    memory : float
        Bytes of the largest tables.
    subsets : tuple of int
        Row subsets at each level; upper bounds beyond the second.
    n_degrees : int
        Coefficients of one polynomial.
    """

    flops: float
    memory: float
    subsets: tuple
    n_degrees: int

    def __str__(self):
        return (
            f"about {self.flops:.2g} operations and {self.memory / 2**20:.0f} MB "
            f"({sum(self.subsets)} row subsets, {self.n_degrees} losses)"
        )


def recursion_cost(rows, space, n_degrees, known=None):
    """Predict the cost of the exact recursion.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.
    n_degrees : int
        Losses between the smallest one and the threshold.
    known : Graph or None, default=None
        Result of :func:`measure`.

    Returns
    -------
    CostEstimate
        Numbers of subsets are those of ``known``, and bounded by binomial
        coefficients below.
    """
    m, n, k = len(space.weight), len(rows.bits), space.n_classes
    n_degrees = min(n_degrees, 2**62)
    subsets = _subsets(rows, space, known)
    flops = sum(count * (2 * m * n_degrees**2 + OVERHEAD) for count in subsets)
    size = n * 2.0 ** -(len(subsets) - 1)  # mean rows of a subset at the last level
    pairs = m**2 if space.depth >= 2 else m
    flops += subsets[-1] * pairs * (8 * k * size + 48 * k + 2 * SCATTER * k**2)
    table = sum(count * (8 * n_degrees + 8 * m + n / 8) for count in subsets)
    work = 8.0 * (12 * k * pairs + n * m + 64 * n_degrees)
    return CostEstimate(float(flops), float(table + work), subsets, int(n_degrees))


def check_members_fit(max_depth, n_members):
    """Refuse depths at which the kept trees alone would not fit in memory."""
    needed = max(n_members, 100) * 2.0 ** min(max_depth + 3, 1000)
    if needed > MEMORY:
        raise ValueError(
            f"max_depth={max_depth} with n_members={n_members} needs "
            f"{needed / 2**30:.3g} GB for the members alone, more than "
            f"{MEMORY / 2**30:.0f} GB. Lower max_depth."
        )


def sampling_cost(rows, space, n_trees, n_visits):
    """Predict the cost of sampling structures.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.
    n_trees : int
        Structures that are kept.
    n_visits : int
        Structures whose leaves are counted, all moves included.

    Returns
    -------
    seconds : float
        On one core, to a factor of about three.
    memory : float
        Bytes.
    """
    leaves, k = 2.0**space.depth, space.n_classes
    words = k + min(rows.total, 200_000) / 64
    seconds = n_visits * leaves * (4e-8 * k + 2e-9 * words)
    batch = min(n_trees, 4096)  # whose losses are worked on at once
    return seconds, leaves * (n_trees * (4 + 8 * k) + batch * 24 * k)


def measure(rows, space):
    """Form the subsets down to the second level, where that is cheap.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.

    Returns
    -------
    Graph or None
        That of the space, cut at depth four.
    """
    if space.depth < 4 or (2 * len(space.weight)) ** 2 > MEASURE:
        return None
    return build_graph(rows, replace(space, depth=4))


def _subsets(rows, space, known):
    m = len(space.weight)
    levels = max(space.depth - 2, 0) + 1
    if levels == 1:
        return (1,)
    counts, measured = [1, min(2 * m, 2 ** len(rows.bits))], 1
    if known is not None:
        counts, measured = [len(level) for level in known.levels], 2
    for t in range(measured + 1, levels):
        paths = comb(m, t) * 2**t if space.repeats else np.inf
        counts.append(int(min(paths, counts[-1] * 2 * m)))
    return tuple(counts[:levels])


@dataclass(frozen=True)
class TreePlan:
    """What to compute and within which limits.

    Parameters
    ----------
    theta, theta_mode, reference_loss
        The threshold, as in the estimator (losses are means).
    method, loss_grid, exact_budget, n_draws, n_particles, n_replicates, device
        As in the estimator.
    """

    theta: float
    theta_mode: str
    reference_loss: float | None
    method: str
    loss_grid: object
    exact_budget: float
    n_draws: int
    n_particles: int
    n_replicates: int
    device: str | None

    def threshold(self, best, total):
        """Largest loss summed over rows, from the smallest one."""
        return total * loss_threshold(
            best / total, self.theta, self.theta_mode, self.reference_loss
        )

    def n_cells(self, rows, space, known):
        """Return cells of the recursion's grid; None is the unit grid."""
        whole = is_whole(rows, space)
        if self.loss_grid == "auto":
            if not whole:
                return BRACKET_CELLS
            # a unit far below the weight of any row, as class weights make it, costs
            # degrees that tell nothing
            fine = rows.weight[rows.weight > 0].min() > FINE_UNITS
            too_fine = fine and self.cost(rows, space, None, known).flops > CHEAP
            return BRACKET_CELLS if too_fine else None
        if self.loss_grid == "unit":
            if not whole:
                raise ValueError(
                    "loss_grid='unit' needs weights that are multiples of one unit; "
                    "got others. Use loss_grid='auto' for bounds."
                )
            return None
        return int(self.loss_grid)

    def cost(self, rows, space, n_cells, known):
        """Predicted cost of the recursion."""
        if n_cells is not None:
            return recursion_cost(rows, space, n_cells + 2**space.depth + 1, known)
        total = rows.total
        if self.reference_loss is None:
            constant = total - rows.weight.sum(axis=0).max()
            span = self.threshold(constant, total) - constant
        else:
            unavoidable = (rows.weight.sum(axis=1) - rows.weight.max(axis=1)).sum()
            span = self.threshold(0.0, total) - unavoidable
        n_degrees = int(np.clip(span, 0, space.largest_loss(total))) + 1
        return recursion_cost(rows, space, n_degrees, known)


def solve_trees(rows, space, plan, *, seed, n_jobs=None, progress):
    """Find the loss distribution.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.
    plan : TreePlan
        What to compute.
    seed : numpy.random.SeedSequence
        Source of randomness.
    n_jobs : int or None, default=None
        Threads for independent runs.
    progress : Progress
        Who is told how far the work is.

    Returns
    -------
    found : ExactTreeSet or SampledTreeSet
        The distribution.
    method : {"exact", "bracket", "mc", "smc"}
        How it was found.

    Raises
    ------
    ValueError
        Before any work, when the recursion was asked for and would be too large.
    """
    if plan.method in ("auto", "exact"):
        known = measure(rows, space)
        options = [plan.n_cells(rows, space, known)]
        if plan.method == "auto" and plan.loss_grid == "auto":
            options.append(BRACKET_CELLS)
        for n_cells in options:
            cost = plan.cost(rows, space, n_cells, known)
            if cost.flops <= plan.exact_budget and cost.memory <= MEMORY:
                return _recursion(rows, space, plan, n_cells, progress, known)
        if plan.method == "exact" or not space.complete:
            _refuse(cost, plan, space)
    if not space.complete:
        raise ValueError(
            f"method={plan.method!r} samples complete trees: use space='full', or "
            "method='exact' for space='sparse'."
        )
    return _sampled(rows, space, plan, seed, n_jobs, progress)


def _refuse(cost, plan, space):
    sampling = "method='mc'" if space.complete else "space='full' with method='mc'"
    raise ValueError(
        f"The exact recursion needs {cost}, above the limits "
        f"exact_budget={plan.exact_budget:.2g} and {MEMORY // 2**20} MB. Use fewer "
        "thresholds (n_thresholds), a coarser grid (loss_grid, an integer), or "
        f"{sampling}; or raise exact_budget."
    )


def _recursion(rows, space, plan, n_cells, progress, known):
    graph = build_graph(rows, space, known)
    smallest = smallest_losses(graph, progress.stage(len(graph.levels[-1]), 0.5))
    threshold = plan.threshold(float(smallest[0][0]), rows.total)
    share = 0.5 if n_cells is None else 0.25  # bounds take two runs

    def stage(total):
        return progress.stage(total, share)

    found = ExactTreeSet.of(graph, smallest, threshold, n_cells, stage)
    if n_cells is None:
        return found, "exact"
    ends = found.estimate(threshold)
    if found.lower.ranges.empty or ends.high - ends.low > np.log(10):
        warnings.warn(
            "The loss grid is coarse: the bounds of log10 of the ratio are more than "
            f"1 apart. Use a finer loss_grid than {n_cells}.",
            UserWarning,
            stacklevel=4,
        )
    return found, "bracket"


def _sampled(rows, space, plan, seed, n_jobs, progress):
    if plan.method == "smc" and not space.repeats:
        raise ValueError(
            "method='smc' needs repeats=True; use method='mc' without repeats."
        )
    method = "mc" if plan.method == "auto" else plan.method
    _check_effort(rows, space, plan, method)
    best = greedy_tree(rows, space)
    best_loss = float(tree_losses(best, rows)[0])
    threshold = min(plan.threshold(best_loss, rows.total), rows.total)
    slip = SLIP * rows.total
    grid = Grid(1.0, "exact", slip)
    if not is_whole(rows, space):
        grid = Grid(FINE_CELLS / max(threshold, slip), "exact", slip)
    unavoidable = (rows.weight.sum(axis=1) - rows.weight.max(axis=1)).sum()
    low = grid.cells_below(unavoidable)
    pilot_seed, main_seed, smc_seed = seed.spawn(3)
    problem, device = (rows, space, grid, low, threshold), plan.device
    if plan.method == "auto":
        rng, n_draws = np.random.default_rng(pilot_seed), max(plan.n_draws // 10, 1)
        pilot = sample_losses(*problem, n_draws=n_draws, rng=rng, device=device)
        if pilot.estimate(threshold, 0.95).ess < ENOUGH and space.repeats:
            method = "smc"
            _check_effort(rows, space, plan, method)
    if method == "mc":
        rng, n_draws = np.random.default_rng(main_seed), plan.n_draws
        report = progress.stage(n_draws)
        sample = sample_losses(
            *problem, n_draws=n_draws, rng=rng, device=device, report=report
        )
    else:
        report, runs = progress.stage(plan.n_replicates), []
        found = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
            delayed(temper_losses)(
                *problem,
                n_particles=plan.n_particles,
                n_moves=MOVES,
                rng=np.random.default_rng(run),
                device=device,
            )
            for run in smc_seed.spawn(plan.n_replicates)
        )
        for run in found:
            runs.append(run)
            report(1)
        sample = runs[0].joined(runs[1:])
    better = sample.best_tree()
    if better is not None and tree_losses(better, rows)[0] < best_loss:
        best, best_loss = better, float(tree_losses(better, rows)[0])
    threshold = plan.threshold(best_loss, rows.total)
    _warn_if_weak(sample.estimate(threshold, 0.95), method, space.repeats)
    return SampledTreeSet(rows, space, threshold, best, sample), method


def _check_effort(rows, space, plan, method):
    """Refuse what memory cannot hold and warn before what takes its time."""
    names = "n_draws"
    n_trees = n_visits = plan.n_draws
    if method == "smc":
        names = "n_particles or n_replicates"
        n_trees = plan.n_particles * plan.n_replicates
        n_visits = n_trees * MOVES * TEMPERATURES
    seconds, memory = sampling_cost(rows, space, n_trees, n_visits)
    if memory > MEMORY:
        raise ValueError(
            f"method={method!r} at depth {space.depth} needs {memory / 2**30:.3g} GB, "
            f"more than {MEMORY / 2**30:.0f} GB. Lower max_depth or {names}."
        )
    if seconds > PATIENCE:
        long = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
        warnings.warn(
            f"method={method!r} at depth {space.depth} will take about {long} on one "
            f"core. Lower max_depth or {names} to be faster; "
            "set_callbacks(sklearn.callback.ProgressBar()) shows how far it is.",
            UserWarning,
            stacklevel=5,
        )


def _warn_if_weak(estimate, method, can_temper):
    advice = "method='smc'" if method == "mc" and can_temper else "more draws"
    warn_weak(estimate.ess, "effective draws", f"Use {advice}, or a larger theta.")
