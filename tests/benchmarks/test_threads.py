"""Benchmarks run with the threads that their tables name."""

import pytest
from threadpoolctl import threadpool_info

from benchmarks import harness


def most_threads():
    return max(pool["num_threads"] for pool in threadpool_info())


class Counted(harness.Study):
    """A table of how many threads there are while it is made."""

    title = "Threads"

    def run(self):
        return {"columns": ["threads"], "rows": [[most_threads()]]}


class Timed(harness.Comparison):
    """A comparison that shows how many threads there are."""

    repeats = 1

    def time_ours(self):
        return most_threads()

    def quality(self, result):
        return {"threads": result}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", [Counted, Timed])
def test_benchmarks_keep_to_their_threads(kind, threads, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    monkeypatch.setattr(harness, "TABLES", tmp_path / "tables")
    monkeypatch.setattr(kind, "threads", threads)
    before = most_threads()
    harness.run_family("small", [kind])
    assert f"{threads} thread(s)" in capsys.readouterr().out
    table = harness.json.loads((tmp_path / "results" / "small.json").read_text())
    assert table[kind.__name__]["rows"][0][-1] in (threads, str(threads))
    assert most_threads() == before
