"""Linear algebra of components whose scale matrices share or own an eigenbasis.

A scale matrix S_k is kept as V_k diag(lam_k) V_k'. Every function of S_k that the
closed forms need then acts on ``lam_k`` alone, and the four covariance types differ
only in ``axes`` (V) and in the shape of ``lam``:

============  ==============  ====================
type          lam             axes
============  ==============  ====================
spherical     (K, 1)          None
diag          (K, D)          None
tied          (1, D)          (D, D)
full          (K, D)          (K, D, D)
============  ==============  ====================

Arrays with one entry a component and row are component-major, (K, n): reductions over
the components then read contiguous memory.
"""

from sklearn_ext._core._compat import array_api_compat

array_namespace = array_api_compat.array_namespace
ENTRIES = 2**20  # of an array of rows against rows, at a time


def features(X, covariance_type):
    """Store rows so that a quadratic form along the axes is one matrix product."""
    if covariance_type in ("tied", "full"):
        return X
    xp = array_namespace(X)
    squares = X * X / 2
    if covariance_type == "spherical":
        squares = xp.sum(squares, axis=1, keepdims=True)
    return xp.concat([squares, X], axis=1)


def quadratic(F, square, linear, axes):
    """Evaluate x' V diag(square) V' x / 2 + linear' V' x for each component and row.

    Parameters
    ----------
    F : array of shape (n_samples, n_stored)
        Rows in the form of :func:`features`.
    square : array of the shape of ``lam``
        Eigenvalues of the quadratic form.
    linear : array of shape (n_components, n_features)
        Coefficients in the eigenbasis.
    axes : array or None
        The eigenbases.

    Returns
    -------
    array of shape (n_components, n_samples)
        The values.
    """
    xp = array_namespace(F)
    if axes is None:
        return xp.concat([square, linear], axis=1) @ F.T
    if axes.ndim == 2:
        Z = F @ axes
        return square @ (Z * Z / 2).T + linear @ Z.T
    values = []
    for k in range(axes.shape[0]):
        Z = F @ axes[k, :, :]
        values.append((Z * Z) @ (square[k, :] / 2) + Z @ linear[k, :])
    return xp.stack(values)


def gaussian_exponents(F, variance, centres, axes):
    """Return -|V_k' y - centre_k|^2 / (2 variance_k), summed over features, (K, m)."""
    xp = array_namespace(F)
    if axes is None or axes.ndim == 2:
        constant = xp.sum(centres * centres / (2 * variance), axis=1)
        A = quadratic(F, -1 / variance, centres / variance, axes)
        A -= constant[:, None]
        return A
    values = []  # one component at a time can be centred first, which float32 needs
    for k in range(axes.shape[0]):
        Z = F @ axes[k, :, :] - centres[k, :]
        values.append((Z * Z) @ (-1 / (2 * variance[k, :])))
    return xp.stack(values)


def mixed_affine(X, gates, scale, shift, axes):
    """Evaluate sum_k p_k(x) V_k (diag(scale_k) V_k' x + shift_k) for each row.

    ``gates`` has shape (n_components, n_samples) and sums to one over components.
    """
    if axes is None:
        return gates.T @ shift + X * (gates.T @ scale)
    if axes.ndim == 2:  # one scale for all: the gates drop out of it
        return (gates.T @ shift + (X @ axes) * scale) @ axes.T
    total = X * 0
    for k in range(axes.shape[0]):
        Z = (X @ axes[k, :, :]) * scale[k, :] + shift[k, :]
        total = total + gates[k, :, None] * (Z @ axes[k, :, :].T)
    return total


def rotate(vectors, axes):
    """Express vector k, a row of (n_components, n_features), in eigenbasis k."""
    if axes is None:
        return vectors
    if axes.ndim == 2:
        return vectors @ axes
    return (vectors[:, None, :] @ axes)[:, 0, :]


def rotate_back(vectors, axes):
    """Undo :func:`rotate`."""
    if axes is None:
        return vectors
    if axes.ndim == 2:
        return vectors @ axes.T
    xp = array_namespace(vectors)
    return (vectors[:, None, :] @ xp.matrix_transpose(axes))[:, 0, :]


def own_axes(axes, k):
    """Return the eigenbasis of component k, or None where it is the standard one."""
    return axes if axes is None or axes.ndim == 2 else axes[k, :, :]


def own_row(values, k):
    """Return row k of an array of the shape of ``lam``; tied ones have one row."""
    return values[0 if values.shape[0] == 1 else k, :]


def log_sum_exp(A):
    """Return log sum_k exp(A_k) of each column, and the softmax; A is overwritten."""
    xp = array_namespace(A)
    top = xp.max(A, axis=0)
    A -= top
    share = xp.exp(A)
    total = xp.sum(share, axis=0)
    share /= total
    return top + xp.log(total), share


def row_blocks(X, n_partners):
    """Cut rows so that a block of them against all partners stays small."""
    size = max(1, ENTRIES // n_partners)
    return [
        X[start : min(start + size, X.shape[0]), :]
        for start in range(0, X.shape[0], size)
    ]
