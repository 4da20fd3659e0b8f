"""Pictures of the benchmarks show what the tables say, losses too."""

import json
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[2]
figures = runpy.run_path(str(ROOT / "docs" / "figures.py"))
STORES = sorted(
    store
    for store in (ROOT / "benchmarks" / "results").glob("*.json")
    if (ROOT / "docs" / "benchmarks" / f"{store.stem}.rst").exists()
    and store.stem != "defaults"
)
FIRST = {
    "title": "Fit, 10 rows, dense",
    "setting": "CPU seconds; 1 thread(s); AMD EPYC; Python 3.11.7; numpy 2.4.6",
    "columns": ["", "seconds", "ratio"],
    "rows": [["**ours**", "0.5", ""], ["slow", "5", "10"], ["fast", "0.25", "0.5"]],
}
SAME = FIRST | {"title": "The same in float32", "rows": FIRST["rows"][:2]}


def test_theirs_stand_over_ours_and_the_nearest_rival_is_named():
    results = {"Fit": FIRST, "FitFloat32": SAME}
    figure, panels = figures["picture"]("nobody", results)
    lines = panels["Time of others over ours"]
    assert lines == {
        "Fit, 10 rows, dense": {"slow": 10.0, "fast": 0.5},
        "Fit: in float32": {"slow": 10.0},
    }
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["fast, 0.5", "slow, 10"]
    low, high = ax.get_xlim()
    assert low < 0.5 < 10 < high
    assert "1 of 2 tasks" in figures["caption"](panels, results)
    plt.close(figure)


def test_columns_as_contestants_are_geometric_means_of_errors():
    table = {
        "title": "Accuracy",
        "columns": ["set", "noise", "peer", "ours"],
        "rows": [
            ["a", 0.1, "0.9", "0.8"],
            ["b", 0.1, "0.8", "0.95"],
            ["c", 0.2, "", "0.5"],
        ],
    }
    reading = figures["Columns"]("T", "ours", {"peer": "P"}, ("noise",), accuracy=True)
    ((key, name, ratio),) = reading.ratios({"T": table})
    assert (key, name) == ("0.1", "P")
    assert ratio == pytest.approx((0.1 / 0.2 * 0.2 / 0.05) ** 0.5)


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.stem)
def test_every_row_of_another_package_is_in_the_picture(store):
    results = json.loads(store.read_text())
    readings = figures["times"](store.stem, results)
    lines = figures["read"](readings, results)
    clocked = [r for r in readings if not r.group]
    rows = [
        row[0]
        for reading in clocked
        for row in results[reading.table]["rows"]
        if "ours" not in row[0] and row[0] not in figures["SOLVES_LESS"]
    ]
    names = figures["titles"](results)
    shown = [n for r in clocked for n in lines.get(names[r.table], ())]
    assert sorted(shown) == sorted(rows)
    known = {reading.table for reading in figures["ERRORS"].get(store.stem, [])}
    assert known <= set(results)
    for reading in figures["ERRORS"].get(store.stem, []):
        assert list(reading.ratios(results)), reading
