"""Quantities that tell how fast naive Bayes reaches its limit on given features."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import column_or_1d

from sklearn_ext._core._pipelines import innermost
from sklearn_ext._numerics._classes import places_of
from sklearn_ext.probes._gaussian._input import on_host, row_weights
from sklearn_ext.probes._gaussian._naive_bayes import NaiveBayesProbe


@dataclass(frozen=True, eq=False)
class ProbeDiagnostics:
    """What `probe_diagnostics` returns.

    Parameters
    ----------
    variances : ndarray of shape (n_features,) or (n_classes, n_features)
        Variances of the probe.
    beta : ndarray of shape (n_classes, n_classes, n_classes)
        Mean separation of classes ``k1`` and ``k2`` over rows of ``k`` at
        ``[k, k1, k2]``, on the scale of one feature.
    alpha : ndarray of shape (n_classes, n_classes, n_classes)
        Variance of the same difference of scores, divided by the number of features.
    margins : ndarray of shape (n_samples,)
        Difference of the two largest scores of each row, on the scale of one feature.
    weights : ndarray of shape (n_samples,)
        Weights of the rows, which sum to one.
    """

    variances: np.ndarray
    beta: np.ndarray
    alpha: np.ndarray
    margins: np.ndarray
    weights: np.ndarray

    def __repr__(self):
        k = len(self.beta)
        apart = ~np.eye(k, dtype=bool)
        beta, alpha = (
            np.nanmedian(values[:, apart]) for values in (self.beta, self.alpha)
        )
        return (
            f"ProbeDiagnostics({len(self.margins)} rows, {k} classes, "
            f"{self.variances.shape[-1]} features; medians: beta={beta:.3g}, "
            f"alpha={alpha:.3g}, margin={np.median(self.margins):.3g})"
        )

    def margin_mass(self, tau):
        """Share of the rows whose margin is at most ``tau``.

        Parameters
        ----------
        tau : array-like
            Margins on the scale of one feature.

        Returns
        -------
        ndarray or float
            Shares. The error of a fitted naive Bayes exceeds that of its limit by at
            most this share at a ``tau`` of order ``sqrt(log(d K) / n)``.
        """
        order = np.argsort(self.margins)
        mass = np.r_[0.0, np.cumsum(self.weights[order])]
        return mass[np.searchsorted(self.margins[order], tau, side="right")][()]


def probe_diagnostics(probe, X, y, sample_weight=None):
    r"""Measure how well features suit naive Bayes.

    With likelihood scores ``l_k``, that is without priors, and ``d`` features

    .. math:: \beta_{k_1 k_2 | k} = \big| E[l_{k_1} - l_{k_2} \mid k] \big| / d, \qquad
              \alpha_{k_1 k_2 | k} = Var[l_{k_1} - l_{k_2} \mid k] / d.

    Large ``beta`` and small ``alpha`` leave few rows near a boundary between classes:
    by Chebyshev's inequality at most ``alpha / (d (beta - tau) ** 2)`` of the rows of a
    class have a difference of scores below ``tau d``. Then few rows suffice to come
    close to what naive Bayes can reach. Time is O(n_samples n_classes ** 2) beyond the
    scores, memory O(n_classes ** 3).

    Parameters
    ----------
    probe : NaiveBayesProbe
        Fitted on at least two classes; also a Pipeline that ends in one.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows; held-out rows show what the probe will meet.
    y : array-like of shape (n_samples,)
        Their labels. A class without rows gets NaN.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    ProbeDiagnostics
        With ``variances``, ``beta`` and ``alpha`` indexed ``[k, k1, k2]``, ``margins``
        and the method ``margin_mass(tau)``.

    See Also
    --------
    ProbeDiagnosticsDisplay : Draws them.

    References
    ----------
    .. [1] C. Zheng, G. Wu, F. Bao, Y. Cao, C. Li and J. Zhu, "Revisiting discriminative
       vs. generative classifiers: theory and implications", ICML 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.probes import NaiveBayesProbe, probe_diagnostics
    >>> X, y = load_iris(return_X_y=True)
    >>> found = probe_diagnostics(NaiveBayesProbe().fit(X, y), X, y)
    >>> print(f"{found.margin_mass(0.5):.2f}")
    0.07
    """
    user = "probe_diagnostics"
    probe, (X,), _ = innermost(probe, X, wanted=NaiveBayesProbe, user=user)
    if len(probe.classes_) < 2:
        raise ValueError("probe must know at least two classes, got one class.")
    scores = probe.predict_joint_log_proba(X).astype(np.float64)
    codes = places_of(column_or_1d(on_host(y), warn=True), probe.classes_)
    weights = row_weights(sample_weight, scores)
    if len(codes) != len(scores):
        raise ValueError(f"X has {len(scores)} rows, y has {len(codes)} labels.")
    d = probe.n_features_in_
    best = np.sort(scores, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN for unseen classes
        likelihoods = scores - np.log(probe.class_prior_)
    beta, alpha = class_differences(likelihoods, codes, weights)
    return ProbeDiagnostics(
        probe.var_,
        np.abs(beta) / d,
        alpha / d,
        (best[:, -1] - best[:, -2]) / d,
        weights / weights.sum(),
    )


def class_differences(scores, codes, weights):
    """Mean and variance of all differences of scores over the rows of each class.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Scores.
    codes : ndarray of shape (n_samples,)
        Class of each row.
    weights : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    means, variances : ndarray of shape (n_classes, n_classes, n_classes)
        Of ``score[k1] - score[k2]`` over the rows of ``k``, at ``[k, k1, k2]``.
    """
    k = scores.shape[1]
    means, variances = np.full((k, k, k), np.nan), np.full((k, k, k), np.nan)
    for c in range(k):
        rows, w = scores[codes == c], weights[codes == c]
        if not w.sum() > 0:
            continue
        centre = w @ rows / w.sum()
        rows = rows - centre
        covariance = (rows.T * w) @ rows / w.sum()
        own = np.diag(covariance)
        means[c] = centre[:, None] - centre
        variances[c] = np.maximum(own[:, None] + own - 2 * covariance, 0)
    return means, variances
