"""The benchmark harness: what it times, prints, keeps and renders."""

import json
import time

import pytest

from benchmarks import harness


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds


class Sleepy(harness.Comparison):
    title = "Burning cycles"
    repeats = 3
    few = {"slow_peer": 1}
    targets = {"slow_peer": 2.0}

    def setup(self):
        self.calls = []

    def time_ours(self):
        self.calls.append("ours")
        return burn(0.01)

    def time_slow_peer(self):
        self.calls.append("slow_peer")
        return burn(0.05)

    def quality(self, result):
        return {"asked": result}


class Words(harness.Study):
    title = "A study"

    def run(self):
        return {"columns": ["set", "score"], "rows": [["digits", 0.5]]}


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    monkeypatch.setattr(harness, "TABLES", tmp_path / "tables")
    return tmp_path


def test_comparison_runs_ours_first_and_peers_as_often_as_asked():
    task = Sleepy()
    table = task.run()
    assert [row[0] for row in table["rows"]] == ["**ours**", "slow peer"]
    assert task.calls.count("ours") == 1 + 3  # once for memory and quality
    assert task.calls.count("slow_peer") == 1 + 1
    assert 3 < float(table["rows"][1][2]) < 7  # five times the work
    assert table["rows"][1][3] == "2"
    assert table["columns"][-1] == "asked"


def test_results_of_other_benchmarks_are_kept(elsewhere, capsys):
    harness.run_family("toy", [Sleepy, Words])
    harness.run_family("toy", [Sleepy, Words], only=["Words"])
    results = json.loads((elsewhere / "results" / "toy.json").read_text())
    assert list(results) == ["Sleepy", "Words"]
    page = (elsewhere / "tables" / "toy.rst").read_text()
    assert "Burning cycles" in page
    assert "   * - digits" in page
    assert "scikit-learn" in page
    assert "Burning cycles" in capsys.readouterr().out


def test_benchmark_without_its_packages_is_left_out(elsewhere, monkeypatch, capsys):
    harness.run_family("toy", [Words])
    monkeypatch.setattr(Words, "versions", ("numpy", "no-such-peer"))
    harness.run_family("toy", [Words])
    assert "Words is left out: install no-such-peer." in capsys.readouterr().out
    results = json.loads((elsewhere / "results" / "toy.json").read_text())
    assert results["Words"]["rows"] == [["digits", 0.5]]  # those of before


def test_unknown_benchmark_is_named(elsewhere):
    with pytest.raises(ValueError, match=r"No benchmark \['Nope'\] in toy"):
        harness.run_family("toy", [Words], only=["Nope"])
