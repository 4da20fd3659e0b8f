"""The check that built pages need no other host sees what a browser would fetch."""

import runpy

import pytest

CHECK = runpy.run_path("docs/stands_alone.py")


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://elsewhere.org/a.js"></script>',
        '<img alt="" src="//elsewhere.org/a.png"/>',
        '<link rel="stylesheet" href="http://elsewhere.org/a.css">',
    ],
)
def test_a_request_is_found(tmp_path, text):
    (tmp_path / "index.html").write_text(f"<html>{text}</html>")
    with pytest.raises(SystemExit, match="True"):
        CHECK["main"](tmp_path)


def test_a_font_of_a_style_sheet_is_found(tmp_path):
    (tmp_path / "a.css").write_text("@font-face {src: url('https://elsewhere.org/f')}")
    with pytest.raises(SystemExit, match="True"):
        CHECK["main"](tmp_path)


def test_links_to_follow_and_files_of_its_own_are_fine(tmp_path):
    page = '<a href="https://scikit-learn.org">there</a><script src="a.js"></script>'
    (tmp_path / "index.html").write_text(page)
    with pytest.raises(SystemExit, match="False"):
        CHECK["main"](tmp_path)


def test_a_folder_without_pages_is_no_success(tmp_path):
    with pytest.raises(SystemExit, match="True"):
        CHECK["main"](tmp_path)
