"""The usual candidates, and the cheap check whether they perform alike."""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import ParameterSampler, check_cv, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import Bunch, check_random_state, get_tags
from sklearn.utils.multiclass import type_of_target

from sklearn_ext.rashomon._ratio import check_workers


def default_candidates(classification=True):
    """Five different algorithms, the simplest first.

    Parameters
    ----------
    classification : bool, default=True
        Whether classifiers or regressors are wanted.

    Returns
    -------
    list of tuple
        Names and estimators.
    """
    if classification:
        tree, forest = DecisionTreeClassifier, RandomForestClassifier
        linear, svm = LogisticRegression(), SVC(random_state=0)
        boosting = GradientBoostingClassifier
    else:
        tree, forest = DecisionTreeRegressor, RandomForestRegressor
        linear, svm = Ridge(), SVR()
        boosting = GradientBoostingRegressor
    return [
        ("tree", tree(max_depth=5, random_state=0)),
        ("linear", make_pipeline(StandardScaler(), linear)),
        ("svm", make_pipeline(StandardScaler(), svm)),
        ("forest", forest(30, random_state=0)),
        ("boosting", boosting(n_estimators=30, learning_rate=0.2, random_state=0)),
    ]


def listed(candidates):
    """Names and estimators as a list; from a dict too, and the usual ones from None."""
    if candidates is None:
        return default_candidates()
    return list(candidates.items()) if isinstance(candidates, dict) else candidates


def expand_candidates(candidates, random_state=None):
    """Draw the parameters of candidates that come with distributions.

    Parameters
    ----------
    candidates : list of tuple
        ``(name, estimator)`` or ``(name, estimator, distributions, n_iter)``.
    random_state : int, RandomState instance or None, default=None
        Source of parameters.

    Returns
    -------
    list of tuple
        Names, clones and drawn parameters.
    """
    check_candidates(candidates, most=4)
    rng, found = check_random_state(random_state), []
    for name, estimator, *rest in candidates:
        drawn = [{}]
        if rest:
            n_iter = rest[1] if len(rest) > 1 else 10
            drawn = ParameterSampler(rest[0], n_iter, random_state=rng)
        for values in drawn:
            found.append((name, clone(estimator).set_params(**values), values))
    if not found:
        raise ValueError("estimators must hold at least one candidate, got none.")
    return found


def check_candidates(candidates, most):
    """Refuse what is no list of names and estimators, with up to ``most`` parts."""
    parts = "(name, estimator)"
    if most > 2:
        parts += " or (name, estimator, distributions, n_iter)"
    if not isinstance(candidates, (list, tuple)):
        raise ValueError(
            f"estimators must be a dict or a list of {parts}, got {candidates!r}."
        )
    for candidate in candidates:
        named = isinstance(candidate, (tuple, list)) and 2 <= len(candidate) <= most
        if not named or not isinstance(candidate[1], BaseEstimator):
            raise ValueError(f"estimators must hold {parts}, got {candidate!r}.")
    kinds = {get_tags(candidate[1]).estimator_type for candidate in candidates}
    if len(kinds) > 1:
        raise ValueError(
            "estimators must all predict the same kind of target, whose scores can be "
            f"compared; got {' and '.join(sorted(map(str, kinds)))}s."
        )
    if len(candidates) == 0:
        raise ValueError("estimators must hold at least one candidate, got none.")


def similar_performance(
    X,
    y,
    *,
    estimators="default",
    scoring=None,
    cv=5,
    tol=0.05,
    n_jobs=None,
    sample_weight=None,
):
    """Check whether several different algorithms perform alike.

    When they do, a large Rashomon set, and with it a simple accurate model, is likely.
    It is an indication and no proof: algorithms can fail alike, and the spread depends
    on which ones are asked.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Target.
    estimators : "default", list of tuple or dict, default="default"
        Names and estimators, the simplest first. The default takes a tree, a linear
        model, a support vector machine, a random forest and boosting.
    scoring : str, callable or None, default=None
        Score; None takes each estimator's own.
    cv : int or splitter, default=5
        Cross-validation; every candidate sees the same splits.
    tol : float, default=0.05
        Largest spread that counts as alike.
    n_jobs : int or None, default=None
        Workers for the folds.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weights, passed to every ``fit``.

    Returns
    -------
    Bunch
        ``table`` (dict of names, mean scores and standard deviations), ``spread``
        (largest minus smallest mean), ``spread_se`` (standard error of that difference
        over folds), ``best`` and ``simplest_within_tol`` (names), and ``similar``.

    See Also
    --------
    RashomonSearchCV : Keeps the candidates that perform alike, and lets them vote.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.rashomon import similar_performance
    >>> check = similar_performance(*load_iris(return_X_y=True))
    >>> print(check.simplest_within_tol, f"{check.spread:.2f}", check.similar)
    tree 0.01 True
    """
    classification = type_of_target(y) != "continuous"
    if isinstance(estimators, str):
        if estimators != "default":
            raise ValueError(
                "estimators must be 'default', a dict or a list of (name, estimator), "
                f"got {estimators!r}."
            )
        estimators = default_candidates(classification)
    estimators = listed(estimators)
    check_candidates(estimators, most=2)
    if isinstance(tol, (bool, np.bool_)) or not 0 <= tol < np.inf:
        raise ValueError(f"tol must be a finite number from 0 upwards, got {tol}.")
    check_workers(n_jobs)
    splits = list(check_cv(cv, y, classifier=classification).split(X, y))
    scores = np.array(
        [
            cross_validate(
                clone(estimator),
                X,
                y,
                scoring=scoring,
                cv=splits,
                n_jobs=n_jobs,
                params=_weights_for(estimator, sample_weight),
            )["test_score"]
            for _, estimator in estimators
        ]
    )
    mean, names = scores.mean(axis=1), [name for name, _ in estimators]
    # of equal means the first, whatever the rounding
    best = int(np.argmax(mean >= mean.max() - 1e-12))
    worst = int(np.argmax(mean <= mean.min() + 1e-12))
    gap = scores[best] - scores[worst]
    within = int(np.argmax(mean >= mean[best] - tol))
    spread = float(mean[best] - mean[worst])
    return Bunch(
        table={
            "name": names,
            "mean_score": mean,
            "std_score": scores.std(axis=1),
        },
        spread=spread,
        spread_se=float(gap.std(ddof=1) / np.sqrt(len(gap))),
        best=names[best],
        simplest_within_tol=names[within],
        similar=bool(spread <= tol),
    )


def _weights_for(estimator, sample_weight):
    if sample_weight is None:
        return None
    if isinstance(estimator, Pipeline):
        return {f"{estimator.steps[-1][0]}__sample_weight": sample_weight}
    return {"sample_weight": sample_weight}
