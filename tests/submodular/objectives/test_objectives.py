"""Objectives against enumeration, closed forms and awkward numbers."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics.pairwise import rbf_kernel

from sklearn_ext.submodular import (
    CallableObjective,
    Coverage,
    FacilityLocation,
    FeatureBased,
    GraphCut,
    LogDet,
    Mixture,
    ProbabilisticCoverage,
    SaturatedCoverage,
    SubmodularityCheck,
    check_submodular,
    maximize,
)
from tests.submodular._problems import IDS, OBJECTIVES, table, value_of


def subsets(n):
    return [list(s) for size in range(n) for s in combinations(range(n), size)]


@pytest.mark.parametrize("name", IDS)
def test_monotone_and_submodular_by_enumeration(name):
    rng = np.random.default_rng(1)
    objective = clone(OBJECTIVES[name])
    rows = objective.fit_reference(table(rng, 6)).represent(table(rng, 6))
    values = {}
    for s in [*subsets(6), list(range(6))]:
        values[frozenset(s)] = value_of(objective, rows[s])
    for s in map(frozenset, subsets(6)):
        for e in set(range(6)) - s:
            gain = values[s | {e}] - values[s]
            assert gain >= -1e-12
            for extra in set(range(6)) - s - {e}:
                later = values[s | {e, extra}] - values[s | {extra}]
                assert later <= gain + 1e-12


@pytest.mark.parametrize("name", IDS)
def test_gains_are_differences_of_values(name, rng):
    objective = clone(OBJECTIVES[name])
    X = table(rng, 9)
    rows = objective.fit_reference(X).represent(X)
    states = [objective.empty_state()]
    for i in range(4):
        states.append(objective.add(states[-1], rows[i : i + 1]))
    for state in states:
        expected = [
            objective.value(objective.add(state, rows[i : i + 1]))
            - objective.value(state)
            for i in range(9)
        ]
        assert_allclose(objective.gains(rows, state), expected, atol=1e-12)
        single = [objective.gains(rows[i : i + 1], state)[0] for i in range(9)]
        if name not in ("logdet", "logdet_linear", "mixture"):  # a solve by BLAS
            assert_array_equal(single, objective.gains(rows, state))
    which = rng.integers(0, 5, 9)
    expected = [objective.gains(rows[i : i + 1], states[which[i]])[0] for i in range(9)]
    assert_allclose(objective.gains_at(rows, states, which), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gains_do_not_depend_on_the_batch(dtype, rng):
    X = rng.uniform(size=(700, 333)).astype(dtype)
    for objective in (Coverage(), FeatureBased(), ProbabilisticCoverage()):
        rows = objective.fit_reference(X).represent(X)
        state = objective.add(objective.empty_state(), rows[:1])
        whole = objective.gains(rows, state)
        assert_array_equal(whole[17:60], objective.gains(rows[17:60], state))
        assert_array_equal(
            whole, [objective.gains(rows[i : i + 1], state)[0] for i in range(700)]
        )


@pytest.mark.parametrize("name", ["coverage", "sqrt", "log1p", "saturated", "chances"])
def test_sparse_rows_equal_dense(name, rng):
    X = table(rng, 12, 8)
    X[3] = 0
    dense, thin = clone(OBJECTIVES[name]), clone(OBJECTIVES[name])
    rows = dense.fit_reference(X).represent(X)
    thin_rows = thin.fit_reference(sparse.csc_array(X)).represent(sparse.csr_array(X))
    assert sparse.issparse(thin_rows)
    a, b = dense.empty_state(), thin.empty_state()
    for i in (0, 5):
        a, b = dense.add(a, rows[i : i + 1]), thin.add(b, thin_rows[i : i + 1])
        assert_allclose(thin.gains(thin_rows, b), dense.gains(rows, a), atol=1e-14)
    assert thin.value(b) == pytest.approx(dense.value(a))


@pytest.mark.parametrize("name", [n for n in IDS if n != "callable"])
def test_float32_agrees(name, rng):
    X = table(rng, 12)
    wide, single = clone(OBJECTIVES[name]), clone(OBJECTIVES[name])
    rows = wide.fit_reference(X).represent(X)
    rows32 = single.fit_reference(X.astype(np.float32)).represent(X.astype(np.float32))
    assert rows32.dtype == np.float32
    assert_allclose(value_of(single, rows32[:5]), value_of(wide, rows[:5]), rtol=1e-5)


@pytest.mark.parametrize(
    ("concave", "gain"), [("sqrt", 5e-10), ("log1p", 1e-15), ("ratio", 1e-27)]
)
def test_gains_do_not_cancel(concave, gain):
    objective = FeatureBased(concave, weights=[1.0]).fit_reference([[1.0]])
    found = objective.gains(np.array([[1e-3]]), np.array([1e12]))
    assert_allclose(found, gain, rtol=1e-9)


def test_sqrt_gain_of_nothing_is_zero():
    objective = FeatureBased().fit_reference([[1.0, 1.0]])
    assert objective.gains(np.zeros((1, 2)), objective.empty_state()) == 0


def test_logdet_is_the_determinant(rng):
    X = rng.normal(size=(6, 3))
    objective = LogDet(3.0, gamma=0.5)
    rows = objective.fit_reference(X).represent(X)
    expected = np.linalg.slogdet(np.eye(6) + 3 * rbf_kernel(X, gamma=0.5))[1]
    assert_allclose(value_of(objective, rows), expected, rtol=1e-12)


@pytest.mark.parametrize("make", [FacilityLocation, LogDet, GraphCut])
def test_kernels_of_columns_far_from_zero(make, rng):
    X = np.round(rng.normal(size=(8, 3)), 3)
    far = X + np.array([1e8, -1e8, 1e7])
    near, moved = (
        value_of(objective, objective.represent(rows))
        for rows in (X, far)
        for objective in [make(gamma=0.5).fit_reference(rows, random_state=0)]
    )
    assert_allclose(moved, near, rtol=1e-6)


@pytest.mark.parametrize(("lam", "monotone"), [(2.0, True), (1.2, False)])
def test_graph_cut_is_monotone_from_two_on(lam, monotone, rng):
    X = 0.3 * rng.normal(size=(7, 2))
    check = check_submodular(GraphCut(lam, gamma=0.5), X, 40)
    assert check.submodular_margin > -1e-9
    assert (check.monotone_margin > -1e-9) == monotone
    assert not GraphCut.monotone  # rows come and go


def test_bare_log_determinant_is_not_monotone(rng):
    def logdet(rows):
        return np.linalg.slogdet(rbf_kernel(rows))[1] if len(rows) else 0.0

    X = rng.normal(size=(6, 2))
    check = check_submodular(CallableObjective(logdet, monotone=False), X, 40)
    assert check.submodular_margin > -1e-9
    assert not check.passed


def test_check_sees_increasing_returns(rng):
    squared = CallableObjective(lambda rows: float(len(rows)) ** 2)
    check = check_submodular(squared, rng.normal(size=(6, 2)), 5)
    assert isinstance(check, SubmodularityCheck)
    assert check.monotone_margin == 1
    assert check.submodular_margin == -2
    assert not check.passed


def test_facility_location_by_hand():
    X = np.array([[0.0], [1.0], [3.0]])
    objective = FacilityLocation(gamma=1.0)
    rows = objective.fit_reference(X, [1, 1, 2]).represent(X)
    kernel = np.exp(-((X - X.T) ** 2))
    expected = np.maximum(kernel[0], kernel[2]) @ [0.25, 0.25, 0.5]
    assert_allclose(value_of(objective, rows[[0, 2]]), expected)


def test_scale_is_the_median_of_distinct_rows():
    X = np.array([[0.0], [0.0], [1.0], [3.0]])
    weighted = FacilityLocation().fit_reference(X[1:], [2, 1, 1])
    repeated = FacilityLocation().fit_reference(X)
    assert weighted.gamma_ == repeated.gamma_ == 1 / 4
    assert FacilityLocation().fit_reference(np.ones((3, 2))).gamma_ == 1


def test_reference_is_sampled_or_given(rng):
    X = rng.normal(size=(50, 3))
    sampled = FacilityLocation(n_reference=10).fit_reference(X, random_state=0)
    assert sampled.reference_.shape == (10, 3)
    given = FacilityLocation(reference=X[:4]).fit_reference(X)
    assert_array_equal(given.reference_, X[:4])
    weighted = FacilityLocation().fit_reference(X, np.arange(50) % 2)
    assert_array_equal(weighted.reference_, X[1::2])


def test_sampling_error_bound_holds(rng):
    X = rng.normal(size=(400, 2))
    whole = FacilityLocation(gamma=0.5).fit_reference(X)
    rows = whole.represent(X)
    m, k, delta = 100, 3, 0.01
    choices = 400 * 399 * 398 / 6
    bound = np.sqrt((np.log(choices) + np.log(2 / delta)) / (2 * m))
    part = FacilityLocation(gamma=0.5, n_reference=m).fit_reference(X, random_state=1)
    part_rows = part.represent(X)
    for _ in range(50):
        s = rng.choice(400, k, replace=False)
        difference = value_of(whole, rows[s]) - value_of(part, part_rows[s])
        assert abs(difference) <= bound


def test_other_metrics(rng):
    X = rng.uniform(0.1, 1, size=(8, 3))
    for metric in ("linear", "laplacian", "chi2", "polynomial"):
        rows = FacilityLocation(metric).fit_reference(X).represent(X)
        assert rows.shape == (8, 8)
    own = FacilityLocation(lambda A, B: np.ones((len(A), len(B)))).fit_reference(X)
    assert_array_equal(own.represent(X), 1)
    assert own.similarity(X, X[:2]).shape == (8, 2)
    kernel = FacilityLocation("precomputed").fit_reference(rbf_kernel(X), np.arange(8))
    assert_allclose(kernel.coord_weights_, np.arange(8) / 28)
    assert kernel.similarity(X, X[:2]).shape == (8, 2)
    assert LogDet(kernel="cosine").fit_reference(X).similarity(X, X).max() <= 1 + 1e-12


def test_mixture_of_sparse_members_and_parameters(rng):
    X = sparse.csr_array(table(rng, 6))
    mixture = Mixture([("a", Coverage()), ("b", FeatureBased())], weights=[1, 3])
    rows = mixture.fit_reference(X).represent(X)
    assert sparse.issparse(rows)
    parts = [Coverage().fit_reference(X), FeatureBased().fit_reference(X)]
    values = [value_of(part, X) for part in parts]
    assert_allclose(value_of(mixture, rows), values[0] + 3 * values[1])
    mixture.set_params(b__concave="log1p", a=ProbabilisticCoverage())
    assert mixture.get_params()["b__concave"] == "log1p"
    assert isinstance(dict(mixture.objectives)["a"], ProbabilisticCoverage)
    assert mixture.monotone
    assert mixture.similarity(X, X).shape == (6, 6)


@pytest.mark.parametrize(
    ("objective", "X", "message"),
    [
        (FeatureBased(), [[-2.0]], "FeatureBased needs features .* minimum of -2"),
        (SaturatedCoverage(), [[-2.0]], "SaturatedCoverage needs features"),
        (ProbabilisticCoverage(), [[1.5]], r"at most 1, got a maximum of 1\.5"),
        (Coverage(), [[-0.5]], r"Coverage needs entries .* minimum of -0\.5"),
        (FacilityLocation("linear"), [[1.0], [-1.0]], "needs similarities"),
        (FacilityLocation("precomputed"), [[-1.0]], "needs similarities"),
        (Coverage(weights=[1, 2]), [[1.0]], "needs 1 non-negative weights"),
        (Mixture([("a", Coverage())], weights=[-1]), [[1.0]], "needs 1 non-negative"),
        (CallableObjective(lambda rows: 1.0), [[1.0]], "must be 0 for the empty set"),
        (Coverage(weights=[np.nan]), [[1.0]], "needs 1 non-negative weights, finite"),
        (Coverage(weights=[]), [[1.0]], "needs 1 non-negative weights, finite"),
        (Mixture([("a", Coverage())], weights=[np.nan]), [[1.0]], "weights, finite"),
        (FacilityLocation(reference=[[1.0, 2.0]]), [[1.0]], "must have the 1 features"),
        (FacilityLocation(reference=[[np.nan]]), [[1.0]], "reference contains NaN"),
        (FacilityLocation(lambda X, Y: np.ones(3)), [[1.0]], "similarity a pair of"),
        (FacilityLocation(lambda X, Y: X @ Y.T * np.nan), [[1.0]], "are not finite"),
        (FacilityLocation("linear"), [[1e200], [0.0]], "coordinates that are not fin"),
        (FacilityLocation(), [[1e200], [0.0]], "squared distance of rows, inf, is out"),
        (LogDet(), [[1e-160], [0.0]], "distance of rows, .*e-321, is out of range"),
        (LogDet(gamma=1.0), [[1e200], [0.0]], "LogDet squares rows, which overflows"),
        (GraphCut(metric="precomputed"), [[1.0]], "pass metric as a callable"),
        (Coverage(), [1.0], "2D array"),
    ],
)
def test_bad_rows(objective, X, message):
    with pytest.raises(ValueError, match=message):
        objective.fit_reference(np.array(X)).represent(np.array(X))


def test_bad_functions():
    falls = CallableObjective(lambda rows: -float(len(rows))).fit_reference([[1.0]])
    with pytest.raises(ValueError, match="not monotone: a row lowered its value by 1"):
        falls.gains(np.ones((1, 1)), falls.empty_state())
    wild = CallableObjective(lambda rows: np.inf if len(rows) else 0.0)
    with pytest.raises(ValueError, match="must be finite, got inf"):
        wild.fit_reference([[1.0]]).gains(np.ones((1, 1)), wild.empty_state())


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ([], "at least one, got"),
        ([Coverage()], "pairs"),
        ([("a", Coverage()), ("a", FeatureBased())], "distinct names"),
        ([("a", FacilityLocation(gamma=-1))], "'gamma' parameter"),
    ],
)
def test_bad_mixtures(objectives, message):
    with pytest.raises(ValueError, match=message):
        maximize(Mixture(objectives), [[1.0]], 1)


@pytest.mark.parametrize("make", [Coverage, FeatureBased, Mixture])
def test_weights_are_copied(make):
    members = [[("a", Coverage()), ("b", LogDet())]] if make is Mixture else []
    weights = np.ones(2)
    objective = make(*members, weights=weights).fit_reference([[0.5, 1.0]])
    kept = objective.weights_ if make is Mixture else objective.coord_weights_
    assert not np.shares_memory(kept, weights)


def test_weights_need_reference_rows():
    with pytest.raises(ValueError, match="no reference rows that sample_weight"):
        Coverage().fit_reference([[1.0]], [1.0])


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("share", [0.97, 0.5, 0.4])
@pytest.mark.parametrize(
    "objective", [FacilityLocation("cosine"), FeatureBased(), LogDet(kernel="cosine")]
)
def test_cosines_do_not_depend_on_the_scale_of_rows(objective, share, dtype, kind, rng):
    X = rng.uniform(0.1, 1, size=(8, 3)).astype(dtype)
    X[0] = 0
    largest = np.log10(np.finfo(dtype).max)
    scales = 10.0 ** (largest * rng.choice([-share, share], size=(8, 1)))
    norms = np.maximum(np.linalg.norm(X.astype(float), axis=1), 1e-9)
    expected = (X @ X.T.astype(float)) / np.outer(norms, norms)
    objective = clone(objective).fit_reference(X)
    found = objective.similarity(kind(X * scales.astype(dtype)), kind(X))
    assert_allclose(found, expected, rtol=5 * np.finfo(dtype).eps)
    scaled, plain = (objective.represent(A) for A in (X * scales.astype(dtype), X))
    if not isinstance(objective, FeatureBased):  # which is about sizes
        assert_allclose(scaled, plain, rtol=5 * np.finfo(dtype).eps)


@pytest.mark.parametrize("objective", [Coverage(), FeatureBased()], ids=["max", "sum"])
def test_sparse_entries_in_parts_are_one_entry(objective):
    parts = ([0.2, 0.3, 0.6, 0.4], [1, 1, 0, 1], [0, 2, 4])
    X = sparse.csr_array(parts, shape=(2, 2))
    objective.fit_reference(X)
    state = objective.add(objective.empty_state(), objective.represent(X[:1]))
    found = objective.gains(objective.represent(X), state)
    assert_allclose(found, objective.gains(X.toarray(), state))
    assert X.nnz == 4  # the user's array is as it was


def test_caps_of_singles_are_summed_in_doubles():
    X = np.full((200_000, 1), 0.1, dtype=np.float32)
    objective = SaturatedCoverage(1.0).fit_reference(X)
    state = np.array([1e9])
    assert_allclose(objective.value(state), X.astype(np.float64).sum(), rtol=1e-12)
