"""What TwoRegimes says in words, and what it refuses by name."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LinearRegression

from sklearn_ext.probes import (
    FrozenFeatures,
    LogisticProbe,
    NaiveBayesProbe,
    ShrinkageDiscriminantProbe,
    TwoRegimes,
    TwoRegimesDisplay,
    probe_diagnostics,
)
from sklearn_ext.probes._regimes._summary import is_clear

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


def twin_of(model, errors, sizes=(20, 60, 200), baseline=0.9):
    """Give a copy the errors of one repeat each, and compare them."""
    twin = TwoRegimes(n_bootstrap=200)
    twin.train_sizes_ = np.array(sizes)
    twin.test_scores_ = {
        name: 1 - np.array(e, dtype=float).reshape(len(sizes), -1)
        for name, e in errors.items()
    }
    twin.baseline_scores_ = 1 - np.array(baseline) * np.ones((len(sizes), 2))
    twin.classes_ = model.classes_
    twin._compare(np.random.RandomState(0))
    return twin


ONE = [[0.3, 0.31], [0.2, 0.21], [0.1, 0.11]]
WORSE = [[0.4, 0.41], [0.3, 0.31], [0.2, 0.21]]
LAST_TIES = [[0.4, 0.41], [0.3, 0.31], [0.1, 0.11]]
CROSSES = [[0.2, 0.21], [0.2, 0.21], [0.2, 0.21]]


@pytest.mark.parametrize(
    ("other", "lead", "best"),
    [
        (
            WORSE,
            "no crossover: lr leads at every size, from 20 to 200 rows",
            "best at 200 rows: lr",
        ),
        (
            LAST_TIES,
            "no crossover: lr leads; tie at 200 rows",
            "best at 200 rows: tie of {0} and {1}; recommended: lr",
        ),
        (
            ONE,
            "no crossover: tie at every size, from 20 to 200 rows",
            "best at 200 rows: tie of {0} and {1}; recommended: {0}",
        ),
        (
            CROSSES,
            "crossover at 60 rows from nb to lr, 90% interval 60 to 60; tie at 60 rows",
            "best at 200 rows: lr",
        ),
        (
            [[0.5, 0.2], [0.4, 0.1], [0.3, 0.05]],
            "no crossover: lr leads at every size, from 20 to 200 rows; unclear, no "
            "interval excludes zero",
            "best at 200 rows: lr",
        ),
        (
            [[0.4, 0.41], [0.1, 0.11], [0.2, 0.21]],
            "crossover at 110 rows from nb to lr, 90% interval 110 to 110, the last of "
            "2 changes of lead",
            "best at 200 rows: lr",
        ),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_sentences_say_what_the_regimes_say(model, other, lead, best, swap):
    names = ("nb", "lr") if swap else ("lr", "nb")
    errors = {"lr": ONE, "nb": other}
    twin = twin_of(model, {name: errors[name] for name in names})
    said = str(twin.summary()).splitlines()
    assert [said[-3], said[-1]] == [lead, best.format(*names)]
    tied = np.array(ONE)[:, 0] == np.array(other)[:, 0]
    assert [w == "tie" for w in twin.summary().winners] == tied.tolist()


@pytest.mark.parametrize(
    ("baseline", "said", "recommended"),
    [
        (
            0.4,
            "lr over the majority class: +0.295, 90% interval +0.290 to +0.300",
            "lr",
        ),
        (
            [[0.9], [0.9], [0.05]],
            "no estimator beats the majority class: lr by -0.055, 90% interval -0.060 "
            "to -0.050",
            "majority class",
        ),
        (
            [[0.9], [0.9], [0.106]],
            "lr over the majority class: +0.001, 90% interval -0.004 to +0.006; "
            "unclear, the interval holds zero",
            "lr",
        ),
        (
            [[0.9], [0.9], [0.105]],
            "no estimator beats the majority class: lr by +0.000, 90% interval -0.005 "
            "to +0.005",
            "majority class",
        ),
        (np.nan, "the scoring has no value for the majority class", "lr"),
    ],
)
def test_summary_says_whether_looking_at_rows_pays(model, baseline, said, recommended):
    twin = twin_of(model, {"nb": WORSE, "lr": ONE}, baseline=baseline)
    lines = str(twin.summary()).splitlines()
    assert lines[-2] == said.replace("by +0.000", f"by {twin.gain_:+.3f}")
    assert lines[-1] == f"best at 200 rows: {recommended}"
    assert twin.recommended_ == recommended
    assert "majority class" in lines[1]


def test_doubt_about_the_crossover_is_said(model):
    twin = twin_of(model, {"nb": CROSSES, "lr": ONE})
    twin.crossover_ci_ = np.array([30.0, np.inf])
    twin.difference_ci_ = np.array([[-0.1, 0.2], [-0.1, 0.1], [-0.2, -0.1]])
    shown = str(twin.summary())
    assert (
        "interval 30 to beyond 200; tie at 60 rows; unclear, no clear winner" in shown
    )
    twin.crossover_ci_ = np.full(2, np.nan)  # a single repeat has none
    assert "from nb to lr; tie at" in str(twin.summary())


@pytest.mark.parametrize("names", [("naive_bayes", "logistic"), ("logistic", "nb")])
def test_two_orders_of_two_heads_agree(names):
    X, y = load_breast_cancer(return_X_y=True)
    make = {"l": LogisticProbe, "n": NaiveBayesProbe}
    rivals = {name: make[name[0]]() for name in names}
    settings = {"preprocessor": "standard", "n_repeats": 4, "random_state": 0}
    one = TwoRegimes(rivals, **settings).fit(X, y)
    two = TwoRegimes(dict(reversed(rivals.items())), **settings).fit(X, y)
    assert one.crossover_censored_ is None
    assert one.crossover_ == pytest.approx(two.crossover_)
    assert one.crossover_ci_ == pytest.approx(two.crossover_ci_)
    assert str(one.summary()).splitlines()[-3:] == str(two.summary()).splitlines()[-3:]
    found, turned = (TwoRegimesDisplay.from_estimator(m) for m in (one, two))
    label = found.crossover_line_.get_label()
    assert label == turned.crossover_line_.get_label()
    assert label.startswith(f"crossover at {one.crossover_:.0f} rows")
    plt.close("all")


def test_a_crossover_is_clear_when_both_sides_are():
    sizes, ci = np.array([1, 2, 4]), np.array([[0.1, 1], [-1, 1], [-1, -0.1]])
    assert is_clear(sizes, ci, 2.0)
    assert is_clear(sizes, ci[::-1], 2.0)  # in either direction
    assert not is_clear(sizes, ci[[0, 1, 0]], 2.0)
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
