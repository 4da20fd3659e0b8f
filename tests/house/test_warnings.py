"""Warnings name the line of the user, through whatever the fit was reached."""

import pickle
import re
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext._core._validation import warn
from sklearn_ext.losses import CompSumClassifier
from sklearn_ext.probes import LogisticProbe

ROOT = Path(__file__).parents[2] / "sklearn_ext"


def test_the_house_warns_in_one_way():
    for path in ROOT.rglob("*.py"):
        if path.name != "_validation.py":
            assert not re.search(r"warnings\.warn\(|stacklevel", path.read_text()), path


@pytest.mark.parametrize(
    "model", [LogisticProbe(max_iter=1), CompSumClassifier(max_iter=1)]
)
def test_a_fit_inside_names_this_file(model):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.permutation(60) % 3
    pipe = make_pipeline(StandardScaler(), model)
    search = GridSearchCV(pipe, {}, cv=2)
    for fit in (model.fit, pipe.fit, search.fit):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            fit(X, y)
        assert {Path(w.filename) for w in said} == {Path(__file__)}
        assert said


def test_who_loads_a_model_of_another_version_is_named(tmp_path, monkeypatch):
    model, file = LogisticProbe(), tmp_path / "model"
    joblib.dump(model, file)
    text = pickle.dumps(model)
    monkeypatch.setattr("sklearn_ext.__version__", "another")
    for load, stored in ((joblib.load, file), (pickle.loads, text)):
        with pytest.warns(UserWarning, match="loaded by another") as said:
            load(stored)
        assert {w.filename for w in said} == {__file__}


def test_a_category_is_kept():
    with pytest.warns(RuntimeWarning, match="so it is") as said:
        warn("so it is", RuntimeWarning)
    assert said[0].filename == __file__
