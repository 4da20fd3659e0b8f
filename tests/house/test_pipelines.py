"""The model inside a pipeline is found, and tables reach it transformed."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_ext._core._pipelines import innermost, peel

TABLE = pd.DataFrame({"size": np.arange(12.0), "place": list("abcabcabcabc")})
Y = np.arange(12.0) ** 2


def columns():
    return ColumnTransformer(
        [("num", StandardScaler(), ["size"]), ("cat", OneHotEncoder(), ["place"])]
    )


def find(estimator, *tables, wanted=Ridge):
    return innermost(estimator, *tables, wanted=wanted, user="Audit.run")


def test_a_plain_model_is_returned_with_its_tables():
    X = TABLE[["size"]]
    model = Ridge().fit(X, Y)
    found = find(model, X, None)
    assert found.model is model
    assert found.tables[0] is X
    assert found.tables[1] is None
    assert found.names.tolist() == ["size"]
    assert find(Ridge().fit(X.to_numpy(), Y)).names is None


@pytest.mark.parametrize("searched", [False, True])
def test_tables_pass_through_the_steps_with_their_names(searched):
    pipeline = make_pipeline(
        columns(),
        FunctionTransformer(feature_names_out="one-to-one"),
        make_pipeline(Ridge()),
    )
    if searched:
        grid = {"pipeline__ridge__alpha": [1.0]}
        pipeline = GridSearchCV(pipeline, grid, cv=2)
    found = find(pipeline.fit(TABLE, Y), TABLE)
    assert isinstance(found.model, Ridge)
    assert_allclose(found.model.predict(found.tables[0]), pipeline.predict(TABLE))
    assert found.names.tolist() == [
        "num__size",
        "cat__place_a",
        "cat__place_b",
        "cat__place_c",
    ]


def test_steps_without_names_leave_none():
    pipeline = make_pipeline(columns(), FunctionTransformer(), Ridge()).fit(TABLE, Y)
    assert find(pipeline, TABLE).names is None


def test_other_models_are_refused_by_name():
    message = (
        r"Audit.run takes a fitted Lasso or Ridge, or a Pipeline that ends in one, got "
        r"GridSearchCV of Pipeline\(\.\.\. LogisticRegression\)\."
    )
    pipeline = make_pipeline(columns(), LogisticRegression())
    search = GridSearchCV(pipeline, {}, cv=2).fit(TABLE, Y > 30)
    with pytest.raises(TypeError, match=message):
        find(search, TABLE, wanted=(Lasso, Ridge))
    with pytest.raises(TypeError, match=r"takes a fitted Ridge, or .* got str\."):
        find("ridge")
    with pytest.raises(NotFittedError, match="This Ridge instance"):
        find(make_pipeline(Ridge()))


def test_peel_goes_to_the_end():
    inner = Ridge()
    assert peel(make_pipeline(columns(), inner))[0] is inner
    assert peel(inner) == (inner, [])
