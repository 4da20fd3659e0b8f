"""Run benchmarks: ``python -m benchmarks [FAMILY [NAME ...]]``; no family means all."""

import sys
from importlib import import_module

from benchmarks.harness import run_family
from sklearn_ext import FAMILIES


def main(family=None, *only):
    """Run one family's benchmarks, or everybody's."""
    for name in [family] if family else FAMILIES:
        module = import_module(f"benchmarks.bench_{name}")
        run_family(name, module.BENCHMARKS, only)


if __name__ == "__main__":
    main(*sys.argv[1:])
