"""The transformer: random features or landmarks of a kernel."""

from numbers import Integral

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    Interval,
    StrOptions,
    check_same_namespace,
    get_namespace_and_device,
    move_to,
)
from sklearn_ext._core._validation import check_weights
from sklearn_ext.random_features._maps import (
    MAP_CONSTRAINTS,
    build_map,
    resolve_kernels,
)


class RandomFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ExtEstimator):
    r"""Features whose dot products approximate a kernel.

    With ``map="random"`` the features are :math:`\phi_j(x) = g(w_j, x) / \sqrt k` with
    random :math:`w_j`, so that :math:`\phi(x)^\top \phi(x')` tends to the kernel
    :math:`K(x, x') = \mathrm E\, g(w, x) g(w, x')` as the number of components grows.
    With ``map="landmarks"`` they are :math:`L^{-1} k(x, X_m)`, where the rows of
    :math:`X_m` are drawn from the data and :math:`L L^\top = k(X_m, X_m)`.

    A row costs ``n_features * n_components`` operations, ``log(n_features) *
    n_components`` with ``sampling="structured"``; landmarks cost ``n_components ** 2``
    more, and ``n_components ** 3 / 3`` once.

    Columns should have comparable scales and not lie far from zero, where neurons are
    linear.

    Parameters
    ----------
    kernel : str, default="relu"
        The kernel: ``"relu"``, ``"step"``, ``"relu2"``, ``"erf"`` (of infinitely many
        neurons with that activation), ``"ntk"`` (the tangent kernel of a two-layer
        ReLU network), or ``"rbf"``, ``"laplacian"``, ``"matern"`` (functions of the
        difference).
    n_components : int, default=1024
        Number of features; landmarks are at most as many as rows.
    map : {"random", "landmarks", "auto"}, default="random"
        Random features, which do not look at the rows, or distinct rows of the data,
        drawn by the hash of their values: neither order nor copies matter. ``"auto"``
        is landmarks.
    fourier : {"phase", "pair"}, default="phase"
        For ``"rbf"``, ``"laplacian"`` and ``"matern"``: one cosine with a random phase
        a component, or cosine and sine of half as many waves.
    sampling : {"auto", "iid", "orthogonal", "structured"}, default="auto"
        How random weights depend on each other: not at all, orthogonal in blocks, or
        by fast Hadamard transforms (from 64 columns on). ``"auto"`` is orthogonal up
        to 256 columns and structured beyond, but independent for sparse rows, which
        transforms make dense; ``"laplacian"`` is always ``"iid"``.
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
        Standard deviation of the neurons' biases, for ``"relu"`` and ``"ntk"``.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Dtype of the features; ``"auto"`` keeps that of the data.
    random_state : int, RandomState instance or None, default=None
        Seed of weights or landmarks.

    Attributes
    ----------
    random_weights_ : ndarray of shape (n_features, n_waves) or StructuredWeights
        Weights of the neurons or waves, their scale included; None for landmarks.
    random_offset_ : ndarray of shape (n_waves,) or None
        Biases or phases; None for landmarks and where the kernel has none.
    landmarks_ : ndarray of shape (n_components, n_features) or None
        The rows drawn for ``map="landmarks"``.
    gamma_ : float or None
        The value of ``gamma``, where the kernel has one.
    length_scale_ : float or None
        The value of ``length_scale``, where the kernel has one.
    n_components_ : int
        Number of features.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, only when they had names.

    See Also
    --------
    RandomFeatureRidge : Ridge regression on these features.
    sklearn.kernel_approximation.Nystroem : Landmarks for any kernel function.
    sklearn.kernel_approximation.RBFSampler : Independent random waves for ``"rbf"``.

    References
    ----------
    .. [1] Rahimi and Recht, "Random features for large-scale kernel machines", 2007.
    .. [2] Yu, Suresh, Choromanski, Holtmann-Rice and Kumar, "Orthogonal random
       features", 2016.
    .. [3] Simon, Karkada, Ghosh and Belkin, "More is better in modern machine
       learning", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.random_features import RandomFeatures
    >>> X, _ = load_iris(return_X_y=True)
    >>> RandomFeatures(n_components=32, random_state=0).fit_transform(X).shape
    (150, 32)
    """

    _takes_sparse = True
    _parameter_constraints: dict = {
        **MAP_CONSTRAINTS,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
    }

    def __init__(
        self,
        kernel="relu",
        n_components=1024,
        *,
        map="random",
        fourier="phase",
        sampling="auto",
        gamma="auto",
        nu=1.5,
        length_scale="auto",
        bias_scale=0.5,
        dtype="auto",
        random_state=None,
    ):
        self.kernel = kernel
        self.n_components = n_components
        self.map = map
        self.fourier = fourier
        self.sampling = sampling
        self.gamma = gamma
        self.nu = nu
        self.length_scale = length_scale
        self.bias_scale = bias_scale
        self.dtype = dtype
        self.random_state = random_state

    @fit_context()
    def fit(self, X, y=None, sample_weight=None):
        """Draw the weights or the landmarks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows; random maps need only their number of columns, and their variance
            for ``gamma="scale"``.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in ``gamma="scale"``; rows of weight zero are never
            landmarks.

        Returns
        -------
        RandomFeatures
            The fitted transformer.
        """
        X = self._validate(X, reset=True)
        xp, _, device = get_namespace_and_device(X)
        w = move_to(sample_weight, xp=xp, device=device)
        w = check_weights(w, X, dtype=X.dtype)
        (kernel,) = resolve_kernels(self, [self.kernel], X, w)
        seen = w > 0
        rows = X if bool(xp.all(seen)) else X[seen]
        self._map = build_map(self, kernel, rows, self.n_components)
        self.random_weights_ = getattr(self._map, "weights", None)
        self.random_offset_ = getattr(self._map, "offset", None)
        self.landmarks_ = getattr(self._map, "landmarks", None)
        self.gamma_ = self._map.kernel.gamma
        self.length_scale_ = self._map.kernel.length_scale
        self.n_components_ = self._n_features_out = self._map.n_components
        return self

    def transform(self, X):
        """Return the features of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            The features.
        """
        check_is_fitted(self)
        check_same_namespace(X, self, attribute="_reference", method="transform")
        return self._map(self._validate(X, reset=False))

    def kernel_matrix(self, X, Y=None):
        """Return the exact kernel, which infinitely many components would give.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples_X, n_features)
            Rows.
        Y : {array-like, sparse matrix} of shape (n_samples_Y, n_features), default=None
            Other rows; None means ``X``.

        Returns
        -------
        ndarray of shape (n_samples_X, n_samples_Y)
            The kernel matrix, in double precision.
        """
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        Y = X if Y is None else self._validate(Y, reset=False)
        return self._map.kernel(X, Y)

    @property
    def _reference(self):
        if self.landmarks_ is not None:
            return self.landmarks_
        return getattr(self.random_weights_, "signs", self.random_weights_)

    def _validate(self, X, *, reset):
        xp, _, _ = get_namespace_and_device(X)
        floats = (xp.float64, xp.float32)
        X = validate_data(
            self, X, accept_sparse=("csr", "csc"), dtype=floats, reset=reset
        )
        if self.dtype != "auto":
            X = xp.astype(X, getattr(xp, self.dtype), copy=False)
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
