"""What holds on any small table, on every public estimator: drawn by hypothesis."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from sklearn_ext.representations import HiddenLayer
from tests._instances import ESTIMATORS, IDS, fitted, outputs

few = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # no shrinking: a table is a short recipe
    suppress_health_check=list(HealthCheck),
)


def units(rng, n_columns):
    """Draw units of columns; rounded to integers, rows differ in the first at least."""
    return 10.0 ** np.r_[1, rng.integers(-3, 4, n_columns - 1)]


LABELS = {
    "integers": lambda codes: codes,
    "gaps": lambda codes: 10 * codes - 7,
    "booleans": lambda codes: codes > 0,
    "floats": lambda codes: codes.astype(np.float32),
    "strings": lambda codes: np.array(["zebra", "ant", "bee"])[codes],
    "objects": lambda codes: np.array(["zebra", "ant", "bee"], dtype=object)[codes],
    "list": lambda codes: codes.tolist(),
}
NUMBERS = {
    "double": lambda y: y,
    "single": lambda y: y.astype(np.float32),
    "integers": lambda y: np.round(10 * y).astype(np.int32),
    "list": lambda y: y.tolist(),
    "series": pd.Series,
}
KINDS = {
    "normal": lambda X, rng: X,
    "ties": lambda X, rng: np.round(X).clip(-1, 1),
    "far away": lambda X, rng: X + 100,
    "many units": lambda X, rng: X * units(rng, X.shape[1]),
    "a constant": lambda X, rng: np.c_[np.ones(len(X)), X],
}
CONTAINERS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: X[::-1].copy()[::-1],
    "list": lambda X: X.tolist(),
    "pandas": lambda X: pd.DataFrame(X).add_prefix("c"),
    "polars": lambda X: pl.DataFrame(X, schema=[f"c{j}" for j in range(X.shape[1])]),
}
SPARSE = {"CSR": sparse.csr_array, "CSC matrix": sparse.csc_matrix}


@dataclass(frozen=True)
class Table:
    """A recipe of rows and target, short enough to be read in a report."""

    estimator: object
    seed: int
    n_rows: int
    n_features: int
    kind: str
    dtype: str
    container: str
    target: str
    n_classes: int

    def build(self):
        """Return the rows as an array, as they are handed over, and the target."""
        rng = np.random.default_rng(self.seed)
        X = rng.normal(size=(self.n_rows, self.n_features))
        X = KINDS[self.kind](X, rng).astype(self.dtype)
        y = rng.permutation(self.n_rows) % self.n_classes
        if is_regressor(self.estimator):
            y = NUMBERS[self.target](y + rng.normal(size=self.n_rows))
        else:
            y = LABELS[self.target](y)
        handed = (CONTAINERS | SPARSE)[self.container](X)
        return (X.astype(np.float64) if self.container == "list" else X), handed, y


def tables(estimator):
    """Draw recipes that suit the estimator."""
    tags = get_tags(estimator)
    several = not is_classifier(estimator) or tags.classifier_tags.multi_class
    containers = CONTAINERS | (SPARSE if tags.input_tags.sparse else {})
    if is_regressor(estimator):
        targets = NUMBERS.keys()
    elif is_classifier(estimator) or not tags.target_tags.required:
        targets = LABELS.keys()
    else:
        targets = {"integers", "gaps", "floats"}
    return st.builds(
        Table,
        estimator=st.just(estimator),
        seed=st.integers(0, 99),
        n_rows=st.integers(24, 42),
        n_features=st.integers(1, 5),
        kind=st.sampled_from(sorted(KINDS)),
        dtype=st.sampled_from(["float64", "float32", "int16"]),
        container=st.sampled_from(sorted(containers)),
        target=st.sampled_from(sorted(targets)),
        n_classes=st.integers(2, 3) if several else st.just(2),
    )


def quiet(function, *args, **kwargs):
    """Call without the advice that small data bring; numbers still may not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=UserWarning)
        return function(*args, **kwargs)


def assert_close(one, two, rtol):
    assert one.keys() == two.keys()
    for method, expected in one.items():
        if expected.dtype.kind == "f":
            size = abs(expected).max()
            assert_allclose(two[method], expected, rtol=rtol, atol=rtol * size)
        else:
            assert np.mean(two[method] == expected) > 0.9  # ties may fall otherwise


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=IDS)
def test_any_container_gives_finite_answers_that_belong_to_rows(estimator):
    @few
    @given(tables(estimator))
    def holds(table):
        X, handed, y = table.build()
        before = X.copy()
        model = quiet(fitted, estimator, handed, y)
        assert model.n_features_in_ == X.shape[1]
        said = quiet(outputs, model, handed)
        for method, result in said.items():
            assert len(result) == len(X), method
            assert result.dtype.kind != "f" or np.isfinite(result).all(), method
        if is_classifier(model):
            assert_array_equal(model.classes_, np.unique(y))
            assert np.isin(said["predict"], model.classes_).all()
            assert_allclose(said["predict_proba"].sum(axis=1), 1, rtol=1e-5)
            assert said["predict_proba"].min() >= 0
        assert_array_equal(X, before)
        rtol = 1e-3 if X.dtype == np.float32 else 1e-6
        if X.dtype == np.float32 and isinstance(model, HiddenLayer):
            rtol = 1e-2  # its descent amplifies how a container lays rows in memory
        plain = quiet(fitted, estimator, X, y)
        expected = quiet(outputs, plain, X)
        assert_close(expected, said, rtol)
        some = np.arange(len(X))[::-2]  # an answer depends on its row alone
        alone = quiet(outputs, plain, X[some])
        assert_close({m: rows[some] for m, rows in expected.items()}, alone, rtol)

    holds()


WEIGHTED = [e for e in ESTIMATORS if has_fit_parameter(e, "sample_weight")]


@pytest.mark.parametrize("estimator", WEIGHTED, ids=lambda e: type(e).__name__)
def test_weights_of_one_and_zero_mean_what_they_say(estimator):
    @few
    @given(tables(estimator), st.sampled_from([int, float, np.float32, list]))
    def holds(table, kind):
        X, _, y = table.build()
        X, y = X.astype(np.float64), np.asarray(y)
        ones = [1] * len(X) if kind is list else np.ones(len(X), dtype=kind)
        plain = quiet(outputs, quiet(fitted, estimator, X, y), X)
        weighted = quiet(outputs, quiet(fitted, estimator, X, y, sample_weight=ones), X)
        assert_close(plain, weighted, 1e-7)
        longer = np.r_[X, X[:5] + 1], np.r_[y, y[:5]]
        w = np.r_[np.ones(len(X)), np.zeros(5)]
        ignored = quiet(fitted, estimator, *longer, sample_weight=w)
        assert_close(plain, quiet(outputs, ignored, X), 1e-6)

    holds()
