"""The base class and what every fitting method promises."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, _pages, fit_context
from sklearn_ext._core._optional import require
from sklearn_ext._core._validation import check_weights
from tests._marks import SHOWS_ATTRIBUTES


class Doubler(ExtEstimator):
    _parameter_constraints: dict = {"factor": [int]}

    def __init__(self, factor=2):
        self.factor = factor

    @fit_context()
    def fit(self, X, y=None):
        X = validate_data(self, X)
        self.scale_ = self.factor
        if X.sum() < 0:
            raise RuntimeError("halfway")
        self.total_ = X.sum()
        return self


def test_parameters_are_validated():
    with pytest.raises(InvalidParameterError, match="'factor' parameter"):
        Doubler("two").fit([[1.0]])


class Stream(ExtEstimator):
    _parameter_constraints: dict = {"step": [int]}

    def __init__(self, step=1):
        self.step = step

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y=None):
        self.seen_ = getattr(self, "seen_", 0) + self.step
        if len(X) == 0:
            raise RuntimeError("halfway")
        return self


def test_later_rows_of_a_stream_are_as_safe_as_the_first():
    with pytest.raises(InvalidParameterError, match="'step' parameter"):
        Stream("two").partial_fit([[1.0]])
    model = Stream()
    for seen in range(3):
        before = dict(model.__dict__)
        with pytest.raises(RuntimeError):
            model.partial_fit([])
        assert model.__dict__ == before
        assert model.partial_fit([[1.0]]).seen_ == seen + 1


def test_a_failed_fit_restores_the_fitted_state():
    model = Doubler().fit([[1.0, 2.0]])
    before = dict(model.__dict__)
    model.factor = 5
    with pytest.raises(RuntimeError, match="halfway"):
        model.fit([[-9.0]])
    assert model.__dict__ == {**before, "factor": 5}


def test_a_failed_first_fit_leaves_nothing():
    model = Doubler()
    with pytest.raises(RuntimeError, match="halfway"):
        model.fit([[-1.0]])
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


class _ReadsLate(ExtEstimator):
    """Counts how often its expensive attribute is computed."""

    def fit(self, X=None, y=None):
        self.cheap_, self._late, self.asked = 1, None, 0
        return self

    @property
    def late_(self):
        if self._late is None:
            self.asked += 1
            self._late = 7
        return self._late

    @property
    def absent_(self):
        raise AttributeError("not in this setting")

    def _waiting(self):
        return ("late_",) if getattr(self, "_late", None) is None else ()


def test_views_do_not_compute_what_nobody_has_read():
    model = _ReadsLate().fit()
    assert "cheap_" in dir(model)
    assert not {"late_", "absent_"} & set(dir(model))
    assert ("cheap_" in model._repr_html_()) is SHOWS_ATTRIBUTES
    model._repr_mimebundle_()
    assert model.asked == 0
    assert model.late_ == 7
    assert "late_" in dir(model)
    assert ("late_" in model._repr_html_()) is SHOWS_ATTRIBUTES
    assert "late_" not in dir(_ReadsLate())
    assert "fit" in dir(_ReadsLate())


def test_pickle_warns_about_another_version(monkeypatch):
    stored = pickle.dumps(Doubler().fit([[1.0]]))
    assert pickle.loads(stored).total_ == 1
    monkeypatch.setattr("sklearn_ext.__version__", "99.0")
    with pytest.warns(UserWarning, match=r"stored by sklearn_ext .* loaded by 99.0"):
        pickle.loads(stored)


@pytest.mark.parametrize("where", ["https://example.org/docs", "https://pages", None])
def test_documentation_is_linked_once_it_has_an_address(monkeypatch, where):
    import importlib.metadata

    urls = {"Project-URL": [f"Documentation, {where}", "Source, https://else"]}
    found = SimpleNamespace(get_all=urls.get if where else {}.get)
    monkeypatch.setattr(importlib.metadata, "metadata", {"sklearn-ext": found}.get)
    monkeypatch.setattr(Doubler, "__module__", "sklearn_ext.family._file")
    _pages.cache_clear()
    page = "https://pages/api/generated/sklearn_ext.family.Doubler.html"
    assert Doubler()._get_doc_link() == (page if where == "https://pages" else "")
    _pages.cache_clear()


def test_weights():
    X = np.ones((3, 1), dtype=np.float32)
    assert check_weights(None, X, dtype=X.dtype).dtype == np.float32
    assert check_weights([1, 2, 0], X).dtype == np.float64
    with pytest.raises(ValueError, match="must be non-negative, got a minimum of -2"):
        check_weights([1, -2, 0], X)
    with pytest.raises(ValueError, match="at least one non-zero"):
        check_weights([0, 0, 0], X)
    with pytest.raises(ValueError, match="bag_weight must be non-negative"):
        check_weights([1, -2, 0], X, name="bag_weight")
    with pytest.raises(ValueError, match=r"finite sum.*1e\+308; divide all weights by"):
        check_weights([1e308] * 3, X)
    assert check_weights([1e307] * 3, X).max() == 1e307


def test_missing_package_names_the_command():
    with pytest.raises(
        ImportError, match=r"Doubler needs nopkg: pip install 'skl.*\[x"
    ):
        require("nopkg.sub", extra="x", user="Doubler")


def test_a_class_says_in_one_line_that_it_takes_sparse_rows():
    class Sparse(Doubler):
        _takes_sparse = True

    assert not get_tags(Doubler()).input_tags.sparse
    assert get_tags(Sparse()).input_tags.sparse
