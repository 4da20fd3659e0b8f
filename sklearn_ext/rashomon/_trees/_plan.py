"""Predict what each way to the loss distribution costs, take one and go it."""

from dataclasses import dataclass, replace
from functools import partial
from math import comb

import numpy as np

from sklearn_ext._core._validation import warn
from sklearn_ext.rashomon._ratio import ENOUGH, loss_threshold, warn_weak
from sklearn_ext.rashomon._trees._graph import build_graph
from sklearn_ext.rashomon._trees._problem import EqualSplits, Rows, TreeSpace, is_whole
from sklearn_ext.rashomon._trees._recursion import smallest_losses
from sklearn_ext.rashomon._trees._sampled import (
    BATCH,
    MOVES,
    Target,
    greedy_tree,
    leaf_counter,
    sample_losses,
    temper_losses,
)
from sklearn_ext.rashomon._trees._sets import ExactTreeSet

OVERHEAD = 1e6  # operations that the handling of one subset is worth
SCATTER = 15  # operations for each entry that is added to a histogram
MEMORY = 4 * 2**30  # bytes that no method goes beyond
MEASURE = 200_000  # subsets that may be formed to measure a level
BRACKET_CELLS = 512  # for "auto"
FINE_UNITS = 30  # in the lightest row, from which a unit is finer than rows
CHEAP = 1e10  # operations: half a second
PATIENCE = 30  # predicted seconds without a warning, to a factor of three
TEMPERATURES = 40  # of a usual tempered run
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


def check_members_fit(max_depth, n_members):
    """Refuse depths at which the kept trees alone would not fit in memory."""
    needed = max(n_members, 100) * 2.0 ** min(max_depth + 3, 1000)
    if needed > MEMORY:
        raise ValueError(
            f"max_depth={max_depth} with n_members={n_members} needs "
            f"{needed / 2**30:.3g} GB for the members alone, more than "
            f"{MEMORY / 2**30:.0f} GB. Lower max_depth."
        )


@dataclass(frozen=True)
class TreePlan:
    """Merged rows, the trees over them, and what to compute within which limits.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        The trees.
    equal : EqualSplits
        Which splits they take together.
    params : RashomonTreeClassifier
        Unfitted, with the parameters that its like was fitted with.
    """

    rows: Rows
    space: TreeSpace
    equal: EqualSplits
    params: object

    def threshold(self, best):
        """Largest loss summed over rows, from the smallest one."""
        total, given = self.rows.total, self.params
        mode, reference = given.theta_mode, given.reference_loss
        return total * loss_threshold(best / total, given.theta, mode, reference)

    def measure(self):
        """Form the graph of subsets down to the second level, where that is cheap."""
        if self.space.depth < 4 or (2 * len(self.space.weight)) ** 2 > MEASURE:
            return None
        return build_graph(self.rows, replace(self.space, depth=4))

    def n_cells(self, known):
        """Return cells of the recursion's grid; None is the unit grid."""
        loss_grid, rows = self.params.loss_grid, self.rows
        whole = is_whole(rows, self.space)
        if loss_grid == "auto":
            # a unit far below the weight of any row, as class weights make it, costs
            # degrees that tell nothing
            fine = whole and rows.weight[rows.weight > 0].min() > FINE_UNITS
            too_fine = fine and self.cost(None, known).flops > CHEAP
            return None if whole and not too_fine else BRACKET_CELLS
        if loss_grid == "unit" and not whole:
            raise ValueError(
                "loss_grid='unit' needs weights that are multiples of one unit; got "
                "others. Use loss_grid='auto' for bounds."
            )
        return None if loss_grid == "unit" else int(loss_grid)

    def cost(self, n_cells, known):
        """Predict the cost of the recursion.

        Parameters
        ----------
        n_cells : int or None
            Cells of its grid; None is the unit grid.
        known : Graph or None
            Result of :meth:`measure`.

        Returns
        -------
        CostEstimate
            Numbers of subsets are those of ``known``, and bounded by binomial
            coefficients below.
        """
        rows, space, subsets = self.rows, self.space, self._subsets(known)
        if n_cells is not None:
            n_degrees = n_cells + 2**space.depth + 1
        else:
            constant = rows.total - rows.weight.sum(axis=0).max()
            least = constant if self.params.reference_loss is None else rows.unavoidable
            span, end = self.threshold(constant) - least, space.largest_loss(rows.total)
            n_degrees = int(np.clip(span, 0, end)) + 1
        n_degrees = min(n_degrees, 2**62)
        m, n, k = len(space.weight), len(rows.bits), space.n_classes
        flops = sum(count * (2 * m * n_degrees**2 + OVERHEAD) for count in subsets)
        size = n * 2.0 ** -(len(subsets) - 1)  # mean rows of a subset at the last level
        pairs = m**2 if space.depth >= 2 else m
        flops += subsets[-1] * pairs * (8 * k * size + 48 * k + 2 * SCATTER * k**2)
        table = sum(count * (8 * n_degrees + 8 * m + n / 8) for count in subsets)
        work = 8.0 * (12 * k * pairs + n * m + 64 * n_degrees)
        return CostEstimate(float(flops), float(table + work), subsets, int(n_degrees))

    def affords(self, cost):
        """Whether the recursion may cost so much."""
        return cost.flops <= self.params.exact_budget and cost.memory <= MEMORY

    def _subsets(self, known):
        m, n_levels = len(self.space.weight), max(self.space.depth - 1, 1)
        counts = [1, min(2 * m, 2 ** len(self.rows.bits))]
        if known is not None:
            counts = [len(level) for level in known.levels]
        for t in range(len(counts), n_levels):
            paths = comb(m, t) * 2**t if self.space.repeats else np.inf
            counts.append(int(min(paths, counts[-1] * 2 * m)))
        return tuple(counts[:n_levels])


def solve_trees(plan, seed, progress):
    """Find the loss distribution.

    Parameters
    ----------
    plan : TreePlan
        What to compute.
    seed : numpy.random.SeedSequence
        Source of randomness.
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
    complete, method = plan.space.complete, plan.params.method
    if method in ("auto", "exact"):
        known = plan.measure()
        options = [plan.n_cells(known)]
        if method == plan.params.loss_grid == "auto":
            options.append(BRACKET_CELLS)
        for n_cells in options:
            cost = plan.cost(n_cells, known)
            if plan.affords(cost):
                return _recursion(plan, n_cells, progress, known)
        if method == "exact" or not complete:
            sampling = "method='mc'" if complete else "space='full' with method='mc'"
            raise ValueError(
                f"The exact recursion needs {cost}, above the limits exact_budget="
                f"{plan.params.exact_budget:.2g} and {MEMORY // 2**20} MB. Use fewer "
                "thresholds (n_thresholds), a coarser grid (loss_grid, an integer), or "
                f"{sampling}; or raise exact_budget."
            )
    if not complete:
        raise ValueError(
            f"method={method!r} samples complete trees: use space='full', or "
            "method='exact' for space='sparse'."
        )
    return _sampled(plan, seed, progress)


def _recursion(plan, n_cells, progress, known):
    graph = build_graph(plan.rows, plan.space, known)
    smallest = smallest_losses(graph, progress.stage(len(graph.levels[-1]), 0.5))
    threshold = plan.threshold(float(smallest[0][0]))
    share = 0.5 if n_cells is None else 0.25  # bounds take two runs
    stage = partial(progress.stage, share=share)
    found = ExactTreeSet.of(graph, smallest, threshold, n_cells, stage, plan.equal)
    if n_cells is None:
        return found, "exact"
    ends = found.estimate(threshold)
    if found.lower.ranges.empty or ends.high - ends.low > np.log(10):
        warn(
            "The loss grid is coarse: the bounds of log10 of the ratio are more than "
            f"1 apart. Use a finer loss_grid than {n_cells}."
        )
    return found, "bracket"


def _sampled(plan, seed, progress):
    rows, space, given = plan.rows, plan.space, plan.params
    if given.method == "smc" and not space.repeats:
        raise ValueError(
            "method='smc' needs repeats=True; use method='mc' without repeats."
        )
    method = "mc" if given.method == "auto" else given.method
    _check_effort(plan, method)
    best = greedy_tree(rows, space)
    threshold = min(plan.threshold(float(rows.losses(best)[0])), rows.total)
    target = Target.of(rows, space, best, threshold)
    counter = leaf_counter(rows, given.device)
    pilot_seed, main_seed, smc_seed = seed.spawn(3)
    if given.method == "auto":
        n_draws, rng = max(given.n_draws // 10, 1), np.random.default_rng(pilot_seed)
        pilot = sample_losses(target, counter, n_draws, rng)
        if pilot.estimate(threshold).ess < ENOUGH and space.repeats:
            method = "smc"
            _check_effort(plan, method)
    if method == "mc":
        n_draws, rng = given.n_draws, np.random.default_rng(main_seed)
        report = progress.stage(n_draws)
        found = sample_losses(target, counter, n_draws, rng, report)
    else:
        seeds, n_particles = smc_seed.spawn(given.n_replicates), given.n_particles
        report = progress.stage(len(seeds))
        found = temper_losses(target, counter, n_particles, seeds, given.n_jobs, report)
    found = found.improved()
    threshold = plan.threshold(found.best_loss)
    found = replace(found, target=replace(found.target, threshold=threshold))
    advice = "method='smc'" if method == "mc" and space.repeats else "more draws"
    advice = f"Use {advice}, or a larger theta."
    warn_weak(found.estimate(threshold).ess, "effective draws", advice)
    return found, method


def _check_effort(plan, method):
    """Refuse what memory cannot hold and warn before what takes its time."""
    names, given, depth = "n_draws", plan.params, plan.space.depth
    n_trees = n_visits = given.n_draws
    if method == "smc":
        names = "n_particles or n_replicates"
        n_trees = given.n_particles * given.n_replicates
        n_visits = n_trees * MOVES * TEMPERATURES
    leaves, k = 2.0**depth, plan.space.n_classes
    memory = leaves * (n_trees * (4 + 8 * k) + min(n_trees, BATCH) * 24 * k)
    if memory > MEMORY:
        raise ValueError(
            f"method={method!r} at depth {depth} needs {memory / 2**30:.3g} GB, "
            f"more than {MEMORY / 2**30:.0f} GB. Lower max_depth or {names}."
        )
    words = k + min(plan.rows.total, 200_000) / 64
    seconds = n_visits * leaves * (4e-8 * k + 2e-9 * words)  # to a factor of three
    if seconds > PATIENCE:
        long = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
        warn(
            f"method={method!r} at depth {depth} will take about {long} on one "
            f"core. Lower max_depth or {names} to be faster; "
            "set_callbacks(sklearn.callback.ProgressBar()) shows how far it is."
        )
