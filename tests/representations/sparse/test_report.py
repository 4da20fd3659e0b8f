"""What features stand for, beside loops; rows with features edited."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, stats
from sklearn.datasets import load_digits

from sklearn_ext.representations import SparseAutoencoder
from sklearn_ext.representations._sparse import _report
from sklearn_ext.representations._sparse._report import (
    adjusted,
    correlations,
    explained,
    top_words,
    word_table,
)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture(scope="module", params=[True, False])
def model(digits, request):
    return SparseAutoencoder(
        40, n_nonzero_coefs=4, positive_code=request.param, random_state=0
    ).fit(digits[0])


def test_the_report_beside_loops(model, digits):
    X, y = digits
    report = model.feature_report(X, y, n_rows=3)
    Z = model.transform(X).toarray()
    left = X - model.mean_ - Z @ model.components_
    assert_array_equal(report["feature"], np.arange(40))
    total = np.square(X - model.mean_).sum()
    for j, line in report.iterrows():
        active = np.flatnonzero(Z[:, j])
        assert line["usage"] == len(active)
        assert_allclose(line["share"], len(active) / len(X))
        assert_allclose(line["mean"], abs(Z[active, j]).mean())
        assert_allclose(line["largest"], abs(Z[:, j]).max())
        without = left + np.outer(Z[:, j], model.components_[j])
        lost = (np.square(without).sum() - np.square(left).sum()) / total
        assert_allclose(line["explained"], lost, rtol=1e-8)
        best = np.argsort(-abs(Z[:, j]), kind="stable")[:3]
        assert line["rows"] == best.tolist()
        r = [np.corrcoef(Z[:, j], y == label)[0, 1] for label in range(10)]
        assert line["label"] == np.argmax(np.abs(r))
        assert_allclose(line["correlation"], r[line["label"]], rtol=1e-8)


def test_p_values_are_adjusted_for_all(rng):
    codes = sparse.csr_array(sparse.random(300, 6, 0.3, "csr", None, rng))
    y = codes[:, [2]].toarray().ravel() + 0.3 * rng.standard_normal(300)
    r, p, label = correlations(codes, y)
    assert label is None
    raw = [stats.pearsonr(column, y).pvalue for column in codes.toarray().T]
    assert_allclose(p, stats.false_discovery_control(raw), rtol=1e-6)
    assert p.argmin() == r.argmax() == 2
    assert_allclose(adjusted(np.array([0.01, 0.04, 0.03])), [0.03, 0.04, 0.04])


def test_a_target_of_two_classes_and_an_idle_feature(rng):
    codes = sparse.csr_array(np.c_[rng.random(50), np.zeros(50)])
    y = np.where(codes[:, [0]].toarray().ravel() > 0.5, "yes", "no")
    r, p, label = correlations(codes, y)
    assert r[0] > 0.7
    assert (r[1], p[1]) == (0, 1)
    assert label.tolist() == ["yes", "yes"]


def test_words_of_rows_where_a_feature_is_active(monkeypatch):
    texts = ["red apple", "green apple", "red brick", "the red sky", "the sea"] * 4
    codes = np.zeros((20, 2))
    codes[:, 0] = ["red" in text for text in texts]
    codes[:, 1] = [0.5 * ("the" in text) + ("sea" in text) for text in texts]
    for cells in (_report.AT_A_TIME, 1):  # features at once, or one by one
        monkeypatch.setattr(_report, "AT_A_TIME", cells)
        table, names = word_table(texts)
        found = top_words(sparse.csr_array(codes), table, names, 2)
        assert found[0][0] == "red"
        assert found[1] == ["sea", "the"]


def test_scores_of_words_are_standardised_sums(rng):
    codes = sparse.csr_array(sparse.random(400, 1, 0.3, "csr", None, rng))
    has = (rng.random((400, 3)) < [0.02, 0.3, 0.9]).astype(float)
    z = codes.toarray().ravel()
    draws = np.array([rng.permutation(z) @ has for _ in range(4000)])
    scores = (z @ has - draws.mean(axis=0)) / draws.std(axis=0)
    expected = np.array(["a", "b", "c"])[np.argsort(-scores)]
    expected = [w for w in expected if scores["abc".index(w)] > 0]
    table, names = word_table((has, ["a", "b", "c"]))
    assert top_words(codes, table, names, 3)[0] == expected


def test_names_of_rows_words_and_columns(digits):
    X, y = digits
    model = SparseAutoencoder(20, n_nonzero_coefs=3, max_iter=2, random_state=0).fit(X)
    texts = [f"digit {label}" for label in y]
    report = model.feature_report(
        X,
        features=[3, 1],
        rows=texts,
        words=(np.eye(10)[y], list("0123456789")),
        feature_names=[f"pixel{j}" for j in range(64)],
        n_columns=2,
        n_words=1,
    )
    assert report["feature"].tolist() == [3, 1]
    for _, line in report.iterrows():
        assert all(text.startswith("digit ") for text in line["rows"])
        assert len(line["words"]) == 1
        atom = model.components_[line["feature"]]
        largest = abs(atom).argmax()
        sign = "+" if atom[largest] > 0 else "-"
        assert line["columns"][0] == f"{sign}pixel{largest}"


class NoPandas:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ImportError(name)


def test_without_pandas_the_report_is_a_dict(model, digits, monkeypatch):
    X, _ = digits
    expected = model.feature_report(X[:50])
    monkeypatch.delitem(sys.modules, "pandas")
    monkeypatch.setattr(sys, "meta_path", [NoPandas(), *sys.meta_path])
    report = model.feature_report(X[:50])
    assert list(report) == list(expected.columns)
    assert_array_equal(report["usage"], expected["usage"])


def test_wrong_lengths_are_refused(model, digits):
    X, y = digits
    with pytest.raises(ValueError, match=r"rows has 3 entries for 50 rows"):
        model.feature_report(X[:50], rows=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"y has 3 entries for 50 rows"):
        model.feature_report(X[:50], y[:3])
    with pytest.raises(ValueError, match=r"words has 3 rows, X has 50"):
        model.feature_report(X[:50], words=(np.ones((3, 2)), ["a", "b"]))
    with pytest.raises(ValueError, match="2 columns but 1 names"):
        model.feature_report(X[:50], words=(np.ones((50, 2)), ["a"]))


def test_features_that_are_used_together(model, digits):
    X, _ = digits
    used = (model.transform(X).toarray() != 0).astype(int)
    together = model.coactivation(X)
    assert sparse.issparse(together)
    assert_array_equal(together.toarray(), used.T @ used)


def test_ablation_takes_out_a_feature_and_nothing_else(model, digits):
    X = digits[0][:80]
    Z = model.transform(X).toarray()
    without = model.ablate(X, [3, 7])
    gone = Z[:, [3, 7]] @ model.components_[[3, 7]]
    assert_allclose(X - without, gone, atol=1e-10)
    assert_allclose(model.ablate(X, 3), X - np.outer(Z[:, 3], model.components_[3]))
    unused = Z[:, 3] == 0
    assert_array_equal(model.ablate(X, 3)[unused], X[unused])


def test_steering_adds_to_a_feature_and_nothing_else(model, digits):
    X = digits[0][:80]
    z = model.transform(X).toarray()[:, 5]
    moved = model.steer(X, 5, 2.0) - X
    assert_allclose(moved, np.outer(np.full(80, 2.0), model.components_[5]))
    amounts = np.linspace(-1, 1, 80)
    moved = model.steer(X, 5, amounts) - X
    change = np.maximum(z + amounts, 0) - z if model.positive_code else amounts
    assert_allclose(moved, np.outer(change, model.components_[5]), atol=1e-10)
    if model.positive_code:
        assert_allclose(model.steer(X, 5, -1e9), model.ablate(X, 5), atol=1e-6)


def test_shares_add_up_for_orthogonal_atoms(rng):
    atoms = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    rows = rng.standard_normal((30, 5))
    codes = sparse.csr_array(rows @ atoms.T)
    left = rows - codes @ atoms
    shares = explained(codes, left, atoms, np.square(rows).sum())
    assert_allclose(shares.sum(), 1)


def test_wrong_features_and_amounts_are_refused(model, digits):
    X, y = digits[0][:50], digits[1][:50]
    for wrong in (40, -1, [1, -39], 2.5, "a", [True] * 40, [[1]]):
        for call in (
            lambda f: model.ablate(X, f),
            lambda f: model.steer(X, f, 1.0),
            lambda f: model.feature_report(X, features=f),
        ):
            with pytest.raises(ValueError, match=r"from 0 to 39, got"):
                call(wrong)
    with pytest.raises(ValueError, match=r"a position from 0 to 39, got \[1, 2\]"):
        model.steer(X, [1, 2], 1.0)
    for amount in (np.nan, np.ones(3), [[1.0]]):
        with pytest.raises(ValueError, match="amount must be a finite number, or one"):
            model.steer(X, 1, amount)
    with pytest.raises(ValueError, match="feature_names has 1 names for 64 columns"):
        model.feature_report(X, feature_names=["a"])
    with pytest.raises(ValueError, match="y contains NaN"):
        model.feature_report(X, np.full(50, np.nan))
    with pytest.raises(ValueError, match="y should be a 1d array"):
        model.feature_report(X, np.c_[y, y])


def test_no_feature_and_no_common_word(model, digits):
    X = digits[0][:50]
    assert_array_equal(model.ablate(X, []), X)
    assert len(model.feature_report(X, features=[])) == 0
    rare = [f"word{i}" for i in range(50)]
    assert model.feature_report(X, words=rare)["words"].tolist() == [[]] * 40
