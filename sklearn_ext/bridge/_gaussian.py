"""Entropic transport between Gaussians: the one-component case and the M-step."""

import numpy as np
from sklearn.utils import check_array

from sklearn_ext.bridge._checks import plain
from sklearn_ext.bridge._frames import array_namespace
from sklearn_ext.bridge._mixture import PotentialMixture
from sklearn_ext.bridge._plan import EntropicPlan


def variance_map(v0, v1, epsilon):
    """Solve s^2 v0 + eps s = v1 for s >= 0, without cancellation."""
    xp = array_namespace(v0)
    return 2 * v1 / (epsilon + xp.sqrt(epsilon**2 + 4 * v0 * v1))


def covariance_map(C0, C1, epsilon):
    """Solve S C0 S + eps S = C1 for symmetric S >= 0; stacks of matrices are allowed.

    With G = C1^(1/2) and T = (G C0 G + eps^2/4 I)^(1/2) + eps/2 I the solution is
    S = G T^-1 G: neither C0 nor C1 is inverted, so both may be singular.
    """
    xp = array_namespace(C0)
    G = _spectral(C1, xp.sqrt)
    inner = _spectral(
        G @ C0 @ G, lambda mu: 1 / (epsilon / 2 + xp.sqrt(mu + epsilon**2 / 4))
    )
    S = G @ inner @ G
    return (S + xp.matrix_transpose(S)) / 2


def _spectral(C, function):
    """Apply a function to the eigenvalues of symmetric matrices, negatives cut off."""
    xp = array_namespace(C)
    mu, V = xp.linalg.eigh((C + xp.matrix_transpose(C)) / 2)
    mu = function(xp.clip(mu, 0.0, None))
    return (V * mu[..., None, :]) @ xp.matrix_transpose(V)


def gaussian_entropic_plan(mean0, cov0, mean1, cov1, epsilon):
    """Entropic transport plan between two Gaussians.

    Minimises ``E|x - y|^2 / 2 + epsilon KL(plan || product)`` over the couplings of
    N(mean0, cov0) and N(mean1, cov1). The conditional law is
    N(y | mean1 + S (x - mean0), epsilon S), where S solves S cov0 S + epsilon S = cov1.
    Cost O(n_features ** 3).

    Parameters
    ----------
    mean0 : array-like of shape (n_features,)
        Mean of the source.
    cov0 : array-like of shape (n_features, n_features)
        Covariance of the source; it may be singular.
    mean1 : array-like of shape (n_features,)
        Mean of the target.
    cov1 : array-like of shape (n_features, n_features)
        Covariance of the target; it may be singular.
    epsilon : float
        Entropic regularisation, for the cost ``|x - y|^2 / 2``; for the cost
        ``|x - y|^2`` of other libraries it is half of theirs. Positive.

    Returns
    -------
    EntropicPlan
        The plan, with one component; its cross-covariance is ``cov0 @ S``.

    Raises
    ------
    ValueError
        When epsilon is not positive or shapes disagree.

    See Also
    --------
    LightSchrodingerBridge : Learns plans between arbitrary populations.

    References
    ----------
    Janati, Muzellec, Peyré, Cuturi. Entropic Optimal Transport between (Unbalanced)
    Gaussian Measures has a Closed Form. NeurIPS 2020.

    Examples
    --------
    >>> from sklearn_ext.bridge import gaussian_entropic_plan
    >>> plan = gaussian_entropic_plan([0.0], [[1.0]], [2.0], [[6.0]], epsilon=1.0)
    >>> plan.conditional_mean([[1.0]]).round(6)
    array([[4.]])
    """
    if not 0 < epsilon < np.inf:
        raise ValueError(f"epsilon must be positive and finite, got {plain(epsilon)}.")
    mean0, mean1 = np.asarray(mean0, float), np.asarray(mean1, float)
    cov0, cov1 = check_array(cov0), check_array(cov1)
    D = len(mean0)
    if not (len(mean1) == D and cov0.shape == cov1.shape == (D, D)):
        raise ValueError(
            f"means and covariances must agree, got shapes {mean0.shape}, {cov0.shape},"
            f" {mean1.shape} and {cov1.shape}."
        )
    S = covariance_map(np.asarray(cov0, float), np.asarray(cov1, float), epsilon)
    mixture = PotentialMixture.of(
        np.zeros(1), np.zeros((1, D)), S[None], float(epsilon), "full"
    )
    return EntropicPlan(mixture, mean0, mean1)
