"""One probability from several classifiers, by mixing them under the log-loss."""

from numbers import Integral, Real

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls
from scipy.special import logsumexp, softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch, get_tags
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d

from sklearn_ext._core._base import fit_context
from sklearn_ext._core._compat import (
    Interval,
    StrOptions,
    _routing_enabled,
    _safe_indexing,
)
from sklearn_ext._core._validation import check_weights, warn
from sklearn_ext.calibration._folds import whole_folds
from sklearn_ext.calibration._inner import (
    ClassifiersInside,
    default_classifier,
    fitted,
    has_scores,
    rows_of,
)
from sklearn_ext.calibration._opinions import class_chances

LEAST = 1e-15  # likelihoods are not taken to be smaller
N_EM = 5  # steps before Newton's method


def mixture_weights(
    likelihoods,
    *,
    sample_weight=None,
    prior=None,
    method="convex",
    tol=1e-6,
    max_iter=1000,
):
    r"""Weigh models by the probability that each gives the truth of every row.

    "convex" minimises :math:`L(v) = -\frac1n \sum_i \log \sum_j v_j \ell_{ij}` over the
    simplex: some steps of expectation-maximisation, then Newton's method with
    non-negative least squares. With :math:`g_j` the mean of
    :math:`\ell_{ij} / (\ell v)_i`, the loss exceeds its minimum by at most
    :math:`\log \max_j g_j`; the fit stops at this certificate. "bayes" is the posterior
    of the models, ``prior`` times the likelihood of all rows.

    Parameters
    ----------
    likelihoods : array-like of shape (n_samples, n_models)
        Probability that each model, fitted without the row, gave the row's truth.
    sample_weight : array-like of shape (n_samples,), default=None
        How often each row counts.
    prior : array-like of shape (n_models,), default=None
        Weights before the rows, for "bayes"; None means equal ones.
    method : {"convex", "bayes"}, default="convex"
        What the weights are.
    tol : float, default=1e-6
        Largest distance to the minimum.
    max_iter : int, default=1000
        Most steps.

    Returns
    -------
    Bunch
        ``weights``; ``gap_bound``, the certificate; ``loss``; ``n_iter``.

    See Also
    --------
    LogLossMixtureClassifier : The estimator.

    Examples
    --------
    >>> from sklearn_ext.calibration import mixture_weights
    >>> mixture_weights([[0.9, 0.2], [0.8, 0.3], [0.1, 0.6]]).weights.round(3)
    array([0.66, 0.34])
    """
    likelihoods = check_array(likelihoods, dtype=np.float64, input_name="likelihoods")
    if likelihoods.min() < 0:
        raise ValueError(
            f"likelihoods must be non-negative, got a minimum of {likelihoods.min():g}."
        )
    if method not in ("convex", "bayes"):
        raise ValueError(f"method must be 'convex' or 'bayes', got {method!r}.")
    w = check_weights(sample_weight, likelihoods, dtype=np.float64)
    lost = int(((likelihoods.max(axis=1) <= 0) & (w > 0)).sum())
    if lost:
        warn(f"Every model gives {lost} rows probability 0: they count as {LEAST:g}.")
    likelihoods = likelihoods.clip(LEAST)
    log_prior = _log_prior(prior, likelihoods.shape[1])
    if method == "bayes":
        weights = softmax(log_prior + w @ np.log(likelihoods))
        value, gradient, _ = _loss(likelihoods, w / w.sum(), weights)
        return _found(weights, value, gradient, 0)
    return _minimise(likelihoods, w / w.sum(), tol, max_iter)


def _log_prior(prior, n_models):
    if prior is None:
        return np.full(n_models, -np.log(n_models))
    prior = column_or_1d(prior, dtype=np.float64)
    if len(prior) != n_models or prior.min() <= 0 or not np.isfinite(prior).all():
        raise ValueError(
            f"prior must hold {n_models} positive numbers, one a model; got "
            f"{prior.tolist()}."
        )
    return np.log(prior / prior.sum())


def _loss(likelihoods, w, v):
    mixed = likelihoods @ v
    return float(-w @ np.log(mixed)), (w / mixed) @ likelihoods, mixed


def _found(weights, value, gradient, n_iter):
    gap = max(float(np.log(gradient.max())), 0.0)
    return Bunch(weights=weights, gap_bound=gap, loss=value, n_iter=n_iter)


def _minimise(likelihoods, w, tol, max_iter):
    # sum(v) is added and the simplex left out: the minimum is the same, with sum one
    v = np.full(likelihoods.shape[1], 1 / likelihoods.shape[1])
    value, g, mixed = _loss(likelihoods, w, v)
    for step in range(max_iter):
        if np.log(g.max()) <= tol:
            return _found(v, value, g, step)
        new = v * g if step < N_EM else _newton(likelihoods, w, v, g, mixed)
        new, value, g, mixed = _descend(likelihoods, w, v, new, value, g)
        v = new
    return _found(v, value, g, max_iter)


def _newton(likelihoods, w, v, g, mixed):
    """Minimise the quadratic model over non-negative weights."""
    rows = likelihoods * (np.sqrt(w) / mixed)[:, None]
    hessian = rows.T @ rows
    hessian[np.diag_indices_from(hessian)] += 1e-12 * np.trace(hessian)
    factor = cholesky(hessian)
    target = solve_triangular(factor, 2 * g - 1, trans="T")
    return nnls(factor, target)[0]


def _descend(likelihoods, w, v, new, value, g):
    """Halve the way until the loss falls; else take a step of EM, which always does.

    Near the minimum the loss falls by less than the rounding of its sum: let that pass.
    """
    direction, slope = new - v, (1 - g) @ (new - v)
    rounding = 16 * np.finfo(np.float64).eps * max(abs(value), 1.0)
    for halving in range(30):
        trial = v + 0.5**halving * direction
        total = trial.sum()
        if total > 0:
            trial = trial / total
            found = _loss(likelihoods, w, trial)
            if found[0] <= value + 1e-4 * 0.5**halving * min(slope, 0.0) + rounding:
                return trial, *found
    trial = v * g / (v @ g)
    return trial, *_loss(likelihoods, w, trial)


def mixture_regret_bound(log_prior, losses):
    r"""Bound the regret of the Bayes mixture: the weight of good models decides.

    For every set S of models the log-loss of the mixture, row after row, is at most
    :math:`-\log \pi(S) + \max_{j \in S} \text{loss}_j`; the best S is taken. So a
    thousand models that are nearly as good as the best cost nothing.

    Parameters
    ----------
    log_prior : array-like of shape (n_models,)
        Logarithms of the prior weights.
    losses : array-like of shape (n_models,)
        Log-losses of the models, summed over the rows.

    Returns
    -------
    float
        Bound on the mixture's summed log-loss minus that of the best model.

    See Also
    --------
    mixture_weights : Computes the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.calibration import mixture_regret_bound
    >>> bound = mixture_regret_bound(np.log([0.25] * 4), [10, 10, 10, 50])
    >>> bool(np.isclose(bound, np.log(4 / 3)))
    True
    """
    log_prior = column_or_1d(log_prior, dtype=np.float64)
    losses = column_or_1d(losses, dtype=np.float64)
    if len(log_prior) != len(losses):
        raise ValueError(
            f"log_prior has {len(log_prior)} models, losses have {len(losses)}."
        )
    log_prior = log_prior - logsumexp(log_prior)
    order = np.argsort(losses, kind="stable")
    of_sets = np.logaddexp.accumulate(log_prior[order])
    return float((losses[order] - of_sets).min() - losses.min())


class LogLossMixtureClassifier(ClassifiersInside):
    r"""Mix the probabilities of several classifiers, by their log-loss out of fold.

    .. math:: P(y \mid x) = \sum_j v_j P_j(y \mid x)

    with the weights on the simplex that minimise the log-loss of rows that the members
    have not seen, a convex problem, solved to a certified distance of ``gap_bound_``.
    A vertex of the simplex is a single member, so out of fold the mixture is never
    worse than the best of them by more than that. Members that are far too sure should
    be calibrated before they are mixed. Weights of rows count as the members count
    them; columns are taken on the members' scale.

    Parameters
    ----------
    estimators : list of (str, classifier), default=None
        Members; "drop" leaves one out. None is logistic regression and naive Bayes on
        standardised columns.
    weights : {"convex", "bayes"}, default="convex"
        The minimum of the log-loss, or the posterior of the members, which tends to one
        of them as rows grow but comes with a bound on its regret.
    prior : array-like of shape (n_estimators,), default=None
        Prior weights, for "bayes"; None means equal ones.
    cv : int, splitter or iterable, default=None
        None deals distinct rows to five stratified folds; with ``groups`` it keeps each
        group in one fold.
    tol : float, default=1e-6
        Largest distance to the minimum, in log-loss.
    max_iter : int, default=1000
        Most steps.
    n_jobs : int, default=None
        Folds fitted at a time.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    estimators_ : list of classifiers
        Members, fitted to all rows.
    named_estimators_ : dict
        The same by name.
    weights_ : ndarray of shape (n_estimators,)
        Their weights.
    gap_bound_ : float
        The log-loss out of fold exceeds its minimum over all weights by no more.
    oof_log_loss_ : dict
        Log-loss out of fold of each member by name, and of the "mixture".
    regret_bound_ : float
        Bound on the sum over the rows of what the mixture loses to the best member,
        row after row; only with ``weights="bayes"``.
    n_iter_ : int
        Steps that were taken.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, only where all are strings.

    See Also
    --------
    sklearn.ensemble.StackingClassifier : Fits a model to the members' probabilities.
    sklearn.ensemble.VotingClassifier : Weights that the user chooses.

    References
    ----------
    Feder, Urbanke, Fogel. "The Universality Lens: Why Even Highly Over-Parametrized
    Models Learn Well." arXiv, 2025. Cover, Thomas. "Elements of Information Theory",
    chapter on portfolios, for the certificate.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ext.calibration import LogLossMixtureClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> model = LogLossMixtureClassifier().fit(X, y)
    >>> bool(model.gap_bound_ <= 1e-6)
    True
    """

    _parameter_constraints: dict = {
        "estimators": [list, tuple, None],
        "weights": [StrOptions({"convex", "bayes"})],
        "prior": ["array-like", None],
        "cv": ["cv_object"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimators=None,
        *,
        weights="convex",
        prior=None,
        cv=None,
        tol=1e-6,
        max_iter=1000,
        n_jobs=None,
    ):
        self.estimators = estimators
        self.weights = weights
        self.prior = prior
        self.cv = cv
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None, **params):
        """Fit the members, and their weights on rows that they have not seen.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as the members take them.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        groups : array-like of shape (n_samples,), default=None
            Groups that share a fold.
        **params : dict
            Further inputs of members and splitter, with metadata routing.

        Returns
        -------
        self : LogLossMixtureClassifier
            The fitted mixture.
        """
        members = self._members()
        data = self._training(X, y, sample_weight, groups, params, self.cv)
        self.classes_, splits = data.classes, data.splits
        if splits is None:
            splits = whole_folds(data.X, data.code, data.groups)
        likelihoods = self._likelihoods(members, data, splits)
        held = np.concatenate([test for _, test in splits])
        self._fit_weights(members, likelihoods, data.weight[held])
        self.named_estimators_ = {
            name: clone(member).fit(data.X, data.y, **data.routed[name])
            for name, member in members
        }
        self.estimators_ = list(self.named_estimators_.values())
        return self

    def _inside(self):
        return dict(self._members())

    def _members(self):
        if self.estimators is None:
            bayes = make_pipeline(StandardScaler(), GaussianNB())
            if _routing_enabled():
                for _, step in bayes.steps:
                    step.set_fit_request(sample_weight=True)
            return [("logistic", default_classifier()), ("naive_bayes", bayes)]
        try:
            members = [(name, m) for name, m in self.estimators if m is not None]
        except (TypeError, ValueError):
            members = []
        members = [(name, m) for name, m in members if m != "drop"]
        names = [name for name, _ in members]
        if not members or len(set(names)) < len(names):
            raise ValueError(
                "estimators must be a list of (name, classifier) with different names, "
                f"at least one of them not 'drop'; got {self.estimators!r}."
            )
        for name, member in members:
            if not has_scores(member):
                raise TypeError(
                    f"estimators: {name!r} ({type(member).__name__}) has neither "
                    "predict_proba nor decision_function."
                )
        return members

    def _likelihoods(self, members, data, splits):
        """Return what each member, fitted without a row, gave the row's truth."""
        parts = Parallel(n_jobs=self.n_jobs)(
            delayed(_held_out)(member, data, train, test, data.routed[name])
            for train, test in splits
            for name, member in members
        )
        n = len(members)
        rows = [np.column_stack(parts[i : i + n]) for i in range(0, len(parts), n)]
        return np.vstack(rows)

    def _fit_weights(self, members, likelihoods, weight):
        found = mixture_weights(
            likelihoods,
            sample_weight=weight,
            prior=self.prior,
            method=self.weights,
            tol=self.tol,
            max_iter=self.max_iter,
        )
        if self.weights == "convex" and found.gap_bound > self.tol:
            warn(
                f"The mixture stopped after {self.max_iter} steps up to "
                f"{found.gap_bound:.2g} above its minimum, more than tol={self.tol:g}: "
                "raise max_iter or tol.",
                ConvergenceWarning,
            )
        self.weights_, self.gap_bound_ = found.weights, found.gap_bound
        self.n_iter_ = max(found.n_iter, 1)
        logs = np.log(likelihoods.clip(LEAST))
        losses = -np.average(logs, axis=0, weights=weight)
        names = [name for name, _ in members]
        self.oof_log_loss_ = dict(zip(names, losses.tolist(), strict=True))
        self.oof_log_loss_["mixture"] = found.loss
        if self.weights == "bayes":
            log_prior = _log_prior(self.prior, len(members))
            self.regret_bound_ = mixture_regret_bound(log_prior, weight.sum() * losses)

    def predict_proba(self, X):
        """Return the mixed probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        check_is_fitted(self)
        X = rows_of(self, X)
        return sum(
            weight * class_chances(member, X, self.classes_)
            for weight, member in zip(self.weights_, self.estimators_, strict=True)
            if weight > 0
        )

    def predict(self, X):
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted classes.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        try:
            members = [get_tags(member) for _, member in self._members()]
        except (TypeError, ValueError):  # fit will say what is wrong
            return tags
        for name in ("sparse", "allow_nan", "string", "categorical"):
            value = all(getattr(member.input_tags, name) for member in members)
            setattr(tags.input_tags, name, value)
        tags.classifier_tags.multi_class = all(
            member.classifier_tags.multi_class for member in members
        )
        return tags


def _held_out(member, data, train, test, params):
    model = fitted(member, data.X, data.y, train, params)
    proba = class_chances(model, _safe_indexing(data.X, test), data.classes)
    return proba[np.arange(len(test)), data.code[test]]
