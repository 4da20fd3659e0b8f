"""Which components, scales, prior and start: by the loss on rows held out.

One setting is changed at a time, from short fits that stop when the held-out loss does;
numbers of components share one clustering, from which each start is merged.
"""

from dataclasses import dataclass, fields, replace
from numbers import Real

from sklearn_ext.bridge._mixture import COVARIANCE_TYPES
from sklearn_ext.bridge._solvers._fixed_point import State, iterate
from sklearn_ext.bridge._solvers._held_out import Holdout
from sklearn_ext.bridge._solvers._start import (
    ANNEAL,
    along_axes,
    annealed,
    first_components,
    first_state,
    merge,
    principal_order,
    problem_of,
    represent,
    represented,
    surplus_clusters,
    warm_state,
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

    n_components: int
    covariance_type: str
    prior_strength: float
    init_params: str
    loss: float  # on the rows held out, after the best pass
    n_iter: int  # the best pass
    state: State
    settled: bool  # whether more passes did not harm

    @property
    def params(self):
        """The setting as parameters of a bridge."""
        return {f.name: getattr(self, f.name) for f in fields(self)[:4]}


def better(one, other):
    """Return the other trial where it is better by more than rounding, else the one."""
    return other if other.loss < one.loss - MARGIN * (1 + abs(one.loss)) else one


def few_rows(sample):
    """Return a sample, or rows that represent it where there are many."""
    if sample.X.shape[0] <= SEARCH_ROWS:
        return sample
    return represented(sample, principal_order(*sample.host), SEARCH_ROWS)


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
    values = []
    for name, usual in auto.items():
        given = grid[name]
        one = isinstance(given, str | Real)
        values.append(usual if given == "auto" else [given] if one else list(given))
    return values


def first_settings(grid, n_rows):
    """Return the first value of each setting, for samples too small to hold out."""
    first = settings(grid, n_rows, FEW_FEATURES)
    return {name: values[0] for name, values in zip(grid, first, strict=True)}


class Search:
    """Trials on the same rows, each compared on the same rows held out."""

    def __init__(self, sides, held, centre, options, grid, rng):
        self.sides, self.held, self.centre = sides, held, centre
        self.options, self.rng, self.trials = options, rng, []
        n_rows = sides[1].X.shape[0]
        self.sizes, self.types, self.strengths, self.starts = settings(
            grid, n_rows, sides[1].X.shape[1]
        )
        self.sizes = sorted(self.sizes)
        self.rows = represent(*sides[1].host)
        self.clusters = None

    def best(self):
        """Search, one setting after another, and return the best trial."""
        usual = self.strengths[0], self.starts[0]
        best = self._grow(self.types[0], *usual)
        for kind in self.types[1:]:
            found = self._run(self.sizes[0], kind, *usual)
            if best.n_components != found.n_components:
                found = better(found, self._run(best.n_components, kind, *usual))
            if better(best, found) is found:
                best = self._climb(found)
        for strength in self.strengths[1:]:
            setting = best.n_components, best.covariance_type, strength, usual[1]
            best = better(best, self._run(*setting, start=best))
        for start in self.starts[1:]:
            for K in sorted({best.n_components, self._beside(best.n_components, 1)}):
                setting = K, best.covariance_type, best.prior_strength, start
                best = better(best, self._run(*setting))
        return best

    def _grow(self, *setting):
        """Add components until that has not helped twice."""
        best, worse = self._run(self.sizes[0], *setting), 0
        for K in self.sizes[1:]:
            found = better(best, self._run(K, *setting))
            worse = worse + 1 if found is best else 0
            best = found
            if worse == 2:
                break
        return best

    def _climb(self, best):
        """Take more components, or fewer, as long as that helps."""
        setting = best.covariance_type, best.prior_strength, best.init_params
        for step in (1, -1):
            while (K := self._beside(best.n_components, step)) != best.n_components:
                found = better(best, self._run(K, *setting))
                if found is best:
                    break
                best = found
        return best

    def _beside(self, K, step):
        """Return the next number of components, or K where there is none."""
        i = self.sizes.index(K) + step
        return self.sizes[i] if 0 <= i < len(self.sizes) else K

    def _run(self, K, kind, strength, init, start=None):
        """Make passes until the rows held out no longer gain."""
        options = replace(
            self.options,
            n_components=K,
            covariance_type=kind,
            prior_strength=strength,
            init_params=init,
        )
        problem = problem_of(*self.sides, options)
        if start is None:
            drawn = self._first(K, kind, init)
            epsilon = options.epsilon * (ANNEAL[0] if options.anneal else 1)
            state = first_state(problem, self.rows[0], *drawn, epsilon)
            if options.anneal:
                state = annealed(problem, state, options)
        else:
            state = warm_state(problem, start.state.mixture)
        watch = Holdout(self.held, PATIENCE)
        watch.no_better(state, self.centre)
        fit = iterate(
            problem,
            state,
            max_iter=PASSES,
            tol=options.tol,
            report=lambda state: watch.no_better(state, self.centre),
        )
        trial = Trial(
            K,
            kind,
            strength,
            init,
            watch.best_loss,
            max(1, len(fit.curve) - watch.waited),
            watch.best_state,
            watch.waited < 2,
        )
        self.trials.append(trial)
        return trial

    def _first(self, K, kind, init):
        """Return what the components share; clusters are found once for all."""
        Y, w, order = self.rows
        if init != "kmeans":
            return first_components(Y, w, order, K, init, kind, self.rng)
        if self.clusters is None:
            most = max(self.sizes)
            self.clusters = surplus_clusters(Y, w, order, min(most, 20), self.rng)
        if K == 1:
            return self.clusters.sum(axis=0)[None, :], None
        if len(self.clusters) < 2 * K:  # too few to choose among
            return first_components(Y, w, order, K, init, kind, self.rng)
        return merge(along_axes(Y, w, kind), self.clusters, K), None
