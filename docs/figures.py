"""Figures of the pages: the look of all of them, and the benchmarks as pictures.

A sphinx extension. Before pages are read it draws one picture a family from
``benchmarks/results``, with a caption that counts what is won and what is lost.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
OURS = re.compile(r"\W*ours\b")
SOLVES_LESS = ("random", "linear on bags")  # rows that only set a scale
LEAST = 0.002  # errors below are counted as this, so that a ratio exists


def house_style(gallery_conf, fname):
    """Give the next story of the gallery the look of the house."""
    import matplotlib.pyplot as plt

    plt.style.use("sklearn_ext.house")


def number(cell):
    """Return the number that a cell begins with, None where it does not."""
    found = re.match(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?", str(cell))
    return float(found.group().replace(",", "")) if found else None


def _rival(name):
    return not OURS.match(name) and name not in SOLVES_LESS


@dataclass
class Contestants:
    """A table whose rows are contestants."""

    table: str
    value: str
    label: str = ""
    group: tuple = ()
    ours: str = "ours"
    name: str = ""
    rivals: tuple = ()  # those that solve the same task; none means all

    def ratios(self, results):
        """Yield what is compared within the table, contestant, theirs over ours."""
        table = results[self.table]
        at = {name: i for i, name in reversed(list(enumerate(table["columns"])))}
        groups = {}
        for row in table["rows"]:
            key = self.name or ", ".join(str(row[at[name]]) for name in self.group)
            groups.setdefault(key, []).append(
                (row[at[self.label]], row[at[self.value]])
            )
        for key, rows in groups.items():
            mine = [number(v) for name, v in rows if name.strip("*") == self.ours]
            for name, value in rows:
                rival = name in self.rivals if self.rivals else _rival(name)
                if mine and rival and number(value):
                    yield key, name, number(value) / mine[0]


@dataclass
class Columns:
    """A table whose columns are contestants: means over rows that are alike."""

    table: str
    ours: str
    theirs: dict
    group: tuple = ()
    accuracy: bool = False
    inverse: bool = False
    only: str = ""

    def ratios(self, results):
        """Yield what is compared within the table, contestant, theirs over ours."""
        table = results[self.table]
        at = {name: i for i, name in reversed(list(enumerate(table["columns"])))}
        groups = {}
        for row in table["rows"]:
            if self.only and not str(row[0]).startswith(self.only):
                continue
            key = ", ".join(str(row[at[name]]) for name in self.group)
            for column, name in self.theirs.items():
                mine = self._error(row[at[self.ours]]) if self.ours else 1.0
                if (value := self._error(row[at[column]])) is not None:
                    value = 1 / value if self.inverse else value
                    groups.setdefault((key, name), []).append(value / mine)
        for (key, name), values in groups.items():
            mean = float(np.exp(np.mean(np.log(values))))
            yield key, name, mean

    def _error(self, cell):
        value = number(cell)
        if value is None:
            return None
        return max(1 - value, LEAST) if self.accuracy else value


def _own_names(columns):
    return {column: column for column in columns}


WORLDS = (
    "linear",
    "waves",
    "linear, 80 % shared",
    "noise 2",
    "clicks, 5 %",
    "clicks, 1 %",
)
NOISE = _own_names(("log-loss", "cleanlab"))
PACKAGES = ("GPBoost, slopes", "GPBoost, trees", "LightGBM, category", "merf")
WAYS = ("pooled", "ridge, one-hot", "boosting, target code", "boosting, category")
NETS = ("HistGradientBoosting", "MLP of scikit-learn", "RealMLP-TD")
LAWS = ("ten HistGB", "ridge + residuals", "HistGB + residuals")
ERRORS = {
    "aggregate": [
        Columns("TunedRidge", "", {"ratio": "RidgeCV on bag means"}, ("bags",)),
    ],
    "bandits": [Contestants("Loss", "mean"), Contestants("LossElsewhere", "mean")]
    + [Contestants("Worlds", world, name=world) for world in WORLDS],
    "bridge": [
        Contestants("AgainstAdam", "held-out gap", "", ("kind", "components")),
    ],
    "calibration": [
        Contestants(
            "Correctness", "log-loss", "way", ("rows", "base"), ours="ours, neighbours"
        )
    ],
    "losses": [
        Columns("LabelNoise", "ours", NOISE, ("noise", "rate"), accuracy=True),
        Columns("LabelNoiseElsewhere", "ours", NOISE, ("noise", "rate"), accuracy=True),
    ],
    "networks": [
        Columns(
            table,
            "ours",
            _own_names(NETS),
            ("table",),
            accuracy=True,
            only="mean",
        )
        for table in ("ChoiceTables", "EvidenceTables")
    ],
    "networks_law": [Columns("LawScores", "ours", _own_names(LAWS), ("table",))],
    "random_features": [
        Columns(
            table,
            "default",
            _own_names(("boosting", "SVM")),
            ("table",),
            only="geometric mean",
        )
        for table in ("TablesOfNumbers", "TablesOfClasses")
    ]
    + [
        Columns(
            "TunedBoosting",
            "",
            {"ratio": "tuned boosting"},
            ("rows",),
            inverse=True,
            only="geometric mean",
        )
    ],
    "representations": [
        Columns(
            "FewLabels",
            "views",
            _own_names(("ridge", "spreading", "self-training", "forest")),
            ("set", "labels of a class"),
            accuracy=True,
            only="mean, all, new rows",
        ),
        Columns(
            "FewTargets",
            "views",
            _own_names(("ridge", "forest")),
            ("targets",),
            accuracy=True,
            only="mean",
        ),
    ],
    "tasks": [
        Columns("NewTasks", "", _own_names(WAYS), ("set", "known rows"), only="mean"),
        Columns("Peers", "", _own_names(PACKAGES), ("set",), only="mean"),
    ],
}
TIMES = {
    "losses": [
        Contestants("NextPiece", "CPU seconds", "", ("classes",), rivals=("softmax",)),
        Contestants(
            "WorstGroup",
            "CPU seconds",
            "model",
            ("subgroups",),
            rivals=("group DRO", "fairlearn"),
        ),
    ],
}


def times(family, results):
    """Return how to read the times of a family: every table with seconds and ratios."""
    clocked = [
        Contestants(name, "seconds")
        for name, table in results.items()
        if {"", "seconds", "ratio"} <= set(table["columns"])
        and "components" not in table["columns"]
        and any(OURS.match(str(row[0])) for row in table["rows"])
    ]
    return clocked + TIMES.get(family, [])


def read(readings, results):
    """Return ``{task: {contestant: ratio}}`` of those tables that are there."""
    lines, names = {}, titles(results)
    for reading in readings:
        if reading.table in results:
            for key, name, ratio in reading.ratios(results):
                task = names[reading.table] + (f" [{key}]" if key else "")
                lines.setdefault(task, {})[name] = ratio
    return lines


def titles(results):
    """Return what each table is about; "the same with" follows what it means."""
    names, before = {}, ""
    for table, result in results.items():
        title = result["title"]
        if same := re.match(r"The same,? ?", title):
            title = f"{before}: {title[same.end() :]}"
        else:
            before = title.split(", ")[0]
        names[table] = title
    return names


def panel(ax, lines, title):
    """Draw one line a task: its nearest rival, named on the right, and the others."""
    from matplotlib.ticker import LogLocator, NullLocator

    ratios = [r for line in lines.values() for r in line.values()]
    ax.axvspan(low := min([0.5, *ratios]) / 1.5, 1, color="#D55E00", alpha=0.08, lw=0)
    ax.axvline(1, color="0.3", lw=1)
    for y, line in enumerate(lines.values()):
        rival = min(line, key=line.get)
        others = [r for name, r in line.items() if name != rival]
        ax.plot(others, [y] * len(others), "o", mfc="none", mec="0.45", ms=5, mew=1)
        colour = "#0072B2" if line[rival] >= 1 else "#D55E00"
        ax.plot(line[rival], y, "o", color=colour, ms=7)
        text = f"{rival}, {_short_number(line[rival])}"
        where = {"xy": (1.01, y), "xycoords": ax.get_yaxis_transform()}
        ax.annotate(text, **where, va="center", fontsize=8, color=colour)
    ax.set(xscale="log", xlim=(low, max([2, *ratios]) * 1.4), title=title)
    ax.set_yticks(range(len(lines)), map(_short, lines), fontsize=8)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    steps = LogLocator(subs=(1, 2, 5) if ax.get_xlim()[1] < 100 * low else (1,))
    ax.xaxis.set(
        major_locator=steps, major_formatter="{x:g}", minor_locator=NullLocator()
    )
    ax.grid(axis="y", visible=False)


def _short_number(ratio):
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _short(task, most=60):
    """Cut the middle of what is long: what is compared stands at its end."""
    head, _, key = task.partition(" [")
    key = f" [{key}" if key else ""
    room = most - len(key)
    return (head if len(head) <= room else head[: room - 1].rstrip(" ,") + "…") + key


def picture(family, results):
    """Return the figure of a family, and the lines of each of its panels."""
    import matplotlib.pyplot as plt

    panels = {
        "Time of others over ours": read(times(family, results), results),
        "Error of others over ours": read(ERRORS.get(family, []), results),
    }
    panels = {title: lines for title, lines in panels.items() if lines}
    heights = [len(lines) + 1.5 for lines in panels.values()]
    with plt.style.context("sklearn_ext.house"):
        figure, axes = plt.subplots(
            len(panels),
            squeeze=False,
            figsize=(9.6, 0.24 * sum(heights) + 0.6),
            gridspec_kw={"height_ratios": heights},
        )
        for ax, (title, lines) in zip(axes[:, 0], panels.items(), strict=True):
            panel(ax, lines, title)
        axes[-1, 0].set_xlabel("ratio, log scale; left of the line they are ahead")
    return figure, panels


def caption(panels, results):
    """Say what is won and lost, by what machine and versions."""
    parts = []
    for title, lines in panels.items():
        rivals = [min(line.values()) for line in lines.values()]
        won = sum(r >= 1 for r in rivals)
        what = title.split()[0].lower()
        parts.append(f"in {what} the nearest rival is behind in {won} of {len(rivals)}")
    settings = [s for table in results.values() for s in table["setting"].split("; ")]
    machines = sorted({s for s in settings if "EPYC" in s or "Xeon" in s})
    versions = sorted({s for s in settings if s.startswith(("scikit-learn", "numpy"))})
    longest = max(versions, key=len)
    return (
        f"Each line is a task, each dot somebody else who solved it: filled, and named "
        f"on the right, the nearest rival, open the others; left of the line they are "
        f"ahead. "
        f"{'; '.join(parts).capitalize()} tasks. {' and '.join(machines)}, one thread; "
        f"{longest}; the tables below have every figure."
    )


def draw(app):
    """Write ``benchmarks/pictures/FAMILY.svg`` and what pages include of it."""
    import matplotlib

    matplotlib.use("Agg")
    folder = Path(app.srcdir) / "benchmarks" / "pictures"
    folder.mkdir(exist_ok=True)
    for store in sorted(RESULTS.glob("*.json")):
        family, results = store.stem, json.loads(store.read_text())
        page = Path(app.srcdir) / "benchmarks" / f"{family}.rst"
        if not page.exists() or family == "defaults":
            continue
        figure, panels = picture(family, results)
        figure.savefig(folder / f"{family}.svg", metadata={"Date": None})
        matplotlib.pyplot.close(figure)
        name = family.replace("_", " ")
        (folder / f"{family}.rst").write_text(
            f".. figure:: pictures/{family}.svg\n"
            f"   :alt: Ratios of other packages to ours, benchmarks of {name}\n\n"
            f"   {caption(panels, results)}\n"
        )


def setup(app):
    """Draw before pages are read."""
    app.connect("builder-inited", draw)
    return {"parallel_read_safe": True}
