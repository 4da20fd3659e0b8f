"""The tangent kernel of a network by matrix products, and likeness of kernels."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_ext._numerics._nets import activations, layers, members_of, sizes_of


def neural_tangent_kernel(weights, X, Z=None, *, member=0, rates=True):
    r"""Tangent kernel of a member of a network, at its weights.

    It is ``K(x, z) = sum_c <df_c(x) / dtheta, df_c(z) / dtheta>``, summed over the
    outputs c: how far a step of gradient descent on z moves the output at x. It is
    computed by matrix products, without the gradient of any single row: with A_l what
    enters layer l and B_lc the derivative of output c by what the layer makes of it,

    .. math:: K = \sum_l \sum_c (B_{lc} B_{lc}^T) \circ (A_l A_l^T + 1).

    The cost is ``n_samples_X * n_samples_Z * hidden_units * n_outputs`` products a
    layer; memory is that of three kernels.

    Parameters
    ----------
    weights : dict of ndarray
        Fitted network, such as ``MuMLPClassifier.weights_``.
    X : array-like of shape (n_samples_X, n_columns)
        Rows as the network takes them: ``preprocessor_.transform(rows)``.
    Z : array-like of shape (n_samples_Z, n_columns), default=None
        Other rows; None takes those of X.
    member : int, default=0
        Member whose kernel it is.
    rates : bool, default=True
        Whether each layer counts by the factor of its learning rate ("muP"), so that
        the kernel is that of training. At ``hidden_units=base_units`` all are one.

    Returns
    -------
    ndarray of shape (n_samples_X, n_samples_Z)
        The kernel. That of a lazy member is laziness squared times that of its net.

    See Also
    --------
    kernel_alignment : Likeness of two kernels.
    sharpness : The largest curvature of the loss.

    References
    ----------
    A. Jacot, F. Gabriel and C. Hongler, *Neural Tangent Kernel: Convergence and
    Generalization in Neural Networks*, NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.networks import neural_tangent_kernel
    >>> weights = {"weight_0": np.ones((1, 2, 3)), "bias_0": np.zeros((1, 3))}
    >>> weights |= {"weight_out": np.ones((1, 3, 1)), "bias_out": np.zeros((1, 1))}
    >>> neural_tangent_kernel({**weights, "branch": np.zeros(())}, [[1.0, 0.0]])
    array([[10.]])
    """
    k, d = len(weights["bias_0"]), sizes_of(weights)[0]
    if not isinstance(member, Integral) or not -k <= member < k:
        raise ValueError(
            f"member={member!r} is not one of the {k} members, 0 to {k - 1}."
        )
    net = members_of(weights, [int(member)])
    X = _coded(X, d, net)
    Z = X if Z is None else _coded(Z, d, net)
    scales = rate_factors(net) if rates else dict.fromkeys(net, 1.0)
    here, there = activations(net, X), activations(net, Z)
    n_outputs = net["bias_out"].shape[-1]
    kernel = np.zeros((len(X), len(Z)), dtype=net["bias_0"].dtype)
    grams = {
        layer: scales[f"weight_{layer}"]
        * (a.reshape(len(X), -1) @ c.reshape(len(Z), -1).T)
        + scales[f"bias_{layer}"]
        for layer, a, c in zip(layers(net), here, there, strict=True)
    }
    kernel += n_outputs * grams["out"]
    for c in range(n_outputs):
        signals = zip(_signals(net, here, c), _signals(net, there, c), strict=True)
        for layer, (a, b) in zip(layers(net)[-2::-1], signals, strict=True):
            kernel += (a @ b.T) * grams[layer]
    return kernel * net.get("laziness", np.ones(1, kernel.dtype))[0] ** 2


def _coded(X, n_columns, net):
    X = X.toarray() if sparse.issparse(X) else X
    X = check_array(X, dtype=net["bias_0"].dtype, ensure_min_features=0)
    if X.shape[1] != n_columns:
        raise ValueError(
            f"The network takes {n_columns} columns, got {X.shape[1]}. Pass rows as "
            "the network takes them: estimator.preprocessor_.transform(X)."
        )
    return X


def rate_factors(weights):
    """Return the factor of the learning rate of each tensor of a net ("muP")."""
    n_units, base = sizes_of(weights)[1], weights.get("base_units")
    share = 1.0 if base is None else float(base) / n_units
    branch = float(weights["branch"]) or 1.0
    factors = {"weight_0": 1.0, "bias_0": 1.0, "weight_out": share, "bias_out": 1.0}
    for layer in layers(weights)[1:-1]:
        factors |= {f"weight_{layer}": share * branch, f"bias_{layer}": branch}
    return factors


def _signals(net, entering, c):
    """Yield the derivative of output c by what each hidden layer makes, last first."""
    branch, slopes = net["branch"], [(a > 0).astype(a.dtype)[0] for a in entering[1:]]
    g = slopes[-1] * net["weight_out"][0, :, c]
    for layer in range(len(slopes) - 1, 0, -1):
        yield branch * g if branch else g
        back = slopes[layer - 1] * (g @ net[f"weight_{layer}"][0].T)
        g = g + branch * back if branch else back
    yield g


def kernel_alignment(K, L):
    """Likeness of two kernels: the cosine between them, once both are centred.

    Parameters
    ----------
    K, L : array-like of shape (n_samples, n_samples)
        Kernels of the same rows; for a target, ``y y'``, of columns for classes.

    Returns
    -------
    float
        1 for kernels that are equal but for scale and offset, 0 where a centred kernel
        vanishes.

    See Also
    --------
    neural_tangent_kernel : The kernel of a network.

    References
    ----------
    C. Cortes, M. Mohri and A. Rostamizadeh, *Algorithms for Learning Kernels Based on
    Centered Alignment*, JMLR 2012.

    Examples
    --------
    >>> from sklearn_ext.networks import kernel_alignment
    >>> kernel_alignment([[2.0, 0.0], [0.0, 2.0]], [[5.0, 4.0], [4.0, 5.0]])
    1.0
    """
    K, L = (check_array(A, dtype=np.float64) for A in (K, L))
    if K.shape != L.shape or K.shape[0] != K.shape[1]:
        raise ValueError(
            "Kernels of the same rows are two square matrices of one size, got shapes "
            f"{K.shape} and {L.shape}."
        )
    K, L = _centred(K), _centred(L)
    norms = np.linalg.norm(K) * np.linalg.norm(L)
    return float(np.clip((K * L).sum() / norms, -1, 1)) if norms > 0 else 0.0


def _centred(K):
    scale = np.abs(K).max()
    K = K / scale if scale > 0 else K
    C = K - K.mean(axis=0)
    C -= C.mean(axis=1, keepdims=True)
    # what rounding leaves of a constant kernel is nothing
    return np.where(np.abs(C).max() > 1e-12, C, 0.0)
