"""The probes beside their peers; the classes live in files by kind of probe."""

from benchmarks import (
    bench_probes_collapse,
    bench_probes_curve,
    bench_probes_logistic,
    bench_probes_nb,
)

BENCHMARKS = (
    *bench_probes_nb.BENCHMARKS,
    *bench_probes_logistic.BENCHMARKS,
    *bench_probes_curve.BENCHMARKS,
    *bench_probes_collapse.BENCHMARKS,
)
