"""Pictures of networks: their numbers, and that they draw."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.networks import (
    FeatureLearningDisplay,
    LearningRateTransferDisplay,
    MuMLPClassifier,
    MuMLPRegressor,
    TrainingDisplay,
)

RATES = 2.0 ** np.arange(-11, 0)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def valley(optimum):
    return 0.3 + 0.01 * (np.log2(RATES) - optimum) ** 2


def transfer(loss, **options):
    options = {
        "learning_rates": RATES,
        "hidden_units": (16, 64, 256),
        "parametrizations": ("standard", "mup"),
        "initial_loss": 1.0,
        **options,
    }
    return LearningRateTransferDisplay(loss=np.array(loss), **options)


def moved():
    return [[valley(o) for o in (-5, -6.5, -9)], [valley(o) for o in (-5, -5.4, -5.2)]]


def test_shifts_are_read_off_the_optima():
    display = transfer(moved())
    assert_allclose(display.shifts(), [[0, -1.5, -4], [0, -0.4, -0.2]], atol=1e-9)
    assert_allclose(np.log2(display.best_rates()[0]), [-5, -6.5, -9])
    cost = display.sensitivities()
    assert_allclose(cost[0, 0], np.mean(valley(-5) - valley(-5).min()))
    assert cost[0, 2] > cost[1, 2]


def test_a_panel_a_parametrisation_and_a_line_a_width():
    display = transfer(moved()).plot()
    assert len(display.axes_) == 2
    assert [len(lines) for lines in display.lines_] == [3, 3]
    label = display.lines_[0][1].get_label()
    assert label.startswith("64 units, optimum -1.5 octaves, sensitivity")
    assert "optimum" not in display.lines_[0][0].get_label()
    _, axes = plt.subplots(1, 2)
    assert display.plot(axes, curve_kwargs={"color": "k"}).axes_[0] is axes[0]
    assert display.lines_[1][0].get_color() == "k"
    with pytest.raises(ValueError, match=r"draws on 2 axes, got 1\."):
        display.plot(axes[0])


def test_what_diverged_leaves_a_gap_and_no_tall_axis():
    loss = moved()
    loss[0][2][-3:] = [5.0, 1e9, np.inf]
    display = transfer(loss).plot()
    assert display.axes_[0].get_ylim()[1] < 1.2
    assert np.isnan(display.lines_[0][2].get_ydata()[-1])
    display = transfer(np.full((2, 3, len(RATES)), np.inf)).plot()
    assert np.isnan(display.best_rates()).all()
    assert_array_equal(display.sensitivities(), 0)


def training(**options):
    epochs = np.arange(1.0, 21.0)
    options = {
        "loss": 1 / epochs,
        "oob_loss": 1 / epochs + 0.01 * epochs,
        "logit_rms": epochs,
        "activation_rms": 1 + epochs / 20,
        "best_iter": 10,
        **options,
    }
    return TrainingDisplay(**options).plot()


def test_a_training_has_two_panels_and_the_epoch_that_is_kept():
    display = training(stop_reason="patience", loss_name="log-loss")
    losses, sizes = display.axes_
    assert [line.get_label() for line in losses.lines] == [
        "training",
        "rows left out",
        "kept: 10",
    ]
    assert losses.get_title() == "ended: patience"
    assert losses.get_ylabel() == "log-loss"
    assert sizes.get_yscale() == "linear"
    assert_array_equal(display.lines_[0].get_xdata(), np.arange(1, 21))


def test_sizes_that_explode_are_drawn_by_powers_of_ten():
    assert training(logit_rms=10.0 ** np.arange(20)).axes_[1].get_yscale() == "log"


def test_without_rows_left_out_there_is_one_loss():
    display = training(oob_loss=np.full(20, np.nan))
    assert len(display.lines_) == len(display.axes_[0].lines) == 1


def test_the_kernel_by_epoch_starts_before_training():
    display = FeatureLearningDisplay(
        similarity=[1, 0.8, 0.7], alignment=[0.1, 0.3, 0.4]
    )
    display = display.plot(name="letter")
    assert_array_equal(display.lines_[0].get_xdata(), [0, 1, 2])
    assert display.ax_.get_ylim() == (0, 1.05)
    assert display.ax_.get_title() == "letter"
    turned = FeatureLearningDisplay(similarity=[1, 0.9], alignment=[-0.2, 0.1]).plot()
    assert turned.ax_.get_ylim()[0] == pytest.approx(-0.25)


@pytest.fixture(scope="module")
def letters():
    pytest.importorskip("skorch", reason="nets are trained by torch")
    X, y = load_digits(return_X_y=True)
    return X[:300], y[:300]


SMALL = {"n_members": 2, "hidden_units": 16, "proxy_iter": 4, "random_state": 0}


def test_curves_are_those_of_the_search_at_each_width(letters):
    model = MuMLPClassifier(**SMALL)
    rates = 2.0 ** np.array([-3, -7, -5])
    display = LearningRateTransferDisplay.from_estimator(
        model, *letters, hidden_units=(8, 16), learning_rates=rates
    )
    assert display.loss.shape == (2, 2, 3)
    assert_array_equal(display.learning_rates, np.sort(rates))
    searched = clone(model).set_params(proxy_units=16, learning_rates=rates, max_iter=1)
    with warnings.catch_warnings():  # of an optimum at the border, if it is there
        warnings.simplefilter("ignore", ConvergenceWarning)
        curve = searched.fit(*letters).learning_rate_curve_
    assert_allclose(display.loss[1, 1], curve.loss.mean(axis=1), rtol=1e-6)
    assert display.initial_loss == pytest.approx(np.log(10), abs=0.01)
    assert display.loss_name == "log-loss"
    assert model.get_params() == MuMLPClassifier(**SMALL).get_params()


def test_a_rate_at_which_nets_explode_is_a_gap(letters):
    X, y = letters[0], letters[1].astype(float)
    display = LearningRateTransferDisplay.from_estimator(
        MuMLPRegressor(**SMALL),
        X,
        y,
        hidden_units=(8,),
        learning_rates=[0.01, 1e6],
        parametrizations=("mup",),
    )
    assert np.isfinite(display.loss[0, 0, 0])
    assert not np.isfinite(display.loss[0, 0, 1])
    assert display.initial_loss == 1.0
    assert len(display.axes_) == 1


def test_a_fitted_net_shows_its_training_also_in_a_pipeline(letters):
    model = MuMLPClassifier(learning_rate=0.01, max_iter=5, **SMALL)
    pipeline = make_pipeline(StandardScaler(), model).fit(*letters)
    display = TrainingDisplay.from_estimator(pipeline)
    assert_array_equal(display.oob_loss, pipeline[-1].history_.oob_loss)
    assert display.best_iter == pipeline[-1].best_iter_
    assert display.axes_[0].get_title() == f"ended: {pipeline[-1].stop_reason_}"
    ridge = make_pipeline(StandardScaler(), Ridge()).fit(*letters)
    with pytest.raises(TypeError, match="takes a fitted MuMLPClassifier or MuMLPReg"):
        TrainingDisplay.from_estimator(ridge)
    with pytest.raises(ValueError, match="only with kernel_report=True"):
        FeatureLearningDisplay.from_estimator(pipeline)


def test_a_net_with_a_report_shows_its_kernel(letters):
    model = MuMLPClassifier(
        learning_rate=0.01, max_iter=3, kernel_report=True, **SMALL
    ).fit(*letters)
    display = FeatureLearningDisplay.from_estimator(model)
    assert len(display.similarity) == model.n_iter_ + 1
    assert display.similarity[0] == pytest.approx(1)
    assert display.ax_.get_title() == model.regime_


def test_transfer_trains_nets_alone():
    net = MuMLPClassifier()
    for wrong in (Ridge(), make_pipeline(StandardScaler(), net), MuMLPClassifier):
        with pytest.raises(TypeError, match="takes a MuMLPClassifier or MuMLPReg"):
            LearningRateTransferDisplay.from_estimator(wrong, [[0.0]], [0])
