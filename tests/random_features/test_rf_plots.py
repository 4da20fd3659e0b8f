"""Displays draw what they say they draw."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GroupKFold

from sklearn_ext.random_features import (
    EigenspectrumDisplay,
    FittingRatioDisplay,
    KernelChoiceDisplay,
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RFLearningCurveDisplay,
    RidgePathDisplay,
    TrainingTimeDisplay,
    rf_flow_curve,
    rf_ridge_path,
)
from tests.random_features._given import RidgeOnlyClassifierCV, RidgeOnlyCV


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def data():
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def tuned(data):
    return RidgeOnlyCV(100, standardize=True, random_state=0).fit(*data)


def test_ridge_path(tuned, data):
    display = RidgePathDisplay.from_estimator(tuned)
    assert set(display.lines_) == {"loo", "gcv", "train"}
    x, y = display.lines_["loo"].get_data()
    assert_allclose(x, tuned.alphas_)
    assert_allclose(y, tuned.loo_error_path_)
    assert tuned.alphas_[display.best] == tuned.alpha_
    assert display.ax_.get_xlabel() == "ridge alpha"
    ax = plt.subplots()[1]
    over = RidgePathDisplay.from_estimator(tuned, x="fitting_ratio", ax=ax)
    assert over.ax_ is ax
    assert over.figure_ is ax.figure
    assert (np.diff(over.fitting_ratio) >= 0).all()
    folds = RidgeOnlyCV(100, cv=3, random_state=0).fit(*data)
    assert "fold" in RidgePathDisplay.from_estimator(folds).lines_
    with pytest.raises(ValueError, match="x must be 'alpha' or"):
        over.plot(x="time")


def test_ridge_path_of_gradient_flow_has_times_on_top(data):
    model = RidgeOnlyCV(50, standardize=True, filter="flow", random_state=0).fit(*data)
    display = RidgePathDisplay.from_estimator(model)
    assert set(display.lines_) == {"loo", "train"}
    display.figure_.draw_without_rendering()
    ends = np.sort(display.time_ax_.get_xlim())
    assert_allclose(ends, np.sort(1 / np.array(display.ax_.get_xlim())))
    assert "time" in display.time_ax_.get_xlabel()
    with pytest.raises(ValueError, match="ridges alone, got filter='flow'"):
        display.plot(x="fitting_ratio")
    ridge = RidgeOnlyCV(50, standardize=True, random_state=0).fit(*data)
    assert RidgePathDisplay.from_estimator(ridge).time_ax_ is None


def test_theory_of_ridges_is_not_drawn_for_other_filters(data):
    model = RidgeOnlyCV(50, filter="flow", random_state=0).fit(*data)
    with pytest.raises(ValueError, match="theory of ridges, got a model with filter="):
        RFLearningCurveDisplay.from_estimator(model, *data)
    with pytest.raises(ValueError, match="TrainingTimeDisplay draws that"):
        FittingRatioDisplay.from_estimator(model, a=1.2, b=1.2, s_rel=1)


def test_training_time_of_curves():
    lam = np.arange(1.0, 201) ** -1.5
    times = [1.0, 10.0, np.inf]
    narrow, wide = (rf_flow_curve(lam, lam**0.5, 50, k, times, 0.2) for k in (50, 1000))
    display = TrainingTimeDisplay.from_predictions({"50": narrow, "1000": wide})
    x, y = display.lines_["50"].get_data()
    assert_allclose(x, times[:2])  # the end of time has no place on the axis
    assert_allclose(y, narrow.test[:2])
    assert set(TrainingTimeDisplay.from_predictions(wide).lines_) == {"test"}


@pytest.mark.parametrize("cls", [RandomFeatureRidge, RidgeOnlyCV])
def test_training_time_is_measured(cls, data):
    X, y = data
    y = (y - y.mean()) / y.std()
    model = cls(100, standardize=True, random_state=0).fit(X, y)
    display = TrainingTimeDisplay.from_estimator(
        model, X, y, widths=[50, np.inf], times=[0.1, 1.0], n_repeats=4, random_state=0
    )
    assert set(display.lines_) == {"50 features", "infinite width"}
    for name, found in display.measured.items():
        assert found.test.shape == (4, 2)
        predicted = display.predicted[name].test
        assert_allclose(found.test.mean(axis=0), predicted, rtol=0.15)
    silent = TrainingTimeDisplay.from_estimator(model, X, y, measure=False)
    assert silent.measured is None
    assert len(silent.lines_["100 features"].get_xdata()) == 30


@pytest.mark.parametrize("solver", ["cholesky", "cg", "eigen"])
def test_training_time_of_any_solver(solver, data):
    X, y = data
    model = RandomFeatureRidge(50, standardize=True, solver=solver, random_state=0)
    how = {"times": [0.1], "n_repeats": 2, "random_state": 0}
    found = TrainingTimeDisplay.from_estimator(model.fit(X, y), X, y, **how)
    plain = clone(model).set_params(solver="auto").fit(X, y)
    expected = TrainingTimeDisplay.from_estimator(plain, X, y, **how)
    name = "50 features"
    assert_allclose(found.measured[name].test, expected.measured[name].test)


@pytest.mark.parametrize(
    "params",
    [
        {"cv": "gcv"},
        {"cv": GroupKFold(2)},
        {"cv": [(np.arange(200), np.arange(200, 442))]},
        {"cv": 3, "scoring": "r2"},
        {"kernel": ["rbf", "relu"], "gamma": [1e-3, 0.1], "refine": True},
    ],
)
def test_training_time_is_measured_of_what_was_chosen(params, data):
    X, y = data
    y = (y - y.mean()) / y.std()
    model = RandomFeatureRidgeCV(50, map="random", random_state=0).set_params(**params)
    grouped = isinstance(params.get("cv"), GroupKFold)
    model.fit(X, y, groups=np.arange(len(y)) % 4 if grouped else None)
    how = {"times": [0.1, 1e12], "n_repeats": 2, "random_state": 0}
    found = TrainingTimeDisplay.from_estimator(model, X, y, **how)
    chosen = {"kernel": model.kernel_, "standardize": model.standardize_}
    if model.gamma_ is not None:
        chosen["gamma"] = model.gamma_
    plain = RandomFeatureRidge(50, **chosen, random_state=0).fit(X, y)
    expected = TrainingTimeDisplay.from_estimator(plain, X, y, **how)
    name = "50 features"
    assert_allclose(found.measured[name].test, expected.measured[name].test)


def test_training_time_of_a_width_beside_the_exact_kernel(data):
    X, y = data
    y = (y - y.mean()) / y.std()
    model = RandomFeatureRidgeCV("infinite", random_state=0).fit(X, y)
    how = {"widths": [20], "times": [0.1], "random_state": 0}
    found = TrainingTimeDisplay.from_estimator(model, X, y, **how)
    narrow = clone(model).set_params(map="random").fit(X, y)  # not twenty landmarks
    expected = TrainingTimeDisplay.from_estimator(narrow, X, y, **how)
    name = "20 features"
    assert_allclose(found.measured[name].test, expected.measured[name].test)


@pytest.mark.parametrize("wrong", [{"n_rows": 0.5}, {"n_rows": 0}, {"n_repeats": 0}])
def test_training_time_refuses_no_rows_and_no_repeats(wrong, data):
    model = RandomFeatureRidge(20, random_state=0).fit(*data)
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a whole number"):
        TrainingTimeDisplay.from_estimator(model, *data, **wrong)


def test_kernel_choice(data):
    model = RandomFeatureRidgeCV(50, kernel=["relu", "rbf", "matern"], random_state=0)
    display = KernelChoiceDisplay.from_estimator(model.fit(*data))
    assert set(display.lines_) == {
        (kernel, scaling)
        for kernel in ("relu", "rbf", "matern")
        for scaling in ("clip", "quantile")
    }
    x, y = display.lines_["rbf", "clip"].get_data()
    rbf = [i for i, c in enumerate(model.candidates_) if c["kernel"] == "rbf"][:5]
    assert_allclose(x, [model.candidates_[i]["gamma"] for i in rbf])
    assert_allclose(y, np.nanmin(model.candidate_errors_[rbf], axis=1))
    x, y = display.lines_["relu", "quantile"].get_data()
    assert y[0] == y[1]
    assert display.errors.argmin() == display.best
    assert display.candidates[display.best]["kernel"] == model.kernel_
    folds = clone(model).set_params(cv=3, kernel="relu").fit(*data)
    assert KernelChoiceDisplay.from_estimator(folds).gap_se is None
    one = clone(model).set_params(kernel="rbf", gamma=0.1, standardize=True)
    assert len(KernelChoiceDisplay.from_estimator(one.fit(*data)).lines_) == 1


def test_ridge_path_of_theory():
    lam = np.arange(1.0, 200) ** -1.5
    path = rf_ridge_path(lam, lam**0.5, 50, noise=0.1)
    display = RidgePathDisplay.from_predictions(path, curve_kwargs={"color": "k"})
    x, y = display.lines_["test"].get_data()
    assert_allclose(x, path.ridge[1:])  # a logarithmic axis has no place for zero
    assert_allclose(y, path.test[1:])
    assert display.lines_["test"].get_color() == "k"


def test_learning_curve(data):
    X, y = data
    model = RandomFeatureRidge(200, 1.0, standardize=True, random_state=0).fit(X, y)
    display = RFLearningCurveDisplay.from_estimator(
        model, X, y, n_grid=[50, 100, 200], ridges=[10.0], random_state=0
    )
    assert list(display.lines_) == ["alpha=1", "alpha=10", "tuned"]
    assert display.measured.shape == (5, 3)
    measured = display.measured.mean(axis=0)
    assert_allclose(display.predicted["alpha=1"], measured, rtol=0.15)
    for name in ("alpha=1", "alpha=10"):
        assert (display.predicted["tuned"] <= display.predicted[name] * 1.01).all()
    fast = RFLearningCurveDisplay.from_estimator(
        model, X, y, measure=False, max_pool=200, random_state=0
    )
    assert fast.measured is None
    assert len(fast.n) == 6
    labels = [tick.get_text() for tick in fast.ax_.get_xticklabels()]
    assert labels == [str(n) for n in fast.n]
    assert len(fast.ax_.get_xticks(minor=True)) == 0


@pytest.mark.parametrize("span", [1.01, 2, 30])
def test_learning_curves_fit_their_figure_and_have_plain_ticks(span):
    display = RFLearningCurveDisplay(
        n=np.array([50, 100, 200]), predicted={"tuned": 4500 / np.geomspace(1, span, 3)}
    ).plot()
    display.figure_.canvas.draw()
    low, high = display.ax_.get_ylim()
    ticks = display.ax_.yaxis.get_major_ticks()
    shown = [t.label1.get_text() for t in ticks if low <= t.get_loc() <= high]
    assert shown
    assert all(label.replace(".", "").isdigit() for label in shown)
    assert len(set(shown)) == len(shown)
    box = display.ax_.yaxis.label.get_window_extent()
    assert box.x0 >= 0
    assert box.y0 >= 0


def test_learning_curve_of_models_that_choose_their_ridge(tuned, data):
    X, y = data
    display = RFLearningCurveDisplay.from_estimator(
        tuned, X, y, n_grid=[100, 150, 200], n_repeats=8, random_state=0
    )
    assert list(display.lines_) == [f"alpha={tuned.alpha_:.2g}", "tuned"]
    assert display.measured_of == "tuned"  # clones choose for themselves
    measured = display.measured.mean(axis=0)
    assert_allclose(display.predicted["tuned"], measured, rtol=0.08)
    classes = np.digitize(y, [100, 200])
    model = RidgeOnlyClassifierCV(100, standardize=True, random_state=0)
    show = RFLearningCurveDisplay.from_estimator(
        model.fit(X, classes), X, classes, n_grid=[200], random_state=0
    )
    assert_allclose(show.predicted["tuned"], show.measured.mean(axis=0), rtol=0.08)


def test_learning_curve_of_targets_with_ridges_of_their_own(data):
    X, y = data
    Y = np.column_stack([y, X[:, 0] * 1000])
    model = RandomFeatureRidge(200, [10.0, 1.0], standardize=True, random_state=0)
    display = RFLearningCurveDisplay.from_estimator(
        model.fit(X, Y), X, Y, n_grid=[200], random_state=0
    )
    predicted = display.predicted["alpha of each target"]
    assert_allclose(predicted, display.measured.mean(axis=0), rtol=0.1)
    alone = [
        RFLearningCurveDisplay.from_estimator(
            RandomFeatureRidge(200, a, standardize=True).fit(X, t),
            X,
            t,
            n_grid=[200],
            measure=False,
        ).predicted[f"alpha={a:g}"]
        for a, t in [(10.0, y), (1.0, Y[:, 1])]
    ]
    assert_allclose(predicted, np.mean(alone, axis=0))


def test_fitting_ratio(tuned):
    display = FittingRatioDisplay.from_estimator(tuned, a=1.3, b=1.2, s_rel=5)
    x, y = display.line_.get_data()
    assert y.min() >= 1 - 1e-12
    assert display.points[0].min() >= 0
    plain = FittingRatioDisplay(a=1.3, b=1.2, s_rel=5).plot()
    assert plain.ax_.get_xlabel() == "training error / test error"
    assert len(x) == 200


def test_eigenspectrum(data):
    X, y = data
    model = RandomFeatureRidge(standardize=True).fit(X, y)
    display = EigenspectrumDisplay.from_estimator(model, X, y)
    assert set(display.lines_) == {"eigenvalues", "squared coefficients"}
    assert display.exponents_[0] > 0
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend[0].startswith("eigenvalues, exponent a=")
    assert legend[1].startswith("squared coefficients, exponent b=")
    i = np.arange(1.0, 501)
    exact = EigenspectrumDisplay(eigenvalues=i**-1.5, eigencoefs=i**-0.6).plot()
    assert_allclose(exact.exponents_, [1.5, 1.2])
