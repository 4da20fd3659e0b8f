"""Ridge regression on random features with a given ridge."""

from functools import partial
from numbers import Real

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._numerics._factors import solve_each
from sklearn_ext._numerics._filters import FILTERS
from sklearn_ext._numerics._ridge import (
    CentredKernel,
    DualSpectrum,
    PrimalSpectrum,
    conjugate_gradients,
    warn_of_rounding,
)
from sklearn_ext.random_features._ridge._base import (
    RIDGE_CONSTRAINTS,
    BaseRandomFeatureRidge,
    Solution,
)


class RandomFeatureRidge(MultiOutputMixin, RegressorMixin, BaseRandomFeatureRidge):
    r"""Ridge regression on random features: a kernel machine with a width.

    With features :math:`\phi(x)` of width :math:`k` it minimises

    .. math:: \sum_i s_i (y_i - b - \phi(x_i)^\top \theta)^2 + \alpha \|\theta\|^2,

    where :math:`s_i` are the sample weights. The features are scaled so that the same
    ``alpha`` means the same at every width; ``n_components="infinite"`` is kernel ridge
    regression with an intercept. The width is a budget, not a regulariser: with a tuned
    ``alpha`` more is better.

    It costs ``n_samples * n_components ** 2`` operations and ``8 * n_components ** 2``
    bytes, however many rows there are (fewer rows than components: the other way
    round).

    Columns should have comparable scales and not lie far from zero, where neurons are
    linear: scale them beforehand, or set ``standardize=True``.

    Parameters
    ----------
    n_components : int or "infinite", default=1024
        Number of features; ``"infinite"`` (or ``numpy.inf``) uses the exact kernel.
    alpha : float or array-like of shape (n_targets,), default=0.1
        The ridge, for all targets or each; zero gives the least-norm solution. One
        that is below the rounding of the features' products does so too, and warns.
    filter : {"ridge", "flow", "iterated"}, default="ridge"
        What becomes of the share of the targets along an eigenvector of the features'
        moments, of eigenvalue ``e``: ``"ridge"`` fits ``e / (e + alpha)`` of it.
        ``"flow"`` is gradient descent of small steps on half the sum of squares, from
        zero coefficients and stopped at the time ``1 / alpha``; it fits ``1 - exp(-e /
        alpha)``. ``"iterated"`` fits a second ridge to what the first has left.
    kernel : str, default="relu"
        The kernel, see :class:`RandomFeatures`.
    map : {"random", "landmarks", "auto"}, default="random"
        Random features, or whitened landmarks: distinct rows drawn by the hash of their
        values, at most as many as there are. ``"auto"`` is landmarks in ``fit``, and
        random where blocks come, which need their features before the first row.
    fourier : {"phase", "pair"}, default="phase"
        Waves of ``"rbf"``, ``"laplacian"`` and ``"matern"``.
    feature_map : transformer or None, default=None
        A transformer such as :class:`~sklearn.kernel_approximation.Nystroem`, fitted
        to the rows, that replaces kernel, map, sampling and width.
    sampling : {"auto", "iid", "orthogonal", "structured"}, default="auto"
        How random weights depend on each other.
    gamma : "auto", "scale" or float, default="auto"
        Rate of ``"rbf"`` and ``"laplacian"``; ``"scale"`` is one over the number of
        columns times the weighted variance of all entries, ``"auto"`` 0.3 of that for
        ``"laplacian"``.
    nu : float, default=1.5
        Smoothness of ``"matern"``.
    length_scale : "auto", "scale" or float, default="auto"
        Length scale of ``"matern"``; both names are the root of the number of columns
        times the weighted variance of all entries.
    bias_scale : float, default=0.5
        Standard deviation of the neurons' biases.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    standardize : bool or {"standard", "clip", "quantile"}, default=False
        ``"standard"`` (or True) scales columns to unit variance, and centres them if
        dense; ``"clip"`` bends them smoothly after that, so that none goes beyond three
        deviations; ``"quantile"`` replaces values by the normal quantiles of their
        weighted ranks, cut off at three. The last two make sparse rows dense.
    solver : {"auto", "primal", "dual", "cholesky", "eigen", "cg"}, default="auto"
        ``"primal"`` and ``"dual"`` name the side, which ``"auto"`` chooses by the
        smaller matrix; ``"cholesky"`` and ``"eigen"`` the factorisation, on that side;
        ``"cg"`` refines the primal solution by conjugate gradients. Other filters than
        ridge need eigenvectors.
    precision : {"auto", "float64"}, default="auto"
        ``"auto"`` multiplies float32 rows in single precision (unless the columns lie
        far from zero), adds in double, and refines by conjugate gradients where the
        ridge is small; ``"float64"`` does everything in double.
    batch_size : int or None, default=None
        Rows whose features are formed at a time; None chooses by
        ``sklearn.get_config()["working_memory"]``.
    device : str or None, default=None
        Torch device that computes, for instance ``"cuda"``; None computes where the
        rows are.
    random_state : int, RandomState instance or None, default=None
        Seed of weights or landmarks.

    Attributes
    ----------
    component_coef_ : ndarray of shape (n_components,) or (n_targets, n_components)
        Coefficients of the random features, only when ``n_components`` is finite.
    dual_coef_ : ndarray of shape (n_samples,) or (n_targets, n_samples)
        Coefficients of the distinct rows, only when ``n_components="infinite"``.
    X_fit_ : ndarray of shape (n_samples, n_features)
        The distinct rows, only when ``n_components="infinite"``.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept.
    solver_ : str
        Side and method that were used, such as ``"primal-cholesky"``.
    n_samples_seen_ : int
        Number of rows of positive weight.
    effective_dof_ : float or ndarray of shape (n_targets,)
        Effective degrees of freedom, intercept included.
    kappa_ : float or ndarray of shape (n_targets,)
        Effective ridge ``alpha / (W * (1 - effective_dof_ / n))``, of ``n`` distinct
        rows and their summed weight ``W``, only when ``filter="ridge"``.
    fitting_ratio_ : float or ndarray of shape (n_targets,)
        ``(1 - effective_dof_ / n) ** 2``, which theory predicts to be training error
        over test error, only when ``filter="ridge"``.
    n_iter_ : int
        Conjugate gradient steps; zero without.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, only when they had names.

    See Also
    --------
    RandomFeatureRidgeCV : Chooses ``alpha`` by exact leave-one-out.
    RandomFeatureRidgeClassifier : The classifier.
    sklearn.kernel_ridge.KernelRidge : Any kernel, without an intercept.

    References
    ----------
    .. [1] Simon, Karkada, Ghosh and Belkin, "More is better in modern machine
       learning: when infinite overparameterization is optimal and overfitting is
       obligatory", ICLR 2024.
    .. [2] Rahimi and Recht, "Random features for large-scale kernel machines", 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.random_features import RandomFeatureRidge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidge(standardize=True, alpha=10, random_state=0)
    >>> model.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.4
    True
    """

    _parameter_constraints: dict = {
        **RIDGE_CONSTRAINTS,
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "solver": [
            StrOptions({"auto", "primal", "dual", "cholesky", "eigen", "cg"}),
        ],
    }
    _draws_rows = False

    def __init__(
        self,
        n_components=1024,
        alpha=0.1,
        *,
        filter="ridge",
        kernel="relu",
        map="random",
        fourier="phase",
        feature_map=None,
        sampling="auto",
        gamma="auto",
        nu=1.5,
        length_scale="auto",
        bias_scale=0.5,
        fit_intercept=True,
        standardize=False,
        solver="auto",
        precision="auto",
        batch_size=None,
        device=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.alpha = alpha
        self.filter = filter
        self.kernel = kernel
        self.map = map
        self.fourier = fourier
        self.feature_map = feature_map
        self.sampling = sampling
        self.gamma = gamma
        self.nu = nu
        self.length_scale = length_scale
        self.bias_scale = bias_scale
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.solver = solver
        self.precision = precision
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def _check_blocks(self):
        self._alphas()

    def _alphas(self):
        """Return a ridge for each target, if the solver can do what it is asked."""
        t, alphas = self._encoder.n_targets, np.asarray(self.alpha, dtype=np.float64)
        if alphas.ndim > 1 or alphas.size not in (1, t):
            raise ValueError(
                f"alpha must be a number or one for each of the {t} target(s), got "
                f"shape {alphas.shape}."
            )
        if not np.all(np.isfinite(alphas)) or alphas.min() < 0:
            raise ValueError(f"alpha must be non-negative, got {self.alpha!r}.")
        if not self._is_ridge and self.solver in ("cholesky", "cg"):
            raise ValueError(
                f"filter={self.filter!r} needs eigenvectors, got solver="
                f"{self.solver!r}. Use solver='auto', 'primal', 'dual' or 'eigen'."
            )
        return np.full(t, alphas)

    def _solved(self, posed, rows, held, features, plan):
        alphas = self._alphas()
        if not self._is_ridge:
            return self._filtered(posed, alphas)
        dual, n_iter, dof = isinstance(posed, CentredKernel), 0, None
        products = (posed.K, posed.B) if dual else (posed.gram, posed.cross)
        coef, factors = solve_each(*products, alphas, self.solver, posed.rounding)
        name = factors[0].name
        if dual:
            coef, intercept = posed.coefficients(coef)
            of = dict(zip(alphas.tolist(), factors, strict=True))
            dof = {alpha: factor.dof() for alpha, factor in of.items()}
            dof = np.array([dof[a] for a in alphas.tolist()]) + self.fit_intercept
        else:
            cg = alphas.min() > 0 if self.solver == "cg" else posed.is_blurred(alphas)
            if cg and rows is not None:
                batches = partial(rows.batches, features, self._batch(coef.shape[0]))
                coef, n_iter = conjugate_gradients(batches, posed, coef, alphas)
                name = "cg"
            intercept = posed.intercept(coef)
        if name == "eigen":
            warn_of_rounding(alphas, factors[0].cut)
        about = posed.weight, posed.n, f"{'dual' if dual else 'primal'}-{name}"
        return Solution(coef, intercept, alphas, *about, dof, n_iter)

    def _filtered(self, posed, alphas):
        dual = isinstance(posed, CentredKernel)
        side = DualSpectrum if dual else PrimalSpectrum
        spectrum = side.of(posed, FILTERS[self.filter])
        coef, intercept = spectrum.solve(alphas)
        warn_of_rounding(alphas, spectrum.cut)
        about = posed.weight, posed.n, "dual-eigen" if dual else "primal-eigen"
        return Solution(coef, intercept, alphas, *about, spectrum.dof(alphas.tolist()))
