"""Plans that are known: between two Gaussians, and those that test data come from."""

import numpy as np
from sklearn.utils import Bunch, check_array

from sklearn_ext.bridge._checks import plain
from sklearn_ext.bridge._draws import as_generator
from sklearn_ext.bridge._mixture import PotentialMixture
from sklearn_ext.bridge._plan import EntropicPlan
from sklearn_ext.bridge._solvers._fixed_point import balance, covariance_map

KINDS = {"isotropic": "spherical", "diagonal": "diag", "full": "full"}


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
    cov0, cov1 = check_array(cov0, dtype=float), check_array(cov1, dtype=float)
    D = len(mean0)
    if not (len(mean1) == D and cov0.shape == cov1.shape == (D, D)):
        raise ValueError(
            f"means and covariances must agree, got shapes {mean0.shape}, {cov0.shape},"
            f" {mean1.shape} and {cov1.shape}."
        )
    S = covariance_map(cov0, cov1, epsilon)
    mixture = PotentialMixture.of(
        np.zeros(1), np.zeros((1, D)), S[None], float(epsilon), "full"
    )
    return EntropicPlan(mixture, mean0, mean1)


def make_entropic_ot(
    n_source=1000,
    n_target=1000,
    n_features=2,
    *,
    epsilon=1.0,
    n_components=5,
    radius=5.0,
    kind="isotropic",
    random_state=None,
):
    """Draw two unpaired samples from an entropic plan that is known.

    The source is N(0, I); the target is what the plan makes of other, independent
    source rows, so that ``X`` and ``Y`` share no randomness, as in practice.

    Parameters
    ----------
    n_source, n_target : int, default=1000
        Rows of the two samples.
    n_features : int, default=2
        Number of features.
    epsilon : float, default=1.0
        Entropic regularisation of the plan.
    n_components : int, default=5
        Components of its adjusted potential.
    radius : float, default=5.0
        Their means lie on the sphere of this radius.
    kind : {"isotropic", "diagonal", "full"}, default="isotropic"
        Scale matrices: 0.05 min(epsilon, 1) / epsilon times the identity, or with
        eigenvalues log-uniform between 0.1 and 1.5, along the axes or rotated.
    random_state : int, RandomState, Generator or None, default=None
        Source of randomness.

    Returns
    -------
    Bunch
        ``X`` and ``Y``, the two samples, and ``plan``, an :class:`EntropicPlan` whose
        components have equal masses.

    Examples
    --------
    >>> from sklearn_ext.bridge import make_entropic_ot
    >>> pair = make_entropic_ot(100, 50, n_features=3, random_state=0)
    >>> pair.X.shape, pair.Y.shape, pair.plan.epsilon
    ((100, 3), (50, 3), 1.0)
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {sorted(KINDS)}, got {plain(kind)}.")
    if not 0 < epsilon < np.inf:
        raise ValueError(f"epsilon must be positive and finite, got {plain(epsilon)}.")
    for name, count in (
        ("n_source", n_source),
        ("n_target", n_target),
        ("n_features", n_features),
        ("n_components", n_components),
    ):
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {plain(count)}.")
    rng = as_generator(random_state)
    r = rng.standard_normal((n_components, n_features))
    r *= radius / np.linalg.norm(r, axis=1, keepdims=True)
    scales = _scales(kind, n_components, n_features, epsilon, rng)
    ell, rows = np.zeros(n_components), rng.standard_normal((20_000, n_features))
    mixture = PotentialMixture.of(ell, r, scales, float(epsilon), KINDS[kind])
    mass = np.full(n_components, 1 / n_components)
    G = [mixture.source_scores(mixture.features(rows))]
    u = [np.full(len(rows), 1 / len(rows))]
    ell = balance(G, u, ell, mass, n_steps=1000, tol=1e-6)
    plan = EntropicPlan.from_parameters(ell, r, scales, epsilon, KINDS[kind])
    X = rng.standard_normal((n_source, n_features))
    hidden = rng.standard_normal((n_target, n_features))
    return Bunch(X=X, Y=plan.sample(hidden, random_state=rng), plan=plan)


def _scales(kind, K, D, epsilon, rng):
    if kind == "isotropic":
        return np.full(K, 0.05 * min(epsilon, 1.0) / epsilon)
    lam = np.exp(np.log(0.1) + rng.random((K, D)) * np.log(1.5 / 0.1))
    if kind == "diagonal":
        return lam
    axes = np.linalg.qr(rng.standard_normal((K, D, D)))[0]
    return (axes * lam[:, None, :]) @ np.swapaxes(axes, 1, 2)
