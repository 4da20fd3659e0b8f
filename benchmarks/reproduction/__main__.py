"""Run the studies: ``python -m benchmarks.reproduction [FAMILY [NAME ...]]``."""

import sys
from importlib import import_module

from benchmarks.harness import run_family
from sklearn_ext import FAMILIES


def main(family=None, *only):
    """Run one family's studies, or everybody's."""
    for name in [family] if family else FAMILIES:
        module = import_module(f"benchmarks.reproduction.{name}")
        run_family(f"reproduction_{name}", module.BENCHMARKS, only)


if __name__ == "__main__":
    main(*sys.argv[1:])
