"""The estimator: what it learns, its price, its budget, its errors."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.representations import SparseAutoencoder
from tests.representations.sparse.conftest import planted_rows

ALLOCATIONS = ["mutual", "row", "feature"]


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def fitted(digits):
    return SparseAutoencoder(100, n_nonzero_coefs=5, random_state=0).fit(digits[0])


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_dictionary_is_found(seed):
    X, atoms = planted_rows(np.random.default_rng(seed))
    model = SparseAutoencoder(
        30, n_nonzero_coefs=3, positive_code=False, max_iter=40, tol=1e-5
    )
    model.set_params(random_state=0).fit(X)
    best = abs(atoms @ model.components_.T).max(axis=1)
    assert np.mean(best > 0.95) >= 0.9
    assert model.n_dead_ == 0


@pytest.mark.parametrize("pursuit", ["mp", "omp"])
@pytest.mark.parametrize("positive", [True, False])
def test_the_budget_is_met_on_the_rows_that_set_it(digits, positive, pursuit):
    X = digits[0][:700]
    n, m = len(X), 60
    for allocation in ALLOCATIONS:
        model = SparseAutoencoder(
            m,
            n_nonzero_coefs=4,
            allocation=allocation,
            positive_code=positive,
            pursuit=pursuit,
            price="train",
            max_iter=2,
            random_state=0,
        ).fit(X)
        codes = model.transform(X)
        assert codes.nnz <= 4 * n
        assert codes.nnz >= (3.5 if allocation == "feature" else 3.98) * n
        if allocation == "row":
            assert np.diff(codes.indptr).max() <= 4
        if allocation == "feature":
            assert np.diff(codes.tocsc().indptr).max() <= -(-n * 4 // m)
        if positive:
            assert codes.data.min() > 0
        left = X - model.inverse_transform(codes)
        variance = np.square(X - X.mean(axis=0)).sum()
        assert_allclose(model.score(X), -np.square(left).sum() / variance, rtol=1e-6)
        assert_allclose(model.fvu_, -model.score(X), rtol=1e-2)


def test_new_rows_keep_the_budget():
    """The price of held-out rows is that of new ones; the training price is not."""
    rng = np.random.default_rng(5)
    mix = rng.standard_normal((40, 30)) * np.linspace(3, 0.2, 40)[:, None]
    X = rng.standard_t(5, size=(6000, 40)) @ mix
    new = rng.standard_t(5, size=(4000, 40)) @ mix
    used = {}
    for price in ("holdout", "train"):
        model = SparseAutoencoder(
            300, n_nonzero_coefs=4, price=price, max_iter=6, random_state=0
        ).fit(X)
        count = np.diff(model.transform(new).indptr)
        used[price] = count.mean()
    error = count.std() * np.sqrt(1 / 600 + 1 / 4000)
    assert abs(used["holdout"] - 4) < 2 * error
    assert used["train"] - 4 > 4 * error


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_no_feature_is_idle(seed, allocation):
    X = np.random.default_rng(seed).standard_normal((200, 10))
    model = SparseAutoencoder(
        100, n_nonzero_coefs=3, allocation=allocation, max_iter=4, random_state=seed
    ).fit(X)
    assert model.n_dead_ == 0
    codes = model.transform(X)
    assert_allclose(model.usage_, np.diff(codes.tocsc().indptr) / 200)


def test_order_of_rows_and_blocks_do_not_matter(digits):
    X, _ = digits
    model = SparseAutoencoder(40, n_nonzero_coefs=4, max_iter=3, random_state=0)
    whole = clone(model).fit(X)
    order = np.random.default_rng(0).permutation(len(X))
    for other in (
        clone(model).fit(X[order]),
        clone(model).fit_blocks([X[:100], (X[100:900], None), lambda: X[900:]]),
        clone(model).fit_blocks(np.array_split(X, 5), n_jobs=2),
    ):
        assert_allclose(other.components_, whole.components_, atol=1e-8)
        assert_allclose(other.price_, whole.price_, rtol=1e-8)
        assert_allclose(other.fvu_, whole.fvu_, rtol=1e-8)


def test_batches_learn_and_know_their_price():
    rng = np.random.default_rng(0)
    X, _ = planted_rows(rng, n=12_000, m=60, d=30, k=4, noise=0.1)
    new, X = X[:2000], X[2000:]
    model = SparseAutoencoder(60, n_nonzero_coefs=4, random_state=0)
    for at in np.array_split(np.arange(10_000), 20):
        model.partial_fit(X[at])
    whole = clone(model).set_params(max_iter=2).fit(X)
    assert model.score(new) > whole.score(new)  # two passes against one
    assert_allclose(model.transform(new).nnz / 2000, 4, rtol=0.05)
    assert model.n_samples_seen_ == 10_000
    assert model.n_iter_ == len(model.loss_curve_) == 20
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert_allclose(model.mean_, X.mean(axis=0), atol=1e-10)


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_batches_of_every_allocation(digits, allocation):
    X, _ = digits
    model = SparseAutoencoder(
        40, n_nonzero_coefs=4, allocation=allocation, random_state=0
    )
    for part in np.array_split(X, 4):
        model.partial_fit(part)
    assert 3 < model.transform(X).nnz / len(X) < 5
    assert model.score(X) > -0.35


def test_one_fit_every_budget(digits, fitted):
    X, _ = digits
    model = pickle.loads(pickle.dumps(fitted))
    errors = []
    for k in (2, 5, 9.5):
        assert model.set_budget(k) is model
        assert model.n_nonzero_coefs_ == k
        errors.append(-model.score(X))
    assert errors[0] > errors[1] > errors[2]
    assert_allclose(model.set_budget(5).price_, fitted.price_, rtol=2e-2)
    with pytest.raises(ValueError, match=r"n_nonzero_coefs=16 is beyond .* end at 15"):
        model.set_budget(16)
    model.set_budget(16, X)  # rows at hand say what it costs
    assert 15.5 * len(X) < model.transform(X).nnz <= 16 * len(X)


def test_a_price_for_another_population(fitted, digits):
    X, y = digits
    ones = X[y == 1]
    model = pickle.loads(pickle.dumps(fitted)).set_budget(5, ones)
    assert_allclose(model.transform(ones).nnz / len(ones), 5, rtol=1e-2)


def test_budgets_of_rows_and_features(digits):
    X, _ = digits
    row = SparseAutoencoder(40, n_nonzero_coefs=4, allocation="row", max_iter=2)
    row.fit(X).set_budget(2)
    assert np.diff(row.transform(X).indptr).max() == 2
    with pytest.raises(ValueError, match=r"whole n_nonzero_coefs, got 2\.5"):
        row.set_budget(2.5)
    with pytest.raises(ValueError, match="n_nonzero_coefs=41 is more than"):
        row.set_budget(41)
    feature = SparseAutoencoder(40, n_nonzero_coefs=4, allocation="feature", max_iter=2)
    feature.fit(X)
    with pytest.raises(ValueError, match="set_budget needs rows as X"):
        feature.set_budget(2)
    with pytest.raises(ValueError, match="budget_curve needs rows as X"):
        feature.budget_curve()
    assert feature.price_.shape == (40,)
    feature.set_budget(2, X)
    assert_allclose(feature.transform(X).nnz / len(X), 2, rtol=0.2)


@pytest.mark.parametrize("allocation", ["mutual", "row"])
def test_the_curve_of_budgets(digits, allocation):
    X, _ = digits
    model = SparseAutoencoder(
        60, n_nonzero_coefs=4, allocation=allocation, price="train", random_state=0
    ).fit(X)
    kept, seen = model.budget_curve(), model.budget_curve(X)
    assert (np.diff(kept.fvu) < 0).all()
    assert (np.diff(seen.fvu) < 0).all()
    assert_allclose(seen.n_nonzero_coefs, kept.n_nonzero_coefs, rtol=2e-2)
    assert (seen.fvu <= kept.fvu * 1.01).all()  # codes are fitted anew
    at = np.interp(4, seen.n_nonzero_coefs, seen.fvu)
    assert_allclose(at, -model.score(X), rtol=2e-2)


def test_parameters_after_the_fit_change_nothing(digits, fitted):
    X, _ = digits
    model = pickle.loads(pickle.dumps(fitted))
    before = model.transform(X).toarray()
    model.set_params(n_nonzero_coefs=2, allocation="row", pursuit="omp", batch_size=7)
    model.set_params(positive_code=False, encoder="linear", n_components=3)
    assert_allclose(model.transform(X).toarray(), before, atol=1e-8)


def test_a_row_equal_to_the_mean_has_no_code(fitted):
    codes = fitted.transform(fitted.mean_[None])
    assert codes.nnz == 0
    assert_allclose(fitted.inverse_transform(codes)[0], fitted.mean_)


@pytest.mark.parametrize("encoder", ["pursuit", "linear"])
@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_rows_without_variance(allocation, encoder):
    X = np.full((300, 3), 0.1)  # whose sum is rounded
    model = SparseAutoencoder(
        4, n_nonzero_coefs=1, allocation=allocation, encoder=encoder, random_state=0
    )
    models = [clone(model).fit(X), clone(model).fit_blocks(np.array_split(X, 7))]
    if encoder == "pursuit":
        models.append(clone(model).partial_fit(X[:70]).partial_fit(X[70:]))
    for model in models:
        assert model.transform(X).nnz == 0
        assert model.score(X) == model.fvu_ == 0
        assert_array_equal(model.inverse_transform(model.transform(X)), X)


@pytest.mark.parametrize("n_distinct", [1, 2, 3, 20])
def test_many_copies_of_few_rows(n_distinct):
    rows = np.random.default_rng(1).standard_normal((n_distinct, 4))
    X = np.tile(rows, (1500 // n_distinct, 1))
    model = SparseAutoencoder(4, n_nonzero_coefs=2, random_state=0).fit(X)
    codes = model.transform(rows)
    assert codes.nnz <= 2.5 * n_distinct
    assert model.score(X) > -0.5
    assert_allclose(model.score(X), model.score(rows), atol=1e-6)


def test_columns_without_variance_do_no_harm(digits):
    X, _ = digits
    wide = np.c_[X, np.full(len(X), 1e6)]
    model = SparseAutoencoder(60, n_nonzero_coefs=4, max_iter=3, random_state=0)
    assert model.fit(wide).score(wide) > -0.25


def test_more_features_than_rows():
    X = np.random.default_rng(0).standard_normal((40, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SparseAutoencoder(64, n_nonzero_coefs=4, random_state=0).fit(X)
    assert model.score(X) > -1e-3
    with pytest.warns(UserWarning, match=r"n_components=300 is more than 40 rows"):
        SparseAutoencoder(300, n_nonzero_coefs=4, max_iter=2, random_state=0).fit(X)


def test_warm_start_goes_on(digits):
    X, _ = digits
    model = SparseAutoencoder(
        60, n_nonzero_coefs=4, max_iter=2, warm_start=True, random_state=0
    ).fit(X)
    first = model.loss_curve_
    assert model.fit(X).loss_curve_[0] < first[0]
    with pytest.raises(ValueError, match="continues from 60 features of 64 columns"):
        model.set_params(n_components=61).fit(X)


def test_float32_stays(digits):
    X, _ = digits
    model = SparseAutoencoder(60, n_nonzero_coefs=4, random_state=0)
    one, other = clone(model).fit(X), clone(model).fit(X.astype(np.float32))
    assert other.components_.dtype == np.float32
    assert other.transform(X.astype(np.float32)).dtype == np.float32
    assert other.inverse_transform(other.transform(X)).dtype == np.float32
    assert_allclose(other.fvu_, one.fvu_, rtol=1e-2)


def test_output_containers(digits):
    X, _ = digits
    model = SparseAutoencoder(30, n_nonzero_coefs=3, max_iter=2, random_state=0)
    codes = model.fit(X).transform(X)
    assert sparse.issparse(codes)
    assert codes.format == "csr"
    assert codes.has_sorted_indices
    with pytest.raises(ValueError, match="outputs a scipy sparse matrix"):
        model.set_output(transform="pandas").transform(X)
    frame = model.set_params(sparse_output=False).transform(X)
    assert_array_equal(frame.columns, model.get_feature_names_out())
    assert frame.columns[3] == "sparseautoencoder3"
    assert_allclose(frame.to_numpy(), codes.toarray())
    assert_allclose(model.inverse_transform(frame), model.inverse_transform(codes))


def test_in_a_pipeline_under_a_search(digits):
    X, y = digits
    pipe = make_pipeline(
        StandardScaler(),
        SparseAutoencoder(50, max_iter=2, random_state=0),
        LogisticRegression(max_iter=1000, tol=1e-2),
    )
    search = GridSearchCV(pipe, {"sparseautoencoder__n_nonzero_coefs": [3, 8]}, cv=2)
    assert search.fit(X[:600], y[:600]).best_score_ > 0.8


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_nonzero_coefs": 9, "n_components": 8}, "=9 is more than n_components=8"),
        ({"n_nonzero_coefs": 0}, "'n_nonzero_coefs'"),
        ({"n_nonzero_coefs": "8"}, "'n_nonzero_coefs'"),
        ({"n_nonzero_coefs": 2.5, "allocation": "row"}, r"whole .* got 2\.5"),
        ({"allocation": "batch"}, "'allocation'"),
    ],
)
def test_wrong_parameters(digits, params, match):
    with pytest.raises(ValueError, match=match):
        SparseAutoencoder(**{"n_components": 20, **params}).fit(digits[0])


@pytest.mark.parametrize("allocation", ["mutual", "feature"])
def test_a_budget_may_be_a_fraction(digits, allocation):
    X, _ = digits
    model = SparseAutoencoder(
        30,
        n_nonzero_coefs=2.5,
        allocation=allocation,
        price="train",
        max_iter=2,
        random_state=0,
    ).fit(X)
    assert 2.2 * len(X) < model.transform(X).nnz <= 2.5 * len(X)


def test_wrong_data(digits, fitted):
    X, _ = digits
    with pytest.raises(TypeError, match=r"sparse csr_array.*TruncatedSVD"):
        SparseAutoencoder().fit(sparse.csr_array(X))
    with pytest.raises(ValueError, match="a column for each of 100 features, got 99"):
        fitted.inverse_transform(np.zeros((2, 99)))
    with pytest.raises(ValueError, match="needs at least one block"):
        SparseAutoencoder().fit_blocks([])


def test_blocks_may_come_from_a_generator(digits):
    X, _ = digits
    model = SparseAutoencoder(20, n_nonzero_coefs=2, max_iter=2, random_state=0)
    model.fit_blocks(part for part in np.array_split(X, 3))
    assert model.n_samples_seen_ == len(X)


def test_features_share_rows_that_differ_in_one_direction():
    """Where most features could serve a row, prices settle who serves it."""
    X = load_wine().data  # one column is nearly all the variance
    model = SparseAutoencoder(
        64, n_nonzero_coefs=4, allocation="feature", random_state=0
    ).fit(X)
    usage = np.diff(model.transform(X).tocsc().indptr)
    assert usage.max() <= 12  # ceil(178 * 4 / 64)
    assert usage.sum() > 2 * len(X)
    assert model.n_dead_ <= 6
    assert model.score(X) > -0.01


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e25), (float, 1e160)])
def test_rows_too_large_to_square_are_refused(digits, method, dtype, size):
    X = (digits[0] * size).astype(dtype)
    model = SparseAutoencoder(20, n_nonzero_coefs=2, max_iter=1)
    with pytest.raises(ValueError, match="squared lengths of the rows are too large"):
        getattr(model, method)(X)


def test_a_failed_batch_leaves_the_model(digits):
    X, _ = digits
    model = SparseAutoencoder(30, n_nonzero_coefs=3, random_state=0).partial_fit(X)
    before = pickle.dumps({**vars(model)})
    for params, rows, match in (
        ({"n_nonzero_coefs": 31}, X, "n_nonzero_coefs=31 is more than n_components=30"),
        ({"n_components": 40}, X, "goes on with 30 features, got n_components=40"),
        ({}, np.full_like(X, np.nan), "contains NaN"),
        ({}, X[:, :3], "X has 3 features"),
        ({}, X * 1e160, "too large"),
    ):
        other = clone(model).get_params()
        with pytest.raises(ValueError, match=match):
            model.set_params(**params).partial_fit(rows)
        model.set_params(**other)
        assert pickle.dumps({**vars(model)}) == before


def test_no_variance_is_left_less_than_nothing():
    X = load_wine().data.astype(np.float32)
    model = SparseAutoencoder(random_state=0).fit(X)
    assert model.score(X) <= 0 <= model.fvu_


@pytest.mark.parametrize("allocation", ["mutual", "row"])
def test_the_curve_of_rows_without_variance(allocation):
    X = np.full((20, 3), 0.1)
    model = SparseAutoencoder(3, n_nonzero_coefs=1, allocation=allocation).fit(X)
    for curve in (model.budget_curve(), model.budget_curve(X)):
        assert (curve.fvu == 0).all()
        assert (curve.price == 0).all()
