"""Time our code beside its peers: same data, same threads, interleaved repeats.

A family writes ``benchmarks/bench_<family>.py`` with subclasses of `Comparison` (and of
`Study`, for tables of quality that need no clock) and lists them in ``BENCHMARKS``.
``python -m benchmarks FAMILY [NAME ...]`` runs them, merges the results into
``benchmarks/results/FAMILY.json`` and renders ``docs/benchmarks/tables/FAMILY.rst``.
The classes follow asv's conventions (``setup``, ``time_*``), so asv can run them too.
"""

import gc
import json
import os
import platform
import sys
import time
import tracemalloc
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).parent
TABLES = ROOT.parent / "docs" / "benchmarks" / "tables"
OURS = "ours"


class Comparison:
    """One task that ours and each peer solve: methods ``time_ours``, ``time_<peer>``.

    Class attributes: ``title``, one line; ``note``, what a reader must know;
    ``repeats``, timed runs each; ``few``, ``{peer: runs}`` for peers that take minutes
    (0: the run that traces memory is the one that is timed);
    ``targets``, ``{peer: ratio}`` that we want to reach; ``versions``, packages that it
    needs and whose versions matter: where one is missing, it is left out; ``threads``;
    ``clock``, "cpu" (seconds of this process on the CPU, robust to other load) or
    "wall" (needed where an accelerator works).
    """

    title = ""
    note = ""
    repeats = 5
    few: dict = {}
    targets: dict = {}
    versions = ("scikit-learn", "numpy", "scipy")
    threads = 1
    clock = "cpu"

    def setup(self):
        """Make the data; not timed."""

    def quality(self, result):
        """Describe what a timed method returned, as ``{column: number or text}``."""
        return {}

    @classmethod
    def candidates(cls):
        """Names of what is compared, ours first."""
        names = [n.removeprefix("time_") for n in dir(cls) if n.startswith("time_")]
        return sorted(names, key=lambda name: (name != OURS, name))

    def run(self):
        """Run everything once for memory and quality, then the clocked repeats."""
        with limited(self.threads):
            self.setup()
            names = self.candidates()
            first = {name: self._trace(name) for name in names}
            seconds = {name: [] for name in names}
            for turn in range(self.repeats):
                for name in names[turn % len(names) :] + names[: turn % len(names)]:
                    if turn < self.few.get(name, self.repeats):
                        seconds[name].append(self._clocked(name))
        times = {name: median(seconds[name] or [first[name][2]]) for name in names}
        columns = ["", "seconds", "ratio", "target", "peak MB", *_keys(first)]
        rows = []
        for name in names:
            peak, shown, _ = first[name]
            ratio = "" if name == OURS else f"{times[name] / times[OURS]:.3g}"
            target = f"{self.targets[name]:g}" if name in self.targets else ""
            label = f"**{OURS}**" if name == OURS else name.replace("_", " ")
            head = [label, f"{times[name]:.3g}", ratio, target, f"{peak / 1e6:.3g}"]
            rows.append(head + [_text(shown.get(key, "")) for key in columns[5:]])
        return {"columns": columns, "rows": rows}

    def _trace(self, name):
        gc.collect()
        tracemalloc.start()
        start = self._now()
        try:
            result = getattr(self, f"time_{name}")()
            seconds = self._now() - start
            return tracemalloc.get_traced_memory()[1], self.quality(result), seconds
        finally:
            tracemalloc.stop()

    def _clocked(self, name):
        gc.collect()
        start = self._now()
        getattr(self, f"time_{name}")()
        return self._now() - start

    def _now(self):
        return time.process_time() if self.clock == "cpu" else time.perf_counter()


class Study:
    """A table of quality: ``run`` returns ``{"columns": [...], "rows": [[...]]}``.

    `run_family` holds it to ``threads``, as a `Comparison` holds itself.
    """

    title = ""
    note = ""
    threads = 1
    versions = ("scikit-learn", "numpy", "scipy")

    def run(self):
        """Do the work and return the table."""
        raise NotImplementedError


def run_family(family, benchmarks, only=()):
    """Run a family's benchmarks, print them, keep and render the results.

    Parameters
    ----------
    family : str
        Name of the family, which names the files.
    benchmarks : sequence of class
        Subclasses of `Comparison` and `Study`.
    only : sequence of str, default=()
        Names of the classes to run; empty means all. Results of the others stay, and
        of those whose packages are not installed.
    """
    known = [cls.__name__ for cls in benchmarks]
    if unknown := sorted(set(only) - set(known)):
        raise ValueError(f"No benchmark {unknown} in {family}; it has {known}.")
    store = ROOT / "results" / f"{family}.json"
    results = json.loads(store.read_text()) if store.exists() else {}
    for cls in benchmarks:
        if only and cls.__name__ not in only:
            continue
        if missing := _missing(cls.versions):
            print(f"\n{cls.__name__} is left out: install {', '.join(missing)}.")
            continue
        with limited(cls.threads):
            table = cls().run()
        results[cls.__name__] = {
            "title": cls.title,
            "note": " ".join(cls.note.split()),
            "setting": _setting(cls),
            **table,
        }
        print(_plain(results[cls.__name__]), flush=True)
    results = {name: results[name] for name in known if name in results}
    store.parent.mkdir(exist_ok=True)
    store.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    render(family, results)


def render(family, results):
    """Write the tables that the documentation includes."""
    TABLES.mkdir(parents=True, exist_ok=True)
    text = "\n".join(_rst(result) for result in results.values())
    (TABLES / f"{family}.rst").write_text(text)


def _keys(first):
    seen = dict.fromkeys(key for _, shown, _ in first.values() for key in shown)
    return list(seen)


def _text(value):
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)


def _missing(packages):
    return [name for name in packages if not _is_installed(name)]


def _is_installed(package):
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _setting(cls):
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in cls.versions)
    clock = {"cpu": "CPU seconds", "wall": "wall seconds"}.get(
        getattr(cls, "clock", ""), ""
    )
    repeats = f"medians of {cls.repeats}" if hasattr(cls, "repeats") else ""
    parts = [clock, repeats, f"{cls.threads} thread(s)", _processor()]
    parts += [f"Python {platform.python_version()}", versions]
    return "; ".join(part for part in parts if part)


def _processor():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def _plain(result):
    table = [result["columns"], *result["rows"]]
    widths = [
        max(len(str(cell)) for cell in column) for column in zip(*table, strict=True)
    ]
    lines = [
        "  ".join(str(c).ljust(w) for c, w in zip(row, widths, strict=True))
        for row in table
    ]
    return "\n".join([f"\n{result['title']}", result["setting"], *lines])


def _rst(result):
    lines = [f".. rubric:: {result['title']}", ""]
    lines += [result["note"], ""] if result["note"] else []
    lines += [".. list-table::", "   :header-rows: 1", ""]
    for row in [result["columns"], *result["rows"]]:
        cells = [str(cell) for cell in row]
        lines += [f"   * - {cells[0]}", *(f"     - {cell}" for cell in cells[1:])]
    return "\n".join([*lines, "", f"*{result['setting']}*", ""])


@contextmanager
def limited(threads):
    """Hold BLAS, OpenMP and torch to a number of threads.

    Parameters
    ----------
    threads : int
        The number.

    Yields
    ------
    None
        While they are held.
    """
    with threadpool_limits(limits=threads), _torch_threads(threads):
        yield


class _torch_threads:
    """Pin torch's own threads, if somebody has imported torch."""

    def __init__(self, threads):
        self.threads = threads

    def __enter__(self):
        os.environ.setdefault("OMP_NUM_THREADS", str(self.threads))
        if torch := sys.modules.get("torch"):
            self.before = torch.get_num_threads()
            torch.set_num_threads(self.threads)

    def __exit__(self, *error):
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(getattr(self, "before", self.threads))
