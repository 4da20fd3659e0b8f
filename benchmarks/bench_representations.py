"""Many rows, few labels: views beside what people use for unlabelled rows."""

import warnings

import numpy as np
from sklearn.decomposition import FactorAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV, RidgeCV
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from benchmarks import representations_sparse
from benchmarks.harness import Comparison, Study
from benchmarks.representations_data import (
    CHOICE,
    KEPT,
    NUMBERS,
    POPULATIONS,
    few_labels,
    populations,
    split,
    table,
)
from sklearn_ext.representations import (
    PretrainedClassifier,
    PretrainedRegressor,
    pretraining_rate,
)
from sklearn_ext.representations._views import GraphView, TreesView, TriangleView

N_DRAWS = 3
LABELS = (4, 16, 64)  # of each class
TARGETS = (20, 60, 200)
ALPHAS = np.logspace(-3, 5, 33)  # of peers, for columns of variance one


def _columns(X, seed):
    """Return the three dear views of rows, learnt once a split, as transformers."""
    views = (
        ("triangle", TriangleView(random_state=seed)),
        ("graph", GraphView()),
        ("trees", TreesView(random_state=seed)),
    )
    return [(name, FrozenEstimator(view.fit(X))) for name, view in views]


def _few(y, known, missing):
    few = np.full(len(y), missing, dtype=np.asarray(missing).dtype)
    few[known] = y[known]
    return few


def classifiers(seed, more=()):
    """Return name and unfitted model of each way; those of labelled rows alone last.

    Parameters
    ----------
    seed : int
        Of what is drawn.
    more : sequence of tuple, default=()
        Views beyond the three of the default, for the second way.

    Returns
    -------
    with_rows, alone : dict
        Models that take rows without a label, and models that do not.
    """
    three = ("raw", "tilt", "random_features")
    with_rows = {
        "views": PretrainedClassifier(random_state=seed),
        "all views": PretrainedClassifier([*three, *more], random_state=seed),
        "no fallback": PretrainedClassifier(fallback=None, random_state=seed),
        "spreading": LabelSpreading(kernel="knn", n_neighbors=10),
        "self-training": SelfTrainingClassifier(LogisticRegression(max_iter=1000)),
    }
    alone = {
        "ridge": RidgeClassifierCV(ALPHAS),
        "forest": RandomForestClassifier(200, random_state=seed),
    }
    return with_rows, alone


def _accuracy(model, X, y, few, X_new, y_new, alone=False):
    """Return accuracy on new rows, and on rows that were there without a label."""
    known = few >= 0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"sklearn\.")  # of few labels
        model.fit(X[known], y[known]) if alone else model.fit(X, few)
        here = np.mean(model.predict(X[~known]) == y[~known])
        return np.mean(model.predict(X_new) == y_new), here


WAYS = ("ridge", "views", "all views", "no fallback")
PEERS = ("spreading", "self-training", "forest")


class FewLabels(Study):
    """Eighteen sets, 4, 16 and 64 labels a class."""

    title = "Accuracy on new rows with 4, 16 and 64 labels of each class"
    note = """At most 3,000 rows, of which all but the labelled ones have no label, and
    2,000 new ones; columns standardised by all rows; means of three draws. *Views* is
    ``PretrainedClassifier()``, *all views* has ``views="all"``, *no fallback*
    ``fallback=None``; *ridge* is ``RidgeClassifierCV``, 33 penalties, and *forest* has
    200 trees, both on the labelled rows; *spreading* is ``LabelSpreading`` on ten
    neighbours, *self-training* is over ``LogisticRegression``. Sets with a star were
    looked at while the defaults were chosen. The last column is the error that
    remains in the mean of the draws: the largest standard deviation of a column's
    difference to the ridge, over root three."""

    sets = (*CHOICE, *KEPT)
    n_draws = N_DRAWS

    def run(self):
        """Fit everything everywhere."""
        names = (*WAYS, *PEERS)
        rows, new, here = [], {}, {}
        for name in self.sets:
            X, y = table(name)
            found = {}
            for seed in range(self.n_draws):
                A, t, B, u = split(X, y, seed)
                more = _columns(A, seed)
                for n_labels in LABELS:
                    few = _few(t, few_labels(t, n_labels, seed), -1)
                    with_rows, alone = classifiers(seed, more)
                    for label, model in {**with_rows, **alone}.items():
                        pair = _accuracy(model, A, t, few, B, u, label in alone)
                        found.setdefault((n_labels, label), []).append(pair)
            for n_labels in LABELS:
                means = {k: np.mean(found[n_labels, k], axis=0) for k in names}
                spread = max(
                    np.std(
                        np.subtract(found[n_labels, k], found[n_labels, "ridge"])[:, 0],
                        ddof=1,
                    )
                    for k in names
                )
                star = "*" if name in CHOICE else ""
                cells = [f"{means[k][0]:.3f}" for k in names]
                error = f"{spread / np.sqrt(self.n_draws):.3f}"
                rows.append([name + star, n_labels, *cells, error])
                for k in names:
                    new[name, n_labels, k], here[name, n_labels, k] = means[k]
        for group, members in (("all", self.sets), ("not looked at", KEPT)):
            for kind, values in (("new rows", new), ("unlabelled rows", here)):
                for n_labels in LABELS:
                    mean = [
                        np.mean([values[s, n_labels, k] for s in members])
                        for k in names
                    ]
                    cells = [f"{value:.4f}" for value in mean]
                    rows.append([f"mean, {group}, {kind}", n_labels, *cells, ""])
        for n_labels in LABELS:
            worst = [
                min(new[s, n_labels, k] - new[s, n_labels, "ridge"] for s in self.sets)
                for k in names
            ]
            cells = [f"{value:+.3f}" for value in worst]
            rows.append(["least gain over ridge", n_labels, *cells, ""])
        columns = ["set", "labels of a class", *names, "error"]
        return {"columns": columns, "rows": rows}


class NeverWorse(Study):
    """Views and plain ridge on many draws."""

    title = "Accuracy gained over the plain ridge, ten draws"
    note = """``PretrainedClassifier()`` less ``PretrainedClassifier(views="raw")``, the
    same head on the columns alone, on new rows; means of ten paired draws and, in
    brackets, their standard errors. *No fallback* is the same without a share for the
    plain ridge."""

    def run(self):
        """Fit everything everywhere."""
        rows, worst = [], {}
        for name in (*CHOICE, *KEPT):
            X, y = table(name)
            found = {}
            for seed in range(10):
                A, t, B, u = split(X, y, seed)
                for n_labels in LABELS:
                    few = _few(t, few_labels(t, n_labels, seed), -1)
                    raw, *views = (
                        PretrainedClassifier(random_state=seed, **options)
                        .fit(A, few)
                        .score(B, u)
                        for options in ({"views": "raw"}, {}, {"fallback": None})
                    )
                    found.setdefault(n_labels, []).append(np.subtract(views, raw))
            star, cells = "*" if name in CHOICE else "", []
            for n_labels in LABELS:
                gains = np.array(found[n_labels])
                error = gains.std(axis=0, ddof=1) / np.sqrt(len(gains))
                for way, mean in enumerate(gains.mean(axis=0)):
                    cells.append(f"{mean:+.3f} ({error[way]:.3f})")
                    worst.setdefault((n_labels, way), []).append(mean)
            rows.append([name + star, *cells])
        rows.append(["least", *(f"{min(gains):+.3f}" for gains in worst.values())])
        rows.append(["mean", *(f"{np.mean(gains):+.4f}" for gains in worst.values())])
        columns = ["set"]
        for n_labels in LABELS:
            columns += [f"{n_labels} labels", "no fallback"]
        return {"columns": columns, "rows": rows}


class Boosting(Study):
    """Self-training over boosted trees, which takes minutes."""

    title = "Accuracy on new rows beside self-training over boosted trees"
    note = """``SelfTrainingClassifier(HistGradientBoostingClassifier(max_iter=30,
    min_samples_leaf=2))``: with the default of 20 rows a leaf it cannot split a few
    labelled rows at all. *Alone* is the same boosting on labelled rows. One draw, of
    at most 1,000 rows; sets of more than 500 columns, where one fit takes minutes, are
    left out."""

    def run(self):
        """Fit both."""
        names = ("views", "self-training", "alone")
        rows, found = [], {}
        for name in (*CHOICE, *KEPT):
            X, y = table(name)
            if X.shape[1] > 500:
                continue
            A, t, B, u = split(X, y, 0)
            A, t = A[:1000], t[:1000]
            for n_labels in LABELS:
                few = _few(t, few_labels(t, n_labels, 0), -1)
                trees = HistGradientBoostingClassifier(
                    max_iter=30, min_samples_leaf=2, early_stopping=False
                )
                said = [
                    _accuracy(PretrainedClassifier(random_state=0), A, t, few, B, u),
                    _accuracy(SelfTrainingClassifier(trees), A, t, few, B, u),
                    _accuracy(trees, A, t, few, B, u, alone=True),
                ]
                cells = [f"{value:.3f}" for value, _ in said]
                star = "*" if name in CHOICE else ""
                rows.append([name + star, n_labels, *cells])
                found[name, n_labels] = [value for value, _ in said]
        for n_labels in LABELS:
            mean = np.mean([v for (_, n), v in found.items() if n == n_labels], axis=0)
            rows.append(["mean", n_labels, *(f"{value:.4f}" for value in mean)])
        return {"columns": ["set", "labels of a class", *names], "rows": rows}


class FewTargets(Study):
    """Six regressions."""

    title = "R² on new rows with 20, 60 and 200 targets"
    note = """As for classes; means of six draws. *Ridge* is ``RidgeCV`` with 33
    penalties, *forest* has 200 trees. All sets were looked at while the defaults were
    chosen."""

    def run(self):
        """Fit everything everywhere."""
        names = ("ridge", "views", "no fallback", "forest")
        rows, means = [], {}
        for name in NUMBERS:
            X, y = table(name)
            found = {}
            for seed in range(6):
                A, t, B, u = split(X, y, seed)
                for n_labels in TARGETS:
                    known = few_labels(t, n_labels, seed)
                    few = _few(t, known, np.nan)
                    alone = A[known], t[known]
                    forest = RandomForestRegressor(200, random_state=seed)
                    fitted = {
                        "views": PretrainedRegressor(random_state=seed).fit(A, few),
                        "no fallback": PretrainedRegressor(
                            fallback=None, random_state=seed
                        ).fit(A, few),
                        "ridge": RidgeCV(ALPHAS).fit(*alone),
                        "forest": forest.fit(*alone),
                    }
                    for label, model in fitted.items():
                        score = model.score(B, u)
                        found.setdefault((n_labels, label), []).append(score)
            for n_labels in TARGETS:
                for k in names:
                    means[name, n_labels, k] = np.mean(found[n_labels, k])
                cells = [f"{means[name, n_labels, k]:.3f}" for k in names]
                rows.append([name, n_labels, *cells])
        for n_labels in TARGETS:
            mean = [np.mean([means[s, n_labels, k] for s in NUMBERS]) for k in names]
            rows.append(["mean", n_labels, *(f"{value:.3f}" for value in mean)])
        return {"columns": ["set", "targets", *names], "rows": rows}


class NewPopulation(Study):
    """Labels of a source, and few of a target population."""

    title = "A new population: accuracy on its new rows"
    note = """3,000 rows of the source have labels, and 0, 4 or 16 of each class among
    up to 3,000 rows of the target; accuracy on other rows of the target (emoji: half of
    the pictures are shown, in both styles, and half are new in both); columns
    standardised by the source; means of three draws. *Source model*: logistic
    regression on the source. *Target ridge*, *target views*: the target's labels alone,
    by a ridge and by ``PretrainedClassifier``, views of the target's rows. *With
    source*: the same with one more view, the log probabilities of the source model.
    *Pooled*: ``PretrainedClassifier`` on labels of both, views of both. *Weighted*: the
    target's labels count as much together as the source's. *Views of ...*: no label of
    the target, views learnt from rows of the source, the target, both."""

    def run(self):
        """Fit everything everywhere."""
        three = ("raw", "tilt", "random_features")
        names = ("source model", "target ridge", "target views", "with source")
        names = (
            *names,
            "pooled",
            "weighted",
            "views of source",
            "views of target",
            "views of both",
        )
        rows, means = [], {}
        for name in POPULATIONS:
            found = {}
            for seed in range(N_DRAWS):
                A, t, B, u, C, v = new_population(name, seed)
                source = LogisticRegression(C=0.01, max_iter=300).fit(A, t)
                view = FunctionTransformer(source.predict_log_proba)
                found.setdefault((0, "source model"), []).append(source.score(C, v))
                no, both = np.full(len(u), -1), np.vstack([A, B])
                for label, X, y in (
                    ("views of source", A, t),
                    ("views of target", B, None),
                    ("views of both", both, np.r_[t, no]),
                ):
                    model = PretrainedClassifier(random_state=seed)
                    if y is None:  # moments of the target, labels of the source
                        score = _views_of(B, A, t, seed).score(C, v)
                    else:
                        score = model.fit(X, y).score(C, v)
                    found.setdefault((0, label), []).append(score)
                for n_labels in (4, 16):
                    known = few_labels(u, n_labels, seed)
                    few = _few(u, known, -1)
                    model = PretrainedClassifier(random_state=seed)
                    helped = PretrainedClassifier(
                        [*three, ("source", view)], random_state=seed
                    )
                    ways = {
                        "target ridge": RidgeClassifierCV(ALPHAS).fit(
                            B[known], u[known]
                        ),
                        "target views": model.fit(B, few),
                        "with source": helped.fit(B, few),
                        "pooled": pooled(both, t, few, seed),
                        "weighted": pooled(both, t, few, seed, len(t) / len(known)),
                    }
                    found.setdefault((n_labels, "source model"), []).append(
                        found[0, "source model"][-1]
                    )
                    for label, way in ways.items():
                        found.setdefault((n_labels, label), []).append(way.score(C, v))
            for n_labels in (0, 4, 16):
                scores = [np.mean(found.get((n_labels, k), np.nan)) for k in names]
                means[name, n_labels] = scores
                cells = ["" if np.isnan(value) else f"{value:.3f}" for value in scores]
                rows.append([name, n_labels, *cells])
        for n_labels in (0, 4, 16):
            mean = np.mean([means[name, n_labels] for name in POPULATIONS], axis=0)
            cells = ["" if np.isnan(value) else f"{value:.3f}" for value in mean]
            rows.append(["mean", n_labels, *cells])
        columns = ["source and target", "labels of a class of the target", *names]
        return {"columns": columns, "rows": rows}


def new_population(name, seed):
    """Return rows and classes of the source, of the target, and new ones of it."""
    X, y, Z, z = populations(name)
    rng = np.random.default_rng(seed)
    if name.startswith("emoji"):  # the same pictures: shown ones, and new ones
        order = rng.permutation(len(y))
        home = away = order[: len(order) // 2]
        new = order[len(order) // 2 :]
    else:
        home = rng.permutation(len(y))[:3000]
        away = rng.permutation(len(z))
        new = away[: min(2000, len(z) // 2)]
        away = away[len(new) : len(new) + 3000]
    scaler = StandardScaler().fit(X[home])
    A, B, C = (scaler.transform(rows) for rows in (X[home], Z[away], Z[new]))
    kept = abs(C).max(axis=0) < 1e6  # columns that vary in the source
    return A[:, kept], y[home], B[:, kept], z[away], C[:, kept], z[new]


def pooled(both, t, few, seed, weight=1.0):
    """Fit to labels of the source and to few of the target, of more weight each."""
    w = np.ones(len(both))
    w[len(t) :][few >= 0] = weight
    model = PretrainedClassifier(random_state=seed)
    return model.fit(both, np.r_[t, few], sample_weight=w)


def _views_of(B, A, t, seed):
    """Fit to labels of A with views of B, where A counts for next to nothing."""
    w = np.r_[np.ones(len(B)), np.full(len(A), 1e-6)]
    y = np.r_[np.full(len(B), -1), t]
    model = PretrainedClassifier(random_state=seed)
    return model.fit(np.vstack([B, A]), y, sample_weight=w)


class FactorScores(Study):
    """One representation of unlabelled rows, where the theory holds and where not."""

    title = "Factor scores alone, the tilt alone, the plain ridge"
    note = """R² on new rows, or accuracy for classes (labels of each class): means of
    six draws. The first set is drawn from the model: 3,000 rows of 50 columns, three
    factors, noise of variance one, a target that is linear in the factors. Elsewhere
    eight factors. *Rate* is the ratio of ``pretraining_rate`` with columns times
    factors and factors as complexities."""

    def run(self):
        """Fit heads on one view each."""
        ways = ("raw", "factors", "tilt")
        sets = ("three factors", *NUMBERS, "satimage", "letter", "penbased", "texture")
        rows = []
        for name in sets:
            drawn = name == "three factors"
            X, y = (None, None) if drawn else table(name)
            found = {}
            for seed in range(6):
                A, t, B, u = _three_factors(seed) if drawn else split(X, y, seed)
                numbers = t.dtype.kind == "f"
                rank = 3 if drawn else min(8, A.shape[1] // 2)
                factors = FrozenEstimator(FactorAnalysis(rank).fit(A))
                model = PretrainedRegressor if numbers else PretrainedClassifier
                for n_labels in (10, 20, 50, 200) if drawn else (20, 60):
                    known = few_labels(t, n_labels, seed)
                    few = _few(t, known, np.nan if numbers else -1)
                    for way in ways:
                        view = ("factors", factors) if way == "factors" else way
                        fitted = model([view], fallback=None).fit(A, few)
                        found.setdefault((n_labels, way), []).append(fitted.score(B, u))
            for n_labels in dict.fromkeys(n for n, _ in found):
                rate = pretraining_rate(len(A), n_labels, A.shape[1] * rank, rank).ratio
                cells = [f"{np.mean(found[n_labels, way]):.3f}" for way in ways]
                rows.append([name, n_labels, *cells, f"{rate:.2f}"])
        return {"columns": ["set", "labels", *ways, "rate"], "rows": rows}


def _three_factors(seed):
    rng = np.random.default_rng(seed)
    loadings, slopes = rng.normal(size=(3, 50)) / 2, rng.normal(size=3)
    F = rng.normal(size=(5000, 3))
    X = F @ loadings + rng.normal(size=(5000, 50))
    y = F @ slopes + 0.3 * rng.normal(size=5000)
    return X[:3000], y[:3000], X[3000:], y[3000:]


class Cost(Comparison):
    """Views and head on satimage."""

    title = "Fit with 100 labels: 3,000 rows of 36 columns, views, head and answer"
    note = (
        """Ours with all that it says (leave-one-out, interval, importance of views)."""
    )
    few = {"boosting": 1}

    def setup(self):
        X, y = table("satimage")
        self.X, self.y, *_ = split(X, y, 0)
        self.known = few_labels(self.y, 17, 0)
        self.few_y = _few(self.y, self.known, -1)

    def time_ours(self):
        return PretrainedClassifier(random_state=0).fit(self.X, self.few_y)

    def time_ours_all_views(self):
        return PretrainedClassifier("all", random_state=0).fit(self.X, self.few_y)

    def time_label_spreading(self):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"sklearn\.")  # stops early
            model = LabelSpreading(kernel="knn", n_neighbors=10)
            return model.fit(self.X, self.few_y)

    def time_self_training(self):
        model = SelfTrainingClassifier(LogisticRegression(max_iter=1000))
        return model.fit(self.X, self.few_y)

    def time_forest(self):
        model = RandomForestClassifier(200, random_state=0)
        return model.fit(self.X[self.known], self.y[self.known])

    def quality(self, result):
        left = np.setdiff1d(np.arange(len(self.y)), self.known)
        right = result.predict(self.X[left]) == self.y[left]
        return {"accuracy, unlabelled rows": float(np.mean(right))}


BENCHMARKS = (
    FewLabels,
    NeverWorse,
    Boosting,
    FewTargets,
    NewPopulation,
    FactorScores,
    Cost,
    *representations_sparse.BENCHMARKS,
)
