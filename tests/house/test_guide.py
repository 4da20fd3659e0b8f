"""Pages that one reads at a sitting, with a picture that says what it shows."""

import re
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
MOST_WORDS = 1700
GUIDE = [p for p in sorted(DOCS.glob("user_guide/*.rst")) if p.stem != "index"]
BENCHMARKS = sorted(DOCS.glob("benchmarks/*.rst"))
WRITTEN = GUIDE + BENCHMARKS + sorted(DOCS.glob("*.rst"))
PICTURE = re.compile(
    r"^ *\.\. (?:figure|image):: (\S+)\n((?: +:.*\n(?: {8,}.*\n)*)*)", re.M
)
DRAWN = (
    ".. include:: pictures/"  # by docs/figures.py, which writes the alternative text
)


def named(page):
    return str(page.relative_to(DOCS))


@pytest.mark.parametrize("page", GUIDE, ids=named)
def test_no_page_of_the_guide_is_too_long(page):
    words = len(page.read_text().split())
    assert words <= MOST_WORDS, "split it by idea: user_guide/<family>_<topic>.rst"


@pytest.mark.parametrize("page", GUIDE + BENCHMARKS, ids=named)
def test_a_page_has_a_picture(page):
    text = page.read_text()
    assert ".. figure:: " in text or DRAWN in text


@pytest.mark.parametrize("page", WRITTEN, ids=named)
def test_pictures_say_what_they_show(page):
    for source, options in PICTURE.findall(page.read_text()):
        assert re.search(r":alt: \S", options), f"{source} has no :alt:"


@pytest.mark.parametrize("page", GUIDE, ids=named)
def test_pictures_come_from_stories_that_are_there(page):
    for source, _ in PICTURE.findall(page.read_text()):
        if not source.startswith("/auto_examples/"):
            continue
        family, story = re.fullmatch(
            r"/auto_examples/(\w+)/images/sphx_glr_(plot_\w+)_\d{3}\.png", source
        ).groups()
        assert (DOCS.parent / "examples" / family / f"{story}.py").exists()
        assert f"sphx_glr_auto_examples_{family}_{story}.py" in page.read_text()


@pytest.mark.parametrize("page", GUIDE, ids=named)
def test_pages_below_an_overview_are_listed_there(page):
    overviews = [p for p in GUIDE if page.stem.startswith(f"{p.stem}_")]
    for overview in overviews:
        text = overview.read_text()
        assert f"   {page.stem}\n" in text or f"   {overview.stem}_*\n" in text


def test_the_installation_page_names_the_lowest_versions():
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = " ".join([*project["dependencies"], *(w for e in extras for w in e)])
    page = (DOCS / "installation.rst").read_text()
    assert f"Python {project['requires-python'].removeprefix('>=')}" in page
    for name, version in re.findall(r"([\w-]+)>=([\d.]+)", wanted):
        assert re.search(rf"\b{name} {re.escape(version)}\b", page), name
