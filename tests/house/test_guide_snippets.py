"""The first code block of a guide page runs on a small table of its reader."""

import doctest
import re
import textwrap
import time
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

PATIENCE = 10  # seconds of one core; all of these pages took less than two
GUIDE = Path(__file__).parents[2] / "docs" / "user_guide"
TRAINED_BY_TORCH = () if find_spec("skorch") else ("networks",)
PAGES = [  # those that open with a table of the reader
    page.stem
    for page in sorted(GUIDE.glob("*.rst"))
    if 'pd.read_csv("table.csv")' in page.read_text()
    and page.stem not in TRAINED_BY_TORCH
]


def first_block(page):
    """Return the code below the first directive, without its indent."""
    text = (GUIDE / f"{page}.rst").read_text()
    block = re.search(r"code-block:: python\n\n((?: {3}.*\n|\n)+)", text)[1]
    return textwrap.dedent(block)


@pytest.mark.parametrize("page", PAGES)
def test_the_first_snippet_runs(page, tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    n = 300
    table = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    table["place"] = rng.choice(["x", "y"], n)
    signal = table.a + (table.place == "x")
    table["target"] = signal + rng.normal(0, 0.3, n)
    table["label"] = np.where(signal > 0.5, "yes", "no")
    code = first_block(page)
    monkeypatch.chdir(tmp_path)
    if "published.csv" in code:
        table["bag"] = np.arange(n) // 5
        table.groupby("bag")["target"].mean().to_csv("published.csv")
        table = table.drop(columns=["target", "label"])
    else:
        unused = {"target", "label"} - set(re.findall(r"\"(target|label)\"", code))
        table = table.drop(columns=list(unused))
    table.to_csv("table.csv", index=False)
    began = time.process_time()
    exec(compile(code, page, "exec"), {})
    assert time.process_time() - began < PATIENCE
    assert capsys.readouterr().out
    assert plt.get_fignums()
    plt.close("all")


@pytest.mark.parametrize("page", ["index", "getting_started"])
def test_the_first_pages_print_what_they_say(page):
    path = str(GUIDE.parent / f"{page}.rst")
    failed, tried = doctest.testfile(path, module_relative=False)
    assert tried
    assert not failed
