"""Which components, scales, prior and start: by the loss on rows held out.

One setting is changed at a time, from short fits that stop when the held-out loss does;
numbers of components share one clustering, from which each start is merged.
"""

from dataclasses import dataclass, replace
from numbers import Real

from sklearn_ext.bridge._mixture import COVARIANCE_TYPES
from sklearn_ext.bridge._solvers._fixed_point import (
    Fit,
    State,
    evaluate,
    iterate,
    problem_of,
)
from sklearn_ext.bridge._solvers._held_out import Holdout
from sklearn_ext.bridge._solvers._start import (
    along_axes,
    annealed,
    first_components,
    first_state,
    merge,
    represent,
    surplus_clusters,
)

PASSES, PATIENCE = 10, 3  # of a trial; passes without a new low that end it
MARGIN = 1e-6  # relative difference of losses that may be rounding
SEARCH_ROWS = 20_000  # of either side; more represent no more
COMPONENTS = (1, 2, 3, 5, 7, 10, 14, 20, 28, 40)
ROWS_A_COMPONENT = 10  # at least, of the target
STRENGTHS = (20.0, 2.0, 100.0, 500.0)
STARTS = ("kmeans", "k-means++")
FEW_FEATURES = 12  # beyond them full scales cost too much to be tried unasked


@dataclass(frozen=True)
class Trial:
    """One setting, and how well it did on rows held out."""

    params: dict  # of a bridge
    loss: float  # on the rows held out, after the best pass
    n_iter: int  # the best pass
    state: State
    settled: bool  # whether more passes did not harm


def better(one, other):
    """Return the other trial where it is better by more than rounding, else the one."""
    return other if other.loss < one.loss - MARGIN * (1 + abs(one.loss)) else one


def few_rows(sample):
    """Return a sample, or rows that represent it where there are many."""
    return sample.represented(SEARCH_ROWS)


def settings(grid, n_rows, n_features):
    """Return the values of each setting, those that "auto" stands for filled in."""
    most = max(1, n_rows // ROWS_A_COMPONENT)
    full_pays = n_features <= FEW_FEATURES
    auto = {
        "n_components": [K for K in COMPONENTS if most >= K],
        "covariance_type": COVARIANCE_TYPES if full_pays else COVARIANCE_TYPES[:-1],
        "prior_strength": STRENGTHS,
        "init_params": STARTS,
    }
    values = {}
    for name, usual in auto.items():
        given = grid[name]
        one = isinstance(given, str | Real)
        values[name] = usual if given == "auto" else [given] if one else list(given)
    return values


def first_of(values):
    """Return the first value of each setting."""
    return {name: some[0] for name, some in values.items()}


class Search:
    """Trials on the same rows, each compared on the same rows held out."""

    def __init__(self, sides, held, options, grid, rng):
        self.sides, self.held, self.options, self.rng = sides, held, options, rng
        self.trials, self.clusters = [], None
        self.values = settings(grid, *sides[1].X.shape)
        self.sizes = self.values["n_components"] = sorted(self.values["n_components"])
        self.rows = represent(sides[1])

    def best(self):
        """Search, one setting after another, and return the best trial."""
        first = first_of(self.values)
        best = self._grow(first)
        for kind in self.values["covariance_type"][1:]:
            other = {"covariance_type": kind}
            found = self._run(first | other)
            if best.params["n_components"] != first["n_components"]:
                found = better(found, self._run(best.params | other))
            if better(best, found) is found:
                best = self._climb(found)
        for strength in self.values["prior_strength"][1:]:
            other = {"prior_strength": strength}
            best = better(best, self._run(best.params | other, start=best))
        for start in self.values["init_params"][1:]:
            K = best.params["n_components"]
            for size in sorted({K, self._beside(K, 1)}):
                other = {"n_components": size, "init_params": start}
                best = better(best, self._run(best.params | other))
        return best

    def _grow(self, first):
        """Add components until that has not helped twice."""
        best, worse = self._run(first), 0
        for K in self.sizes[1:]:
            found = better(best, self._run(first | {"n_components": K}))
            worse = worse + 1 if found is best else 0
            best = found
            if worse == 2:
                break
        return best

    def _climb(self, best):
        """Take more components, or fewer, as long as that helps."""
        for step in (1, -1):
            K = best.params["n_components"]
            while (K := self._beside(K, step)) != best.params["n_components"]:
                found = better(best, self._run(best.params | {"n_components": K}))
                if found is best:
                    break
                best = found
        return best

    def _beside(self, K, step):
        """Return the next number of components, or K where there is none."""
        i = self.sizes.index(K) + step
        return self.sizes[i] if 0 <= i < len(self.sizes) else K

    def _run(self, params, start=None):
        """Make passes until the rows held out no longer gain."""
        options = replace(self.options, **params)
        problem = problem_of(*self.sides, options)
        if start is not None:
            state = evaluate(problem, start.state.mixture)
        else:
            state = first_state(problem, self.rows[0], *self._first(options))
            if options.anneal:
                state = annealed(problem, state)
        watch = Holdout(problem_of(*self.held, options), PATIENCE)
        watch.no_better(state)
        fit = iterate(problem, Fit(state), PASSES, watch.no_better)
        n_iter = max(1, len(fit.curve) - watch.waited)
        settled = watch.waited < 2
        trial = Trial(params, watch.best_loss, n_iter, watch.best_state, settled)
        self.trials.append(trial)
        return trial

    def _first(self, options):
        """Return what the components share; clusters are found once for all."""
        (Y, w, _), K = self.rows, options.n_components
        if self.clusters is None and options.init_params == "kmeans":
            most = min(self.sizes[-1], 20)
            self.clusters = surplus_clusters(self.rows, most, self.rng)
        if options.init_params != "kmeans":
            return first_components(self.rows, options, self.rng)
        if K == 1:
            return self.clusters.sum(axis=0)[None, :], None
        if len(self.clusters) < 2 * K:  # too few to choose among
            return first_components(self.rows, options, self.rng)
        return merge(along_axes(Y, w, options.covariance_type), self.clusters, K), None
