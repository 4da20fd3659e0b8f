"""Certificates of tree spaces: the law of the loss gives all that they need.

Cuts that are constant on the training rows are left out of the trees that are counted.
Which ones these are depends on the rows, so the prior of a certificate keeps them: the
divergence grows by the logarithm of the share of trees that do without.
"""

from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_array

from sklearn_ext._core._validation import FLOATS, check_level
from sklearn_ext.rashomon._information._certificates import (
    certified,
    conditional_means,
    gibbs,
    pac_bayes_bound,
    refuse_weights,
)
from sklearn_ext.rashomon._ratio import check_count
from sklearn_ext.rashomon._trees._descent import tree_shares
from sklearn_ext.rashomon._trees._problem import SLIP, make_splits
from sklearn_ext.rashomon._trees._sets import ExactTreeSet

BETAS = np.geomspace(0.01, 50.0, 300)  # inverse temperatures that are searched
REACH = 0.12  # slack up to which a threshold is searched
NEGLIGIBLE = 1e-12  # share of the evidence that may lie beyond the law


def thresholds_from(X, n_thresholds="auto"):
    """Choose the cuts of trees from rows that will not be used for training.

    Labels are not needed. A certificate speaks of trees whose cuts were fixed before
    the training rows were seen; quantiles of other rows are.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Other rows of the same kind: unlabelled ones, or a part that is set aside.
    n_thresholds : int or "auto", default="auto"
        Quantile cuts of each feature; "auto" shares about 64 among the features.

    Returns
    -------
    list of ndarray
        For each feature its cuts, for ``RashomonTreeClassifier(thresholds=...)``.

    See Also
    --------
    pac_bayes_bound : What the certificate is computed by.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.rashomon import thresholds_from
    >>> thresholds_from(np.arange(8.0)[:, None], n_thresholds=3)
    [array([1.5, 3.5, 5.5])]
    """
    X = check_array(X, accept_sparse=("csr", "csc"), dtype=FLOATS)
    if n_thresholds != "auto":
        check_count("n_thresholds", n_thresholds)
    splits = make_splits(X, np.ones(X.shape[0]), n_thresholds=n_thresholds)
    return [splits.threshold[splits.feature == j] for j in range(X.shape[1])]


def check_prior(clf):
    """Refuse fits of which the theorem says nothing, and say what to do."""
    class_weight = clf._plan.params.class_weight
    if clf._plan.params.thresholds is None:
        raise ValueError(
            "The certificate needs thresholds chosen without these rows, for instance "
            "quantiles of unlabelled rows: fit with "
            "thresholds=thresholds_from(X_other)."
        )
    if class_weight is not None:
        raise ValueError(
            "The certificate speaks of the share of wrong predictions: fit with "
            f"class_weight=None, got {class_weight!r}."
        )
    refuse_weights(clf._statistics.n_rows)
    if not isinstance(clf._set, ExactTreeSet):
        raise ValueError(
            f"The certificate needs the law of the loss, got method {clf.method_!r}, "
            "which samples it. Lower max_depth, or take fewer thresholds."
        )


def log_share_without_constants(statistics, space, max_depth):
    """Logarithm of the prior share of trees without cuts that the rows leave constant.

    Without repeats the share differs between trees, and this is its lower bound.

    Parameters
    ----------
    statistics : TreeStatistics
        Rows over all candidate cuts.
    space : TreeSpace
        The trees that are counted, single leaves where no cut varies.
    max_depth : int
        Depth of the trees of the prior.

    Returns
    -------
    float
        Zero where no cut is constant, and minus infinity where all are and the trees of
        the prior have cuts.
    """
    bits, prior = statistics.rows.bits, statistics.splits.prior
    varying = bits.any(axis=0) & ~bits.all(axis=0)
    if varying.all():
        return 0.0
    if not space.complete:
        cuts = np.array([len(varying)])
        depth = space.depth if varying.any() else max_depth
        every = replace(space, depth=depth, multiplicity=cuts)
        return space.log_size - every.log_size
    if not varying.any():
        return -np.inf if max_depth else 0.0
    kept = prior[varying].sum()
    used = np.zeros(space.depth)
    if not space.repeats:  # a path has used some mass of both sides of the share
        largest = np.sort(prior[varying])[::-1]
        used = np.append(0.0, np.cumsum(largest))[: space.depth]
    level = np.log(kept - used) - np.log1p(-used)
    return float(2.0 ** np.arange(space.depth) @ level)


def certify_trees(clf, theta, confidence_level, posterior):
    """Bound the true error of the trees of a fitted classifier.

    Parameters
    ----------
    clf : RashomonTreeClassifier
        Fitted with thresholds.
    theta : float or None
        Slack; None searches.
    confidence_level : float
        Of the bound.
    posterior : {"uniform", "gibbs"}
        Weights of the trees.

    Returns
    -------
    CertificateResult
        The bound.
    """
    check_level(confidence_level)
    delta = 1 - confidence_level
    if posterior not in ("uniform", "gibbs"):
        raise ValueError(f"posterior must be 'uniform' or 'gibbs', got {posterior!r}.")
    check_prior(clf)
    rows, space, params = clf._plan.rows, clf._plan.space, clf._plan.params
    n, total = clf._statistics.n_rows, rows.total
    base, last = _thresholds(clf, theta)
    found = clf._set.widened(last)
    losses, low, high = _law(found, last)
    if not len(losses):
        raise ValueError(
            "The Rashomon set is empty, so there is nothing to certify. Raise theta or "
            "reference_loss."
        )
    outside = log_share_without_constants(clf._statistics, space, params.max_depth)
    one_leaf = space.leaf_cost  # at least, of every loss
    if posterior == "gibbs":
        if found.n_cells is not None:
            raise ValueError(
                "posterior='gibbs' needs the exact law, got bounds. Fit with "
                "loss_grid='unit', or take posterior='uniform'."
            )
        betas = np.append(0.0, BETAS)
        scaled = betas / (total / n)  # of the losses, for one row
        log_evidence, means = gibbs(losses, high, scaled)
        log_ratios = log_evidence + scaled * means + outside
        means = np.maximum(means - one_leaf, 0.0) / total
        ends = np.full(len(betas), last)
    else:
        first = np.searchsorted(losses, base + SLIP * total, side="right") - 1
        kept = slice(max(first, 0), None)
        means = (conditional_means(losses, low, high)[kept] - one_leaf) / total
        ends, log_ratios = losses[kept], low[kept] + outside
        betas = np.zeros(len(ends))
    bounds = pac_bayes_bound(np.minimum(log_ratios, 0.0), means, n, delta)
    best = int(np.argmin(bounds))
    mean = means[best]
    if posterior == "uniform" and not space.complete:
        nodes = tree_shares(found.upper, threshold=ends[best]).nodes.sum()
        mean = max(mean - one_leaf * nodes / total, 0.0)
    slack = _slack(clf, ends[best] / total, theta)
    found = certified(log_ratios[best], mean, n, delta, slack, confidence_level)
    return replace(found, posterior=posterior, beta=float(betas[best]))


def _thresholds(clf, theta):
    """Losses from which and up to which a threshold is searched."""
    if theta is not None:
        at = clf._threshold_at(theta)
        return at, at
    plan = clf._plan
    base, last = clf._threshold_at(0.0), clf.threshold_loss_ * plan.rows.total
    params = clone(plan.params).set_params(theta=REACH, theta_mode="absolute")
    wider = replace(plan, params=params)
    if wider.affords(wider.cost(clf._set.n_cells, plan.measure())):
        last = max(last, wider.threshold(clf._set.best_loss))
    return base, last


def _slack(clf, loss, theta):
    """Slack of a threshold, in the units of the estimator."""
    if theta is not None:
        return float(theta)
    base = clf.min_loss_ if clf.reference_loss is None else clf.reference_loss
    if clf.theta_mode == "absolute":
        return float(max(loss - base, 0.0))
    return float(max(loss / base - 1, 0.0)) if base > 0 else 0.0


def _law(found, last):
    """Losses within a threshold, and bounds of the log shares up to them."""
    losses = found.upper.ranges.losses
    if found.upper.ranges.empty:
        return losses[:0], losses[:0], losses[:0]
    losses = losses[losses <= last + SLIP * found.graph.rows.total]
    if found.n_cells is None:
        high = found.log_cdf()[1][: len(losses)]
        return losses, high, high
    ends = [found.estimate(loss) for loss in losses]
    low, high = ([getattr(end, name) for end in ends] for name in ("low", "high"))
    return losses, np.array(low), np.array(high)


def gibbs_of_trees(clf, beta):
    """Log evidence and mean loss, over all trees of the space.

    Parameters
    ----------
    clf : RashomonTreeClassifier
        Fitted on a grid of whole losses.
    beta : float or array-like
        Inverse temperatures of one row, not negative.

    Returns
    -------
    log_evidence, mean : ndarray of the shape of beta
        The law is widened until what lies beyond cannot matter.
    """
    betas = np.asarray(beta, dtype=float)
    if not (np.isfinite(betas) & (betas >= 0)).all():
        raise ValueError(f"beta must be finite and at least 0, got {beta!r}.")
    if clf.method_ != "exact":
        raise ValueError(
            f"The evidence needs the exact law, got method {clf.method_!r}. Lower "
            "max_depth, or fit with loss_grid='unit'."
        )
    total, found = clf._plan.rows.total, clf._set
    unit = total / clf._statistics.rows.total  # of the losses, for one row
    flat, end = betas.ravel() / unit, clf._plan.space.largest_loss(total)
    last = found.threshold
    while True:
        found = found.widened(last)
        losses, logs = found.log_cdf()
        log_evidence, mean = gibbs(losses, logs, flat)
        # the rest has at most this mass, at losses beyond the last one
        beyond = -flat * losses[-1] - log_evidence
        if last >= end or (beyond <= np.log(NEGLIGIBLE)).all():
            break
        last = min(2 * last + 1, end)
    shape = betas.shape
    return log_evidence.reshape(shape)[()], (mean / total).reshape(shape)[()]
