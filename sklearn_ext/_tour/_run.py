"""Run the chapters, print their tables, write one self-contained HTML report."""

import base64
import html
import io
import os
import platform
import re
import sys
import textwrap
import time
from datetime import date
from importlib import import_module, metadata
from pathlib import Path
from pkgutil import iter_modules

import sklearn_ext
from sklearn_ext._core._optional import require
from sklearn_ext._tour import chapters as shelf

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; color: light-dark(#1b1f24, #e6edf3);
       background: light-dark(#ffffff, #0d1117) }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .3rem .8rem; text-align: left; min-width: 5rem;
         border-bottom: 1px solid light-dark(#d0d7de, #30363d) }
th { background: light-dark(#f6f8fa, #161b22) }
pre { padding: .8rem; overflow-x: auto; font-size: .85rem;
      background: light-dark(#f6f8fa, #161b22) }
td:nth-child(2) { white-space: nowrap } figure { margin: 1rem 0 }
img { max-width: 100%; background: #ffffff }
figcaption, header p, footer { color: light-dark(#57606a, #9198a1); font-size: .9rem }
"""
LEAD = (
    "Each chapter puts one family of estimators to work on a real table, beside what "
    "its reader would have used. Seconds are wall time of this run on this machine."
)


def tour(families=(), *, output="tour.html"):
    """Run the chapters of the tour.

    Parameters
    ----------
    families : sequence of str, default=()
        Which chapters; empty means all that exist.
    output : str or path, default="tour.html"
        The report; it needs no other file.

    Returns
    -------
    list of Chapter
        What was printed.

    Raises
    ------
    ValueError
        When a family has no chapter.
    ImportError
        When matplotlib or the checkout with the data loader is missing.
    """
    known = [m.name for m in iter_modules(shelf.__path__) if m.name[0] != "_"]
    if unknown := sorted(set(families) - set(known)):
        raise ValueError(f"The tour has no chapter {unknown}; it has {known}.")
    require("matplotlib", extra="plot", user="The tour").use("Agg")
    from matplotlib import style

    data = _real_data()
    names = list(families) or known
    chapters, started = {}, time.perf_counter()
    for number, name in enumerate(names, 1):
        _progress(f"[{number}/{len(names)}] {name} ...")
        start = time.perf_counter()
        with style.context("sklearn_ext.house"):
            chapter = import_module(f"{shelf.__name__}.{name}").chapter(data)
        _progress(
            f"[{number}/{len(names)}] {name}: {time.perf_counter() - start:.1f} s"
        )
        print(_plain(chapter), flush=True)
        chapters[name] = chapter
    page = _page(chapters, Path(output).resolve().parent)
    Path(output).write_text(page, encoding="utf-8")
    seconds = time.perf_counter() - started
    print(f"{seconds:.0f} s. The report with figures: {Path(output).resolve()}")
    return list(chapters.values())


def _root():
    return Path(sklearn_ext.__file__).parents[1]


def _real_data():
    """Load the checkout's benchmarks/real_data.py: the data are not in the wheel."""
    root = _root()
    if not (root / "benchmarks" / "real_data.py").exists():
        raise ImportError(
            "The tour reads real data through benchmarks/real_data.py, which is not in "
            "the wheel: clone the repository and run 'make tour' there."
        )
    if str(root) not in sys.path:
        sys.path.append(str(root))
    return import_module("benchmarks.real_data")


def _progress(line):
    print(line, file=sys.stderr, flush=True)


def _cell(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plain(chapter):
    table = [chapter.columns, *([_cell(c) for c in row] for row in chapter.rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    ]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join(["", chapter.title, *lines[:1], rule, *lines[1:], ""])


def _page(chapters, folder):
    body = "\n".join(
        _section(chapter, _root() / "docs" / "user_guide" / f"{name}.rst", folder)
        for name, chapter in chapters.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>sklearn_ext: the tour</title><style>{STYLE}</style></head><body>"
        f"<header><h1>sklearn_ext: the tour</h1><p>{LEAD}</p><p>{_when_and_where()}</p>"
        f"</header>{body}<footer>sklearn_ext {sklearn_ext.__version__}</footer>"
        "</body></html>\n"
    )


def _when_and_where():
    packages = ("scikit-learn", "numpy", "scipy")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    return html.escape(
        f"{date.today():%d %B %Y}, sklearn_ext {sklearn_ext.__version__} with "
        f"{versions} and Python {platform.python_version()}, on {platform.system()} "
        f"{platform.machine()} with {os.cpu_count()} processors."
    )


def _section(chapter, guide, folder):
    head = "".join(f"<th>{html.escape(name)}</th>" for name in chapter.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(c))}</td>" for c in row) + "</tr>"
        for row in chapter.rows
    )
    figures = "".join(_figure(*captioned) for captioned in chapter.figures)
    return (
        f"<section><h2>{html.escape(chapter.title)}</h2>"
        f"<p>{html.escape(chapter.text)}</p>"
        f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>{figures}'
        f"{_own_code(guide, folder)}</section>"
    )


def _own_code(guide, folder):
    """Show the guide's first block, for a table of the reader, and link to the page."""
    if not guide.exists():
        return ""
    block = re.search(
        r"code-block:: python\n\n((?: {3}.*\n|\n)+)", guide.read_text(encoding="utf-8")
    )
    code = html.escape(textwrap.dedent(block[1]).strip())
    address = html.escape(os.path.relpath(guide, folder))
    return (
        f"<p>In a few lines:</p><pre>{code}</pre>"
        f'<p><a href="{address}">The guide</a> has the mathematics, and says when not '
        "to use it.</p>"
    )


def _figure(caption, figure):
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110, bbox_inches="tight")
    data = base64.b64encode(png.getvalue()).decode("ascii")
    caption = html.escape(caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
