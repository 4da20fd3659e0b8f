"""The tour's frame and the command line, with a chapter made for the test."""

import sys
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import pytest

import sklearn_ext
from sklearn_ext import __main__ as command
from sklearn_ext._tour import _run, chapters
from sklearn_ext._tour._chapter import Chapter, clock


def toy_chapter(data):
    with clock() as t:
        figure, ax = plt.subplots()
        ax.plot([1, 2])
    rows = [["ours <fast>", 0.123456, t.seconds], ["theirs", 0.1, 2.0]]
    columns = ["model", "accuracy", "seconds"]
    return Chapter("A toy", "Text & more.", columns, rows, [("A line", figure)])


@pytest.fixture
def toy(monkeypatch, tmp_path):
    module = ModuleType("sklearn_ext._tour.chapters.toy")
    module.chapter = toy_chapter
    monkeypatch.setitem(sys.modules, module.__name__, module)
    (tmp_path / "toy.py").touch()
    monkeypatch.setattr(chapters, "__path__", [str(tmp_path)])
    yield tmp_path
    plt.close("all")


def test_report_is_printed_and_self_contained(toy, capsys):
    command.main(["tour", "--output", str(toy / "report.html")])
    shown = capsys.readouterr()
    assert "ours <fast>  0.123" in shown.out
    assert "[1/1] toy" in shown.err
    page = (toy / "report.html").read_text()
    assert "ours &lt;fast&gt;" in page
    assert "Text &amp; more." in page
    assert "data:image/png;base64," in page
    assert "http" not in page  # nothing is loaded from elsewhere
    assert f"sklearn_ext {sklearn_ext.__version__} with scikit-learn" in page


def test_a_chapter_shows_the_guides_first_block(tmp_path):
    guide = tmp_path / "docs" / "toy.rst"
    guide.parent.mkdir()
    guide.write_text("Toy\n===\n\n.. code-block:: python\n\n   fit(a < b)\n\nMore.\n")
    page = _run._section(Chapter("A toy", "Text.", ["model"]), guide, tmp_path)
    assert "<pre>fit(a &lt; b)</pre>" in page
    assert '<a href="docs/toy.rst">' in page


def test_every_guide_has_such_a_block():
    pages = Path(__file__).parents[2] / "docs" / "user_guide"
    for family in sklearn_ext.FAMILIES:
        shown = _run._own_code(pages / f"{family}.rst", pages)
        assert f"from sklearn_ext.{family} import" in shown


def test_without_matplotlib_the_command_says_what_to_install(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit, match=r"pip install 'sklearn-ext\[plot\]'"):
        command.main(["tour"])


def test_unknown_chapter(toy):
    with pytest.raises(ValueError, match=r"no chapter \['nope'\]; it has \['toy'\]"):
        _run.tour(["nope"])


def test_outside_a_checkout_the_tour_says_what_to_do(toy, monkeypatch):
    monkeypatch.setattr(sklearn_ext, "__file__", str(toy / "pkg" / "__init__.py"))
    with pytest.raises(ImportError, match="clone the repository and run 'make tour'"):
        _run.tour(["toy"])


def test_summary_names_versions_extras_and_estimators(capsys, monkeypatch):
    monkeypatch.setitem(command.EXTRAS, "none", ("no-such-package",))
    command.main([])
    shown = capsys.readouterr().out
    assert sklearn_ext.__version__ in shown
    assert "no-such-package missing" in shown
    for name, _ in sklearn_ext.all_estimators():
        assert name in shown
