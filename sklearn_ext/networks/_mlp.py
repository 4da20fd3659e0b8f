"""Ensembles of perceptrons that find their own learning rate and leave rows out."""

from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    _num_samples,
    _safe_indexing,
)
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._optional import require, torch_device
from sklearn_ext._core._tables import column_names
from sklearn_ext._core._validation import FLOATS, check_weights, warn
from sklearn_ext._numerics._classes import class_factors
from sklearn_ext._numerics._nets import forward, n_parameters
from sklearn_ext.networks._preprocess import TablePreprocessor, words_explained
from sklearn_ext.networks._training import _rate_search as search
from sklearn_ext.networks._training._members import (
    NO_FOLD,
    Members,
    Plan,
    TrainingRows,
)
from sklearn_ext.networks._training._regime import LAZINESS, Regime, row_scores
from sklearn_ext.networks._training._rows_left_out import (
    DistinctRows,
    deal,
    keys_of,
    order_of,
)

CONSTANT = 1e-14  # range of a target, relative to its mean, that is rounding
LEAST_SPREAD = 1e-6  # of a target, relative to its range, whatever rows weigh
N_BINS = 16  # of a column of numbers
N_VALIDATION = 10  # folds of which a single member leaves one out
DEEP = 8  # layers beyond which plain nets do not keep their rate
FEW_BATCHES = 64  # batches of an epoch of large tables
MANY_STEPS = 100  # after which a member must be better than a constant
N_HALVED = 3  # how often a rate found is halved where members diverge at full width
ROUNDED = ("auto", "quantile", "robust")  # codes of columns whose size is known
FEW = 500  # rows of which standardised columns may be all that a table can teach
SURELY = 0.05  # share by which richer codes must then lower the loss
AWAY = 1e3  # deviations that only rows of next to no weight are from the mean
REPORT = (
    "learning_rate_curve_",
    "regime_",
    "lazy_score_",
    "rich_score_",
    "regime_gap_",
    "kernel_similarity_",
    "target_alignment_",
    "weight_change_",
)  # there with some parameters only
FINENESS = 64.0  # parts of a unit of such codes in which rows are told apart
BLOCK = 4096  # rows coded at a time
FAR = 1e15  # codes of columns at most, lest outputs overflow


@dataclass(frozen=True)
class TrainingHistory:
    """What was measured after each epoch, arrays of shape (n_epochs,).

    Attributes
    ----------
    oob_loss : ndarray
        Mean loss of rows at the members that left them out; NaN without such rows.
    activation_rms, logit_rms : ndarray
        Root mean squares of the last hidden layer and of the outputs.
    gradient_norm : ndarray
        Norm of the gradient of the last batch, mean over members.
    learning_rate : ndarray
        Learning rate at the end of the epoch.
    """

    oob_loss: np.ndarray
    activation_rms: np.ndarray
    logit_rms: np.ndarray
    gradient_norm: np.ndarray
    learning_rate: np.ndarray


class TunedMembers(CallbackSupportMixin):
    """What classifier and regressor share: the fit of members, and their outputs."""

    _parameter_constraints: dict = {
        "hidden_units": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [
            StrOptions({"auto"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "residual": [StrOptions({"auto"}), "boolean"],
        "parametrization": [StrOptions({"mup", "standard"})],
        "base_units": [Interval(Integral, 1, None, closed="left")],
        "laziness": [Interval(Real, 0, None, closed="neither")],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "leave_out": [StrOptions({"members"}), None],
        "numeric": [
            StrOptions({"auto", "quantile", "robust", "standard", "passthrough"})
        ],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "n_bins": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
        "proxy_units": [Interval(Integral, 1, None, closed="left")],
        "proxy_iter": [Interval(Integral, 1, None, closed="left")],
        "learning_rates": ["array-like", None],
        "kernel_report": ["boolean"],
        "device": [str, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hidden_units=128,
        *,
        n_layers=2,
        n_members=8,
        learning_rate="auto",
        max_iter=40,
        batch_size="auto",
        weight_decay=0.02,
        dropout=0.0,
        residual="auto",
        parametrization="mup",
        base_units=64,
        laziness=1.0,
        warmup=0.05,
        early_stopping=True,
        n_iter_no_change=12,
        leave_out="members",
        numeric="auto",
        categorical_features="from_dtype",
        n_bins="auto",
        min_frequency=5,
        proxy_units=32,
        proxy_iter=25,
        learning_rates=None,
        kernel_report=False,
        device=None,
        random_state=None,
    ):
        self.hidden_units = hidden_units
        self.n_layers = n_layers
        self.n_members = n_members
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.residual = residual
        self.parametrization = parametrization
        self.base_units = base_units
        self.laziness = laziness
        self.warmup = warmup
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.leave_out = leave_out
        self.numeric = numeric
        self.categorical_features = categorical_features
        self.n_bins = n_bins
        self.min_frequency = min_frequency
        self.proxy_units = proxy_units
        self.proxy_iter = proxy_iter
        self.learning_rates = learning_rates
        self.kernel_report = kernel_report
        self.device = device
        self.random_state = random_state

    def member_predictions(self, X):
        """Predict with each member alone.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_members, n_samples) or (n_members, n_samples, n_outputs)
            Probabilities of classes, or numbers; of members that did not diverge.
        """
        return self._predictions(self._outputs(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = self.numeric == "passthrough"
        return tags

    # --- reading ------------------------------------------------------------------

    def _read(self, X, *target, reset=True):
        """Return rows, counted and named, as the preprocessor takes them; and y."""
        checks = {"skip_check_array": True}
        if sparse.issparse(X) or not column_names(X):
            categories = (self if reset else self.preprocessor_).categorical_features
            checks = {
                "dtype": None if _is_mixed(X, categories) else FLOATS,
                "accept_sparse": "csr",  # the preprocessor says when it takes it
                "ensure_all_finite": "allow-nan",
            }
        if target:
            return self._read_target(X, *target, checks)
        with words_explained(X):
            return validate_data(self, X, reset=reset, **checks)

    def _outputs(self, X):
        """Return what the members say, (n_members, n_samples, n_outputs)."""
        check_is_fitted(self)
        X = self._read(X, reset=False)
        outputs, weights = [], {}
        for part in _blocks(X):
            with np.errstate(over="ignore"):
                Z = self.preprocessor_.transform(part)
            Z = Z.toarray() if sparse.issparse(Z) else Z
            weights = weights or {
                k: w.astype(Z.dtype) for k, w in self.weights_.items()
            }
            outputs.append(forward(weights, Z.clip(-FAR, FAR)))
        return np.concatenate(outputs, axis=1)

    # --- the fit ------------------------------------------------------------------

    def _fit(self, data, X, target, w, sample_weight):
        """Fit members to rows whose target is codes of classes or numbers."""
        for name in ("torch", "skorch"):
            require(name, extra="torch", user=type(self).__name__)
        device = "cpu" if self.device is None else torch_device(self.device)[1]
        rng = check_random_state(self.random_state)
        seed = rng.randint(2**31 - 1)
        rows = DistinctRows.of(X, target, w, seed=seed)
        self._forget()
        table = self._table(X, target[rows.first], rows)
        plain = table.Z[:, : table.bins.n_plain]  # bins say nothing more of a row
        keys = keys_of(
            plain, rounded=self.numeric in ROUNDED, fineness=FINENESS, seed=seed
        )
        table = table.ordered(order_of(keys, table.target))
        plan = self._plan(len(rows), device, seed)
        rate, table = self._chosen(table, keys, plan, X, rows)
        n_folds = N_VALIDATION if self.n_members == 1 else self.n_members
        table = table.dealt(deal(keys, n_folds, table.weight, table.strata))
        given = None if sample_weight is None else {"sample_weight": sample_weight}
        report = {"estimator": self, "X": data[0], "y": data[1], "metadata": given}
        report["state"] = self._state
        retries = N_HALVED if self.learning_rate == "auto" else 0
        for _ in range(retries + 1):
            members = self._members(rate, seed)
            training = _train(table, members, plan, report)
            if not training.diverged.any():
                break
            rate /= 2
        self._check_training(training, table, members.rates[0])
        self._take(training, float(members.rates[0]))
        if self.kernel_report:
            self._report_regime(table, keys, plan, self.learning_rate_)
        if self.leave_out is not None:
            self._score_left_out(training.outputs, rows, table, X)
        return self

    def _forget(self):
        """Drop what an earlier fit with other parameters may have left."""
        for name in [n for n in vars(self) if n.startswith("oob_") or n in REPORT]:
            delattr(self, name)

    def _table(self, X, target, rows):
        numeric = "quantile" if self.numeric == "auto" else self.numeric
        n_bins = N_BINS if self.n_bins == "auto" else self.n_bins
        self.preprocessor_, Z = self._coded(X, rows, numeric, n_bins)
        with np.errstate(invalid="ignore"):
            total = (Z.data if sparse.issparse(Z) else Z).sum(dtype=np.float64)
        if not np.isfinite(total):
            raise ValueError(
                f"X holds values that single precision cannot, with numeric="
                f"{self.numeric!r}; scale X, or choose numeric='quantile'."
            )
        codes, n_outputs, weight = self._learnt(target, rows.weight)
        order, bins = np.arange(len(rows)), self.preprocessor_.bins
        return TrainingRows(Z, bins, codes, weight, order, order, n_outputs)

    def _coded(self, X, rows, numeric, n_bins):
        """Return a preprocessor, and its rows in single precision, bins in one."""
        coder = TablePreprocessor(
            numeric,
            categorical_features=self.categorical_features,
            n_bins=n_bins,
            min_frequency=self.min_frequency,
        )
        at = rows.first
        coder.fit(_safe_indexing(X, at), sample_weight=rows.weight)
        with np.errstate(over="ignore"):
            if sparse.issparse(X):
                return coder, coder.narrow(X[at]).astype(np.float32)
            n_narrow = coder.narrow(_safe_indexing(X, at[:1])).shape[1]
            Z = np.empty((len(at), n_narrow), dtype=np.float32)
            for start in range(0, len(at), BLOCK):
                part = _safe_indexing(X, at[start : start + BLOCK])
                Z[start : start + BLOCK] = coder.narrow(part)
        return coder, Z

    def _plan(self, n_rows, device, seed):
        residual = self.n_layers > 2 if self.residual == "auto" else bool(self.residual)
        if not residual and self.n_layers > DEEP:
            warn(
                f"A plain net of n_layers={self.n_layers} does not keep its learning "
                "rate over depth: residual='auto' or True does."
            )
        mup = self.parametrization == "mup"
        return Plan(
            hidden_units=self.hidden_units,
            n_layers=self.n_layers,
            residual=residual,
            base_units=self.base_units if mup else self.hidden_units,
            standard=not mup,
            max_iter=self.max_iter,
            batch_size=self._batch_size(n_rows),
            weight_decay=self.weight_decay,
            dropout=self.dropout,
            warmup=self.warmup,
            logit_penalty=getattr(self, "logit_penalty", 0.0),
            keep_best=self.early_stopping and self.leave_out is not None,
            patience=self.n_iter_no_change,
            device=device,
            seed=seed,
            follow_kernel=self.kernel_report,
        )

    def _batch_size(self, n_rows):
        if self.batch_size == "auto":
            return min(1024, max(128, n_rows // FEW_BATCHES))
        return self.batch_size

    def _members(self, rate, seed):
        k, nothing = self.n_members, NO_FOLD
        return Members(
            rates=np.full(k, rate),
            left_out=np.full(k, nothing) if self.leave_out is None else np.arange(k),
            seeds=_seeds(seed, k),
            laziness=np.full(k, float(self.laziness)),
        )

    def _chosen(self, table, keys, plan, X, rows):
        """Return the rate, and the table as its numbers are coded best."""
        if self.learning_rate != "auto":
            return float(self.learning_rate), table
        best = None
        clearly, codes = self._codes(table, X, rows)
        for coder, coded in codes:
            rate, curve = self._rate(coded, keys, plan, self.laziness)
            if curve is None:
                return rate, table
            if best is None or curve.least < (1 - clearly) * best[1].least:
                best = rate, curve, coder, coded
        rate, self.learning_rate_curve_, self.preprocessor_, table = best
        self._check_curve(self.learning_rate_curve_)
        if self.learning_rates is not None:
            search.warn_of_border(self.learning_rate_curve_, type(self).__name__)
        return rate, table

    def _codes(self, table, X, rows):
        """Return by how much a later code must be better, and codes with their tables.

        Of few rows the plainest comes first: what is held out of them cannot tell codes
        apart unless one is much better.
        """
        codes, with_bins = [(self.preprocessor_, table)], len(table.bins.source) > 0
        if self.n_bins == "auto" and with_bins:
            codes.append((self.preprocessor_.without_bins(), table.without_bins()))
        numbers = not self.preprocessor_.is_constant_.all()
        if self.numeric != "auto" or len(rows) > FEW or not numbers:
            return search.CLEARLY, codes
        n_bins = 0 if self.n_bins == "auto" else self.n_bins
        with np.errstate(divide="ignore", invalid="ignore"):
            coder, Z = self._coded(X, rows, "standard", n_bins)
        if (np.abs(Z) < AWAY).all():  # else no scores, and no net, would be
            codes.append((coder, replace(table, Z=Z, bins=coder.bins)))
        return SURELY, codes[::-1]

    def _rate(self, table, keys, plan, laziness):
        """Return the best rate of narrow members, and the curve that shows it."""
        dealt = table.dealt(deal(keys, search.N_FOLDS, table.weight, table.strata))
        narrow = plan.narrow(self.proxy_units, self.proxy_iter)
        n_steps = self.proxy_iter * -(-len(keys) // plan.batch_size)
        rates = search.rate_grid(self.learning_rates, n_steps)
        n_held = search.N_FOLDS if len(keys) <= FEW else search.N_HELD

        def curve_of(rates):
            members = Members(
                rates=np.repeat(rates, n_held),
                left_out=np.tile(np.arange(n_held), len(rates)),
                seeds=np.tile(_seeds(plan.seed, n_held), len(rates)),
                laziness=np.full(len(rates) * n_held, float(laziness)),
            )
            losses = _train(dealt, members, narrow).member_loss
            return search.read_curve(rates, np.array(losses))

        if not (dealt.fold >= 0).any():  # nobody can be asked
            return float(rates[len(rates) // 2]), None
        curve = curve_of(rates)
        if self.learning_rates is None and (side := search.beyond(curve)):
            curve = search.joined(curve, curve_of(search.further(rates, side)))
        return float(curve.learning_rates[curve.best]), curve

    def _check_curve(self, curve):
        """Refuse one without a rate at which no member diverged."""
        if curve is None or np.isfinite(curve.least):
            return
        way_out = "Pass smaller learning_rates, or a learning_rate of your own."
        if self.numeric == "passthrough":
            way_out = "Columns pass as they are: scale X. Or p" + way_out[1:]
        rates = curve.learning_rates
        raise ValueError(
            f"{type(self).__name__} diverged at every learning rate from "
            f"{rates[0]:g} to {rates[-1]:g}. {way_out}"
        )

    def _report_regime(self, table, keys, plan, rate):
        """Compare narrow members that learn features with lazy ones."""
        k = self.n_members if self.n_members > 1 else search.N_FOLDS
        table = table.dealt(deal(keys, k, table.weight, table.strata))
        narrow = replace(plan.narrow(self.proxy_units, self.max_iter), keep_best=True)
        outputs = []
        lazy_rate, curve = self._rate(table, keys, plan, LAZINESS)
        self._check_curve(curve)
        for laziness, own_rate in ((LAZINESS, lazy_rate), (1.0, rate)):
            members = Members(
                rates=np.full(k, own_rate),
                left_out=np.arange(k),
                seeds=_seeds(plan.seed, k),
                laziness=np.full(k, laziness),
            )
            outputs.append(_train(table, members, narrow).outputs)
        known = np.isfinite(outputs).all(axis=(0, 2))
        regime = Regime(*[np.nan] * 4)  # nobody left rows out
        if known.any():
            target, weight = table.target[known], table.weight[known]
            scores = [row_scores(found[known], target, weight) for found in outputs]
            regime = Regime.of(*scores, weight)
        self.lazy_score_, self.rich_score_ = regime.lazy_score, regime.rich_score
        self.regime_gap_ = regime.gap, regime.standard_error
        self.regime_ = regime.verdict

    def _check_training(self, training, table, rate):
        diverged = training.diverged
        k, n = len(diverged), int(diverged.sum())
        if n == k:
            raise ValueError(
                f"{'All' if k > 1 else 'The'} {k} member{'s' * (k > 1)} diverged at "
                f"learning_rate={rate:g}, in epoch {training.diverged_at}, with "
                f"activations as large as {training.largest:.2g}. "
                + self._way_out("diverged")
            )
        if n:
            warn(
                f"{n} of {k} members diverged at learning rate {rate:g} and are left "
                f"out. {self._way_out('diverged')}",
                ConvergenceWarning,
            )
        losses = np.array(training.train_loss)[:, ~diverged]
        none = losses.min(axis=0) > 1.05 * table.constant_loss
        poor = int((none & (losses[-1] > 0.9 * losses[0])).sum())
        n_steps = len(losses) * -(
            -len(table.weight) // self._batch_size(len(table.weight))
        )
        if poor and n_steps >= MANY_STEPS:
            warn(
                f"{poor} of {k} members did not train: at learning rate {rate:g} they "
                f"are never better than a constant. {self._way_out('idle')}",
                ConvergenceWarning,
            )

    def _way_out(self, fault):
        """Say what helps members that are "diverged" or "idle"."""
        if self.learning_rate != "auto":
            return (
                "learning_rate='auto' finds one that trains; a smaller rate or a "
                "longer warmup may do."
            )
        if fault == "diverged":
            return (
                "It is less than what narrow members bore: wider ones in the search "
                "(proxy_units), smaller learning_rates or a longer warmup may do."
            )
        return (
            "The search found no rate at which narrow ones are: other learning_rates, "
            "more epochs (max_iter), less weight_decay, dropout or laziness, or "
            "numeric='quantile' may do."
        )

    def _take(self, training, rate):
        """Take the result as fitted attributes."""
        good = ~training.diverged
        self.learning_rate_ = rate
        self.weights_ = training.weights
        self.n_parameters_ = n_parameters(self.weights_)
        self.diverged_members_ = training.diverged
        losses = np.array(training.train_loss, dtype=float)
        self.loss_curve_ = losses[:, good].mean(axis=1)
        epochs = training.history
        self.history_ = TrainingHistory(
            **{name: np.array([epoch[name] for epoch in epochs]) for name in epochs[0]}
        )
        self.n_iter_ = len(training.history)
        self.best_iter_ = training.best + 1
        self.stop_reason_ = training.stop_reason
        if (path := training.path) is not None:
            self.kernel_similarity_ = np.array(path.similarity)
            self.target_alignment_ = np.array(path.alignment)
            self.weight_change_ = path.moved(self.weights_, good)

    def _everybody(self, found, rows, X):
        """Return predictions by row; all members left rows without weight out."""
        out = found[rows.place]
        alone = np.flatnonzero(rows.place < 0)
        if len(alone):
            out[alone] = self._mean(self._outputs(_safe_indexing(X, alone)))
        return out


def _blocks(X):
    """Yield the rows in parts of limited size."""
    n = _num_samples(X)
    if n <= BLOCK:
        yield X
        return
    for start in range(0, n, BLOCK):
        yield _safe_indexing(X, np.arange(start, min(n, start + BLOCK)))


def _train(rows, members, plan, report=None):
    from sklearn_ext.networks._training._train_torch import train

    return train(rows, members, plan, report)


def _seeds(seed, n):
    return np.random.default_rng(seed).integers(2**31, size=n)


def _is_mixed(X, categories):
    """Return whether rows without names may hold categories that are no numbers."""
    named = categories is not None and not isinstance(categories, str)
    return named and np.asarray(X).dtype.kind in "OUS"


def _check_rows(X, y):
    if _num_samples(X) == 0:
        raise ValueError("Found a table with 0 sample(s), at least 1 is required.")
    check_consistent_length(X, y)


class MuMLPClassifier(TunedMembers, ClassifierMixin, ExtEstimator):
    r"""Ensemble of perceptrons that finds its own learning rate.

    All members are trained as one batched net by AdamW, from weights and at rates that
    give a learning rate the same meaning at every width ("muP" [1]_). So the rate is
    searched for on narrow members, a grid of rates times folds in one run, and carried
    to the width that was asked for. Every member leaves out other rows: out-of-fold
    predictions of all rows, an honest score, and the epoch at which to stop come with
    the fit and cost no row.

    Tables come as they are: numbers become normal scores, or on small tables what the
    search finds best, missing values and categories of data frames have columns of
    their own. Prediction is numpy; training needs torch
    and skorch.

    When not: where rules and thresholds decide, gradient boosting is ahead and cheaper;
    on images and texts use skorch itself.

    Equal rows are one row of their summed weight, and weights are scaled to mean one,
    so that weights equal repetition and the order of rows says nothing. With
    ``numeric="standard"`` or ``"passthrough"`` columns on another scale meet other
    folds and batches, which are drawn by the rows' values.

    A training costs ``n_members * hidden_units * (n_features + n_layers *
    hidden_units)`` products a row and epoch; memory is twice the coded table in single
    precision, and the weights.

    Parameters
    ----------
    hidden_units : int, default=128
        Width of the hidden layers.
    n_layers : int, default=2
        Number of hidden layers.
    n_members : int, default=8
        Members of the ensemble. A single one leaves a tenth of the rows out.
    learning_rate : "auto" or float, default="auto"
        Rate of AdamW at width ``base_units``; ``"auto"`` searches for it.
    max_iter : int, default=40
        Epochs at most.
    batch_size : "auto" or int, default="auto"
        Rows of a step at most; ``"auto"`` takes a 64th of the table, but no fewer than
        128 and no more than 1024.
    weight_decay : float, default=1.0
        Decay of AdamW, multiplied by the rate alone, whatever the width. Where an epoch
        has more than twelve batches, each decays less: as much in sum as twelve.
    dropout : float, default=0.0
        Share of hidden units that a member does without in a step.
    residual : "auto" or bool, default="auto"
        Whether hidden layers are added to what enters them; ``"auto"`` if there are
        more than two.
    parametrization : {"mup", "standard"}, default="mup"
        How initial weights and rates depend on the width; the standard one, in which
        no rate fits two widths, is there for comparison.
    base_units : int, default=64
        Width at which both parametrizations are the same.
    laziness : float, default=1.0
        Factor alpha of ``alpha * (f - f_0)``, with f_0 the net as it started. Large
        values make a net its linearisation: kernel regression with the tangent kernel.
        At one, f_0 is not subtracted.
    logit_penalty : float, default=0.0
        Factor of the squared logarithm of the sum of exponentials of a row's outputs,
        which keeps them from drifting [3]_.
    warmup : float, default=0.05
        Share of the steps in which the rate rises; then it falls as a cosine.
    early_stopping : bool, default=True
        Whether to keep the weights of the epoch with the least loss out of fold, and to
        stop when it does not fall any more.
    n_iter_no_change : int, default=12
        Epochs without improvement after which to stop.
    leave_out : {"members", None}, default="members"
        Whether each member leaves out a fold of the rows. None trains all on all rows
        for ``max_iter`` epochs, without scores.
    numeric : {"auto", "quantile", "robust", "standard", "passthrough"}, default="auto"
        What becomes of numbers: normal scores of their ranks; less the median, over the
        quartiles, bent; mean zero and variance one; or as they are, sparse rows, too.
        ``"auto"`` is "quantile"; but of up to 500 distinct rows the search for the rate
        compares "standard" without bins, "quantile" without and with bins, in this
        order, where each must lower the loss by five per cent to be taken.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Columns that are categories: those of a data frame that hold categories, strings
        or truth values; or a mask, positions, or names. None has none.
    n_bins : "auto" or int, default="auto"
        Bins between quantiles of each column of numbers, which become columns of their
        own: how far a value is through each. There are fewer where a bin would have
        less than twenty distinct rows, and 0 makes none. ``"auto"`` is sixteen, but
        none where the search for the rate finds that narrow members do better without;
        see ``numeric`` for small tables.
    min_frequency : int, default=5
        Levels of a category in fewer rows than that share one column.
    class_weight : dict, "balanced" or None, default=None
        Factors of the weights of rows by class.
    proxy_units : int, default=32
        Width at which rates are compared.
    proxy_iter : int, default=25
        Epochs after which they are.
    learning_rates : array-like or None, default=None
        Rates to compare; None takes seven powers of two, and three more where the best
        is the last of them.
    kernel_report : bool, default=False
        Whether to compare with lazy members, and to follow the tangent kernel.
    device : str or None, default=None
        A torch device on which to train; None is the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and folds; torch's own generator is left alone.

    Attributes
    ----------
    learning_rate_ : float
        Rate of the training: the one found, halved while members diverge at full width.
    learning_rate_curve_ : LearningRateCurve
        Only with ``learning_rate="auto"``: ``learning_rates`` (n_rates,), ``loss``
        (n_rates, 2) of narrow members on the rows that they left out, infinite where
        they diverged, and ``best``, the place of the chosen one. Up to 500 distinct
        rows have (n_rates, 5): all five folds are asked.
    weights_ : dict of ndarray
        Weights of the members that did not diverge, member first: ``weight_0``,
        ``bias_0``, and so on up to ``weight_out``, ``bias_out``.
    preprocessor_ : TablePreprocessor
        What codes the columns.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    oob_score_ : float
        Accuracy of members on the rows that they left out, when there are any. Each row
        is judged by one member, so that it is a little less than that of the ensemble.
    oob_decision_function_ : ndarray of shape (n_samples, n_classes)
        Their probabilities, only when members leave rows out; NaN of rows that all
        learn from.
    loss_curve_ : ndarray of shape (n_epochs,)
        Training loss by epoch, mean over the members.
    history_ : TrainingHistory
        By epoch: ``oob_loss`` of the rows left out; root mean squares of the last
        hidden layer and of the outputs, ``activation_rms`` and ``logit_rms``;
        ``gradient_norm``, mean over members; ``learning_rate`` at its end.
    n_iter_ : int
        Epochs that were trained.
    best_iter_ : int
        Epoch whose weights are kept, from one.
    stop_reason_ : {"max_iter", "patience", "instability", "callback"}
        Why training ended; "instability" where outputs exploded.
    diverged_members_ : ndarray of bool of shape (n_members,)
        Which members were left out since their loss exploded.
    n_parameters_ : int
        Number of weights.
    regime_ : {"kernel sufficient", "features needed", "unclear"}
        Only with ``kernel_report=True``: whether narrow nets that learn features are
        better, out of fold, than lazy ones, which are kernel machines: not by more than
        a standard error, by more than two, or in between. Where a kernel is sufficient,
        :class:`~sklearn_ext.random_features.RandomFeatureRidgeCV` costs far less.
    lazy_score_, rich_score_ : float
        Only with ``kernel_report=True``: their scores.
    regime_gap_ : tuple of float
        Only with ``kernel_report=True``: difference of these, and its standard error.
    kernel_similarity_ : ndarray of shape (n_epochs + 1,)
        Only with ``kernel_report=True``: centred cosine of the first member's tangent
        kernel, on 256 rows at most, with that before training; by epoch from 0.
    target_alignment_ : ndarray of shape (n_epochs + 1,)
        Only with ``kernel_report=True``: the same with the kernel of the target.
    weight_change_ : dict of float
        Only with ``kernel_report=True``: relative change of each layer's weights.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, when all are strings.

    See Also
    --------
    MuMLPRegressor : For numbers.
    sklearn.ensemble.HistGradientBoostingClassifier : Ahead where rules decide.
    sklearn.neural_network.MLPClassifier : One net, with a rate to be tuned.

    References
    ----------
    .. [1] G. Yang and E. J. Hu, "Feature Learning in Infinite-Width Neural Networks",
       ICML 2021.
    .. [2] L. Noci, A. Meterez, T. Hofmann and A. Orvieto, "Why do Learning Rates
       Transfer? Reconciling Optimization and Scaling Limits for Deep Learning", 2024.
    .. [3] M. Wortsman et al., "Small-scale proxies for large-scale Transformer training
       instabilities", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.networks import MuMLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MuMLPClassifier(random_state=0).fit(X, y)
    >>> bool(model.oob_score_ > 0.9)
    True
    """

    _parameter_constraints: dict = {
        **TunedMembers._parameter_constraints,
        "logit_penalty": [Interval(Real, 0, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_units=128,
        *,
        n_layers=2,
        n_members=8,
        learning_rate="auto",
        max_iter=40,
        batch_size="auto",
        weight_decay=1.0,
        dropout=0.0,
        residual="auto",
        parametrization="mup",
        base_units=64,
        laziness=1.0,
        logit_penalty=0.0,
        warmup=0.05,
        early_stopping=True,
        n_iter_no_change=12,
        leave_out="members",
        numeric="auto",
        categorical_features="from_dtype",
        n_bins="auto",
        min_frequency=5,
        class_weight=None,
        proxy_units=32,
        proxy_iter=25,
        learning_rates=None,
        kernel_report=False,
        device=None,
        random_state=None,
    ):
        super().__init__(
            hidden_units=hidden_units,
            n_layers=n_layers,
            n_members=n_members,
            learning_rate=learning_rate,
            max_iter=max_iter,
            batch_size=batch_size,
            weight_decay=weight_decay,
            dropout=dropout,
            residual=residual,
            parametrization=parametrization,
            base_units=base_units,
            laziness=laziness,
            warmup=warmup,
            early_stopping=early_stopping,
            n_iter_no_change=n_iter_no_change,
            leave_out=leave_out,
            numeric=numeric,
            categorical_features=categorical_features,
            n_bins=n_bins,
            min_frequency=min_frequency,
            proxy_units=proxy_units,
            proxy_iter=proxy_iter,
            learning_rates=learning_rates,
            kernel_report=kernel_report,
            device=device,
            random_state=random_state,
        )
        self.logit_penalty = logit_penalty
        self.class_weight = class_weight

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Train the members.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows: numbers, categories, missing values.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights; a row of weight two is two rows.

        Returns
        -------
        MuMLPClassifier
            The fitted estimator.
        """
        data = X, y
        X, y = self._read(X, y)
        w = check_weights(sample_weight, X, dtype=np.float64)
        self.classes_ = np.unique(y[w > 0])
        if len(self.classes_) == 1:
            raise ValueError(
                "MuMLPClassifier needs at least two classes, got one class: "
                f"{self.classes_.tolist()[0]!r}."
            )
        codes = np.searchsorted(self.classes_, y)  # of rows without weight: any
        codes = codes.clip(max=len(self.classes_) - 1)
        return self._fit(data, X, codes, w, sample_weight)

    def predict(self, X):
        """Predict the label of each row.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        best = self.predict_log_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_log_proba(self, X):
        """Logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        outputs = log_softmax(self._outputs(X), axis=2)
        return logsumexp(outputs, axis=0) - np.log(len(outputs)).astype(outputs.dtype)

    def predict_proba(self, X):
        """Probability of each class: the mean over the members.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; rows sum to one.
        """
        return self._mean(self._outputs(X))

    def decision_function(self, X):
        """Log probabilities, less their mean.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the log odds of the second.
        """
        scores = self.predict_log_proba(X)
        if scores.shape[1] == 2:
            return scores[:, 1] - scores[:, 0]
        return scores - scores.mean(axis=1, keepdims=True)

    def _read_target(self, X, y, checks):
        with words_explained(X):
            X, y = validate_data(self, X, y, **checks)
        y = column_or_1d(check_array(y, input_name="y", ensure_2d=False, dtype=None))
        check_classification_targets(y)
        _check_rows(X, y)
        return X, y

    def _learnt(self, target, weight):
        """Return codes of classes, the number of classes, and weights by class."""
        n_classes = len(self.classes_)
        total = np.bincount(target, weight, n_classes)
        weight = weight * class_factors(self.class_weight, self.classes_, total)[target]
        return target, n_classes, weight * (len(weight) / weight.sum())

    def _mean(self, outputs):
        return self._predictions(outputs).mean(axis=0)

    def _predictions(self, outputs):
        return softmax(outputs, axis=2)

    def _state(self, weights):
        return {
            "preprocessor_": self.preprocessor_,
            "weights_": weights,
            "classes_": self.classes_,
        }

    def _score_left_out(self, outputs, rows, table, X):
        found = softmax(outputs.astype(np.float64), axis=1)
        known = np.isfinite(found).all(axis=1)
        self.oob_score_ = np.nan
        if known.any():
            self.oob_score_ = accuracy_score(
                table.target[known],
                found[known].argmax(axis=1),
                sample_weight=rows.weight[known],
            )
        self.oob_decision_function_ = self._everybody(found, rows, X)


@shared_docs(MuMLPClassifier)
class MuMLPRegressor(TunedMembers, MultiOutputMixin, RegressorMixin, ExtEstimator):
    r"""Ensemble of perceptrons for numbers that finds its own learning rate.

    The net, its training and what is said of weights, folds and scale are those of
    :class:`MuMLPClassifier`; the loss is squared error of standardised targets, the
    mean over them if there are several.

    Parameters
    ----------
    hidden_units, n_layers, n_members, learning_rate : see MuMLPClassifier
    max_iter, batch_size : see MuMLPClassifier
    weight_decay : float, default=0.02
        Decay of AdamW, as there.
    dropout : see MuMLPClassifier
    residual, parametrization, base_units, laziness : see MuMLPClassifier
    warmup, early_stopping, n_iter_no_change, leave_out : see MuMLPClassifier
    numeric, categorical_features, n_bins, min_frequency : see MuMLPClassifier
    proxy_units, proxy_iter, learning_rates, kernel_report : see MuMLPClassifier
    device, random_state : see MuMLPClassifier

    Attributes
    ----------
    learning_rate_, learning_rate_curve_, weights_, preprocessor_ : see MuMLPClassifier
    oob_score_ : float
        R² of members on the rows that they left out, when there are any. Each row is
        judged by one member, so that it is a little less than that of the ensemble.
    oob_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Their predictions, only when members leave rows out; NaN of rows that all learn
        from.
    loss_curve_, history_, n_iter_, best_iter_, stop_reason_ : see MuMLPClassifier
    diverged_members_, n_parameters_ : see MuMLPClassifier
    regime_, lazy_score_, rich_score_, regime_gap_ : see MuMLPClassifier
    kernel_similarity_, target_alignment_, weight_change_ : see MuMLPClassifier
    n_features_in_, feature_names_in_ : see MuMLPClassifier

    See Also
    --------
    MuMLPClassifier : For labels.
    sklearn.ensemble.HistGradientBoostingRegressor : Ahead where rules decide.
    sklearn.neural_network.MLPRegressor : One net, with a rate to be tuned.

    References
    ----------
    .. [1] G. Yang and E. J. Hu, "Feature Learning in Infinite-Width Neural Networks",
       ICML 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.networks import MuMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MuMLPRegressor(random_state=0).fit(X, y)
    >>> bool(model.oob_score_ > 0.4)
    True
    """

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Train the members.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows: numbers, categories, missing values.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights; a row of weight two is two rows.

        Returns
        -------
        MuMLPRegressor
            The fitted estimator.
        """
        data = X, y
        X, y = self._read(X, y)
        w = check_weights(sample_weight, X, dtype=np.float64)
        self._one_target = y.ndim == 1
        return self._fit(data, X, y.reshape(len(y), -1), w, sample_weight)

    def predict(self, X):
        """Predict the target of each row.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Mean over the members.
        """
        return self._shaped(self._mean(self._outputs(X)))

    def _read_target(self, X, y, checks):
        if "skip_check_array" not in checks:
            checks = checks | {"multi_output": True, "y_numeric": True}
        with words_explained(X):
            X, y = validate_data(self, X, y, **checks)
        y = check_array(y, input_name="y", ensure_2d=False, dtype=np.float64)
        _check_rows(X, y)
        return X, y

    def _learnt(self, target, weight):
        """Return standardised targets, their number, and weights."""
        mean = np.average(target, axis=0, weights=weight)
        gap = target - mean
        largest = np.abs(gap).max(axis=0)
        largest = np.where(largest > CONSTANT * np.abs(mean), largest, 0)
        mean = np.where(largest > 0, mean, target[0])
        gap = np.where(largest > 0, gap, 0)
        unit = np.where(largest > 0, largest, 1)
        spread = np.sqrt(np.average((gap / unit) ** 2, axis=0, weights=weight))
        scale = unit * np.maximum(spread, LEAST_SPREAD)
        self._target_mean, self._target_scale = mean, np.where(largest > 0, scale, 0)
        safe = np.where(self._target_scale > 0, scale, np.inf)
        return (gap / safe).astype(np.float32), target.shape[1], weight

    def _mean(self, outputs):
        return self._in_units(outputs.mean(axis=0))

    def _predictions(self, outputs):
        return self._shaped(self._in_units(outputs))

    def _in_units(self, outputs):
        # in double precision, or targets far from zero are rounded away
        return outputs.astype(np.float64) * self._target_scale + self._target_mean

    def _shaped(self, values):
        return values[..., 0] if self._one_target else values

    def _state(self, weights):
        return {
            "preprocessor_": self.preprocessor_,
            "weights_": weights,
            "_target_mean": self._target_mean,
            "_target_scale": self._target_scale,
            "_one_target": self._one_target,
        }

    def _score_left_out(self, outputs, rows, table, X):
        known = np.isfinite(outputs).all(axis=1)
        self.oob_score_ = np.nan
        if known.any():  # in standard units, whose squares do not overflow
            self.oob_score_ = r2_score(
                table.target[known], outputs[known], sample_weight=rows.weight[known]
            )
        found = self._in_units(outputs.astype(np.float64))
        self.oob_prediction_ = self._shaped(self._everybody(found, rows, X))
