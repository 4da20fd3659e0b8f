"""Pictures of the guide that no story of the gallery has, drawn from what is stored.

A sphinx extension. Before pages are read it writes ``user_guide/pictures/NAME.svg``
from ``benchmarks/results`` and, for the verdicts, from the pages of the guide.
"""

import json
import re
from pathlib import Path

import figures
import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
VERDICTS = {  # kinds of verdicts, and their colours
    "holds": "#0072B2",
    "with a reservation": "#56B4E9",
    "not seen": "#D55E00",
    "not tested": "#BBBBBB",
}


def column(table, name):
    """Return a column of numbers, without rows that have none."""
    at = table["columns"].index(name)
    return np.array([float(row[at] or "nan") for row in table["rows"]])


def kind(verdict):
    """Return which of ``VERDICTS`` a verdict is."""
    if verdict.startswith("not tested"):
        return "not tested"
    if re.fullmatch(r"holds here(, exactly|, as a definition.*)?", verdict):
        return "holds"
    return "with a reservation" if "holds" in verdict else "not seen"


def verdicts(page):
    """Return the last cells of the tables of claims of a page."""
    rows = re.split(r"^   \* - ", page, flags=re.M)[1:]
    cells = [
        re.split(r"^     - ?", re.split(r"\n\n\S", row)[0], flags=re.M) for row in rows
    ]
    return [" ".join(c[2].split()) for c in cells if len(c) == 3 and c[0] != "claim\n"]


def draw_verdicts(ax, source):
    """Count the verdicts of each family."""
    pages = sorted(source.glob("user_guide/reproduction_*.rst"), reverse=True)
    names = [p.stem.partition("_")[2].replace("_", " ") for p in pages]
    counts = [
        [list(map(kind, verdicts(p.read_text()))).count(v) for p in pages]
        for v in VERDICTS
    ]
    left = np.zeros(len(pages))
    for (name, colour), count in zip(VERDICTS.items(), counts, strict=True):
        bars = ax.barh(names, count, left=left, color=colour, label=name, height=0.7)
        text = "black" if name in ("with a reservation", "not tested") else "white"
        shown = [str(c or "") for c in count]
        ax.bar_label(bars, shown, label_type="center", color=text)
        left += count
    ax.set_xlabel("number of claims")
    ax.grid(axis="y", visible=False)
    ax.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1))


def draw_variances(ax, source):
    """Compare three rules for variances with GaussianNB, table by table."""
    table = json.loads((RESULTS / "probes_tables.json").read_text())["Tables"]
    table["rows"] = [r for r in table["rows"] if not r[0].startswith("mean of")]
    theirs = 100 * column(table, "GaussianNB")
    rng = np.random.default_rng(0)
    ways = {"shared": "shared", "class": "by class", "naive Bayes": "the default"}
    for y, name in enumerate(ways):
        behind = 100 * column(table, name) - theirs
        lifted = y + rng.uniform(-0.22, 0.22, len(behind))
        worse = behind > 1
        ax.plot(behind[~worse], lifted[~worse], "o", color="#0072B2", alpha=0.7)
        ax.plot(behind[worse], lifted[worse], "X", color="#D55E00", ms=7)
        ax.annotate(
            f"{worse.sum()} of {len(behind)} more than a point behind",
            (1.0, y + 0.42),
            xycoords=ax.get_yaxis_transform(),
            ha="right",
            fontsize=8,
        )
    ax.axvline(0, color="0.3", lw=1)
    ax.set_yticks(range(len(ways)), ways.values())
    ax.set(ylim=(-0.5, 2.7), xlabel="error minus that of GaussianNB, percentage points")
    ax.set_xscale("symlog", linthresh=2)
    ticks = [-20, -10, -5, -1, 0, 1, 5, 10, 20]
    ax.set_xticks(ticks, ticks)


def draw_collapse(ax, source):
    """Show that features which collapse more are worth less for other classes."""
    table = json.loads((RESULTS / "probes.json").read_text())["CollapseAndTransfer"]
    source_cdnv, target, accuracy = (
        column(table, name) for name in ("source CDNV", "target CDNV", "few-shot")
    )
    raw = np.isnan(source_cdnv)
    order = np.argsort(source_cdnv[~raw])
    for values, label, style in (
        (source_cdnv, "CDNV of the net's own classes", "o-"),
        (target, "CDNV of the other classes", "s--"),
    ):
        ax.plot(values[~raw][order], accuracy[~raw][order], style, label=label)
    ax.axhline(accuracy[raw][0], color="0.4", lw=1, ls=":")
    ax.annotate("raw pixels", (0.05, accuracy[raw][0] - 0.012), color="0.3", fontsize=9)
    ax.set(
        xscale="log",
        xlabel="class-distance normalised variance (collapsed: left), log scale",
        ylabel="accuracy on the other classes,\nfive labels each",
    )
    ax.set_xticks([0.05, 0.1, 0.2, 0.5, 1, 2], [0.05, 0.1, 0.2, 0.5, 1, 2])
    ax.minorticks_off()
    ax.legend()


def draw_work(ax, source):
    """Count the operations that a fit does for each number that it moves."""
    d, k = 100, np.array([100, 10_000])
    work = {  # operations for each of the n * d numbers of the rows: least and most
        "naive Bayes, 2 to 10 sums": (4, 20),
        "logistic probe, 10 passes,\n2 to 1,000 classes": (d + 40, d + 40_000),
        "random features,\n100 to 10,000": tuple(2 * k + 2 * k**2 / d),
    }
    for y, (low, high) in enumerate(work.values()):
        ax.plot([low, high], [y, y], "-", color="#0072B2", lw=8, solid_capstyle="round")
    ax.set_yticks(range(len(work)), work)
    ax.set(
        xscale="log",
        ylim=(len(work) - 0.4, -0.6),
        xlim=(1, 1e7),
        xlabel=f"operations for each number moved, {d} columns, log scale",
    )
    ax.grid(axis="y", visible=False)


def draw_blocks(ax, source):
    """Show blocks of rows that become summaries, and one model."""
    box = {"boxstyle": "round,pad=0.4", "fc": "white"}
    arrow = {"arrowstyle": "->", "color": "0.3", "lw": 1.5}
    middle = 1.5
    for i, name in enumerate(["block 1", "block 2", "block 3", "block 4"]):
        y = 3 - i
        ax.text(0, y, name, ha="center", va="center", bbox=box | {"ec": "#0072B2"})
        ax.text(3, y, "sums", ha="center", va="center", bbox=box | {"ec": "#009E73"})
        ax.annotate("", (2.55, y), (0.65, y), arrowprops=arrow)
        ax.annotate("", (5.1, middle), (3.5, y), arrowprops=arrow)
    ax.text(5.5, middle, "+", ha="center", va="center", size=16)
    ax.annotate("", (7.0, middle), (5.8, middle), arrowprops=arrow)
    model = box | {"ec": "#D55E00"}
    ax.text(7.6, middle, "model", ha="center", va="center", bbox=model)
    labels = {
        0: "gigabytes,\neach where it lies",
        3: "kilobytes,\nsent",
        7.6: "solved once",
    }
    for x, text in labels.items():
        ax.text(x, -1, text, ha="center", va="center", color="0.3", size=9)
    ax.set(xlim=(-1.2, 8.6), ylim=(-1.5, 3.5))
    ax.axis("off")


def draw_defaults(ax, source):
    """Show each default's error over that of what its reader would have used."""
    tables = json.loads((RESULTS / "defaults.json").read_text()).values()
    rows = [dict(zip(t["columns"], r, strict=True)) for t in tables for r in t["rows"]]
    names = list(dict.fromkeys(row["default"] for row in rows))
    ax.axvspan(1, 3, color="#D55E00", alpha=0.08, lw=0)
    ax.axvline(1, color="0.3", lw=1)
    for columns, style in (("raw", {}), ("standardised", {"mfc": "white"})):
        ratios = {
            row["default"]: float(row["error over theirs"])
            for row in rows
            if row["columns"] == columns and row["error over theirs"]
        }
        at = [names.index(name) for name in ratios]
        ax.plot(ratios.values(), at, "o", label=columns, color="#0072B2", **style)
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set(
        xscale="log",
        xlim=(0.2, 3),
        ylim=(len(names) - 0.4, -0.6),
        xlabel="error over theirs, log scale; right of the line we lose",
    )
    ax.set_xticks([0.2, 0.5, 1, 2], [0.2, 0.5, 1, 2])
    ax.minorticks_off()
    ax.legend(title="columns", loc="lower left", frameon=True)


def draw_score(ax, source):
    """Count in how many tasks the nearest rival is behind, family by family."""
    won, lost, names = [], [], []
    for store in sorted(RESULTS.glob("*.json"), reverse=True):
        if not (source / "benchmarks" / f"{store.stem}.rst").exists():
            continue
        results = json.loads(store.read_text())
        ways = {
            "time": figures.times(store.stem, results),
            "error": figures.ERRORS.get(store.stem, []),
        }
        for way, readings in reversed(ways.items()):
            lines = figures.read(readings, results).values()
            nearest = [min(line.values()) for line in lines]
            if nearest:
                names.append(f"{store.stem.replace('_', ' ')}, {way}")
                won.append(sum(r >= 1 for r in nearest))
                lost.append(len(nearest) - won[-1])
    for count, left, colour, label in (
        (won, 0, "#0072B2", "the nearest rival is behind"),
        (lost, won, "#D55E00", "ahead"),
    ):
        bars = ax.barh(names, count, left=left, color=colour, label=label, height=0.7)
        shown = [str(c or "") for c in count]
        ax.bar_label(bars, shown, label_type="center", color="white", fontsize=8)
    ax.set_xlabel("number of tasks")
    ax.grid(axis="y", visible=False)
    ax.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1))


def draw_networks(ax, source):
    """Show, table by table, how far our networks are ahead of peers, or behind."""
    figures = json.loads((RESULTS / "networks_tables.json").read_text())
    peers = {  # name: marker, and how far from the line of the table
        "HistGradientBoosting": ("o", -0.15),
        "MLP of scikit-learn": ("s", 0.0),
        "RealMLP-TD": ("D", 0.15),
    }
    for peer, (marker, lift) in peers.items():
        ahead = {}
        for y, methods in enumerate(figures.values()):
            ours, theirs = methods.get("ours", {}), methods.get(peer, {})
            if both := set(ours) & set(theirs):
                gaps = [ours[s]["score"] - theirs[s]["score"] for s in both]
                ahead[y] = 100 * np.mean(gaps)
        at, gap = np.array(list(ahead)), np.array(list(ahead.values()))
        for side, colour in ((gap >= 0, "#0072B2"), (gap < 0, "#D55E00")):
            ax.plot(gap[side], at[side] + lift, marker, color=colour, ms=4.5, alpha=0.8)
        label = f"{peer}: ahead of it on {(gap > 0).sum()} of {len(gap)}"
        ax.plot([], [], marker, color="0.4", ms=4.5, label=label)
    ax.axvline(0, color="0.3", lw=1)
    ax.set_yticks(range(len(figures)), figures, fontsize=8)
    ax.set(
        ylim=(len(figures) - 0.4, -0.6),
        xlabel="our score minus theirs, hundredths of accuracy or R²",
    )
    ax.set_xscale("symlog", linthresh=2)
    ticks = [-20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20]
    ax.set_xticks(ticks, ticks)
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1))


PICTURES = {
    "defaults": (draw_defaults, (7.5, 7.0)),
    "networks": (draw_networks, (7.5, 7.5)),
    "score": (draw_score, (7.5, 4.2)),
    "verdicts": (draw_verdicts, (7.5, 3.6)),
    "variances": (draw_variances, (7.5, 3.2)),
    "collapse": (draw_collapse, (6.4, 3.6)),
    "work": (draw_work, (7.5, 2.2)),
    "blocks": (draw_blocks, (7.5, 3.0)),
}


def draw(app):
    """Write all pictures."""
    import matplotlib

    matplotlib.use("Agg")
    source = Path(app.srcdir)
    folder = source / "user_guide" / "pictures"
    folder.mkdir(exist_ok=True)
    for name, (draw_one, size) in PICTURES.items():
        with matplotlib.style.context("sklearn_ext.house"):
            figure, ax = matplotlib.pyplot.subplots(figsize=size)
            draw_one(ax, source)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            matplotlib.pyplot.close(figure)


def setup(app):
    """Draw before pages are read."""
    app.connect("builder-inited", draw)
    return {"parallel_read_safe": True}
