"""Confidence, abstention and mixtures beside what people use for them."""

import time
import warnings

import numpy as np
from scipy.special import bdtr
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.calibration_data import (
    SHIFTS,
    TABLES,
    drifted,
    elsewhere,
    encoded,
    split,
    table,
)
from benchmarks.harness import Comparison, Study
from benchmarks.real_data import load
from sklearn_ext._numerics._held_out import best_temperature, probabilities
from sklearn_ext.calibration import (
    CorrectnessCalibratedClassifier,
    LogLossMixtureClassifier,
    SelectiveClassifierCV,
    area_under_risk_coverage,
    calibration_error,
    correctness_auc,
    selective_threshold,
)
from sklearn_ext.calibration._metrics import correctness_log_loss

warnings.filterwarnings("ignore", message=".*errors out of fold")
warnings.filterwarnings("ignore", message=".*can be certified")


def logistic():
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))


def boosting():
    return HistGradientBoostingClassifier(max_iter=40, random_state=0)


RAW = [
    "german",
    "titanic",
    "compas",
    "australian",
    "mushroom",
    "tic-tac-toe",
    "chess",
    "housevotes",
    "bands",
    "breast_cancer",
    "wine",
    "iris",
    "digits",
    "optdigits",
]
BOOSTED = ("adult", "california", "hr", "magic", "spambase")  # few classes: a minute
BASES = {"logistic": logistic, "boosting": boosting}


class _VennAbers:
    """Venn-Abers on the probability of the predicted class, out of fold."""

    def __init__(self, base):
        self.base = base

    def fit(self, X, y):
        from venn_abers import VennAbers

        proba = cross_val_predict(self.base, X, y, cv=5, method="predict_proba")
        top = proba.max(axis=1)
        hit = np.unique(y)[proba.argmax(axis=1)] == y
        self.venn = VennAbers()
        self.venn.fit(np.column_stack([1 - top, top]), hit.astype(int))
        self.base.fit(X, y)
        return self

    def predict(self, X):
        return self.base.predict(X)

    def confidence(self, X):
        top = self.base.predict_proba(X).max(axis=1)
        return self.venn.predict_proba(np.column_stack([1 - top, top]))[0][:, 1]


class _Temperature:
    """The temperature that is best out of fold, by a search that does not fail."""

    def __init__(self, base):
        self.base = base

    def fit(self, X, y):
        proba = cross_val_predict(self.base, X, y, cv=5, method="predict_proba")
        code = np.unique(y, return_inverse=True)[1]
        logs = np.log(proba.clip(1e-15))
        self.temperature = best_temperature(logs, code, np.ones(len(y)))
        self.base.fit(X, y)
        return self

    def predict(self, X):
        return self.base.predict(X)

    def predict_proba(self, X):
        logs = np.log(self.base.predict_proba(X).clip(1e-15))
        return probabilities(logs, self.temperature)


class _Structured:
    """Structured matrix scaling of probmetrics, quadratic for two classes."""

    def __init__(self, base):
        self.base = base

    def fit(self, X, y):
        from probmetrics.calibrators import LogisticCalibrator

        self.classes = np.unique(y)
        code = np.searchsorted(self.classes, y)
        proba = cross_val_predict(self.base, X, y, cv=5, method="predict_proba")
        self.calibrator = LogisticCalibrator().fit(proba, code)
        self.base.fit(X, y)
        return self

    def predict(self, X):
        return self.classes[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        return np.asarray(self.calibrator.predict_proba(self.base.predict_proba(X)))


class _Blind(CorrectnessCalibratedClassifier):
    """The vote of the nearest rows, without how near they are."""

    def _with_familiarity(self, features, opinions):
        features[:, self._familiarity_column(opinions)] = 0.0  # constant: no evidence
        return features


WAYS = {
    "temperature": _Temperature,
    "temperature, scikit-learn": lambda base: CalibratedClassifierCV(
        base, method="temperature", ensemble=False, cv=5
    ),
    "isotonic": lambda base: CalibratedClassifierCV(
        base, method="isotonic", ensemble=False, cv=5
    ),
    "Venn-Abers, top score": _VennAbers,
    "probmetrics, structured": _Structured,
    "ours, own score": lambda base: CorrectnessCalibratedClassifier(
        base, opinions=None
    ),
    "ours, votes alone": _Blind,
    "ours, neighbours": CorrectnessCalibratedClassifier,
}


def confidence(model, X):
    """Return predictions and confidence of any of the ways."""
    said = model.predict(X)
    if hasattr(model, "confidence"):
        return said, model.confidence(X)
    return said, model.predict_proba(X).max(axis=1)


def scores(y, said, c):
    """Return log-loss, AUROC and area under risk and coverage of correctness, error."""
    hit = said == y
    c = np.clip(c, 1e-4, 1 - 1e-4)  # isotonic and Venn-Abers say 0 and 1
    return np.array(
        [
            correctness_log_loss(hit, c, np.ones(len(c))),
            correctness_auc(y, said, c),
            area_under_risk_coverage(y, said, c),
            calibration_error(y, y_pred=said, confidence=c).error,
        ]
    )


PLACES = ("home", "away")
COLUMNS = ["log-loss", "AUROC", "AURC", "error"]


class Correctness(Study):
    """Calibrators on tables, in distribution and with drifted columns."""

    title = "Log-loss of correctness: logistic on 8 tables, boosting on 5, 1,500 rows"
    note = """Means over the tables, one split each, of at most 2,500 test rows. A
    drifted column is moved by 0.7 standard deviations, with noise of half of one; half
    of the columns are. Confidences are cut at 0.0001. "Better" counts the tables on
    which the log-loss is below the best temperature's. scikit-learn's own search for
    the temperature stops far from it on satimage and texture with the logistic base
    (log-loss 1.52 and 2.37), so both are shown."""
    versions = ("scikit-learn", "numpy", "scipy", "venn-abers", "probmetrics")
    seeds = (0,)

    def run(self):
        """Fit every way everywhere."""
        found, rows = {}, []
        for name in TABLES:
            for key, results in self.measured(name).items():
                found.setdefault(key, {})[name] = results
        for (place, base, way), by_table in sorted(
            found.items(), key=lambda item: (item[0][0] == "drifted", item[0][1])
        ):
            means = np.array([np.mean(r, axis=0) for r in by_table.values()])
            peer = found[place, base, "temperature"]
            peers = np.array([np.mean(r, axis=0)[0] for r in peer.values()])
            better = int((means[:, 0] < peers - 1e-6).sum())
            numbers = [f"{value:.4f}" for value in means.mean(axis=0)]
            rows.append([place, base, way, *numbers, f"{better} of {len(means)}"])
        return {"columns": ["rows", "base", "way", *COLUMNS, "better"], "rows": rows}

    def measured(self, name):
        """Fit every way to one table."""
        found, (X, y) = {}, table(name, 4000)
        for seed in self.seeds:
            A, B, t, u = split(X, y, seed)
            places = {"in": B, "drifted": drifted(B, A, seed)}
            for base in BASES:
                if base == "boosting" and name not in BOOSTED:
                    continue
                for way, make in WAYS.items():
                    model = make(BASES[base]()).fit(A, t)
                    for place, rows in places.items():
                        result = scores(u, *confidence(model, rows))
                        found.setdefault((place, base, way), []).append(result)
        return found


class NaturalShift(Study):
    """Other places, years and ages: whether confidence falls with accuracy."""

    title = "Rows from elsewhere: boosting, 1,500 rows from home"
    note = """The gap is mean confidence less accuracy; a confidence that warned of the
    shift would leave it near zero. Unknown is the share of rows with a familiarity
    below 0.05; warned, in how many of 40 batches of 100 rows ``drift`` warns.
    Defaults were chosen with the sets marked * in view. One split each."""
    versions = ("scikit-learn", "numpy", "scipy", "probmetrics")
    ways = (
        "temperature",
        "probmetrics, structured",
        "ours, votes alone",
        "ours, neighbours",
    )
    seeds = (0,)
    base = "boosting"

    def run(self):
        """Fit at home, ask elsewhere."""
        rows = []
        for label, shift in SHIFTS.items():
            found = {}
            for seed in self.seeds:
                A, *asked, t, u, v = elsewhere(label, seed)
                for way in self.ways:
                    model = WAYS[way](BASES[self.base]()).fit(A, t)
                    for place, X, y in zip(PLACES, asked, (u, v), strict=True):
                        numbers = self._numbers(model, X, y)
                        found.setdefault((place, way), []).append(numbers)
            for (place, way), numbers in found.items():
                name = label + " *" * shift.is_in_view
                mean = np.mean(numbers, axis=0)
                cells = ["" if np.isnan(value) else f"{value:.3f}" for value in mean]
                rows.append([name, place, way, *cells])
        columns = ["rows from", "asked at", "way", "accuracy", "gap", "log-loss"]
        return {"columns": [*columns, "AUROC", "unknown", "warned"], "rows": rows}

    def _numbers(self, model, X, y):
        said, c = confidence(model, X)
        accuracy = np.mean(said == y)
        loss, auc, *_ = scores(y, said, c)
        unknown = warned = np.nan
        if type(model) is CorrectnessCalibratedClassifier and hasattr(model, "drift"):
            unknown = np.mean(model.familiarity(X) <= 0.05)
            batches = [
                np.random.default_rng(i).choice(len(X), 100, replace=False)
                for i in range(40)
            ]
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".* further from the training rows")
                warned = np.mean([model.drift(X[batch]).is_drift for batch in batches])
        return accuracy, c.mean() - accuracy, loss, auc, unknown, warned


class ShiftOfLogistic(NaturalShift):
    """The same with a model that must stay."""

    title = "Rows from elsewhere: logistic regression, 1,500 rows from home"
    base = "logistic"


class RawTables(Study):
    """Other tables at defaults, beside the plain base and a temperature."""

    title = "Defaults on tables that nobody chose them with: log-loss of correctness"
    note = """At most 1,000 rows, two splits. Better is ours than the temperature of
    scikit-learn; the gap is our mean confidence less accuracy. A star: fewer than
    20 errors out of fold, of which ``fit`` warns."""

    def run(self):
        """Fit at defaults."""
        rows = []
        for name in RAW:
            X, y = table(name, 3000)
            y = np.unique(y, return_inverse=True)[1]
            for base in BASES:
                if base == "boosting" and y.max() > 2:
                    continue
                found, errors = [], []
                for seed in (0, 1):
                    A, B, t, u = split(X, y, seed, 1000, 2000)
                    ours = CorrectnessCalibratedClassifier(BASES[base]()).fit(A, t)
                    peer = WAYS["temperature, scikit-learn"](BASES[base]()).fit(A, t)
                    said, c = confidence(ours, B)
                    losses = [
                        scores(u, *confidence(model, B))[0]
                        for model in (ours, peer, BASES[base]().fit(A, t))
                    ]
                    found.append([*losses, c.mean() - np.mean(said == u)])
                    errors.append(ours.n_errors_)
                loss, temperature, alone, gap = np.mean(found, axis=0)
                cells = [f"{value:.4f}" for value in (alone, temperature, loss)]
                better = "yes" if loss < temperature else "no"
                star = " *" * (min(errors) < 20)
                rows.append([name, base + star, *cells, better, f"{gap:.3f}"])
        columns = ["table", "base", "alone", "temperature", "ours", "better", "gap"]
        return {"columns": columns, "rows": rows}


class Unknown(Study):
    """Rows that the opinion does not know, from home."""

    title = "Unknown rows: confidence less accuracy, in distribution"
    note = """Of the rows of each table that are further from the training rows than
    nineteen in twenty of those were, mean confidence less accuracy; two splits. Means
    over tables; the last column is the mean of the absolute gaps of the tables."""
    versions = ("scikit-learn", "numpy", "scipy", "probmetrics")

    def run(self):
        """Fit, and look at the unknown rows alone."""
        rows = []
        for base in BASES:
            tables = TABLES if base == "logistic" else BOOSTED
            found = [self.measured(base, name) for name in tables]
            for way in NaturalShift.ways:
                means = np.array([np.mean(of_table[way], axis=0) for of_table in found])
                cells = [*means.mean(axis=0), abs(means[:, 1]).mean()]
                rows.append([base, way, *(f"{value:.3f}" for value in cells)])
        columns = ["base", "way", "accuracy", "gap", "absolute gap"]
        return {"columns": columns, "rows": rows}

    def measured(self, base, name):
        """Accuracy and gap of every way on one table's unknown rows."""
        found, (X, y) = {}, table(name, 4000)
        for seed in (2, 3):
            A, B, t, u = split(X, y, seed)
            known = WAYS["ours, neighbours"](BASES[base]()).fit(A, t)
            rare = known.familiarity(B) <= 0.05
            for way in NaturalShift.ways:
                model = WAYS[way](BASES[base]()).fit(A, t)
                said, c = confidence(model, B[rare])
                hit = said == u[rare]
                found.setdefault(way, []).append((hit.mean(), c.mean() - hit.mean()))
        return found


def naive(c, hit, target):
    """Return the largest share whose empirical error is on target, as a threshold."""
    order = np.argsort(-c, kind="stable")
    risk = np.cumsum(~hit[order]) / np.arange(1, len(c) + 1)
    passed = np.flatnonzero(risk <= target)
    return c[order][passed[-1]] if len(passed) else np.inf


def sgr(c, hit, target, delta=0.1):
    """Return the threshold of the binary search of Geifman and El-Yaniv."""
    order = np.argsort(-c, kind="stable")
    errors, n = np.cumsum(~hit[order]), len(c)
    steps = int(np.ceil(np.log2(n)))
    low, high, best = 1, n, np.inf
    for _ in range(steps):
        m = (low + high) // 2
        if bdtr(float(errors[m - 1]), m, target) <= delta / steps:
            best, low = c[order][m - 1], m + 1
        else:
            high = m - 1
        if low > high:
            break
    return best


def mapie(c, hit, target, method="bonferroni_holm", most=0.99, n=100):
    """Return MAPIE's threshold: right or wrong are its classes, precision its risk."""
    from mapie.risk_control import BinaryClassificationController

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"mapie\.")
        tuned = BinaryClassificationController(
            lambda X: np.column_stack([1 - X[:, 0], X[:, 0]]),
            "precision",
            1 - target,
            confidence_level=0.9,
            best_predict_param_choice="recall",
            list_predict_params=np.unique(np.quantile(c, np.linspace(0, most, n))),
            fwer_method=method,
        )
        tuned.calibrate(c[:, None], hit.astype(int))
    best = tuned.best_predict_param
    return np.inf if best is None else float(np.ravel(best)[0])


def crepes_accepts(proba, y, asked, target):
    """Return where crepes' prediction set has one class."""
    from crepes import ConformalClassifier

    rows = np.arange(len(y))
    fitted = ConformalClassifier().fit(1 - proba[rows, y], seed=0)
    sets = fitted.predict_set(1 - asked, confidence=1 - target, seed=0)
    return np.asarray(sets).sum(axis=1) == 1


class Promise(Study):
    """How often "at most so many errors" is broken, over hundreds of splits."""

    title = "Promises broken: error of answered rows above the target, 200 splits"
    note = """Boosting of 30 rounds (naive Bayes for more than two classes), fitted to
    500 rows; 800 held-out rows choose the threshold; the true error is counted on 2,700
    others. The promise is 90 %, so a tenth may be broken. MAPIE is given right and
    wrong as classes and precision as its risk, with 100 quantiles of the confidence as
    candidates. A prediction set of crepes promises coverage of the truth, not this:
    rows with one class are answered. SGR is our version of the binary search. A split
    that answers nothing has coverage 0."""
    versions = ("scikit-learn", "numpy", "scipy", "MAPIE", "crepes")
    n_splits = 200
    targets = {"adult": 0.08, "california": 0.08, "magic": 0.08, "satimage": 0.05}

    def run(self):
        """Count."""
        rows = []
        for name, target in self.targets.items():
            X, y = table(name, 4000)
            y = np.unique(y, return_inverse=True)[1]
            broken, covered = {}, {}
            for seed in range(self.n_splits):
                for way, (kept, hit) in self._split(X, y, seed, target).items():
                    error = 1 - hit[kept].mean() if kept.any() else 0.0
                    broken.setdefault(way, []).append(error > target)
                    covered.setdefault(way, []).append(kept.mean())
            rows += [
                [
                    f"{name}, {target:g}",
                    way,
                    f"{np.mean(broken[way]):.3f}",
                    f"{np.mean(covered[way]):.3f}",
                    f"{np.mean(np.array(covered[way]) == 0):.3f}",
                ]
                for way in broken
            ]
        columns = ["table, target", "way", "broken", "coverage", "answers nothing"]
        return {"columns": columns, "rows": rows}

    def _split(self, X, y, seed, target):
        order = np.random.default_rng(seed).permutation(len(y))
        train, held, test = order[:500], order[500:1300], order[1300:]
        model = GaussianNB() if len(np.unique(y)) > 2 else None
        model = model or HistGradientBoostingClassifier(max_iter=30, random_state=0)
        model.fit(X[train], y[train])
        proba, asked = model.predict_proba(X[held]), model.predict_proba(X[test])
        c, hit = proba.max(axis=1), proba.argmax(axis=1) == y[held]
        d, truth = asked.max(axis=1), asked.argmax(axis=1) == y[test]
        thresholds = {
            "empirical error": naive(c, hit, target),
            "SGR": sgr(c, hit, target),
            "MAPIE, Bonferroni-Holm": mapie(c, hit, target),
            "ours": selective_threshold(c, hit, target_error=target),
        }
        kept = {way: (d >= t, truth) for way, t in thresholds.items()}
        kept["crepes, one class"] = (
            crepes_accepts(proba, y[held], asked, target),
            truth,
        )
        return kept


class SameSequence(Study):
    """MAPIE, told to walk our sequence."""

    title = "Rows answered on 30 drawn sets of 800 rows, target 0.1"
    note = """MAPIE with its default correction and 100 candidates, and with a fixed
    sequence of our 40 candidates from a quarter of the rows on."""
    versions = ("scikit-learn", "numpy", "scipy", "MAPIE")

    def run(self):
        """Choose thresholds and count."""
        found = {}
        for seed in range(30):
            rng = np.random.default_rng(seed)
            c = rng.uniform(0.6, 1, 800)
            hit = rng.random(800) < c
            for way, threshold in {
                "MAPIE, Bonferroni-Holm": mapie(c, hit, 0.1),
                "MAPIE, our sequence": mapie(c, hit, 0.1, "fixed_sequence", 0.75, 40),
                "ours": selective_threshold(c, hit, target_error=0.1),
            }.items():
                # the error of rows above t is (1 - t) / 2
                broken = np.isfinite(threshold) and threshold < 0.8
                found.setdefault(way, []).append((broken, (c >= threshold).mean()))
        rows = [
            [way, *(f"{value:.3f}" for value in np.mean(results, axis=0))]
            for way, results in found.items()
        ]
        return {"columns": ["way", "broken", "coverage"], "rows": rows}


class CrossValidatedPromise(Study):
    """The promise without held-out rows, and what a better confidence buys."""

    title = "Promise by cross-validation: 1,000 rows, 24 splits"
    note = """SelectiveClassifierCV at 90 %, on the own probability and on the
    calibrated confidence; 24 splits give about 0.06 on "broken"."""

    def run(self):
        """Count."""
        cases = [
            ("adult", "logistic", 0.08),
            ("magic", "logistic", 0.12),
            ("california", "boosting", 0.08),
        ]
        rows = []
        for name, base, target in cases:
            X, y = table(name, 4000)
            ways = {
                "own probability": BASES[base](),
                "calibrated": CorrectnessCalibratedClassifier(BASES[base]()),
            }
            for way, inner in ways.items():
                broken, covered = [], []
                for seed in range(24):
                    A, B, t, u = split(X, y, seed, 1000, 3000)
                    model = SelectiveClassifierCV(inner, target_error=target).fit(A, t)
                    kept = model.accept(B)
                    wrong = model.predict(B)[kept] != u[kept]
                    broken.append(kept.any() and wrong.mean() > target)
                    covered.append(kept.mean())
                numbers = [f"{np.mean(broken):.2f}", f"{np.mean(covered):.3f}"]
                rows.append([name, base, target, way, *numbers])
        columns = ["table", "base", "target", "confidence", "broken", "coverage"]
        return {"columns": columns, "rows": rows}


class Mixture(Study):
    """One probability from four classifiers."""

    title = "Log-loss of one probability from four classifiers, 5 tables"
    note = """Members are calibrated by sigmoid first. Picking takes the best out of
    fold; stacking fits a logistic regression to the members' probabilities. Means over
    one split of each table."""

    def run(self):
        """Fit and compare."""
        members = {
            "logistic": logistic(),
            "bayes": make_pipeline(StandardScaler(), GaussianNB()),
            "boosting": boosting(),
            "forest": RandomForestClassifier(30, random_state=0),
        }
        given = [
            (
                name,
                CalibratedClassifierCV(m, method="sigmoid", ensemble=False, cv=3),
            )
            for name, m in members.items()
        ]
        losses = {}
        for name in BOOSTED:
            X, y = table(name, 3000)
            A, B, t, u = split(X, y, 0, 1200)
            mixed = LogLossMixtureClassifier(given, cv=3).fit(A, t)
            bayes = LogLossMixtureClassifier(given, cv=3, weights="bayes").fit(A, t)
            alone = [log_loss(u, m.predict_proba(B)) for m in mixed.estimators_]
            held = [mixed.oof_log_loss_[key] for key in members]
            stack = StackingClassifier(given, cv=3).fit(A, t)
            vote = VotingClassifier(given, voting="soft").fit(A, t)
            for way, value in {
                "best in hindsight": min(alone),
                "picked out of fold": alone[int(np.argmin(held))],
                "uniform vote": log_loss(u, vote.predict_proba(B)),
                "stacking": log_loss(u, stack.predict_proba(B)),
                "ours, bayes": log_loss(u, bayes.predict_proba(B)),
                "ours, convex": log_loss(u, mixed.predict_proba(B)),
            }.items():
                losses.setdefault(way, []).append(value)
        ours = np.array(losses["ours, convex"])
        rows = [
            [way, f"{np.mean(v):.4f}", f"{int((ours < np.array(v)).sum())} of {len(v)}"]
            for way, v in losses.items()
        ]
        return {"columns": ["way", "log-loss", "convex is better"], "rows": rows}


class ErrorWithInterval(Comparison):
    """Calibration error of 50,000 rows."""

    title = "Calibration error, 50,000 rows"
    note = "Ours with its interval; the peer's point estimate alone."
    repeats = 7
    targets = {"uncertainty_calibration": 6.6}
    versions = ("scikit-learn", "numpy", "scipy", "uncertainty-calibration")

    def setup(self):
        rng = np.random.default_rng(0)
        self.p = rng.uniform(0.5, 1, 50_000)
        self.y = (rng.random(50_000) < self.p).astype(int)
        self.ones = np.ones(50_000, dtype=int)

    def time_ours(self):
        return calibration_error(self.ones, y_pred=self.y, confidence=self.p).error

    def time_uncertainty_calibration(self):
        from calibration import get_calibration_error

        return get_calibration_error(self.p, self.y)

    def quality(self, result):
        return {"error": f"{float(result):.4f}"}


class FitTime(Comparison):
    """Fit beside scikit-learn's calibrator, the same base."""

    title = "Fit, 1,500 rows of magic, boosting"
    note = "Five folds and a refit each."
    repeats = 5
    targets = {"temperature": 0.83}

    def setup(self):
        X, y = table("magic", 4000)
        self.A, _, self.t, _ = split(X, y, 0)

    def time_ours(self):
        return CorrectnessCalibratedClassifier(boosting()).fit(self.A, self.t)

    def time_temperature(self):
        return WAYS["temperature, scikit-learn"](boosting()).fit(self.A, self.t)


class PredictTime(FitTime):
    """Prediction beside scikit-learn's calibrator."""

    title = "Probabilities of 2,500 rows after 1,500, magic, boosting"
    note = "The nearest rows are searched."
    repeats = 9
    targets = {"temperature": 0.25}

    def setup(self):
        X, y = table("magic", 4000)
        A, self.B, t, _ = split(X, y, 0)
        self.ours = CorrectnessCalibratedClassifier(boosting()).fit(A, t)
        self.peer = WAYS["temperature, scikit-learn"](boosting()).fit(A, t)

    def time_ours(self):
        return self.ours.predict_proba(self.B)

    def time_temperature(self):
        return self.peer.predict_proba(self.B)


class ManyRows(Study):
    """A hundred thousand rows."""

    title = "A hundred thousand rows"
    note = """Seconds of the CPU, means of two interleaved runs; boosting at its
    default. Ratio is that of the fit to scikit-learn's. Microseconds are those of
    ``predict_proba`` on 20,000 rows, a row, without twice those of the base. Generated
    rows have 20 columns, flights 26, most of them indicators."""

    def run(self):
        """Fit and predict."""
        ways = ("temperature, scikit-learn", "ours, neighbours")
        rows = []
        for name in MANY:
            X, y = _many(name)
            A, B, t, u = X[:100_000], X[100_000:], y[:100_000], y[100_000:]
            bases = {"boosting": HistGradientBoostingClassifier(random_state=0)}
            bases["logistic"] = logistic()
            for base, inner in bases.items():
                fits, asks = {way: [] for way in ways}, {way: [] for way in ways}
                alone, models, fitted = [], {}, inner.fit(A, t)
                for _ in range(2):
                    alone.append(_seconds(fitted.predict_proba, B)[0])
                    for way in ways:
                        spent, models[way] = _seconds(WAYS[way](clone(inner)).fit, A, t)
                        fits[way].append(spent)
                        asks[way].append(_seconds(models[way].predict_proba, B)[0])
                for way in ways:
                    loss, auc, _, _ = scores(u, *confidence(models[way], B))
                    beyond = np.median(asks[way]) - 2 * np.median(alone)
                    ratio = np.median(fits[way]) / np.median(fits[ways[0]])
                    cells = [f"{np.median(fits[way]):.2f}", f"{ratio:.2f}"]
                    cells += [f"{1e6 * beyond / len(B):.1f}", f"{loss:.4f}"]
                    rows.append([name, base, way, *cells, f"{auc:.4f}"])
        columns = ["rows", "base", "way", "fit, s", "ratio", "microseconds a row"]
        return {"columns": [*columns, "log-loss", "AUROC"], "rows": rows}


def _seconds(call, *args):
    start = time.process_time()
    result = call(*args)
    return time.process_time() - start, result


MANY = ("generated", "flights")
LATE = ("dep_delay", "dep_time", "arr_time", "air_time", "flight")


def _many(name):
    from sklearn.datasets import make_classification

    n = 120_000
    if name == "generated":
        return make_classification(n, 20, n_informative=10, flip_y=0.05, random_state=0)
    data = load("flights", n_rows=n)
    given = data.data.drop(columns=list(LATE), errors="ignore")
    X, y = encoded(given), (data.target.to_numpy() > 0).astype(int)
    order = np.random.default_rng(0).permutation(n)
    return X[order], y[order]


BENCHMARKS = [
    Correctness,
    NaturalShift,
    ShiftOfLogistic,
    Unknown,
    RawTables,
    Promise,
    SameSequence,
    CrossValidatedPromise,
    Mixture,
    ErrorWithInterval,
    FitTime,
    PredictTime,
    ManyRows,
]
