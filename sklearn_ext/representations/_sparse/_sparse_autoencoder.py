"""Each row as a few of many features: learnt, priced, read and steered."""

from dataclasses import dataclass, replace
from functools import partial, reduce
from numbers import Integral, Real
from operator import add

import numpy as np
from scipy import sparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Bunch, assert_all_finite, check_random_state, column_or_1d
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    _align_api_if_sparse,
    _num_samples,
)
from sklearn_ext._core._optional import require
from sklearn_ext._core._validation import FLOATS, warn
from sklearn_ext._numerics._arrays import blocks as slices
from sklearn_ext.representations._sparse._allocation import (
    GainTable,
    capped_prices,
    common_factor,
    feature_prices,
    most_rows,
    price_of,
    whole_budget,
)
from sklearn_ext.representations._sparse._dictionary import (
    PLENTY,
    CodeStatistics,
    Dictionary,
    Start,
    chance,
    improve,
    is_held_out,
    revive,
    squares,
)
from sklearn_ext.representations._sparse._linear import LinearEncoder
from sklearn_ext.representations._sparse._pursuit import MANY_SWEEPS, Rule, as_sparse
from sklearn_ext.representations._sparse._report import (
    correlations,
    explained,
    top_columns,
    top_rows,
    top_words,
    word_table,
)

HELD_OUT, FEW, MOST_HELD = 0.1, 1000, 100_000  # share; rows from which; rows at most
DEEP = 3  # times the budget: most atoms of a row under a shared budget
REVIVALS = 3  # more passes at most that look for idle atoms
RECENT = 0.05  # least weight of a new batch beside all that came before
TIMELY = 0.3  # the same for its gains, which are those of better and better atoms
SPARSER = 2 / 3  # of the passes, the first, that give each row half of its budget
SHOWN = 2000  # rows of a batch that tell the price
TEACHERS = 20_000  # rows that prices of features are set on
CURVE = 16  # budgets of a curve
STRETCHES, STALLED = 8, 0.02  # times that linear codes get other lengths; gain at least
LEARNING = 2  # rounds of prices of features before a pass, which go on from the last


@dataclass(frozen=True)
class Priced:
    """A price: how rows are coded, what told it, what it leaves unexplained."""

    rule: Rule
    table: GainTable
    fvu: float


@dataclass(frozen=True)
class Batches:
    """What batches so far have told, older ones less."""

    n_samples: int = 0
    n_batches: int = 0
    sums: CodeStatistics | None = None
    table: GainTable | None = None
    prices: np.ndarray | None = None

    def joined(self, batch, priced, shares_budget):
        """Add one batch."""
        n, turn = self.n_samples + int(batch.n_samples), self.n_batches + 1
        rho, sums, table = max(RECENT, 3 / (turn + 2)), batch, priced.table
        if turn > 1:
            sums = self.sums * (1 - rho) + batch * rho
        if turn > 2 and shares_budget:  # the first was coded by its own rows
            table = self.table.mixed(table, max(TIMELY, 1 / (turn - 1)))
        prices = priced.rule.price if np.ndim(priced.rule.price) else None
        return Batches(n, turn, sums, table, prices)


class Blocks:
    """Rows that are read block by block, some of them held out."""

    def __init__(self, sources, n_jobs=None):
        self.sources, self.n_jobs = sources, n_jobs
        self.learn_from = [None] * len(sources)  # masks; None is all

    def reduced(self, summary, *args, everyone=False, **options):
        """Add up ``summary(rows, ...)`` of all blocks, in their order."""
        masks = [None] * len(self.sources) if everyone else self.learn_from
        parts = Parallel(self.n_jobs, prefer="threads", return_as="generator")(
            delayed(_summed)(load, mask, summary, args, options)
            for load, mask in zip(self.sources, masks, strict=True)
        )
        return reduce(add, parts)

    def hold_out(self, share, seed):
        """Keep a share of the distinct rows, drawn by their hash, out of sums.

        Among few distinct rows that may be none, or all: then nobody is held out.
        """
        if not share:
            return
        masks = [~is_held_out(chance(load(), seed), share) for load in self.sources]
        n, n_learn = sum(map(len, masks)), sum(int(mask.sum()) for mask in masks)
        if 0 < n_learn < n:
            self.learn_from = masks

    @property
    def any_held(self):
        """Whether there are rows that nothing is learnt from."""
        return any(mask is not None for mask in self.learn_from)

    def held(self, encoder):
        """Return the rows that are held out, centred; all rows where none is."""
        return self._centred(encoder, lambda rows, mask: ~mask)

    def learners(self):
        """Return the rows that are learnt from, as they came."""
        return self._picked(lambda rows, mask: mask)

    def teachers(self, encoder):
        """Return rows to learn from, centred, evenly spaced where there are many."""
        step = max(1, sum(map(self._learners, range(len(self.sources)))) // TEACHERS)
        return self._centred(encoder, lambda rows, mask: np.flatnonzero(mask)[::step])

    def _learners(self, i):
        mask = self.learn_from[i]
        return len(self.sources[i]()) if mask is None else int(mask.sum())

    def _centred(self, encoder, which):
        return encoder.centred(self._picked(which))

    def _picked(self, which):
        parts = []
        for load, mask in zip(self.sources, self.learn_from, strict=True):
            rows = load()
            parts.append(rows if mask is None else rows[which(rows, mask)])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _summed(load, mask, summary, args, options):
    return summary(load(), *args, mask=mask, **options)


class SparseAutoencoder(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ExtEstimator,
):
    r"""Write each row as a sum of a few of many learnt features.

    Rows less their mean are approximated by :math:`Z D` with atoms of unit length, the
    rows of D, and sparse codes Z that minimise

    .. math:: \|X - Z D\|_F^2 \quad\text{with}\quad \mathrm{nnz}(Z) \le n k,

    k = ``n_nonzero_coefs``. The budget is shared by all rows (*mutual choice*), so that
    a row with much to say uses more features than one with little. Given D that is one
    price: a row takes its next feature as long as that saves ``price_`` of its squared
    error. So new rows are coded one by one, and use k features in the mean.

    Instead of a network and its gradients there are two exact halves: pursuit with a
    refit for the codes, least squares for the dictionary, in turn. A pass takes one
    product of rows and atoms, :math:`2ndm` operations, and :math:`nkm + nkd + m^3/3`
    more; memory is that of the rows, :math:`O(m^2 + md)`, and some blocks. Features
    feel the scale of the columns.

    Parameters
    ----------
    n_components : int, default=256
        Number of features (atoms), m. More than columns is usual.
    n_nonzero_coefs : float, default=8
        Mean number of features of a row, k; a whole number for ``allocation="row"``.
    allocation : {"mutual", "row", "feature"}, default="mutual"
        Who shares the budget: all rows; nobody, each row has k features; or the
        features, each of which is used by ``ceil(n k / m)`` rows at most.
    positive_code : bool, default=True
        Whether codes are non-negative, which makes features easier to read.
    pursuit : {"mp", "omp"}, default="mp"
        Matching pursuit, or orthogonal matching pursuit, which fits all codes of a row
        anew at each step: a slightly lower error in two to three times the time.
    encoder : {"pursuit", "linear"}, default="pursuit"
        How rows are coded: by pursuit, or by one matrix product and a threshold, which
        converts to ONNX and explains less.
    solver : {"alternating", "adam"}, default="alternating"
        Exact steps in turn, or stochastic gradients for a network with a linear
        encoder, by torch.
    price : {"holdout", "train"}, default="holdout"
        Whether the price is set on a tenth of the rows, that the dictionary does not
        see: then new rows use k features in the mean. On the rows that it learnt from,
        the dictionary needs fewer than on new ones. Below 1,000 rows it is ``"train"``
        in any case: then new rows use more than k features, twice as many where there
        are only few rows to learn from. `set_budget` sets the price on any rows.
    max_iter : int, default=12
        Passes over the rows at most.
    tol : float, default=1e-3
        Stop when a pass lowers the error by less than this share of it.
    over_relaxation : float, default=0.9
        How far a step of the dictionary goes beyond its solution.
    min_usage : float, default=0.02
        Share of the mean usage below which a feature starts anew from a row that is
        badly explained.
    sparse_output : bool, default=True
        Whether codes come as a sparse array in compressed rows.
    batch_size : int, default=128
        Rows worked on at a time; their products with all atoms should fit the cache.
    warm_start : bool, default=False
        Whether `fit` starts from ``components_``.
    device : str or None, default=None
        Where ``solver="adam"`` trains; None is the CPU.
    torch_params : dict or None, default=None
        Parameters of skorch's net for ``solver="adam"``, such as ``max_epochs`` (20),
        ``batch_size`` (1024), ``lr`` (2e-3), ``module__aux`` (1/32, the weight of the
        loss by which idle features learn from what the others leave) and
        ``module__zipf`` (False; whether features that Zipf's law would have used more
        take part in it).
    random_state : int, RandomState instance or None, default=None
        Which rows the dictionary starts from, and which are held out.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The features, as directions of unit length.
    mean_ : ndarray of shape (n_features,)
        Mean of the rows.
    price_ : float or ndarray of shape (n_components,)
        What a further feature must save of a row's squared error; one for each feature
        with ``allocation="feature"``.
    n_nonzero_coefs_ : float
        The budget that this price is for.
    usage_ : ndarray of shape (n_components,)
        Share of the rows that use each feature.
    n_dead_ : int
        Features that no row uses. None, if the budget is larger than their number and
        rows are not explained to rounding without them.
    fvu_ : float
        Fraction of the variance that codes do not explain, on the rows that the price
        was set on.
    loss_curve_ : list of float
        This fraction on the training rows before each pass; in the first two thirds of
        them a row has half of its features, which makes for better ones. Or the loss of
        each epoch of ``solver="adam"``, on the same scale.
    n_iter_ : int
        Passes, batches, or epochs.
    encoder_coef_ : ndarray of shape (n_components, n_features)
        Of the linear encoder; only with ``encoder="linear"``.
    encoder_intercept_ : ndarray of shape (n_components,)
        Its intercept, for rows less ``mean_``; only with ``encoder="linear"``.
    n_samples_seen_ : int
        Rows, in all calls of `partial_fit`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Names of the columns; only when ``X`` has names that are strings.

    See Also
    --------
    sklearn.decomposition.MiniBatchDictionaryLearning : Minimises an l1 penalty instead
        of counting.
    sklearn.decomposition.TruncatedSVD : Dense codes; first for sparse rows.
    allocate_budget : The budget as a function of gains.

    References
    ----------
    .. [1] K. Ayonrinde, "Adaptive sparse allocation with mutual choice & feature choice
       sparse autoencoders", arXiv:2411.02124, 2024.
    .. [2] K. Engan, S. O. Aase and J. H. Husøy, "Method of optimal directions for frame
       design", ICASSP, 1999.
    .. [3] S. Mallat and Z. Zhang, "Matching pursuits with time-frequency dictionaries",
       IEEE Transactions on Signal Processing 41, 1993.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.representations import SparseAutoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = SparseAutoencoder(100, n_nonzero_coefs=5, random_state=0).fit(X)
    >>> codes = model.transform(X)
    >>> codes.shape, round(float(codes.nnz) / len(X)), model.score(X) > -0.25
    ((1797, 100), 5, True)
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_nonzero_coefs": [Interval(Real, 0, None, closed="neither")],
        "allocation": [StrOptions({"mutual", "row", "feature"})],
        "positive_code": ["boolean"],
        "pursuit": [StrOptions({"mp", "omp"})],
        "encoder": [StrOptions({"pursuit", "linear"})],
        "solver": [StrOptions({"alternating", "adam"})],
        "price": [StrOptions({"holdout", "train"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "over_relaxation": [Interval(Real, 0, 1, closed="left")],
        "min_usage": [Interval(Real, 0, 1, closed="left")],
        "sparse_output": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str, None],
        "torch_params": [dict, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components=256,
        *,
        n_nonzero_coefs=8,
        allocation="mutual",
        positive_code=True,
        pursuit="mp",
        encoder="pursuit",
        solver="alternating",
        price="holdout",
        max_iter=12,
        tol=1e-3,
        over_relaxation=0.9,
        min_usage=0.02,
        sparse_output=True,
        batch_size=128,
        warm_start=False,
        device=None,
        torch_params=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.n_nonzero_coefs = n_nonzero_coefs
        self.allocation = allocation
        self.positive_code = positive_code
        self.pursuit = pursuit
        self.encoder = encoder
        self.solver = solver
        self.price = price
        self.max_iter = max_iter
        self.tol = tol
        self.over_relaxation = over_relaxation
        self.min_usage = min_usage
        self.sparse_output = sparse_output
        self.batch_size = batch_size
        self.warm_start = warm_start
        self.device = device
        self.torch_params = torch_params
        self.random_state = random_state

    # learning

    @fit_context()
    def fit(self, X, y=None):
        """Learn the features and their price.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, dense.
        y : None
            Ignored.

        Returns
        -------
        SparseAutoencoder
            The fitted estimator.

        Raises
        ------
        ValueError
            When more features are asked for in a row than there are.
        """
        rows = self._validate(X, reset=True)
        return self._learn([lambda: rows], X)

    @fit_context()
    def fit_blocks(self, blocks, *, n_jobs=None):
        """Fit to blocks of rows as if they were one table, a block in memory at a time.

        Parameters
        ----------
        blocks : sequence
            Arrays, tuples whose first entry is one, or callables that load either.
            They are read once, and once more in each pass.
        n_jobs : int or None, default=None
            Threads, each with a block of its own.

        Returns
        -------
        SparseAutoencoder
            The fitted estimator.
        """
        blocks = blocks if isinstance(blocks, (list, tuple)) else [*blocks]
        if not blocks:
            raise ValueError("fit_blocks needs at least one block, got none.")
        if self.solver == "adam":
            raise ValueError(
                "fit_blocks takes solver='alternating', got 'adam', which wants all "
                "rows at hand."
            )
        first = self._load(blocks[0], reset=True)
        del first
        sources = [partial(self._load, block, reset=False) for block in blocks]
        return self._learn(sources, None, n_jobs)

    @fit_context()
    def partial_fit(self, X, y=None):
        """Learn from one more batch of rows.

        The batch is coded before it teaches the dictionary, so its gains are those of
        new rows, and tell the price. Older batches count less. The first call after
        `fit` starts anew.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, dense. The first batch should have more rows than ``n_components``.
        y : None
            Ignored.

        Returns
        -------
        SparseAutoencoder
            The fitted estimator.
        """
        if self.solver == "adam" or self.encoder == "linear":
            raise ValueError(
                "partial_fit takes solver='alternating' and encoder='pursuit', got "
                f"{self.solver!r} and {self.encoder!r}."
            )
        fresh = not hasattr(self, "_batches")
        if not fresh and len(self.components_) != self.n_components:
            raise ValueError(
                f"partial_fit goes on with {len(self.components_)} features, got "
                f"n_components={self.n_components}: call fit for another number."
            )
        rows = self._validate(X, reset=fresh)
        random_state = check_random_state(self.random_state)
        start = Start.of(rows, self.n_components, random_state.randint(2**31 - 1))
        start.check_size()
        past = Batches() if fresh else self._batches
        m = self._check_budget(len(rows) if fresh else np.inf)
        if fresh:
            dictionary = start.dictionary(m, 0.0, random_state, self.batch_size)
        else:
            mean = self.mean_ + (start.mean - self.mean_) * (
                len(rows) / (past.n_samples + len(rows))
            )
            dictionary = Dictionary(self.components_, mean, self.batch_size)
        shown = dictionary.centred(rows[:: max(1, len(rows) // SHOWN)])
        priced = self._set_price(dictionary, shown, None, past.prices, learning=True)
        rule = self._training_rule(past.prices)
        batch = CodeStatistics.of(rows, dictionary, rule)
        past = past.joined(batch, priced, self._shares_budget())
        dictionary = improve(dictionary, past.sums)
        dictionary = revive(dictionary, batch, rule, self.min_usage)
        if past.table is not priced.table and self._shares_budget():
            price = past.table.price(self.n_nonzero_coefs)
            priced = replace(priced, rule=replace(priced.rule, price=price))
        self._batches = past
        self.n_samples_seen_ = past.n_samples
        return self._store(
            dictionary,
            replace(priced, table=past.table),
            past.sums.usage / past.sums.n_samples,
            [*([] if fresh else self.loss_curve_), batch.fvu],
        )

    def _learn(self, sources, X, n_jobs=None):
        """Read blocks of rows again and again until the dictionary stands."""
        random_state = check_random_state(self.random_state)
        seed = random_state.randint(2**31 - 1)
        kept = self.n_components + self.n_components // 2 + 64
        blocks = Blocks(sources, n_jobs)
        start = blocks.reduced(Start.of, kept, seed)
        start.check_size()
        n, m = start.n_samples, self._check_budget(start.n_samples)
        held = min(HELD_OUT, MOST_HELD / n) if self.price == "holdout" else 0.0
        held = held if n >= FEW else 0.0
        blocks.hold_out(held, seed)
        held = held if blocks.any_held else 0.0
        dictionary = start.dictionary(m, held, random_state, self.batch_size)
        if self.warm_start and hasattr(self, "components_"):
            dictionary = self._continued(dictionary)
        if self.solver == "adam":
            encoder, curve = self._train_net(blocks, dictionary, seed)
        else:
            encoder, curve = self._alternate(blocks, dictionary, X)
        encoder, priced, sums = self._finish(blocks, encoder)
        vars(self).pop("_batches", None)
        self.n_samples_seen_ = n
        return self._store(encoder, priced, sums.usage / n, curve)

    def _train_net(self, blocks, dictionary, seed):
        """Train by gradients; return the encoder, or its dictionary, and the losses."""
        require("skorch", extra="torch", user="SparseAutoencoder(solver='adam')")
        from sklearn_ext.representations._sparse._sparse_torch import train

        rule = self._training_rule(None)
        rows = blocks.learners()
        state = partial(self._state, rule=rule)
        encoder, curve = train(self, rows, dictionary, rule, seed, state)
        return (encoder if self.encoder == "linear" else encoder.dictionary), curve

    def _alternate(self, blocks, dictionary, X):
        """Code and learn in turn; return the dictionary and its errors."""
        tasks = FitTasks(self, X, None, max_subtasks=self.max_iter, task_name="pass")
        curve, prices = [], None
        sparser = round(SPARSER * self.max_iter)
        for turn in range(self.max_iter):
            tasks.begin()
            if self.allocation == "feature" and turn >= sparser:
                rows = blocks.teachers(dictionary)
                priced = self._set_price(dictionary, rows, None, prices, learning=True)
                prices = priced.rule.price
            rule = self._training_rule(prices)
            if turn < sparser:
                rule = replace(rule, depth=-(-rule.depth // 2))
            sums = blocks.reduced(CodeStatistics.of, dictionary, rule)
            still = turn > sparser and curve[-1] - sums.fvu <= self.tol * curve[-1]
            curve.append(sums.fvu)
            last = still or turn == self.max_iter - 1
            dictionary = improve(
                dictionary, sums, 0.0 if last else self.over_relaxation
            )
            dictionary = revive(dictionary, sums, rule, self.min_usage, twins=not last)
            if tasks.end(partial(self._state, dictionary, rule)) or last:
                break
        tasks.close(**self._state(dictionary, rule))
        return dictionary, curve

    def _finish(self, blocks, encoder):
        """Set the price, see that no feature is idle, count who uses which."""
        prices = None
        for turn in range(REVIVALS + 1):
            priced = self._price_on(blocks, encoder, prices)
            sums = blocks.reduced(
                CodeStatistics.of,
                encoder,
                priced.rule,
                everyone=True,
                sweeps=MANY_SWEEPS,
            )
            idle = int((sums.usage == 0).sum())
            enough = sums.n_samples * self.n_nonzero_coefs >= self.n_components
            fixed = self.solver == "adam" or not enough or turn == REVIVALS
            if not idle or fixed:
                break
            encoder = revive(encoder, sums, priced.rule, 0.0, twins=False)
            prices = priced.rule.price if np.ndim(priced.rule.price) else None
        if self.encoder == "linear":
            if not isinstance(encoder, LinearEncoder):
                rule = priced.rule
                sums = blocks.reduced(CodeStatistics.of, encoder, rule, with_rows=True)
                encoder = LinearEncoder.of(encoder, sums)
                priced = self._price_on(blocks, encoder)
            for _ in range(STRETCHES):
                before = priced.fvu
                sums = blocks.reduced(CodeStatistics.of, encoder, priced.rule)
                for way in encoder.stretched(sums):
                    found = self._price_on(blocks, way)
                    if found.fvu < priced.fvu:
                        encoder, priced = way, found
                if before - priced.fvu <= STALLED * before:
                    break
            sums = blocks.reduced(
                CodeStatistics.of,
                encoder,
                priced.rule,
                everyone=True,
                sweeps=MANY_SWEEPS,
            )
        return encoder, priced, sums

    def _price_on(self, blocks, encoder, prices=None):
        """Set the price on rows that are held out, or else on all."""
        rows, learnt = blocks.held(encoder), None
        if self.allocation == "feature" and blocks.any_held:
            learnt = blocks.teachers(encoder)
        return self._set_price(encoder, rows, learnt, prices)

    def _set_price(self, encoder, rows, learnt=None, prices=None, learning=False):
        """Find the price at which rows spend the budget, and what that leaves.

        Parameters
        ----------
        encoder : Dictionary or LinearEncoder
            What codes the rows.
        rows : ndarray of shape (n, d)
            Centred rows that set the price.
        learnt : ndarray of shape (n, d), default=None
            Centred rows that set what prices of features are beside each other; None
            takes the same.
        prices : ndarray of shape (m,), default=None
            Where prices of features start.
        learning : bool, default=False
            Whether they are for one pass, and need not be exact.

        Returns
        -------
        Priced
            The price.
        """
        wide = replace(self._training_rule(None), depth=self._depth(DEEP))
        k, square = self.n_nonzero_coefs, squares(rows)
        choice = encoder.choose(rows, wide)
        table = GainTable.of(choice.gains, square.mean())
        if self.allocation == "row":
            table = GainTable.by_step(choice.gains, square.mean())
            rule = self._training_rule(None)
            choice = choice.cut(rule.depth)
        elif self.allocation == "mutual":
            rule = replace(
                wide, price=price_of(choice.gains, whole_budget(len(rows), k))
            )
            choice = choice.cut((choice.gains >= rule.price).sum(axis=0))
        else:
            m, teachers = len(encoder.atoms), rows if learnt is None else learnt
            entry = max(table.price(k), table.gains[-1])
            prices = np.full(m, entry) if prices is None else prices
            cap = most_rows(len(teachers), k, m)

            def choose(own):
                return encoder.choose(teachers, replace(wide, price=own))

            if learning:
                prices = feature_prices(choose, cap, prices, entry, LEARNING)
            else:
                prices = feature_prices(choose, cap, prices, entry)
                prices = capped_prices(choose, cap, prices)
            if learnt is not None:
                prices = prices * common_factor(
                    lambda f: encoder.choose(rows, replace(wide, price=f * prices)), k
                )
            rule = replace(wide, price=prices)
            choice = encoder.choose(rows, rule)
        _, saved = encoder.fit(choice, rule, MANY_SWEEPS)
        left, total = np.maximum(square - saved, 0).sum(), square.sum()
        return Priced(rule, table, float(left / total) if total > 0 else 0.0)

    def _shares_budget(self):
        return self.allocation == "mutual"

    def _depth(self, times):
        return min(self.n_components, int(np.ceil(times * self.n_nonzero_coefs)))

    def _training_rule(self, prices):
        """Return how rows are coded during learning: each has its own budget."""
        depth = self._depth(1 if prices is None else DEEP)
        price = 0.0 if prices is None else prices
        return Rule(depth, price, self.positive_code, self.pursuit == "omp")

    def _check_budget(self, n):
        """Refuse budgets that cannot be; return the number of features."""
        m, k = self.n_components, self.n_nonzero_coefs
        if k > m:
            raise ValueError(
                f"n_nonzero_coefs={k} is more than n_components={m}: a row cannot use "
                "more features than there are."
            )
        if self.allocation == "row" and k != int(k):
            raise ValueError(
                f"allocation='row' takes a whole n_nonzero_coefs, got {k}; 'mutual' "
                "and 'feature' take fractions."
            )
        if m > n * k:
            warn(
                f"n_components={m} is more than {n} rows can use with "
                f"n_nonzero_coefs={k}: some features will be idle."
            )
        return m

    def _continued(self, dictionary):
        """Return the fitted features around the new mean."""
        if self.components_.shape != dictionary.atoms.shape:
            raise ValueError(
                f"warm_start continues from {self.components_.shape[0]} features of "
                f"{self.components_.shape[1]} columns, got n_components="
                f"{self.n_components} and {dictionary.atoms.shape[1]} columns."
            )
        return replace(
            dictionary, atoms=self.components_.astype(dictionary.atoms.dtype)
        )

    def _state(self, encoder, rule):
        """Return the fitted attributes that `transform` needs."""
        state = {
            "components_": encoder.atoms,
            "mean_": encoder.mean,
            "price_": rule.price,
            "_rule": rule,
            "_batch_size": encoder.batch_size,
        }
        if isinstance(encoder, LinearEncoder):
            state["encoder_coef_"] = encoder.coef
            state["encoder_intercept_"] = encoder.intercept
        return state

    def _store(self, encoder, priced, usage, curve):
        for name in ("encoder_coef_", "encoder_intercept_"):
            vars(self).pop(name, None)
        vars(self).update(self._state(encoder, priced.rule))
        self._table, self._allocation = priced.table, self.allocation
        self.fvu_, self.n_nonzero_coefs_ = priced.fvu, self.n_nonzero_coefs
        self.usage_, self.n_dead_ = usage, int((usage == 0).sum())
        self.loss_curve_, self.n_iter_ = curve, len(curve)
        return self

    def _validate(self, X, *, reset):
        if sparse.issparse(X):
            raise TypeError(
                f"{type(self).__name__} takes dense rows, got a sparse "
                f"{type(X).__name__}: taking the mean off would fill it. Reduce it "
                "first, for instance by TruncatedSVD."
            )
        return validate_data(self, X, dtype=FLOATS, order="C", reset=reset)

    def _load(self, block, *, reset):
        rows = block() if callable(block) else block
        rows = rows[0] if isinstance(rows, tuple) else rows
        return self._validate(rows, reset=reset)

    # coding

    def _encoder(self):
        dictionary = Dictionary(self.components_, self.mean_, self._batch_size)
        if not hasattr(self, "encoder_coef_"):
            return dictionary
        return LinearEncoder(dictionary, self.encoder_coef_, self.encoder_intercept_)

    def _coded(self, X):
        """Yield slices of rows, the rows centred, their choice and coefficients."""
        check_is_fitted(self)
        X, encoder = self._validate(X, reset=False), self._encoder()
        for at in slices(len(X), PLENTY * self._batch_size):
            rows = encoder.centred(X[at])
            choice = encoder.choose(rows, self._rule)
            coefs, saved = encoder.fit(choice, self._rule, MANY_SWEEPS)
            yield at, rows, as_sparse(choice, coefs, len(self.components_)), saved

    def _codes(self, X):
        return sparse.vstack([codes for *_, codes, _ in self._coded(X)], format="csr")

    def transform(self, X):
        """Code rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, dense.

        Returns
        -------
        sparse array or ndarray of shape (n_samples, n_components)
            The codes, in compressed rows, or dense if ``sparse_output=False``.
        """
        codes = self._codes(X)
        return _align_api_if_sparse(codes) if self.sparse_output else codes.toarray()

    def inverse_transform(self, Z):
        """Return the rows that codes stand for.

        Parameters
        ----------
        Z : {array-like, sparse array} of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The mean and what the features add to it.
        """
        check_is_fitted(self)
        Z = check_array(Z, accept_sparse="csr", dtype=FLOATS)
        if Z.shape[1] != len(self.components_):
            raise ValueError(
                f"codes have a column for each of {len(self.components_)} features, "
                f"got {Z.shape[1]} columns."
            )
        return (Z @ self.components_ + self.mean_).astype(
            self.components_.dtype, copy=False
        )

    def score(self, X, y=None):
        """Return minus the fraction of variance unexplained, at the fitted price.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.

        Returns
        -------
        float
            Zero is perfect, minus one is no better than the mean.
        """
        left = total = 0.0
        for _, rows, _, saved in self._coded(X):
            length = squares(rows)
            left = left + np.maximum(length - saved, 0).sum()
            total = total + length.sum()
        return -float(left / total) if total > 0 else 0.0

    @fit_context()
    def set_budget(self, n_nonzero_coefs, X=None):
        """Change how many features a row may use, without a new fit.

        Parameters
        ----------
        n_nonzero_coefs : float
            Mean number of features of a row from now on.
        X : array-like of shape (n_samples, n_features), default=None
            Rows to set the price on, such as those of a new population. None takes the
            gains that are kept from the fit.

        Returns
        -------
        SparseAutoencoder
            This estimator, with another ``price_``; its features stay.

        Raises
        ------
        ValueError
            When the gains kept from the fit do not go so far: they end at three times
            the budget of the fit.
        """
        check_is_fitted(self)
        fitted = {
            "n_nonzero_coefs": n_nonzero_coefs,
            "n_components": len(self.components_),
            "allocation": self._allocation,
            "positive_code": self._rule.positive,
            "pursuit": "omp" if self._rule.orthogonal else "mp",
        }
        other = type(self)(**fitted)
        other._validate_params()
        other._check_budget(np.inf)
        if X is not None:
            encoder = self._encoder()
            rows = encoder.centred(self._validate(X, reset=False))
            priced = other._set_price(encoder, rows)
        elif self._allocation == "row":
            rule = replace(self._rule, depth=int(n_nonzero_coefs))
            priced = Priced(rule, self._table, self._table.fvu(n_nonzero_coefs))
        else:
            self._refuse_table("set_budget")
            if n_nonzero_coefs > self._table.largest:
                raise ValueError(
                    f"n_nonzero_coefs={n_nonzero_coefs} is beyond the gains that are "
                    f"kept, which end at {self._table.largest:.4g} features a row: fit "
                    "with a larger budget, or pass rows as X."
                )
            rule = replace(self._rule, price=self._table.price(n_nonzero_coefs))
            priced = Priced(rule, self._table, self._table.fvu(n_nonzero_coefs))
        self._rule, self._table, self.fvu_ = priced.rule, priced.table, priced.fvu
        self.price_, self.n_nonzero_coefs_ = priced.rule.price, n_nonzero_coefs
        return self

    def _refuse_table(self, method):
        if self._allocation == "feature":
            raise ValueError(
                f"{method} needs rows as X with allocation='feature', whose features "
                "have each their own price."
            )

    def budget_curve(self, X=None):
        """Return the error for every budget, from one fit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            Rows to measure on. None reads what is kept from the fit, where codes are
            not yet fitted anew: the error is slightly too high.

        Returns
        -------
        Bunch
            ``n_nonzero_coefs``, ``fvu`` and ``price``, arrays of one length. With ``X``
            the first is what its rows use at these prices.
        """
        check_is_fitted(self)
        table, by_step = self._table, self._allocation == "row"
        self._refuse_table("budget_curve")
        if by_step:
            budgets = table.ranks
        else:
            least = min(0.5, table.largest) or 1.0  # rows without variance have none
            budgets = np.geomspace(least, max(least, table.largest), CURVE)
        prices = np.array([0.0 if by_step else table.price(k) for k in budgets])
        if X is None:
            return Bunch(n_nonzero_coefs=budgets, fvu=table.fvu(budgets), price=prices)
        encoder = self._encoder()
        rows = encoder.centred(self._validate(X, reset=False))
        depth = int(table.largest) if by_step else self._rule.depth
        open_rule = replace(self._rule, depth=depth, price=0.0)
        choice, total = encoder.choose(rows, open_rule), squares(rows).sum()
        used, fvu = [], []
        for k, price in zip(budgets, prices, strict=True):
            steps = int(k) if by_step else (choice.gains >= price).sum(axis=0)
            cut = choice.cut(steps)
            used.append(cut.count.mean())
            left = total - encoder.fit(cut, open_rule)[1].sum()
            fvu.append(left / total if total > 0 else 0.0)
        return Bunch(n_nonzero_coefs=np.array(used), fvu=np.array(fvu), price=prices)

    # reading

    def feature_report(
        self,
        X,
        y=None,
        *,
        features=None,
        rows=None,
        words=None,
        n_rows=5,
        n_words=5,
        n_columns=5,
        feature_names=None,
    ):
        """Tell what each feature stands for, from rows that are known.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            A target to correlate the codes with: numbers, or labels.
        features : array-like of int, default=None
            Which features; None is all.
        rows : sequence of length n_samples, default=None
            What to call each row, such as its text; None is its position.
        words : sequence of str or tuple (table, names), default=None
            The text of each row, whose words are to name the features; or a table of
            shape (n_samples, n_words), not zero where a row has a word or tag, and the
            names of its columns.
        n_rows, n_words, n_columns : int, default=5
            How many rows, words and columns of each feature are listed.
        feature_names : sequence of str, default=None
            Names of the columns; None takes ``feature_names_in_``. Without either,
            columns are not listed.

        Returns
        -------
        pandas.DataFrame or dict
            Where pandas is missing, a dict of the columns. One line a feature:

            - ``feature``: its position in ``components_``
            - ``usage``, ``share``: rows that use it, and their share
            - ``mean``, ``largest``: its code, where it is not zero
            - ``explained``: share of the variance that is lost without it alone
            - ``rows``: those with the largest codes
            - ``words``: words in whose rows it is most surprisingly active
            - ``columns``: those that weigh most in its direction, with signs
            - ``correlation``, ``p_value``, ``label``: with ``y``, or that class of it
              for which it is largest; p values are adjusted for all features and
              classes
        """
        check_is_fitted(self)
        n, atoms = _num_samples(X), self.components_
        for name, given in (("rows", rows), ("y", y)):
            if given is not None and len(given) != n:
                raise ValueError(f"{name} has {len(given)} entries for {n} rows of X.")
        wanted = range(len(atoms)) if features is None else features
        wanted = self._positions(wanted)
        if feature_names is None:
            feature_names = getattr(self, "feature_names_in_", None)
        if feature_names is not None and len(feature_names) != self.n_features_in_:
            raise ValueError(
                f"feature_names has {len(feature_names)} names for "
                f"{self.n_features_in_} columns."
            )
        if y is not None:
            y = column_or_1d(y)
            assert_all_finite(y, input_name="y")
        codes, unexplained, total = [], 0.0, 0.0
        for _, centred, part, _ in self._coded(X):
            left = centred - part @ atoms
            length = squares(centred).sum()
            unexplained = unexplained + length * explained(part, left, atoms, length)
            codes, total = [*codes, part], total + length
        codes = sparse.vstack(codes, format="csr")
        usage = np.bincount(codes.indices, minlength=len(atoms))
        size = np.abs(codes)
        sums, largest = size.sum(axis=0), size.max(axis=0).toarray().ravel()
        shown = codes[:, wanted]
        table = {
            "feature": wanted,
            "usage": usage[wanted],
            "share": (usage / n)[wanted],
            "mean": (sums / np.maximum(usage, 1))[wanted],
            "largest": largest[wanted],
            "explained": (unexplained / total if total > 0 else 0 * sums)[wanted],
            "rows": [
                at.tolist() if rows is None else [rows[i] for i in at]
                for at in top_rows(shown, n_rows)
            ],
        }
        if words is not None:
            has, names = word_table(words)
            if has.shape[0] != n:
                raise ValueError(f"words has {has.shape[0]} rows, X has {n}.")
            table["words"] = top_words(shown, has, names, n_words)
        if feature_names is not None:
            table["columns"] = top_columns(atoms[wanted], feature_names, n_columns)
        if y is not None:
            r, p, label = correlations(codes, y)
            table["correlation"], table["p_value"] = r[wanted], p[wanted]
            if label is not None:
                table["label"] = label[wanted]
        try:
            import pandas as pd
        except ImportError:
            return table
        return pd.DataFrame(table)

    def _positions(self, features, only_one=False):
        """Return positions of features as an array, or say what is wrong with them."""
        found, m = np.atleast_1d(np.asarray(features)), len(self.components_)
        found = found.astype(np.intp) if found.size == 0 else found
        wrong = found.ndim > 1 or found.dtype.kind not in "iu"
        if wrong or ((found < 0) | (found >= m)).any() or (only_one and len(found) > 1):
            few = "a position" if only_one else "positions"
            raise ValueError(
                f"features are given by {few} from 0 to {m - 1}, got {features!r}."
            )
        return found

    def coactivation(self, X):
        """Count in how many rows two features are used together.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        sparse array of shape (n_components, n_components)
            The counts; on the diagonal those of single features.
        """
        used = self._codes(X).astype(bool).astype(np.int64)
        return _align_api_if_sparse((used.T @ used).tocsr())

    def ablate(self, X, features):
        """Take features out of rows; all else in them stays, explained or not.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        features : int or array-like of int
            What to take out.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The rows, less what these features give.
        """
        check_is_fitted(self)
        features = np.unique(self._positions(features))
        rows = self._validate(X, reset=False)
        return rows - self._codes(rows)[:, features] @ self.components_[features]

    def steer(self, X, feature, amount):
        """Add to a feature of rows; all else in them stays, explained or not.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        feature : int
            What to add to.
        amount : float or array-like of shape (n_samples,)
            By how much. Codes that cannot be negative stop at zero: a large negative
            amount takes the feature out.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The rows, with the change of this feature.
        """
        check_is_fitted(self)
        (feature,) = self._positions(feature, only_one=True)
        rows = self._validate(X, reset=False)
        change = np.asarray(amount, dtype=float)
        if change.shape not in {(), (len(rows),)} or not np.isfinite(change).all():
            raise ValueError(
                f"amount must be a finite number, or one for each of {len(rows)} rows, "
                f"got {amount!r}."
            )
        change = np.broadcast_to(change, len(rows))
        if self._rule.positive:
            now = self._codes(rows)[:, [feature]].toarray().ravel()
            change = np.maximum(now + change, 0) - now
        moved = rows + change[:, None] * self.components_[feature]
        return moved.astype(rows.dtype, copy=False)

    @property
    def _n_features_out(self):
        return len(self.components_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
