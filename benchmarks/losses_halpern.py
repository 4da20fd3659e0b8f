"""Halpern iterations for the worst subgroup, deterministic and stochastic.

The game ``min over theta, max over q`` of the q-weighted log-loss of two classes is a
monotone inclusion. Halpern's iteration pulls each step back to the start, by ever less;
it is run here

- with extragradient steps on all rows (the anchored extragradient of Yoon and Ryu),
- with resolvents that are solved inexactly by extragradient steps on few rows, whose
  variance is reduced by a snapshot (Cai, Alacaoglu and Diakonikolas; the inner steps
  are those of Alacaoglu and Malitsky).

Coefficients are in the metric of the second moment of the rows, as in the solver that
stands, so that the comparison is one of iterations and not of units.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

from sklearn_ext.losses._groups._game import onto_simplex


@dataclass
class Operator:
    """Slopes of the game at points ``(v, q)``, and how many rows they took."""

    X: np.ndarray  # (n_samples, n_features)
    sign: np.ndarray  # (n_samples,), 1 or -1
    subgroup: np.ndarray  # (n_samples,), codes
    penalty: float
    rows_seen: int = field(default=0, init=False)

    def __post_init__(self):
        self.count = np.bincount(self.subgroup)
        self.members = np.argsort(self.subgroup, kind="stable")
        self.ends = np.r_[0, np.cumsum(self.count)]
        share = 1 / (len(self.count) * self.count[self.subgroup])
        ones = np.column_stack([self.X, np.ones(len(self.X))])
        second = 0.25 * (ones * share[:, None]).T @ ones
        ridge = np.r_[np.full(self.X.shape[1], self.penalty), 0.0]
        values, vectors = np.linalg.eigh(second + np.diag(ridge))
        self.root = vectors / np.sqrt(values)  # coefficients are root @ v
        self.rows = ones @ self.root * self.sign[:, None]
        self.pull = self.root.T @ (ridge[:, None] * self.root)
        self.each = share * len(self.count)

    def start(self):
        """Return coefficients of zero, and subgroups alike."""
        G = len(self.count)
        return np.zeros(len(self.root)), np.full(G, 1 / G)

    def full(self, v, q):
        """Slopes from all rows: down for coefficients, up for the mix."""
        self.rows_seen += len(self.rows)
        margins = self.rows @ v
        weight = q[self.subgroup] * self.each
        slope = -(weight * expit(-margins)) @ self.rows + self.pull @ v
        return slope, -np.bincount(self.subgroup, self.each * np.logaddexp(0, -margins))

    def draw(self, rng, size):
        """Rows of every subgroup alike, all of them where it has few."""
        each = max(size // len(self.count), 1)
        return np.concatenate(
            [
                self.members[start:end]
                if end - start <= each
                else self.members[rng.integers(start, end, each)]
                for start, end in zip(self.ends[:-1], self.ends[1:], strict=True)
            ]
        )

    def difference(self, rows, one, other):
        """Difference of the slopes at two points, from some rows."""
        self.rows_seen += 2 * len(rows)
        g = self.subgroup[rows]
        seen = np.bincount(g, minlength=len(self.count))
        few, each = self.rows[rows], 1 / seen[g]
        found = []
        for v, q in (one, other):
            margins = few @ v
            pull = -(q[g] * each * expit(-margins)) @ few + self.pull @ v
            lost = np.bincount(g, each * np.logaddexp(0, -margins), len(seen))
            found.append((pull, -lost))
        return found[0][0] - found[1][0], found[0][1] - found[1][1]

    def coefficients(self, v):
        """Coefficients and intercept."""
        theta = self.root @ v
        return theta[:-1], theta[-1]


def anchored_extragradient(game, *, step, ratio):
    """Yield points of the deterministic iteration, for ever.

    Parameters
    ----------
    game : Operator
    step, ratio : float
        Step of the coefficients; that of the mix is ``ratio`` times as long.
    """
    anchor = point = game.start()
    k = 0
    while True:
        base = [x + (a - x) / (k + 2) for x, a in zip(point, anchor, strict=True)]
        half = _move(base, game.full(*point), step, ratio)
        point = _move(base, game.full(*half), step, ratio)
        k += 1
        yield point


def reduced_halpern(game, *, step, ratio, length, batch, n_inner, seed=0):
    """Yield points of the stochastic iteration, one for each resolvent, for ever.

    Parameters
    ----------
    game : Operator
    step, ratio : float
        As for the deterministic iteration, of the inner steps.
    length : float
        Of the resolvents, in steps of all rows.
    batch : int
        Rows drawn at a time.
    n_inner : int
        Inner steps of a resolvent.
    seed : int, default=0
        Of the draws.
    """
    rng = np.random.default_rng(seed)
    anchor = point = game.start()
    chance = min(2 * batch / len(game.rows), 1.0)
    small = step * np.sqrt(chance)
    share = small / (length * step)  # weight of the resolvent's centre in a step
    k = 0
    while True:
        z = snapshot = point
        at_snapshot = game.full(*snapshot)
        for _ in range(n_inner):
            base = [
                ((1 - chance) * a + chance * b + share * c) / (1 + share)
                for a, b, c in zip(z, snapshot, point, strict=True)
            ]
            half = _move(base, at_snapshot, small / (1 + share), ratio)
            change = game.difference(game.draw(rng, batch), half, snapshot)
            slope = [a + b for a, b in zip(at_snapshot, change, strict=True)]
            z = _move(base, slope, small / (1 + share), ratio)
            if rng.random() < chance:
                snapshot, at_snapshot = z, game.full(*z)
        k += 1
        point = [
            a / (k + 1) + z_ * k / (k + 1) for a, z_ in zip(anchor, z, strict=True)
        ]
        yield point


def _move(base, slope, step, ratio):
    return base[0] - step * slope[0], onto_simplex(base[1] - step * ratio * slope[1])
