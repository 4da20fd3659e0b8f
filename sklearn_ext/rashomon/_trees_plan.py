"""Choose how to find the loss distribution of a tree space, and find it."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ext.rashomon._results import ENOUGH, loss_threshold, warn_weak
from sklearn_ext.rashomon._trees_bottom import Grid
from sklearn_ext.rashomon._trees_cost import MEMORY, recursion_cost, sampling_cost
from sklearn_ext.rashomon._trees_exact import smallest_losses
from sklearn_ext.rashomon._trees_greedy import greedy_tree
from sklearn_ext.rashomon._trees_sampled import sample_losses, temper_losses
from sklearn_ext.rashomon._trees_sets import (
    TOLERANCE,
    ExactTreeSet,
    SampledTreeSet,
    tree_losses,
)
from sklearn_ext.rashomon._trees_space import build_graph

BRACKET_CELLS = 512  # for "auto"
FINE_CELLS = 2048  # of sampled laws with losses that are not whole
PATIENCE = 300  # seconds that sampling may take without a warning
TEMPERATURES = 40  # of a usual tempered run
MOVES = 60  # Metropolis moves after each change of temperature


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

    def n_cells(self, whole):
        """Return cells of the recursion's grid; None is the unit grid."""
        if self.loss_grid == "auto":
            return None if whole else BRACKET_CELLS
        if self.loss_grid == "unit":
            if not whole:
                raise ValueError(
                    "loss_grid='unit' needs weights that are whole numbers; got "
                    "fractions. Use loss_grid='auto' for bounds."
                )
            return None
        return int(self.loss_grid)

    def cost(self, rows, space, n_cells):
        """Predicted cost of the recursion."""
        total = rows.total
        unavoidable = (rows.weight.sum(axis=1) - rows.weight.max(axis=1)).sum()
        constant = total - rows.weight.sum(axis=0).max()
        if n_cells is None:
            if self.reference_loss is None:
                span = self.threshold(constant, total) - constant
            else:
                span = self.threshold(0.0, total) - unavoidable
            n_degrees = int(np.clip(span, 0, space.largest_loss(total))) + 1
        else:
            n_degrees = n_cells + 2**space.depth + 1
        return recursion_cost(rows, space, n_degrees)


def is_whole(rows, space):
    """Whether every loss is a whole number."""
    weight = rows.weight
    return bool(np.all(weight == np.rint(weight))) and space.leaf_cost % 1 == 0


def solve_trees(rows, space, plan, *, seed, n_jobs=None):
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
        whole = is_whole(rows, space)
        n_cells = plan.n_cells(whole)
        options = [n_cells]
        if plan.method == "auto" and plan.loss_grid == "auto" and whole:
            options.append(BRACKET_CELLS)
        for n_cells in options:
            cost = plan.cost(rows, space, n_cells)
            if cost.flops <= plan.exact_budget and cost.memory <= MEMORY:
                return _recursion(rows, space, plan, n_cells)
        if plan.method == "exact" or not space.complete:
            _refuse(cost, plan, space)
    if not space.complete:
        raise ValueError(
            f"method={plan.method!r} samples complete trees: use space='full', or "
            "method='exact' for space='sparse'."
        )
    return _sampled(rows, space, plan, seed, n_jobs)


def _refuse(cost, plan, space):
    sampling = "method='mc'" if space.complete else "space='full' with method='mc'"
    raise ValueError(
        f"The exact recursion needs {cost}, above the limits "
        f"exact_budget={plan.exact_budget:.2g} and {MEMORY // 2**20} MB. Use fewer "
        "thresholds (n_thresholds), a coarser grid (loss_grid, an integer), or "
        f"{sampling}; or raise exact_budget."
    )


def _recursion(rows, space, plan, n_cells):
    graph = build_graph(rows, space)
    smallest = smallest_losses(graph)
    threshold = plan.threshold(float(smallest[0][0]), rows.total)
    found = ExactTreeSet.of(graph, smallest, threshold, n_cells)
    if n_cells is None:
        return found, "exact"
    ends = found.estimate(threshold)
    if found.lower.empty or ends.high - ends.low > np.log(10):
        warnings.warn(
            "The loss grid is coarse: the bounds of log10 of the ratio are more than "
            f"1 apart. Use a finer loss_grid than {n_cells}.",
            UserWarning,
            stacklevel=4,
        )
    return found, "bracket"


def _sampled(rows, space, plan, seed, n_jobs):
    if plan.method == "smc" and not space.repeats:
        raise ValueError(
            "method='smc' needs repeats=True; use method='mc' without repeats."
        )
    method = "mc" if plan.method == "auto" else plan.method
    _check_effort(rows, space, plan, method)
    best = greedy_tree(rows, space)
    best_loss = float(tree_losses(best, rows)[0])
    threshold = min(plan.threshold(best_loss, rows.total), rows.total)
    slip = TOLERANCE * rows.total
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
        sample = sample_losses(*problem, n_draws=n_draws, rng=rng, device=device)
    else:
        runs = Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(temper_losses)(
                *problem,
                n_particles=plan.n_particles,
                n_moves=MOVES,
                rng=np.random.default_rng(run),
                device=device,
            )
            for run in smc_seed.spawn(plan.n_replicates)
        )
        sample = runs[0].joined(runs[1:])
    better = sample.best_tree()
    if better is not None and tree_losses(better, rows)[0] < best_loss:
        best, best_loss = better, float(tree_losses(better, rows)[0])
    threshold = plan.threshold(best_loss, rows.total)
    _warn_if_weak(sample.estimate(threshold, 0.95), method, space.repeats)
    return SampledTreeSet(rows, space, threshold, best, sample), method


def _check_effort(rows, space, plan, method):
    """Refuse what memory cannot hold and warn before what takes minutes."""
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
        warnings.warn(
            f"method={method!r} at depth {space.depth} will take about "
            f"{seconds / 60:.0f} minutes on one core. Lower max_depth or {names} to "
            "be faster.",
            UserWarning,
            stacklevel=5,
        )


def _warn_if_weak(estimate, method, can_temper):
    advice = "method='smc'" if method == "mc" and can_temper else "more draws"
    warn_weak(estimate.ess, "effective draws", f"Use {advice}, or a larger theta.")
