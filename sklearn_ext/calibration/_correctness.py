"""The probability that a classifier's prediction is right."""

from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from scipy.special import softmax
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import fit_context
from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    _routing_enabled,
    _safe_indexing,
)
from sklearn_ext._core._validation import check_level, warn
from sklearn_ext._numerics._held_out import best_temperature, clopper_pearson
from sklearn_ext.calibration._confidence import (
    CorrectnessLoss,
    CorrectnessModel,
    DriftReport,
    HeldOut,
)
from sklearn_ext.calibration._folds import Equals, some_of, whole_folds
from sklearn_ext.calibration._inner import (
    ClassifierInside,
    columns_seen,
    fitted,
    has_scores,
    rows_of,
)
from sklearn_ext.calibration._metrics import correctness_log_loss
from sklearn_ext.calibration._opinions import (
    UNKNOWN,
    Corruption,
    Familiarity,
    NeighborVote,
    class_chances,
    corruption_features,
    familiarity_feature,
    own_features,
    own_names,
    vote_feature,
)

FEW_ERRORS = 20  # fewer teach nothing about when the model errs
FEW_FOR_REST = 10
MOST_ASKED = 20_000  # held-out rows: a handful of coefficients needs no more
MOST_VOTERS = 100_000  # rows among which the nearest are sought
STRINGS = ("neighbors", "corruption")


def _listed(opinions):
    if opinions is None:
        return []
    return list(opinions) if isinstance(opinions, (list, tuple)) else [opinions]


def _asks_neighbors(model):
    given = _listed(getattr(model, "opinions_", model.opinions))
    return any(o == "neighbors" or isinstance(o, NeighborVote) for o in given)


class CorrectnessCalibratedClassifier(ClassifierInside):
    r"""For every row the probability that the classifier's prediction is right.

    Predictions stay those of ``estimator``. A row alone cannot tell whether it is
    predicted rightly; a second opinion, made independently of the classifier, can. The
    confidence c is a ridge logistic regression of correctness on a few features,

    .. math:: \operatorname{logit} c(x) = b + w \cdot \varphi(x),

    fitted to rows that fold models have not seen: the log-odds of the predicted class,
    which class it is, its log-odds among the nearest rows, and how near these are, all
    taken from *other folds* so that no copy, and no other row of a group, testifies for
    the row itself. Then classifier and opinions are refitted to all rows. Copies of a
    row share a fold; in tables of few values, where equal rows are drawn again and
    again (they disagree about the class, or chance alone gives as many), rows are dealt
    one by one, and weights are no repetitions.

    Rows further away than most training rows are unknown. They have less confidence
    where unknown rows were wrong more often in training, never more; beyond the 5 % of
    training rows that were furthest away it falls no further, as nothing is known
    there. ``drift`` warns where a batch has many of them.

    Fewer than about 20 errors out of fold teach nothing; a warning says so. Where the
    relation between columns and classes has changed, nobody who saw no labels from
    there is calibrated. If predictions may change, combine the models instead
    (:class:`LogLossMixtureClassifier`).

    Cost: that of ``CalibratedClassifierCV(ensemble=False)``, and the search for
    neighbours: all distances below 5,000 rows, cells that find about two thirds of the
    nearest ones above, in time that grows with the power 3/2 of the rows. At most
    100,000 distinct rows vote, and at most 20,000 held-out rows are asked. Weights of
    rows count as ``estimator`` counts them; opinions and the model of correctness do
    not feel their scale.

    Parameters
    ----------
    estimator : classifier, default=None
        Any classifier with ``predict_proba`` or ``decision_function``; None is logistic
        regression on standardised columns. A ``FrozenEstimator`` is not refitted: all
        rows must then be new to it, which cannot be checked.
    opinions : str, classifier, list of these or None, default="neighbors"
        Evidence beside the classifier's own score. "neighbors" is the vote of the
        nearest rows in the columns that the classifier is given (the last step of a
        pipeline), numbers of unit standard deviation, and how near they are;
        "corruption", predictions for
        copies of the row with some columns replaced; a classifier, its probability of
        the predicted class. None or an empty list calibrates the own score alone.
    n_neighbors : int, default=10
        Rows that vote; with weights, the weight of them in units of the mean.
    n_draws : int, default=8
        Copies of a row, for "corruption" only.
    corruption : float, default=0.2
        Share of a row's columns replaced in a copy, for "corruption" only.
    C : float, default=0.1
        Inverse penalty of the model of correctness.
    cv : int, splitter or iterable, default=None
        None deals rows to five stratified folds, copies to the same one; with
        ``groups`` it keeps each group in one fold.
    n_jobs : int, default=None
        Folds fitted at a time.
    random_state : int, RandomState instance or None, default=None
        Seed of "corruption"; nothing else is drawn.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    estimator_ : classifier
        Fitted to all rows.
    opinions_ : list
        The opinions, fitted to all rows.
    correctness_coef_ : ndarray of shape (n_model_features,)
        Coefficients of the standardised features: own score, own class, opinions.
    correctness_intercept_ : float
        Log-odds of being right of the average row.
    feature_mean_ : ndarray of shape (n_model_features,)
        Means of the features out of fold.
    feature_scale_ : ndarray of shape (n_model_features,)
        Standard deviations of the features out of fold.
    familiarity_ : Familiarity or None
        Distances of held-out rows to their nearest neighbours; None without them.
    rest_temperature_ : float
        Divides the log-probabilities of the classes that were not predicted.
    n_errors_ : int
        Rows that were predicted wrongly out of fold, among those that were asked.
    oof_log_loss_ : CorrectnessLoss
        Log-loss of correctness out of fold: ``base``, of the classifier's own
        probability; ``own``, calibrated without opinions; ``calibrated``, with them.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, only where all are strings.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : When rescaling the score is enough.
    SelectiveClassifierCV : Abstains where the confidence is low.
    LogLossMixtureClassifier : When predictions may change.

    References
    ----------
    Liu, Wang, Zou, Chen, Huang, Wang, Zheng. "Optimizing Calibration by Gaining Aware
    of Prediction Correctness." arXiv:2404.13016, 2024. The idea to look beside the row
    is taken, its views and weights are not.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_ext.calibration import CorrectnessCalibratedClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    >>> model = CorrectnessCalibratedClassifier(tree).fit(X, y)
    >>> model.confidence(X[:2]).shape
    (2,)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "opinions": [str, list, tuple, HasMethods(["fit", "predict"]), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "corruption": [Interval(Real, 0, 1, closed="both")],
        "C": [Interval(Real, 0, None, closed="neither")],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator=None,
        *,
        opinions="neighbors",
        n_neighbors=10,
        n_draws=8,
        corruption=0.2,
        C=0.1,
        cv=None,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.opinions = opinions
        self.n_neighbors = n_neighbors
        self.n_draws = n_draws
        self.corruption = corruption
        self.C = C
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None, **params):
        """Fit the classifier, its opinions and the model of correctness.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as the classifier takes them.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        groups : array-like of shape (n_samples,), default=None
            Groups whose rows must not testify for each other.
        **params : dict
            Further inputs of classifier, opinions and splitter, with metadata routing.

        Returns
        -------
        self : CorrectnessCalibratedClassifier
            The fitted model.
        """
        self._fit_with_held_out(X, y, sample_weight, groups, params)
        return self

    def _fit_with_held_out(self, X, y, sample_weight, groups, params):
        """Fit; return correctness and cross-fitted confidence of held-out rows."""
        data = self._checked(X, y, sample_weight, groups, params)
        held = self._held_out(data)
        hit, confidence = self._fit_confidence(data, held)
        whole = np.arange(len(data.code))
        self.estimator_, self.opinions_ = self._fit_models(data, whole, -1)
        return hit, confidence

    # what comes in

    def _opinion_list(self):
        given = _listed(self.opinions)
        for opinion in given:
            known = isinstance(opinion, str) and opinion in STRINGS
            if not known and not (hasattr(opinion, "fit") and is_classifier(opinion)):
                raise ValueError(
                    "opinions must be 'neighbors', 'corruption' or a classifier, or a "
                    f"list of these; got {opinion!r}."
                )
        strings = [opinion for opinion in given if isinstance(opinion, str)]
        if len(set(strings)) < len(strings):
            raise ValueError(f"opinions names the same one twice: {strings}.")
        return given

    def _inside(self):
        opinions = {f"opinion{i}": o for i, o in enumerate(self._opinion_list())}
        asked = {name: o for name, o in opinions.items() if not isinstance(o, str)}
        return {"estimator": self._base(), **asked}

    def _checked(self, X, y, sample_weight, groups, params):
        base, opinions = self._base(), self._opinion_list()
        for model in self._inside().values():
            if not has_scores(model):
                raise TypeError(
                    f"{type(model).__name__} has neither predict_proba nor "
                    "decision_function: one of them is needed to rank its predictions."
                )
        data = self._training(X, y, sample_weight, groups, params, self.cv)
        weighted = sample_weight is not None and not _routing_enabled()
        if weighted and not data.routed["estimator"]:
            warn(
                f"{type(base).__name__} takes no sample_weight: weights are used for "
                "its confidence alone."
            )
        if isinstance(base, FrozenEstimator):
            known = np.asarray(base.classes_)
            if not np.isin(data.classes, known).all():
                raise ValueError(
                    f"y has classes {data.classes.tolist()} but the frozen estimator "
                    f"knows {known.tolist()}."
                )
            data.update(classes=known, code=np.searchsorted(known, data.y))
        self.classes_ = data.classes
        equals = Equals.of(data.X, data.code, data.weight)
        if data.splits is None and data.groups is not None:
            data.splits = whole_folds(data.X, data.code, data.groups)
        elif data.splits is None:
            data.splits = equals.folds()
        for train, _ in data.splits:
            if len(np.unique(data.code[train])) < 2:
                counts = np.bincount(data.code, minlength=len(self.classes_)).tolist()
                raise ValueError(
                    "The training rows of a fold hold one class alone: every class "
                    "needs at least two distinct rows; the classes "
                    f"{self.classes_.tolist()} have {counts} rows."
                )
        rng, seeds = check_random_state(self.random_state), None
        if "corruption" in opinions:
            seeds = rng.randint(2**31 - 1, size=len(data.splits) + 1)
        data.update(base=base, opinions=opinions, group=equals.group, seeds=seeds)
        data.weight = data.weight / data.weight.sum() * equals.size
        return data

    # fold models, and what they say of rows that they have not seen

    def _fit_models(self, data, train, k):
        X, y, routed, opinions = data.X, data.y, data.routed, []
        base = fitted(data.base, X, y, train, routed["estimator"])
        for i, opinion in enumerate(data.opinions):
            if not isinstance(opinion, str):
                params = routed[f"opinion{i}"]
                opinions.append(fitted(opinion, X, y, train, params))
            elif opinion == "neighbors":
                voters = some_of(train, data.group, MOST_VOTERS)
                vote = NeighborVote.of(
                    columns_seen(base, _safe_indexing(X, voters)),
                    data.code[voters],
                    data.weight[voters],
                    n_neighbors=self.n_neighbors,
                    n_classes=len(self.classes_),
                )
                opinions.append(vote)
            else:
                rng = check_random_state(data.seeds[k])
                opinions.append(
                    Corruption.of(
                        _plain(_safe_indexing(X, train)),
                        data.weight[train],
                        n_draws=self.n_draws,
                        share=self.corruption,
                        rng=rng,
                    )
                )
        return base, opinions

    def _fold(self, data, k):
        train, test = data.splits[k]
        test = some_of(test, data.group, MOST_ASKED // len(data.splits))
        models = self._fit_models(data, train, k)
        return test, *self._asked(*models, _safe_indexing(data.X, test))

    def _held_out(self, data):
        folds = (delayed(self._fold)(data, k) for k in range(len(data.splits)))
        return HeldOut.joined(Parallel(n_jobs=self.n_jobs)(folds))

    def _asked(self, base, opinions, X):
        """Return probabilities, predicted classes and features of rows.

        In the place of familiarity there is a distance; see `_with_familiarity`.
        """
        proba = class_chances(base, X, self.classes_)
        code = np.searchsorted(self.classes_, np.asarray(base.predict(X)))
        blocks = [*own_features(proba, code), *self._answers(base, opinions, X, code)]
        return proba, code, np.hstack(blocks)

    def _answers(self, base, opinions, X, code):
        for opinion in opinions:
            if isinstance(opinion, NeighborVote):
                votes, distance = opinion(columns_seen(base, X))
                yield np.column_stack([vote_feature(votes, code), distance])
            elif isinstance(opinion, Corruption):
                copies = opinion(_plain(X))
                proba = class_chances(base, copies, self.classes_)
                shape = len(opinion.donors), len(code), -1
                yield corruption_features(proba.reshape(shape), code)
            else:
                proba = class_chances(opinion, X, self.classes_)
                yield own_features(proba, code)[0][:, :1]

    # the model of correctness, and the rest of the probabilities

    def _fit_confidence(self, data, held):
        weight = data.weight[held.rows]
        hit = held.code == data.code[held.rows]
        self._warn_of_few(data, hit, weight)
        at = self._familiarity_column(data.opinions)
        self.familiarity_ = None
        if at is not None:
            self.familiarity_ = Familiarity.of(held.features[:, at], weight)
            features = self._with_familiarity(held.features, data.opinions)
            held = replace(held, features=features)
        model = CorrectnessModel.of(held.features, hit, weight, self.C, at)
        self.correctness_coef_ = model.coef
        self.correctness_intercept_ = model.intercept
        self.feature_mean_, self.feature_scale_ = model.mean, model.scale
        self.n_errors_ = int((~hit).sum())
        own = held.proba[np.arange(len(hit)), held.code]
        confidence = held.cross_fitted(hit, weight, self.C, at)
        alone = replace(held, features=held.features[:, : self._n_own()])
        chances = own, alone.cross_fitted(hit, weight, self.C), confidence
        losses = (correctness_log_loss(hit, chance, weight) for chance in chances)
        self.oof_log_loss_ = CorrectnessLoss(*losses)
        self.rest_temperature_ = 1.0
        wrong = np.flatnonzero(~hit)
        if len(self.classes_) > 2 and len(wrong) >= FEW_FOR_REST:
            logs, place = _rest(held.proba[wrong], held.code[wrong])
            truth = place[np.arange(len(wrong)), data.code[held.rows][wrong]]
            self.rest_temperature_ = best_temperature(logs, truth, weight[wrong])
        return hit, confidence

    def _warn_of_few(self, data, hit, weight):
        name, n_errors, told = type(data.base).__name__, int((~hit).sum()), []
        if n_errors == 0 or hit.sum() == 0:
            always = "never wrong" if n_errors == 0 else "never right"
            told.append(
                f"{name} was {always} out of fold: its confidence is one constant."
            )
        elif n_errors < FEW_ERRORS:
            told.append(
                f"{name} made only {n_errors} errors out of fold, fewer than "
                f"{FEW_ERRORS}: its confidence has little to learn from."
            )
        if isinstance(data.base, FrozenEstimator) and n_errors == 0:
            told[-1] += " A frozen estimator must not have seen these rows."
        smallest = min(len(train) for train, _ in data.splits)
        if "neighbors" in data.opinions and 50 <= smallest <= self.n_neighbors:
            told.append(
                f"n_neighbors={self.n_neighbors} is no less than the {smallest} rows "
                "of a fold: all of them vote."
            )
        for message in told:
            warn(message)

    def _blocks(self, opinions):
        """Return names of the parts of an explanation, with the columns of each."""
        own = zip(("score", "class"), own_names(self.classes_), strict=True)
        return [*own, *(block for o in opinions for block in _blocks_of(o))]

    def _n_own(self):
        return len(_columns_of(self._blocks([])))

    def _familiarity_column(self, opinions):
        names = _columns_of(self._blocks(opinions))
        return names.index("familiarity") if "familiarity" in names else None

    def _with_familiarity(self, features, opinions):
        """Put familiarity in the place of the distance to the nearest rows."""
        at = self._familiarity_column(opinions)
        if at is not None:
            features[:, at] = familiarity_feature(self.familiarity_(features[:, at]))
        return features

    # what a fitted model says

    def confidence(self, X):
        """Return the probability that the prediction is right.

        It may be below that of another class: here the model is worse than its rival.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Confidences.
        """
        return self._said(X)[2]

    def predict_proba(self, X):
        """Return probabilities of the classes; the predicted class has the largest.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Confidence for the predicted class, raised where another would overtake it;
            the classifier's own ratios, tempered, for the others.
        """
        proba, code, confidence, _ = self._said(X)
        logs, place = _rest(proba, code)
        others = softmax(logs / self.rest_temperature_, axis=1)
        largest = others.max(axis=1)
        # a hair above equality, so that rounding does not undo it
        least = (largest / (1 + largest)) * (1 + 1e-9)
        c = np.maximum(confidence, least)
        rows = np.arange(len(code))
        result = np.take_along_axis(others, place.clip(min=0), axis=1)
        result *= (1 - c)[:, None]
        result[rows, code] = c
        return result

    def explain(self, X):
        """Say what raised or lowered the confidence of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_blocks)
            Log-odds that the own score, the own class and each opinion add to
            ``correctness_intercept_``, in the order of `get_explanation_names_out`; the
            sum is the log-odds of ``confidence``.
        """
        added = self._model().contributions(self._said(X)[3])
        widths = [len(columns) for _, columns in self._blocks(self.opinions_)]
        starts = np.concatenate([[0], np.cumsum(widths)[:-1]])
        return np.add.reduceat(added, starts, axis=1)

    def get_explanation_names_out(self):
        """Return the names of the columns of ``explain``.

        Returns
        -------
        ndarray of str
            "score", "class" and a name for each opinion; after "neighbors" comes
            "familiarity", how near they are.
        """
        check_is_fitted(self)
        names = [name for name, _ in self._blocks(self.opinions_)]
        return np.array(names, dtype=object)

    @available_if(_asks_neighbors)
    def familiarity(self, X):
        """Return how near each row is to training rows, beside held-out rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Share of the held-out training rows that were at least as far from their
            nearest neighbours: uniform for rows from where the training rows come
            from, close to zero for rows unlike all of them. A row with 0.05 or less
            counts as unknown.
        """
        check_is_fitted(self)
        X = rows_of(self, X)
        votes = [o for o in self.opinions_ if isinstance(o, NeighborVote)]
        _, distance = votes[0](columns_seen(self.estimator_, X))
        return self.familiarity_(distance)

    @available_if(_asks_neighbors)
    def drift(self, X, *, confidence_level=0.95):
        """Warn where many rows of a batch are unlike the training rows.

        The share of unknown rows is compared with the share of them in training, 5 %;
        where all of its interval is more than twice that, a warning says so. Unknown
        rows have less confidence where they were wrong more often in training, but
        nobody knows whether that holds so far away: have some of them labelled. A
        relation that has changed among familiar rows is not seen.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A batch of rows.
        confidence_level : float, default=0.95
            Level of the interval.

        Returns
        -------
        DriftReport
            The share of unknown rows with its interval, and what follows.
        """
        check_level(confidence_level)
        _, _, confidence, features = self._said(X)
        familiarity = features[:, self._familiarity_column(self.opinions_)]
        count, n = int((familiarity <= np.log(UNKNOWN)).sum()), len(features)
        low, high = map(float, clopper_pearson(count, n, confidence_level))
        is_drift = low > 2 * UNKNOWN
        if is_drift:
            warn(
                f"{count / n:.0%} of the {n} rows are further from the training rows "
                f"than all but {UNKNOWN:.0%} of those were (between {low:.0%} and "
                f"{high:.0%}): their confidence is an extrapolation. Have some of "
                "them labelled; familiarity tells which they are."
            )
        return DriftReport(
            n_rows=n,
            unknown=count / n,
            low=low,
            high=high,
            expected=UNKNOWN,
            confidence=float(confidence.mean()),
            is_drift=is_drift,
        )

    def opinion_features(self, X):
        """Return the features that the opinions give rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_opinion_features)
            Mostly log-odds of the predicted class.
        """
        return self._said(X)[3][:, self._n_own() :]

    def get_opinion_names_out(self):
        """Return the names of the columns of ``opinion_features``.

        Returns
        -------
        ndarray of str
            Names.
        """
        check_is_fitted(self)
        names = _columns_of(self._blocks(self.opinions_))
        return np.array(names[self._n_own() :], dtype=object)

    def _model(self):
        check_is_fitted(self)
        return CorrectnessModel(
            self.correctness_coef_,
            self.correctness_intercept_,
            self.feature_mean_,
            self.feature_scale_,
        )

    def _said(self, X):
        model = self._model()
        X = rows_of(self, X)
        proba, code, features = self._asked(self.estimator_, self.opinions_, X)
        features = self._with_familiarity(features, self.opinions_)
        return proba, code, model(features), features

    # the contract with scikit-learn

    def __sklearn_tags__(self):
        tags, given = super().__sklearn_tags__(), _listed(self.opinions)
        if "neighbors" in given and not isinstance(self._base(), Pipeline):
            tags.input_tags.allow_nan = False
            tags.input_tags.string = tags.input_tags.categorical = False
        if "corruption" in given:
            tags.input_tags.sparse = False
        return tags


def _plain(X):
    if sparse.issparse(X):
        raise TypeError(
            "opinions='corruption' takes dense rows, got sparse ones: use X.toarray()."
        )
    return np.asarray(X)


def _blocks_of(opinion):
    if isinstance(opinion, NeighborVote) or opinion == "neighbors":
        return [(name, [name]) for name in ("neighbors", "familiarity")]
    if isinstance(opinion, Corruption) or opinion == "corruption":
        kinds = ("mean", "same", "std")
        return [("corruption", [f"corruption_{kind}" for kind in kinds])]
    last = opinion.steps[-1][1] if isinstance(opinion, Pipeline) else opinion
    name = type(last).__name__.lower()
    return [(name, [name])]


def _columns_of(blocks):
    return [column for _, columns in blocks for column in columns]


def _rest(proba, code):
    """Log-probabilities without the predicted class, and where each class went."""
    n, n_classes = proba.shape
    labels = np.arange(n_classes)
    others = np.where(labels[None, :-1] >= code[:, None], labels[1:], labels[:-1])
    logs = np.log(np.take_along_axis(proba, others, axis=1).clip(1e-6))
    place = np.where(labels > code[:, None], labels - 1, labels)
    place[np.arange(n), code] = -1
    return logs, place
