"""Fit models from sums to more rows than memory holds, generated block by block.

Run ``python -m benchmarks.scale_out`` (10^8 rows of 20 columns; about ten minutes) or
``python -m benchmarks.scale_out --rows 1000000``. It prints the seconds of each model,
the peak memory of the whole process, and the distances to the truth.
"""

import argparse
import resource
import time

import numpy as np

from sklearn_ext.probes import NaiveBayesProbe
from sklearn_ext.rashomon import RashomonRidge

N_FEATURES = 20


def truth():
    """Return the coefficients of the generator."""
    return np.random.default_rng(0).normal(size=N_FEATURES)


class Block:
    """A loader: only its seed travels to the worker, which makes the rows."""

    def __init__(self, seed, n_rows, classes):
        self.seed, self.n_rows, self.classes = seed, n_rows, classes

    def __call__(self):
        rng = np.random.default_rng(self.seed)
        X = rng.standard_normal((self.n_rows, N_FEATURES))
        if not self.classes:
            return X, X @ truth() + 3 + rng.standard_normal(self.n_rows)
        y = rng.integers(0, 2, self.n_rows)
        X += y[:, None] * truth()
        return X, y


def blocks(n_rows, block_rows, *, classes):
    """Yield the loaders."""
    for i, start in enumerate(range(0, n_rows, block_rows)):
        yield Block(1 + i, min(block_rows, n_rows - start), classes)


def timed_fit(model, loaders, n_jobs):
    """Return the seconds that a fit takes on the wall and on the processors."""
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit_blocks(loaders, n_jobs=n_jobs)
    return time.perf_counter() - wall, time.process_time() - cpu


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10**8)
    parser.add_argument("--block-rows", type=int, default=250_000)
    parser.add_argument("--n-jobs", type=int, default=2)
    asked = parser.parse_args()
    table = asked.rows * N_FEATURES * 8 / 2**30
    print(f"{asked.rows:,} rows x {N_FEATURES} in double precision: {table:.1f} GiB")
    ridge, probe = RashomonRidge(), NaiveBayesProbe()
    for model, classes in ((ridge, False), (probe, True)):
        loaders = blocks(asked.rows, asked.block_rows, classes=classes)
        wall, cpu = timed_fit(model, loaders, asked.n_jobs)
        print(
            f"{type(model).__name__}: {wall:.0f} s, {cpu:.0f} s of processors",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process: {peak:.0f} MiB")
    print(
        f"ridge, largest error of a coefficient: {abs(ridge.coef_ - truth()).max():.1e}"
    )
    # two unit normals: the log odds have the difference of their means as slope
    print(f"probe, largest error of a slope: {abs(probe.coef_[0] - truth()).max():.1e}")


if __name__ == "__main__":
    main()
