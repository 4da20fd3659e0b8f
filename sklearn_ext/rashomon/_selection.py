"""Which candidates are nearly the best, and how much they disagree on unseen rows."""

import numpy as np

from sklearn_ext.rashomon._folds import out_of_fold

ROUNDING = 1e-12  # means of the same scores in another order differ by less


def select_scores(scores, theta):
    """Candidates whose mean score is within theta of the best one.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_folds)
        Scores; nan where no fit succeeded.
    theta : float or "1se"
        Slack; "1se" is the standard error of the best candidate.

    Returns
    -------
    inside : ndarray of bool, shape (n_candidates,)
        Whether each candidate is in the set.
    best : int
        Place of the best one.
    theta : float
        The slack in numbers.
    """
    mean = scores.mean(axis=1)
    if np.isnan(mean).all():
        raise ValueError(
            "No candidate could be fitted: all scores are nan. Set "
            "error_score='raise' to see why."
        )
    best = int(np.argmax(mean >= np.nanmax(mean) - ROUNDING))  # of equals the first
    if theta == "1se":
        theta = scores[best].std(ddof=1) / np.sqrt(scores.shape[1])
    return mean >= mean[best] - theta - ROUNDING, best, float(theta)


def results_table(candidates, scores, times, inside):
    """Names, parameters, scores and ranks of the candidates, as ``cv_results_``."""
    mean = scores.mean(axis=1)
    digits = int(-np.log10(ROUNDING))
    ordered = -np.nan_to_num(mean, nan=-np.inf).round(digits)
    order = np.argsort(ordered, kind="stable")
    rank = np.empty(len(mean), dtype=int)
    rank[order] = np.arange(1, len(mean) + 1)
    return {
        "name": [name for name, _, _ in candidates],
        "params": [params for _, _, params in candidates],
        "mean_test_score": mean,
        "std_test_score": scores.std(axis=1),
        "rank_test_score": rank,
        "mean_fit_time": times.mean(axis=1),
        "in_rashomon_set": inside,
    }


def unseen_predictions(found, inside, best, X, splits):
    """Out-of-fold predictions of the set, the best candidate's first."""
    ordered = sorted(np.flatnonzero(inside), key=lambda i: i != best)
    return np.stack([out_of_fold(found[i], X, splits) for i in ordered])


def complexity_of(member, complexity):
    """Measure a fitted candidate, by a function or by the name of an attribute."""
    if complexity is None:
        return 0
    if callable(complexity):
        return complexity(member)
    found = member
    for name in complexity.split("."):
        if not hasattr(found, name):
            raise ValueError(
                f"complexity={complexity!r} is no attribute of the fitted {member!r}. "
                "Name one that every candidate has, or give a function."
            )
        found = getattr(found, name)
    return found
