"""Light bridges and the truth: Korotin et al. (2024)."""

import numpy as np
from scipy.special import logsumexp

from benchmarks.harness import Study
from sklearn_ext.bridge import LightSchrodingerBridge


class Components(Study):
    title = "Distance to the true conditional law, by components"
    note = """One feature; source uniform on [-1, 1], target uniform on [-2, -1] and on
        [0.5, 2], hence of compact support; epsilon = 0.05. Mean total variation between
        the learnt and the true law of y given x, which is found by Sinkhorn iterations
        on a grid. No prior, otherwise the defaults."""
    counts = 1, 2, 5, 10, 20

    def run(self):
        x, y = np.linspace(-1, 1, 300), np.linspace(-2, 2, 600)
        inside = (y <= -1) | (y >= 0.5)
        truth = conditional_law(x, y[inside], 0.05)
        step = y[1] - y[0]
        at = slice(7, None, 15)
        rows = []
        for count in self.counts:
            cells = []
            for n in (1000, 10_000):
                rng = np.random.default_rng(0)
                X, Y = rng.uniform(-1, 1, (n, 1)), rng.uniform(-2, 0.5, (n, 1))
                Y = np.where(Y > -1, Y + 1.5, Y)
                model = LightSchrodingerBridge(
                    count, epsilon=0.05, prior_strength=0, random_state=0
                )
                model.fit(X, X_target=Y)
                law = [
                    np.exp(model.log_density(np.full((len(y), 1), v), y[:, None]))
                    for v in x[at]
                ]
                other = np.zeros((len(law), len(y)))
                other[:, inside] = truth[at] / step
                cells.append(np.abs(law - other).sum(axis=1).mean() * step / 2)
            rows.append([count, *(f"{cell:.3f}" for cell in cells)])
        columns = ["components", "1,000 rows", "10,000 rows"]
        return {"columns": columns, "rows": rows}


def conditional_law(x, y, epsilon):
    """Return the law of y for each x, both uniform on their points, by Sinkhorn."""
    M = x[:, None] * y / epsilon
    f = np.zeros(len(x))
    for _ in range(500):
        g = -logsumexp(M + f[:, None], axis=0)
        f = -logsumexp(M + g, axis=1)
    return np.exp(M + f[:, None] + g)


BENCHMARKS = [Components]
