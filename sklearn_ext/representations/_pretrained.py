"""Few labels, many rows: views of all rows side by side under one ridge head."""

import warnings
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from numbers import Integral, Real
from operator import add

import numpy as np
from sklearn.base import (
    ClassifierMixin,
    MultiOutputMixin,
    RegressorMixin,
    TransformerMixin,
    clone,
)
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sklearn_ext._core import _blocks
from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    StrOptions,
    _check_feature_names_in,
)
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import FLOATS, check_weights, warn
from sklearn_ext._numerics._classes import places_of
from sklearn_ext._numerics._held_out import best_temperature, probabilities
from sklearn_ext._numerics._ridge import RidgeMoments
from sklearn_ext.representations._head import (
    LIGHT,
    Head,
    WholeRows,
    paired_gain,
    raw_share,
)
from sklearn_ext.representations._labels import check_target, is_labeled, plain
from sklearn_ext.representations._views import (
    MomentView,
    RawView,
    moments_of,
    named_views,
)

LEAST_FOR_SELECTION = 200  # labelled rows; with fewer, choosing views loses
MANY_COLUMNS = 5000  # beyond, an eigenproblem takes the better part of a minute
MOST_FOR_SELECTION = 8  # views, of which all subsets are tried
LEAST_WEIGHT = 1e-300  # of a row, relative: with none it would not be there
MOST_RIDGE = 1e300  # relative to the largest weight


@dataclass(frozen=True)
class PretrainingStatistics:
    """Moments of all rows, and the labelled rows themselves; they add.

    Weights are times two to the power of ``exponent``: the largest is about one.
    """

    moments: RidgeMoments
    X: np.ndarray  # (n_labeled, d)
    y: np.ndarray  # (n_labeled,) or (n_labeled, t)
    w: np.ndarray  # (n_labeled,)
    n_unlabeled: int
    exponent: int

    def __add__(self, other):
        exponent = max(self.exponent, other.exponent)
        one, two = self._at(exponent), other._at(exponent)
        heavy = [part.moments for part in (one, two) if part.moments.weight > 0]
        return PretrainingStatistics(
            reduce(add, heavy),
            _joined(self.X, other.X),
            _joined_targets(self.y, other.y),
            _joined(one.w, two.w),
            self.n_unlabeled + other.n_unlabeled,
            exponent,
        )

    def _at(self, exponent):
        if exponent == self.exponent:
            return self
        factor, m = 2.0 ** max(self.exponent - exponent, -1000), self.moments
        seen = factor if factor > LIGHT else 0.0  # as rows that weigh nothing
        moments = replace(m, weight=seen * m.weight, gram=seen * m.gram)
        w = (factor * self.w).clip(LEAST_WEIGHT)
        return replace(self, moments=moments, w=w, exponent=exponent)


def _joined(one, other):
    """Lay two arrays end to end; one without entries says nothing of the dtype."""
    if not len(one) or not len(other):
        return one if len(one) else other
    return np.concatenate([one, other])


def _joined_targets(one, other):
    if len(one) and len(other):
        widths = [y.shape[1] if y.ndim == 2 else 1 for y in (one, other)]
        if one.ndim != other.ndim or widths[0] != widths[1]:
            raise ValueError(
                "Targets must have one shape in all blocks, got "
                f"{widths[0]} and {widths[1]} columns."
            )
        if (one.dtype.kind in "UO") != (other.dtype.kind in "UO"):
            raise ValueError(
                "Labels must be of one kind in all blocks, got "
                f"{one.dtype} and {other.dtype}."
            )
    return _joined(one, other)


class _Pretrained(TransformerMixin, ExtEstimator):
    """What the classifier and the regressor share: views, head, and the question.

    A subclass says what a target is: ``_check_labels``, ``_targets`` and ``_finish``.
    """

    _parameter_constraints: dict = {
        "views": [str, list, tuple, HasMethods(["fit", "transform"])],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "standardize": ["boolean"],
        "alphas": ["array-like", None],
        "fallback": [StrOptions({"mixture", "raw"}), None],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "selection": [StrOptions({"loo"}), None],
        "unlabeled": [Real, str, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        views="auto",
        *,
        n_components=300,
        standardize=True,
        alphas=None,
        fallback="mixture",
        confidence_level=0.9,
        selection=None,
        unlabeled="auto",
        n_jobs=None,
        random_state=None,
    ):
        self.views = views
        self.n_components = n_components
        self.standardize = standardize
        self.alphas = alphas
        self.fallback = fallback
        self.confidence_level = confidence_level
        self.selection = selection
        self.unlabeled = unlabeled
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Learn the views from all rows and the head from the labelled ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, with and without a label.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target; see ``unlabeled`` for how rows without one are marked.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        object
            The fitted estimator.

        Raises
        ------
        ValueError
            When fewer than two rows have a label, or all have the same class.
        """
        X = validate_data(self, X, dtype=FLOATS)
        w = check_weights(sample_weight, X, dtype=np.float64)
        y = self._check_target(y)
        check_consistent_length(X, y)
        labeled = np.zeros(len(y), dtype=bool)
        labeled[w > 0] = self._is_labeled(y[w > 0])
        self._classes = None
        known = labeled & (w > 0)
        labels = self._check_labels(y[known], len(y))
        summary = _summary(X, labels, w, labeled)
        kept = w > 0
        rows = (X, w) if kept.all() else (X[kept], w[kept])
        self._solve(summary, rows)
        self.loo_indices_ = np.flatnonzero(known)
        return self

    def fit_blocks(self, blocks, *, n_jobs=None, **params):
        """Fit to blocks of rows as if they were one table.

        Parameters
        ----------
        blocks : iterable
            Tuples ``(X,)`` without labels, ``(X, y)`` or ``(X, y, sample_weight)``, or
            callables that load one.
        n_jobs : int or None, default=None
            Threads, or workers of the active joblib backend.
        **params : object
            ``classes=`` of a classifier, as in ``partial_fit``.

        Returns
        -------
        object
            The fitted estimator.
        """
        return _blocks.fit_blocks(self, blocks, n_jobs=n_jobs, **params)

    @fit_context()
    def merge(self, other):
        """Take in what another model has seen.

        Parameters
        ----------
        other : object
            A model of the same class that has seen other rows of the same columns.

        Returns
        -------
        object
            This estimator, as if it had seen the rows of both.
        """
        _blocks.check_mergeable(self, other)
        self._refuse_other_views()
        if not hasattr(other, "sufficient_statistics_"):
            raise ValueError(
                f"merge takes a {type(self).__name__} fitted from moments, got one "
                "whose views had to see all rows."
            )
        self._take_classes(getattr(other, "_classes", None))
        both = self.sufficient_statistics_ + other.sufficient_statistics_
        return self._take_in(both)

    def transform(self, X):
        """Return the views side by side, as the head sees them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
            The columns of ``views_``.
        """
        return self._map(X)

    def _map(self, X):
        """Return an array, whatever container ``transform`` was told to return."""
        check_is_fitted(self, "view_coef_")
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        A = _scaled(X, self.scale_)
        V = _beside([view.map(A) for _, view in self.views_], len(X))
        return V.astype(X.dtype, copy=False)

    def get_feature_names_out(self, input_features=None):
        """Return names of the columns that ``transform`` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Only checked against the names that ``fit`` has seen.

        Returns
        -------
        ndarray of str
            The name of a view and the number of its column.
        """
        check_is_fitted(self, "view_coef_")
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.array(
            [
                f"{name}{'_' * name[-1:].isdigit()}{j}"
                for name, view in self.views_
                for j in range(view.n_columns_)
            ],
            dtype=object,
        )

    def _scores(self, X):
        return self._map(X).astype(np.float64) @ self.view_coef_.T + self.intercept_

    def _check_target(self, y):
        return check_target(y, numeric=self._numeric, user=type(self).__name__)

    def _is_labeled(self, y, minus_one=None):
        return is_labeled(y, self.unlabeled, numeric=self._numeric, minus_one=minus_one)

    @property
    def _numeric(self):
        return isinstance(self, RegressorMixin)

    def _score_known(self, score, X, y, sample_weight):
        """Score rows that have a label by the conventions of the last fit."""
        said, y = self.predict(X), self._check_target(y)
        check_consistent_length(said, y, sample_weight)
        minus_one = None if self._numeric else -1 not in self.classes_.tolist()
        known = is_labeled(y, self._mark, numeric=self._numeric, minus_one=minus_one)
        if not known.any():
            raise ValueError("score needs a row with a label, got none.")
        w = None if sample_weight is None else np.asarray(sample_weight)[known]
        labels = y[known] if self._numeric else plain(y[known])
        return float(score(labels, said[known], sample_weight=w))

    def _summarize(self, X, y=None, sample_weight=None, *, reset, classes=None):
        self._refuse_other_views()
        X = validate_data(self, X, dtype=FLOATS, reset=reset)
        w = check_weights(sample_weight, X, dtype=np.float64)
        if y is None:
            return _summary(X, np.empty(0), w, np.zeros(len(X), dtype=bool))
        y = self._check_target(y)
        check_consistent_length(X, y)
        seen = [] if self._numeric else self._seen(classes)
        labeled = self._is_labeled(y, minus_one=-1 not in seen)
        labels = plain(y[labeled & (w > 0)])
        if classes is not None and len(labels):
            places_of(labels, np.unique(classes), advice="name all in classes")
        return _summary(X, labels, w, labeled)

    def _seen(self, classes):
        """Return the labels that there are: blocks alone do not tell."""
        if classes is None and hasattr(self, "sufficient_statistics_"):
            classes = np.unique(self.sufficient_statistics_.y)
        return [] if classes is None else np.asarray(classes).tolist()

    def _partial_fit(self, X, y, sample_weight, **params):
        first = not hasattr(self, "sufficient_statistics_")
        added = self._summarize(X, y, sample_weight, reset=first, **params)
        return self._take_in(added if first else self.sufficient_statistics_ + added)

    def _take_in(self, summary):
        if len(np.unique(summary.y, axis=0)) < 2:  # no head so far
            self.sufficient_statistics_ = summary
            return self
        return self._solve(summary)

    def _take_classes(self, classes):
        known = getattr(self, "_classes", None)
        if known is None or classes is None:
            self._classes = classes if known is None else known
        elif not np.array_equal(known, classes):
            raise ValueError(
                f"merge takes a {type(self).__name__} of the same classes, "
                f"{known.tolist()}, got {classes.tolist()}."
            )

    def _refuse_other_views(self):
        for name, view in named_views(self.views):
            if not isinstance(view, MomentView):
                raise ValueError(
                    f"Blocks can be added up for views that need no more than moments, "
                    f"'raw', 'tilt' and 'random_features'; {name!r} must see all rows: "
                    "use fit."
                )

    def _solve(self, summary, rows=None):
        """Fit views and head; other views than the cheap ones need all rows."""
        labels = self._check_labels(summary.y, None)
        known = WholeRows.of(summary.X, self._targets(labels, summary.w), summary.w)
        scale = _scale(summary.moments, self.standardize)
        moments = _scaled_moments(summary.moments, scale)
        views = self._fit_views(moments, rows, scale)
        distinct = _scaled(summary.X[known.first], scale)
        alphas = _check_alphas(self.alphas, summary.exponent)
        columns = [view.map(distinct).astype(np.float64) for _, view in views]
        raw_view = RawView().fit_moments(moments)
        plain_columns = raw_view.map(distinct).astype(np.float64)

        def fit(some):
            some = [columns[i] for i in some]
            return Head.of(_beside(some, len(distinct)), known, alphas)

        every = tuple(range(len(views)))
        raw, head = Head.of(plain_columns, known, alphas), fit(every)
        if self.selection == "loo":
            every, head = self._select(every, head, fit, len(known))
        gain, interval = paired_gain(raw, head, known, self.confidence_level)
        share = 0.0
        if self.fallback == "mixture":
            share = raw_share(raw, head, known)
        elif self.fallback == "raw":
            share = float(interval[1] < 0)
        self.raw_share_, self.n_unlabeled_ = share, summary.n_unlabeled
        self.scale_ = scale
        chosen, unit = head.mixed(raw, share, known), self._error_unit
        alpha = raw.alpha if share == 1 else head.alpha
        self.alpha_ = float(np.ldexp(alpha, summary.exponent))
        self.gain_, self.gain_interval_ = gain / unit, interval / unit
        self.loo_error_, self.loo_error_raw_ = chosen.error / unit, raw.error / unit
        self.view_importance_ = {
            views[i][0]: (fit([j for j in every if j != i]).error - head.error) / unit
            for i in every
        }
        used = [] if share == 1 else [views[i] for i in every]
        self._join(used, head, ("raw", raw_view), raw, share)
        self._finish(chosen, known, labels)
        self._mark, self._level = self.unlabeled, self.confidence_level
        vars(self).pop("loo_indices_", None)
        if all(isinstance(view, MomentView) for _, view in views):
            self.sufficient_statistics_ = summary
        else:
            vars(self).pop("sufficient_statistics_", None)
        return self

    def _join(self, views, head, raw_view, raw, share):
        """Set one linear map of the views to the mixture of both heads."""
        size, start = np.sqrt(max(len(views), 1)), 0
        blocks = []
        for _, view in views:
            stop = start + view.n_columns_
            blocks.append((1 - share) / size * head.coef[start:stop])
            start = stop
        if share > 0:
            at = [i for i, (_, view) in enumerate(views) if type(view) is RawView]
            if at:
                blocks[at[0]] = blocks[at[0]] + share * raw.coef
            else:
                views, blocks = [*views, raw_view], [*blocks, share * raw.coef]
        self.views_ = views
        self.view_coef_ = (
            np.sqrt(max(len(views), 1))
            * np.concatenate([*blocks, np.empty((0, raw.coef.shape[1]))]).T
        )
        self.intercept_ = (1 - share) * head.intercept + share * raw.intercept

    def _fit_views(self, moments, rows, scale):
        """Return pairs of a name and a fitted view, without those that do not vary."""
        rng, pairs = check_random_state(self.random_state), []
        for name, view in named_views(self.views, n_components=self.n_components):
            view = clone(view)
            seeds = {
                key: rng.randint(np.iinfo(np.int32).max)
                for key, value in sorted(view.get_params().items())
                if key.rpartition("__")[2] == "random_state" and value is None
            }
            pairs.append((name, view.set_params(**seeds)))
        views = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_fit_view)(view, moments, rows, scale) for _, view in pairs
        )
        fitted = [(name, view) for (name, _), view in zip(pairs, views, strict=True)]
        constant = [name for name, view in fitted if not view.varies]
        if constant:
            warn(
                f"The rows do not vary in the views {constant}: they are left out. "
                "Without a view the prediction is that of no columns at all."
            )
        return [(name, view) for name, view in fitted if view.varies]

    def _select(self, every, head, fit, n_labeled):
        """Return the views of the least error of rows left out, and their head."""
        if n_labeled < LEAST_FOR_SELECTION:
            raise ValueError(
                f"selection='loo' needs at least {LEAST_FOR_SELECTION} distinct "
                f"labelled rows, got {n_labeled}: with fewer, equal weights are better "
                "than a choice. Leave selection=None."
            )
        if len(every) > MOST_FOR_SELECTION:
            raise ValueError(
                f"selection='loo' tries all subsets of at most {MOST_FOR_SELECTION} "
                f"views, got {len(every)}."
            )
        for size in range(len(every) - 1, 0, -1):
            for some in combinations(range(len(every)), size):
                other = fit(some)
                if other.error < head.error * (1 - 1e-9):
                    every, head = some, other
        return every, head


def _check_alphas(alphas, exponent):
    if alphas is None:
        return None
    found = np.atleast_1d(np.asarray(alphas, dtype=np.float64))
    if found.ndim > 1 or not len(found) or not (np.isfinite(found) & (found > 0)).all():
        raise ValueError(
            f"alphas must hold positive finite numbers in one row, got {alphas!r}."
        )
    with np.errstate(over="ignore"):  # for weights next to nothing
        return np.ldexp(found, -exponent).clip(max=MOST_RIDGE)


def _fit_view(view, moments, rows, scale):
    if isinstance(view, MomentView):
        return view.fit_moments(moments)
    X, w = rows
    return view.fit(_scaled(X, scale), sample_weight=w)


def _scale(moments, standardize):
    """Return what columns are divided by: infinity for those that do not vary."""
    square = np.diagonal(moments.gram) / moments.weight
    varies = square > (10 * moments.eps * moments.mean) ** 2
    deviation = np.sqrt(square) if standardize else np.ones_like(square)
    digits, exponent = np.frexp(deviation)  # 32 bits, lest the order of sums move rows
    rounded = np.ldexp(np.rint(digits * 2.0**32) / 2.0**32, exponent)
    return np.where(varies, rounded, np.inf)


def _scaled(X, scale):
    return X if (scale == 1).all() else X / scale


def _scaled_moments(moments, scale):
    gram = moments.gram / scale / scale[:, None]
    return replace(moments, mean=moments.mean / scale, gram=gram)


def _beside(columns, n_rows):
    """Return columns side by side, divided by the root of the number of views."""
    if not columns:
        return np.empty((n_rows, 0))
    return np.hstack(columns) / np.sqrt(len(columns), dtype=columns[0].dtype)


def _summary(X, labels, w, labeled):
    if (d := X.shape[1]) > MANY_COLUMNS:
        warn(
            f"The covariance of {d} columns takes {8e-9 * d**2:.1f} GB, and its "
            f"eigenvectors about {2e-10 * d**3:.0f} seconds. Reduce the columns first, "
            "for instance by PCA."
        )
    exponent, kept = int(np.frexp(w.max())[1]), w > 0
    w = np.where(kept, np.ldexp(w, -exponent).clip(LEAST_WEIGHT), 0.0)
    known = labeled & kept
    seen = w > LIGHT * w.max()  # lest a column vary by what weighs nothing
    moments = moments_of(X[seen], w[seen])
    n_unlabeled = int(np.count_nonzero(kept & ~labeled))
    return PretrainingStatistics(
        moments, X[known], labels, w[known], n_unlabeled, exponent
    )


class PretrainedClassifier(ClassifierMixin, _Pretrained):
    r"""Classifier for many rows of which few have a label.

    Several views of a row are learnt from all rows, with and without a label, and set
    side by side, each of unit size: the columns, the columns tilted towards the
    directions in which rows vary, and random Fourier features. One ridge on them has
    its penalty by exact leave-one-out, and so an answer to the question whether the
    unlabelled rows helped: ``gain_``, by how much the views lower the error of labelled
    rows that were left out, with an interval. Where the plain ridge is better, or both
    together are, it has a share in the predictions.

    The head minimises

    .. math:: \sum_{i \in L} w_i \, |y_i - b - \theta' \phi(x_i)|^2 + \alpha |\theta|^2

    for indicators :math:`y_i` of the classes and :math:`\phi = (v_1, \dots, v_m) /
    \sqrt m`, so its kernel is the mean of the kernels of the views. It takes one
    eigenproblem of the smaller of labelled rows and columns; views take
    :math:`O(n d^2 + d^3)`. Views are distances, so columns are brought to standard
    deviation one first. Weights are repetition: equal rows count as one of their summed
    weight, and are left out together.

    Parameters
    ----------
    views : str, transformer or sequence, default="auto"
        ``"auto"`` is ``("raw", "tilt", "random_features")``; ``"all"`` adds
        ``"triangle"`` (k-means), ``"graph"`` (nearest rows) and ``"trees"`` (leaves of
        random trees). Or a name, a transformer, or a sequence of names, transformers
        and pairs ``(name, transformer)``. Transformers are fitted to all rows without
        the target.
    n_components : int, default=300
        Columns of ``"random_features"``.
    standardize : bool, default=True
        Whether columns are divided by their standard deviation over all rows before the
        views; else views and ridge feel their scale, which is right for columns of one
        unit such as pixels. A column that does not vary plays no part either way.
    alphas : array-like or None, default=None
        Ridges to choose from, absolute. None is a grid relative to the mean diagonal
        of the weighted kernel, widened where its best is at an end.
    fallback : {"mixture", "raw"} or None, default="mixture"
        What saves labels that the views harm. ``"mixture"``: the mixture of the
        predictions of a plain ridge and of the views that errs least on rows left out,
        if it betters the views by two thirds of a standard error. ``"raw"``: the plain
        ridge takes over where all of ``gain_interval_`` is negative. None: nothing.
    confidence_level : float, default=0.9
        Of ``gain_interval_``.
    selection : {"loo"} or None, default=None
        Whether the subset of views with the least leave-one-out error is taken. It
        needs 200 labelled rows: with fewer, equal weights are better.
    unlabeled : object, default="auto"
        What marks rows without a label. ``"auto"``: NaN in numbers, None or
        any missing value among objects; where none is missing, -1 among whole numbers
        with at least two other labels (so ``{-1, 1}`` are two classes). None: all rows
        have a label. Any other value is the mark itself.
    n_jobs : int or None, default=None
        Threads for fitting the views.
    random_state : int, RandomState instance or None, default=None
        Seed of what the views draw.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes.
    views_ : list of tuple
        Names and fitted views that the predictions use, of columns divided by
        ``scale_``; ``"raw"`` alone where ``raw_share_`` is 1.
    scale_ : ndarray of shape (n_features,)
        What columns are divided by; infinite where they do not vary.
    view_coef_ : ndarray of shape (n_outputs, n_columns)
        Coefficients of the columns that ``transform`` returns, those of both parts of
        a mixture added; an output is a class.
    intercept_ : ndarray of shape (n_outputs,)
        Intercepts.
    alpha_ : float
        The ridge on the views, or that of the plain one where ``raw_share_`` is 1;
        infinite where there is nothing but the intercept.
    loo_error_ : float
        Error of labelled rows that were left out: the mean over rows of the squared
        distance of scores and class indicator.
    loo_error_raw_ : float
        The same of a ridge on the columns alone.
    gain_ : float
        Error of a ridge on the columns alone less the error of the views: what the
        views were worth for these labels and a head of this kind.
    gain_interval_ : ndarray of shape (2,)
        Its interval, by Student from the differences of labelled rows; NaN for fewer
        than three.
    raw_share_ : float
        Share of the plain ridge in the predictions, by ``fallback``: 0 is the views
        alone, 1 the plain ridge alone.
    view_importance_ : dict
        By how much the error grows when a view is left out, by name.
    loo_predictions_ : ndarray of shape (n_labeled, n_outputs)
        Scores of labelled rows by heads that left them out. A class with one labelled
        row is unknown to the head that predicts this row.
        After ``fit_blocks`` rows of blocks that were done first come first.
    loo_indices_ : ndarray of shape (n_labeled,)
        The rows of these predictions; only after ``fit``.
    temperature_ : float
        What scores are divided by for probabilities, from ``loo_predictions_``.
    n_unlabeled_ : int
        Rows without a label.
    sufficient_statistics_ : PretrainingStatistics
        Moments of all rows and the labelled rows, which ``partial_fit`` and ``merge``
        add to; only when all views are of the three cheap kinds.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Names of the columns; only when ``X`` has names that are strings.

    See Also
    --------
    PretrainedRegressor : The same for numbers.
    sklearn.semi_supervised.LabelSpreading : A graph of all rows, without new rows.
    sklearn.semi_supervised.SelfTrainingClassifier : Any classifier, fed with its own
        predictions.

    References
    ----------
    .. [1] J. Ge, S. Tang, J. Fan and C. Jin, "On the provable advantage of unsupervised
       pretraining", ICLR 2024.
    .. [2] J. Zhang and L. Bottou, "Learning useful representations for shifting tasks
       and distributions", ICML 2023.
    .. [3] A. Coates, A. Ng and H. Lee, "An analysis of single-layer networks in
       unsupervised feature learning", AISTATS 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.representations import PretrainedClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) < 60, y, -1)  # sixty labels
    >>> model = PretrainedClassifier(standardize=False, random_state=0)  # pixels
    >>> model = model.fit(X, few)
    >>> f"{model.score(X[60:], y[60:]):.2f}, did it help? {model.gain_ > 0}"
    '0.81, did it help? True'
    """

    def partial_fit(self, X, y=None, classes=None, sample_weight=None):
        """Add rows, with labels or without, and solve anew.

        Any split of the rows into calls gives the same model; as long as fewer than two
        classes have a labelled row there is none.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Labels; None where no row has one. Here -1 among whole numbers marks rows
            without a label unless ``classes`` holds it, or the labels that were seen
            do: other blocks may hold other labels.
        classes : array-like, default=None
            All labels that any block may hold; None takes those that come.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        PretrainedClassifier
            The estimator.
        """
        return self._partial_fit_classes(X, y, sample_weight, classes)

    @fit_context()
    def _partial_fit_classes(self, X, y, sample_weight, classes):
        known = getattr(self, "_classes", None)
        classes = known if classes is None else np.unique(classes)
        if known is not None and not np.array_equal(known, classes):
            raise ValueError(
                f"classes must stay as at the first call, {known.tolist()}, got "
                f"{classes.tolist()}."
            )
        self._classes = classes
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def decision_function(self, X):
        """Return scores of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            The head's outputs, for two classes the second less the first.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X):
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        best = self._scores(X).argmax(axis=1)  # NotFittedError before classes_
        return self.classes_[best]

    def score(self, X, y, sample_weight=None):
        """Return the accuracy on rows that have a label.

        A search over tables with unlabelled rows is thus scored by what is known, as
        long as it has no ``scoring`` of its own.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels, unlabelled rows marked as in ``fit``; -1 among whole numbers marks
            them unless it is a class.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        float
            Share of labelled rows whose label is predicted.
        """
        return self._score_known(accuracy_score, X, y, sample_weight)

    def predict_proba(self, X):
        """Return probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Softmax of scores over ``temperature_``.
        """
        return probabilities(self._scores(X), self.temperature_)

    _error_unit = 1.0

    def _check_labels(self, labels, n_samples):
        labels = plain(labels)
        _check_enough(self, labels, n_samples)
        if labels.dtype.kind == "f":
            assert_all_finite(labels, input_name="y")
        if labels.dtype.kind == "O":
            kinds = {
                "str" if isinstance(label, str) else type(label).__name__
                for label in labels
            }
            if kinds != {"str"}:
                raise ValueError(
                    "y must hold numbers or texts, labels of one kind, got "
                    f"{sorted(kinds)}: mark rows without a label by None among texts, "
                    "or name their mark in unlabeled."
                )
        with warnings.catch_warnings():  # few labels of many classes are no surprise
            warnings.filterwarnings("ignore", "The number of unique classes")
            check_classification_targets(labels)
        found = np.unique(labels)
        if len(found) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes among the labelled "
                f"rows, got one class: {found.tolist()[0]!r}. Among whole numbers -1 "
                "marks rows without a label only if there are two other labels."
            )
        return labels

    def _targets(self, labels, w):
        self.classes_ = np.unique(labels)
        if getattr(self, "_classes", None) is not None:
            self.classes_ = self._classes
        return np.eye(len(self.classes_))[places_of(labels, self.classes_)]

    def _finish(self, head, known, labels):
        self.loo_predictions_ = head.predictions(known)
        codes = places_of(labels, self.classes_)
        smoothing = 1 / (len(known) + 1)
        self.temperature_ = best_temperature(
            self.loo_predictions_, codes, known.own, smoothing=smoothing
        )


@shared_docs(PretrainedClassifier)
class PretrainedRegressor(MultiOutputMixin, RegressorMixin, _Pretrained):
    r"""Regressor for many rows of which few have a target.

    Several views of a row are learnt from all rows, with and without a target, and set
    side by side, each of unit size: the columns, the columns tilted towards the
    directions in which rows vary, and random Fourier features. One ridge on them has
    its penalty by exact leave-one-out, and so an answer to the question whether the
    unlabelled rows helped: ``gain_``, by how much the views lower the error of labelled
    rows that were left out, with an interval. Where the plain ridge is better, or both
    together are, it has a share in the predictions.

    The head minimises :math:`\sum_{i \in L} w_i |y_i - b - \theta' \phi(x_i)|^2 +
    \alpha |\theta|^2` for the views :math:`\phi = (v_1, \dots, v_m) / \sqrt m`. All
    outputs share the ridge, and count by their variance, so their units do not matter.
    Views are distances, so columns are brought to standard deviation one first. Weights
    are repetition: equal rows count as one of their summed weight, and are left out
    together.

    Parameters
    ----------
    views, n_components, standardize, alphas, fallback : see PretrainedClassifier
    confidence_level, selection : see PretrainedClassifier
    unlabeled : object, default="auto"
        What marks rows without a target. ``"auto"`` is NaN, or None among objects, in
        all outputs of the row. None: all rows have a target. Any other number is the
        mark itself.
    n_jobs, random_state : see PretrainedClassifier

    Attributes
    ----------
    views_, scale_, view_coef_, intercept_, alpha_ : see PretrainedClassifier
    loo_error_ : float
        Error of labelled rows that were left out: the mean squared error over the
        variance of the target, one less a leave-one-out :math:`R^2`; the mean over
        outputs.
    loo_error_raw_ : see PretrainedClassifier
    gain_, gain_interval_, raw_share_, view_importance_ : see PretrainedClassifier
    loo_predictions_ : ndarray of shape (n_labeled,) or (n_labeled, n_outputs)
        Predictions of labelled rows by heads that left them out.
    loo_indices_, n_unlabeled_, sufficient_statistics_ : see PretrainedClassifier
    n_features_in_, feature_names_in_ : see PretrainedClassifier

    See Also
    --------
    PretrainedClassifier : The same for classes.
    sklearn_ext.random_features.RandomFeatureRidgeCV : The kernel machine for hundreds
        of labels and more.

    References
    ----------
    .. [1] J. Ge, S. Tang, J. Fan and C. Jin, "On the provable advantage of unsupervised
       pretraining", ICLR 2024.
    .. [2] J. Zhang and L. Bottou, "Learning useful representations for shifting tasks
       and distributions", ICML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.representations import PretrainedRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) < 60, y, np.nan)  # sixty targets
    >>> model = PretrainedRegressor(random_state=0).fit(X, few)
    >>> f"R² {model.score(X[60:], y[60:]):.1f}, did it help? {model.gain_ > 0}"
    'R² 0.5, did it help? False'
    """

    @fit_context()
    def partial_fit(self, X, y=None, sample_weight=None):
        """Add rows, with targets or without, and solve anew.

        Any split of the rows into calls gives the same model; as long as fewer than two
        rows have different targets there is none.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets; None where no row has one.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        PretrainedRegressor
            The estimator.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X):
        """Predict the target of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        scores = self._scores(X)
        return scores[:, 0] if self._single else scores

    def score(self, X, y, sample_weight=None):
        """Return the coefficient of determination on rows that have a target.

        A search over tables with unlabelled rows is thus scored by what is known, as
        long as it has no ``scoring`` of its own.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, unlabelled rows marked as in ``fit``.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        float
            The mean over outputs.
        """
        return self._score_known(r2_score, X, y, sample_weight)

    def _check_labels(self, labels, n_samples):
        _check_enough(self, labels, n_samples)
        assert_all_finite(labels, input_name="y")
        return labels

    def _targets(self, labels, w):
        self._single = labels.ndim == 1
        Y = labels.reshape(len(labels), -1)
        share, size = w / w.sum(), abs(Y).max(axis=0)
        Z = Y / np.where(size > 0, size, 1.0)  # whose squares are numbers
        self._origin = share @ Z * size
        spread = np.sqrt(share @ (Z - share @ Z) ** 2)
        self._spread = np.where(spread > 1e-14, spread * size, np.inf)
        return (Y - self._origin) / self._spread

    @property
    def _error_unit(self):
        return float(len(self._spread))

    def _finish(self, head, known, labels):
        unit = np.where(np.isfinite(self._spread), self._spread, 0.0)
        self.view_coef_ = self.view_coef_ * unit[:, None]
        self.intercept_ = self.intercept_ * unit + self._origin
        said = head.predictions(known) * unit + self._origin
        self.loo_predictions_ = said[:, 0] if self._single else said


def _check_enough(model, labels, n_samples):
    if len(labels) < 2:
        mark = "NaN" if isinstance(model, RegressorMixin) else "-1"
        rows = "" if n_samples is None else f" of n_samples = {n_samples}"
        raise ValueError(
            f"{type(model).__name__} needs at least 2 labelled rows, got "
            f"{len(labels)}{rows}; mark unlabelled rows by {mark}."
        )
