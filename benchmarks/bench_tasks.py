"""Many related regressions beside what people use for groups."""

import multiprocessing
import resource
import warnings

import numpy as np
from scipy import stats
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

from benchmarks.harness import Comparison, Study
from benchmarks.tasks_data import CHOICE, SETS, grouped, new_tasks
from benchmarks.tasks_peers import PEERS, installed
from sklearn_ext.tasks import TaskRidge
from sklearn_ext.tasks._posterior import Scale
from sklearn_ext.tasks._reml import FLOOR, Shape

N_SPLITS = 5
N_SPLITS_PEERS = 2
BUDGET = 10  # CPU seconds of a peer on one set, all draws together
MANY = 8000  # rows beyond which 150 tasks are drawn, so that every peer finishes


def few_tasks(name):
    """Return a table, or 150 of its tasks where it is large."""
    X, y, groups = grouped(name)
    if len(y) > MANY:
        labels = np.random.default_rng(0).permutation(np.unique(groups))[:150]
        kept = np.isin(groups, labels)
        X, y, groups = X[kept], y[kept], groups[kept]
    return X, y, groups


def beside(model, encoder, d):
    """Give a model the columns and, encoded, the group that is the last one."""
    columns = make_column_transformer(
        (StandardScaler(), list(range(d))), (encoder, [d])
    )
    return make_pipeline(columns, model)


def _mixed(X, y, groups, full):
    """Fit statsmodels' mixed model to standardised columns."""
    import statsmodels.api as sm

    Z = sm.add_constant((X - X.mean(axis=0)) / X.std(axis=0))
    random = Z if full else np.ones((len(Z), 1))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"statsmodels\.")  # singular fits
        model = sm.MixedLM((y - y.mean()) / y.std(), Z, groups, exog_re=random)
        return model.fit(reml=True)


def restricted_likelihood(X, y, groups, cov, noise_var):
    """Return the restricted likelihood of standardised data at a given population."""
    Z, t = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    model = TaskRidge("diag", max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one step is meant
        statistics = model.fit(Z, t, groups=groups).sufficient_statistics_
    scale = Scale.of(statistics, fit_intercept=True)
    values, vectors = np.linalg.eigh(cov / noise_var)
    factor = vectors * np.sqrt(np.maximum(values, 0))
    d = len(cov)
    value = scale.products(statistics).deviance(factor, Shape(d, np.arange(d)), FLOOR)
    return -value[0] / 2


class _Reml(Comparison):
    repeats = 5
    few = {"statsmodels": 3}
    targets = {"statsmodels": 10}
    versions = ("scikit-learn", "numpy", "scipy", "statsmodels")
    name = ""

    def setup(self):
        self.X, self.y, self.groups = grouped(self.name)

    def time_ours(self):
        model = TaskRidge(prior_strength=0)
        return model.fit(self.X, self.y, groups=self.groups)

    def time_statsmodels(self):
        return _mixed(self.X, self.y, self.groups, full=True)

    def quality(self, result):
        X, y = self.X, self.y
        if isinstance(result, TaskRidge):
            scale = result._scale
            cov = result._population.cov * (scale.y_scale / y.std()) ** 2
            noise = result.noise_var_ / y.var()
        else:
            cov, noise = np.asarray(result.cov_re), float(result.scale)
        like = restricted_likelihood(X, y, self.groups, cov, noise)
        return {"restricted log likelihood": f"{like:.2f}"}


def _reml(name):
    rows = {"exam": "4,059 pupils", "hsb": "7,185 pupils", "wages": "4,165 years"}
    cls = type(
        f"Reml{name.title()}",
        (_Reml,),
        {
            "name": name,
            "title": f"Restricted likelihood, {name}: {rows[name]}, full covariance",
            "note": """Ours without the pull on correlations, so that both maximise the
            same function; it is evaluated at both solutions, on standardised data.
            statsmodels at its own settings.""",
            "__doc__": f"Both on {name}.",
            "__module__": __name__,
        },
    )
    return cls


RemlExam, RemlHsb, RemlWages = (_reml(name) for name in ("exam", "hsb", "wages"))


class ManyRows(Comparison):
    """InstEval: a thousand tasks."""

    title = "73,421 ratings of 1,128 lecturers, full covariance"
    note = """Fit from the rows to every lecturer's coefficients. The peer is
    one ridge with an intercept a lecturer, by a sparse one-hot code."""

    def setup(self):
        self.X, self.y, self.groups = grouped("insteval")
        self.table = np.column_stack([self.X, self.groups]).astype(object)

    def time_ours(self):
        return TaskRidge().fit(self.X, self.y, groups=self.groups)

    def time_ridge_one_hot(self):
        code = OneHotEncoder().fit_transform(self.groups[:, None])
        from scipy import sparse
        from sklearn.linear_model import Ridge

        both = sparse.hstack([sparse.csr_array(self.X), code]).tocsr()
        return Ridge(solver="sparse_cg").fit(both, self.y)


class Wide(Study):
    """Fewer rows than columns in every task."""

    title = "Tasks of 3 to 20 rows and many columns: both sides of the likelihood"
    note = """Generated rows; ten slopes differ between tasks. An evaluation is the
    deviance with its gradient, CPU seconds, medians of three; the side of the columns
    where its matrices fit in 0.5 GB. *Shared by a ridge*: the mean is the
    ``estimator``'s, and no matrix of columns by columns is needed. *Statistics* is what
    a task keeps, in MB."""

    def run(self):
        """Evaluate both sides."""
        import time

        from sklearn_ext.tasks import _statistics

        rows = []
        for d, n_tasks in ((65, 2000), (200, 1000), (1000, 1000)):
            rng = np.random.default_rng(0)
            groups = np.repeat(np.arange(n_tasks), rng.integers(3, 21, n_tasks))
            X = rng.normal(size=(len(groups), d))
            slopes = rng.normal(size=(n_tasks, d)) * (np.arange(d) < 10)
            y = (X * slopes[groups]).sum(axis=1) + rng.normal(size=len(groups))
            sides = {}
            for side, many in (("rows", 64), ("columns", 10**9)):
                if side == "columns" and n_tasks * d**2 * 8 > 5e8:
                    continue
                before, _statistics.MANY_COLUMNS = _statistics.MANY_COLUMNS, many
                statistics = _statistics.TaskStatistics.of(
                    X, y, groups, np.ones(len(y))
                )
                _statistics.MANY_COLUMNS = before
                within = vars(statistics.within).values()
                size = sum(values.nbytes for values in within) / 1e6
                scale = Scale.of(statistics, fit_intercept=True)
                sides[side] = scale.products(statistics), size
            for form, fixed in (
                ("full", False),
                ("diag", False),
                ("diag", True),
                ("spherical", True),
            ):
                if form == "full" and d > 200:
                    continue
                owner = np.minimum(np.arange(d + 1), 1) if form == "spherical" else None
                shape = Shape(
                    d + 1,
                    np.arange(d + 1),
                    correlated=form == "full",
                    owner=owner,
                    fixed_mean=fixed,
                )
                factor = shape.factor(shape.start(-1.0))
                said = {}
                for side, (products, size) in sides.items():
                    seconds = []
                    for _ in range(3):
                        start = time.process_time()
                        value = products.deviance(factor, shape, FLOOR)[0]
                        seconds.append(time.process_time() - start)
                    said[side] = np.median(seconds), size, value
                mean = "shared by a ridge" if fixed else "estimated"
                cells = [d, n_tasks, len(y), form, mean, f"{said['rows'][0]:.3g}"]
                if "columns" in said:
                    away = abs(said["rows"][2] / said["columns"][2] - 1)
                    cells += [f"{said['columns'][0]:.3g}", f"{away:.0e}"]
                else:
                    cells += ["", ""]
                cells.append(f"{said['rows'][1]:.0f}")
                cells.append(f"{n_tasks * d * d * 8 / 1e6:.0f}")
                rows.append(cells)
        columns = ["columns", "tasks", "rows", "covariance", "mean"]
        columns += ["side of rows", "side of columns", "values differ by"]
        columns += ["statistics", "as products"]
        return {"columns": columns, "rows": rows}


class Million(Study):
    """A million rows of 100,000 tasks, in blocks."""

    title = "A million rows, 100,000 tasks, 5 columns, in ten blocks"
    note = """``fit_blocks`` on generated rows; memory is what the process allocated
    beyond one block."""

    def run(self):
        """Fit and measure time and memory."""
        import time
        import tracemalloc

        def block(seed):
            rng = np.random.default_rng(seed)
            groups = rng.integers(0, 100_000, 100_000)
            X = rng.normal(size=(100_000, 5))
            shift = np.random.default_rng(0).normal(size=(100_000, 6))[groups]
            y = shift[:, 0] + (X * (1 + 0.3 * shift[:, 1:])).sum(axis=1)
            return X, y + rng.normal(size=len(y)), None, groups

        blocks = [lambda seed=seed: block(seed) for seed in range(10)]
        start = time.process_time()
        model = TaskRidge().fit_blocks(blocks)
        seconds = time.process_time() - start
        tracemalloc.start()
        TaskRidge(max_iter=2, tol=1e3).fit_blocks(blocks)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        columns = ["tasks", "CPU seconds", "iterations", "peak MB"]
        row = [model.n_tasks_, f"{seconds:.1f}", model.n_iter_, f"{peak / 1e6:.0f}"]
        return {"columns": columns, "rows": [row]}


def one_noise_interval(model, X, groups, confidence_level=0.9):
    """Return intervals for which the noise of all tasks is the same."""
    rows, at = model._rows(X, groups)
    mean, between = model._mean(rows, at), model._variance(rows, at)
    noise, (dof_noise, dof_tasks) = model.noise_var_, model._dof
    total = between + noise
    dof = total**2 / (noise**2 / dof_noise + between**2 / dof_tasks)
    half = stats.t.ppf((1 + confidence_level) / 2, dof) * np.sqrt(total)
    return np.stack([mean - half, mean + half], axis=1)


def interval_score(interval, y, confidence_level=0.9):
    """Return the mean of width and, for what is outside, a penalty on the distance."""
    low, high = interval.T
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return np.mean(high - low + 2 / (1 - confidence_level) * outside)


def _predict_all(X, y, groups, train, test):
    """Return predictions of every method for the test rows."""
    d = X.shape[1]
    table = np.column_stack([X.astype(object), groups])
    A, B, t = X[train], X[test], y[train]
    said = {}
    for label, form in (
        ("ours", "full"),
        ("ours, diag", "diag"),
        ("ours, intercept", "intercept"),
    ):
        model = TaskRidge(form).fit(A, t, groups=groups[train])
        said[label] = model.predict(B, groups[test])
        if label == "ours":
            said["interval"] = model.predict_interval(B, groups[test])
            said["one noise"] = one_noise_interval(model, B, groups[test])
    alphas = np.logspace(-3, 3, 13)
    said["pooled"] = LinearRegression().fit(A, t).predict(B)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    ridge = beside(RidgeCV(alphas), one_hot, d)
    said["ridge, one-hot"] = ridge.fit(table[train], t).predict(table[test])
    boosting = HistGradientBoostingRegressor(random_state=0)
    target = TargetEncoder(target_type="continuous", random_state=0)
    boosted = beside(boosting, target, d)
    said["boosting, target code"] = boosted.fit(table[train], t).predict(table[test])
    labels = np.unique(groups)
    if len(labels) <= 255:
        code = np.searchsorted(labels, groups)
        both = np.column_stack([X, code])
        boosting = HistGradientBoostingRegressor(
            categorical_features=[d], random_state=0
        )
        boosting.fit(both[train], t)
        said["boosting, category"] = boosting.predict(both[test])
    return said


class NewTasks(Study):
    """Twenty-five grouped sets, tasks of which a few rows are known."""

    title = "New tasks of which 3 or 8 rows are known: error over ours"
    note = """Thirty per cent of the tasks leave 3 or 8 of their rows in training, and
    are tested on the others; means of five draws. Ours is ``TaskRidge()``: its column
    is the mean squared error over the variance of the target, the others are ratios
    to it. *Inside* is the share of test rows in its 90 % interval, *score* the interval
    score over that of intervals with one noise for all tasks (less is better). Sets
    with a star were looked at while the default was chosen. Sets of more than 8,000
    rows: 150 of their tasks."""

    def run(self):
        """Fit everything everywhere."""
        names = (
            "ours, diag",
            "ours, intercept",
            "pooled",
            "ridge, one-hot",
            "boosting, target code",
            "boosting, category",
        )
        rows, ratios = [], {}
        for m in (3, 8):
            for name in SETS:
                X, y, groups = few_tasks(name)
                errors, inside, scores = {}, [], []
                for seed in range(N_SPLITS):
                    train, test = new_tasks(groups, m, seed)
                    if len(test) < 10:
                        continue
                    said = _predict_all(X, y, groups, train, test)
                    interval, other = said.pop("interval"), said.pop("one noise")
                    low, high = interval.T
                    inside.append(np.mean((low <= y[test]) & (y[test] <= high)))
                    pair = [interval_score(i, y[test]) for i in (interval, other)]
                    scores.append(pair)
                    for label, p in said.items():
                        error = np.mean((p - y[test]) ** 2) / y.var()
                        errors.setdefault(label, []).append(error)
                if not errors:
                    continue
                mean = {label: np.mean(e) for label, e in errors.items()}
                cells = [
                    f"{mean[n] / mean['ours']:.2f}" if n in mean else "" for n in names
                ]
                star = "*" if name in CHOICE else ""
                tasks = len(np.unique(groups))
                head = [name + star, m, tasks, f"{mean['ours']:.4f}"]
                score = np.divide(*np.mean(scores, axis=0))
                head += [f"{np.mean(inside):.3f}", f"{score:.2f}"]
                rows.append([*head, *cells])
                ratios.setdefault((m, "score", name in CHOICE), []).append(score)
                for n in names:
                    if n in mean:
                        key = (m, n, name in CHOICE)
                        ratios.setdefault(key, []).append(mean[n] / mean["ours"])
        for m in (3, 8):
            for chosen, label in ((True, "mean*"), (False, "mean, other sets")):
                cells = []
                for n in ("score", *names):
                    values = ratios.get((m, n, chosen), [np.nan])
                    cells.append(f"{np.exp(np.mean(np.log(values))):.2f}")
                rows.append([label, m, "", "", "", *cells])
        columns = ["set", "known rows", "tasks", "ours", "inside", "score", *names]
        return {"columns": columns, "rows": rows}


def limited_error(peer, draws, seconds):
    """Return the mean squared error of a peer in a process of so many CPU seconds.

    Parameters
    ----------
    peer : callable
        One of ``tasks_peers``.
    draws : list of tuple
        Its arguments for each draw, and the target of the test rows.
    seconds : int
        For all draws together.

    Returns
    -------
    float or str
        The error, or why there is none.
    """
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)

    def work():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        try:
            errors = [np.mean((peer(*given) - y) ** 2) for *given, y in draws]
            send.send(float(np.mean(errors)))
        except Exception as error:
            send.send(f"{type(error).__name__}: {error}"[:200])

    process = context.Process(target=work)
    process.start()
    send.close()
    try:
        return receive.recv()
    except EOFError:  # it was ended
        return f"over {seconds} s"
    finally:
        process.join()


class Peers(Study):
    """The sets of `NewTasks` with other packages for grouped rows."""

    title = "New tasks of which 3 rows are known: error of other packages over ours"
    note = f"""As in the table above, means of {N_SPLITS_PEERS} draws. statsmodels:
    MixedLM, all coefficients random, REML. GPBoost, slopes: its linear model with a
    random intercept and slopes; trees: boosting with a random intercept, learning rate
    0.1, depth 3, rounds by its cross-validation. LightGBM: the group as a category,
    learning rate 0.05, rounds by cross-validation. merf: 100 trees, ten rounds (its
    defaults are 300 and 20). Each may take {BUDGET} CPU seconds a set, all draws
    together; an empty cell is a fit that took longer or failed, and the last rows count
    the sets of each column."""
    versions = ("scikit-learn", "numpy", "scipy", *installed())

    def run(self):
        """Fit everything everywhere, within the budget."""
        for name, (package, _) in PEERS.items():
            if package not in self.versions:
                print(f"{name} is left out: install {package}.")
        peers = {n: f for n, (p, f) in PEERS.items() if p in self.versions}
        rows, ratios = [], {}
        for name in SETS:
            X, y, groups = few_tasks(name)
            draws, ours = [], []
            for seed in range(N_SPLITS_PEERS):
                train, test = new_tasks(groups, 3, seed)
                given = X[train], y[train], groups[train], X[test], groups[test]
                draws.append((*given, y[test]))
                model = TaskRidge().fit(X[train], y[train], groups=groups[train])
                said = model.predict(X[test], groups[test])
                ours.append(np.mean((said - y[test]) ** 2))
            cells = []
            for label, peer in peers.items():
                found = limited_error(peer, draws, BUDGET)
                if isinstance(found, str):
                    print(f"{name}, {label}: {found}", flush=True)
                    cells.append("")
                    continue
                ratio = found / np.mean(ours)
                ratios.setdefault((label, name in CHOICE), []).append(ratio)
                cells.append(f"{ratio:.2f}")
            star = "*" if name in CHOICE else ""
            rows.append([name + star, f"{np.mean(ours) / y.var():.4f}", *cells])
        for chosen, label in ((True, "mean*"), (False, "mean, other sets")):
            cells = []
            for peer in peers:
                values = ratios.get((peer, chosen), [np.nan])
                mean = np.exp(np.mean(np.log(values)))
                cells.append(f"{mean:.2f} of {np.isfinite(values).sum()}")
            rows.append([label, "", *cells])
        return {"columns": ["set", "ours", *peers], "rows": rows}


BENCHMARKS = [NewTasks, Peers, RemlExam, RemlHsb, RemlWages, ManyRows, Wide, Million]
