"""What TwoRegimes says in words, and what it refuses by name."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression

from sklearn_ext.probes import (
    FrozenFeatures,
    LogisticProbe,
    NaiveBayesProbe,
    ShrinkageDiscriminantProbe,
    TwoRegimes,
    probe_diagnostics,
)
from sklearn_ext.probes._two_regimes_answers import is_clear

DIGITS = load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def model():
    X, y = DIGITS
    rivals = {  # not in the order of the alphabet, as the repr would have them
        "shrunken": ShrinkageDiscriminantProbe(),
        "logistic": LogisticProbe(),
        "bayes": NaiveBayesProbe(),
    }
    sizes = [20, 60, 200]
    return TwoRegimes(rivals, train_sizes=sizes, n_repeats=4, random_state=0).fit(X, y)


def test_summary_names_the_pair_and_every_size(model):
    summary = model.summary()
    assert summary.pair == ("shrunken", "logistic")
    for name, scores in model.test_scores_.items():
        np.testing.assert_allclose(summary.errors[name], 1 - scores.mean(axis=1))
    lines = str(summary).splitlines()
    assert lines[0] == "test error over 4 repeats; difference: logistic minus shrunken"
    assert lines[1].split()[:4] == ["rows", "shrunken", "logistic", "bayes"]
    assert [line.split()[0] for line in lines[2:5]] == ["20", "60", "200"]
    for line, low, high, winner in zip(
        lines[2:5], *model.difference_ci_.T, summary.winners, strict=True
    ):
        assert line.endswith(winner)
        expected = "shrunken" if low > 0 else "logistic" if high < 0 else "unclear"
        assert winner == expected
    assert lines[-1] == f"best at 200 rows: {model.recommended_}"


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ((np.inf, "above"), "no crossover: shrunken leads up to 200 rows, and perhaps"),
        ((20.0, "below"), "no crossover: logistic leads from 20 rows on"),
        ((90.0, None), "crossover at 90 rows from shrunken to logistic, 90% interval"),
    ],
)
def test_summary_says_what_is_known_of_the_crossover(model, state, line):
    twin = TwoRegimes()
    twin.__dict__.update(model.__dict__)
    twin.crossover_, twin.crossover_censored_ = state
    twin.crossover_ci_ = np.array([30.0, np.inf])
    twin.difference_ci_ = np.array([[-0.1, 0.2], [-0.1, 0.1], [-0.2, -0.1]])
    shown = str(twin.summary())
    assert line in shown
    if state[1] is None:
        assert "interval 30 to beyond 200; unclear, no clear winner on one" in shown
        twin.difference_ci_ = np.array([[0.1, 0.2], [-0.1, 0.1], [-0.2, -0.1]])
        assert "unclear," not in str(twin.summary())
        twin.crossover_ci_ = np.full(2, np.nan)  # a single repeat has none
        assert "from shrunken to logistic\n" in str(twin.summary())


def test_a_crossover_is_clear_when_both_sides_are():
    sizes, ci = np.array([1, 2, 4]), np.array([[0.1, 1], [-1, 1], [-1, -0.1]])
    assert is_clear(sizes, ci, 2.0)
    assert not is_clear(sizes, ci[::-1], 2.0)
    assert not is_clear(sizes, ci, 0.5)
    assert not is_clear(sizes, np.full((3, 2), np.nan), 2.0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"train_sizes": ("perclass", [1, 50])},
            r"train_sizes must be 'auto', a list .* or \('per_class', list of int\); "
            r"got \('perclass', \[1, 50\]\)",
        ),
        (
            {"estimators": {"line": LinearRegression(), "nb": NaiveBayesProbe()}},
            r"estimators\['line'\] must be a classifier, got the regressor LinearReg",
        ),
    ],
)
def test_refusals(params, message):
    with pytest.raises(ValueError, match=message):
        TwoRegimes(**params).fit(*DIGITS)


def test_a_name_is_no_network():
    message = "must be a torch.nn.Module, .* got the string 'resnet'. Load the network"
    with pytest.raises(TypeError, match=message):
        FrozenFeatures("resnet").fit(DIGITS[0])


def test_diagnostics_show_medians_not_arrays():
    X, y = DIGITS
    found = probe_diagnostics(NaiveBayesProbe().fit(X, y), X, y)
    shown = repr(found)
    assert shown.startswith("ProbeDiagnostics(1797 rows, 10 classes, 64 features; med")
    assert f"margin={np.median(found.margins):.3g})" in shown
    assert len(shown) < 140
