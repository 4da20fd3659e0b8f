"""One spelling of array operations for NumPy, sparse and array API inputs.

Rows come as NumPy arrays, SciPy sparse matrices, torch tensors or arrays of another
namespace. Pure functions take the namespace of their rows, ``xp = namespace(X)``, bring
other arrays to them with `like`, and write ``xp.`` operations. What NumPy can do in
place, or SciPy better, stands here behind one name each.
"""

from dataclasses import fields, is_dataclass, replace

import numpy as np
from scipy import sparse, special

from sklearn_ext._core._compat import array_api_compat, move_to
from sklearn_ext._core._optional import torch_device

NUMPY = array_api_compat.array_namespace(np.empty(0))


def namespace(x):
    """Return the array API namespace of an array; NumPy's for sparse input."""
    if isinstance(x, np.ndarray) or sparse.issparse(x):
        return NUMPY
    return array_api_compat.array_namespace(x)


def device_of(x):
    """Return the device of an array; ``"cpu"`` for NumPy and sparse input."""
    return "cpu" if is_numpy(x) or sparse.issparse(x) else array_api_compat.device(x)


def is_numpy(x):
    """Whether the array is NumPy's own, so that SciPy and ``out=`` may be used."""
    return isinstance(x, np.ndarray)


def is_array(x):
    """Whether the value is an array of any supported namespace."""
    return array_api_compat.is_array_api_obj(x)


def is_tensor(x):
    """Tell a torch tensor from the rest without importing torch."""
    return type(x).__module__.partition(".")[0] == "torch"


def to_numpy(x):
    """Return an array of any namespace and device as NumPy's; sparse input stays."""
    if is_numpy(x) or sparse.issparse(x):
        return x
    if hasattr(x, "cpu"):  # torch, with or without scikit-learn's dispatch
        return x.detach().cpu().numpy()
    return move_to(x, xp=NUMPY, device="cpu")


def to_device(x, device):
    """Move an array to a torch device; None leaves it where it is.

    Parameters
    ----------
    x : ndarray or tensor
        Dense rows. A read-only array is copied, because torch warns of it.
    device : str, torch.device or None
        What the user chose.

    Returns
    -------
    ndarray or tensor
        The array itself, or a tensor that may share its memory.
    """
    if device is None:
        return x
    torch, device = torch_device(device)
    if is_numpy(x) and not x.flags.writeable:
        x = x.copy()
    return torch.as_tensor(x).to(device)


def like(values, x, dtype=None):
    """Bring an array to the namespace, device and (unless told) dtype of ``x``."""
    if sparse.issparse(values):
        return values.astype(dtype or x.dtype, copy=False)
    if sparse.issparse(x) or is_numpy(x):
        return np.asarray(to_numpy(values), dtype=dtype or x.dtype)
    xp, device = namespace(x), array_api_compat.device(x)
    if not is_numpy(values) and namespace(values) is not xp:
        values = to_numpy(values)
    if is_numpy(values) and not values.flags.writeable:
        values = values.copy()  # torch warns of memory that it must not write
    return xp.asarray(values, dtype=dtype or x.dtype, device=device)


def widest(x):
    """Return the dtype in which to add up: double, where the device has it."""
    if is_numpy(x) or sparse.issparse(x):
        return np.float64
    xp = namespace(x)
    return xp.float32 if "mps" in str(device_of(x)) else xp.float64


def float64(x):
    """Return the array in double precision, in single where the device has no other."""
    wide = widest(x)
    return x if x.dtype == wide else namespace(x).astype(x, wide)


def single(x):
    """Whether an array, sparse or not, is of single precision."""
    return str(x.dtype).endswith("float32")


def rounding(x):
    """Return the relative rounding error of an array's dtype, sparse or not."""
    return 1.2e-7 if single(x) else 2.3e-16


def dense(x):
    """Return a dense array."""
    return x.toarray() if sparse.issparse(x) else x


def take_rows(x, rows):
    """Return some rows, by their positions, of an array or a sparse matrix."""
    if is_numpy(x):
        return x[rows]
    if sparse.issparse(x):
        return x.tocsr()[rows]  # not every format takes positions
    xp = namespace(x)
    return xp.take(x, like(rows, x, dtype=xp.int64), axis=0)


def near_zero(X):
    """Move the full columns of a sparse matrix near zero, where products keep digits.

    A column in which every row has an entry, far from zero, would cancel when its mean
    is taken off its products. Relative to a row it has as many entries, and none far
    away. A column with zeros spreads from them to its values: nothing there cancels.

    Parameters
    ----------
    X : sparse matrix of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    moved : sparse matrix of shape (n_samples, n_features)
        The rows less the pivot, in compressed rows; ``X`` itself without such columns.
    pivot : ndarray of shape (n_features,)
        The first row in full columns, zero in the others; in the dtype of ``X``.
    """
    pivot = np.zeros(X.shape[1], dtype=X.dtype)
    rows = X.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    full = np.bincount(rows.indices, minlength=X.shape[1]) == X.shape[0]
    if not full.any():
        return X, pivot
    first = rows.indices[: rows.indptr[1]]
    pivot[first] = np.where(full[first], rows.data[: rows.indptr[1]], 0)
    moved = rows.copy()
    moved.data -= pivot[rows.indices]
    return moved, pivot


def flat(*parts):
    """Lay arrays of one namespace end to end."""
    if is_numpy(parts[0]):
        return np.concatenate([part.ravel() for part in parts])
    xp = namespace(parts[0])
    return xp.concat([xp.reshape(part, (-1,)) for part in parts])


def blocks(n_rows, size):
    """Cut rows into slices of ``size``, the last one shorter; they are read in turn."""
    starts = range(0, n_rows, size)
    return [slice(start, min(start + size, n_rows)) for start in starts]


def finite_products():
    """Return a context for products of arrays that are known to be finite.

    Some kernels of BLAS flag lanes beyond the end of a float32 vector, which they read
    and ignore: NumPy then warns of an invalid value where there is none.
    """
    return np.errstate(invalid="ignore")


def times_rows(A, X):
    """Product ``A @ X`` of dense (k, n) with rows (n, d) that may be sparse."""
    return (X.T @ A.T).T if sparse.issparse(X) else A @ X


def times_columns(A, X):
    """Product ``A @ X.T`` of dense (k, d) with rows (n, d) that may be sparse.

    Few columns are faster as the right factor; copying them turned costs less.
    """
    Z = (X @ A.T).T
    if is_numpy(Z):
        return np.ascontiguousarray(Z)
    return Z.contiguous() if is_tensor(Z) else Z


def relu(x):
    """Return ``max(x, 0)``; the argument may be overwritten."""
    if is_numpy(x):
        return np.maximum(x, 0, out=x)
    return x.clamp_min_(0) if is_tensor(x) else namespace(x).clip(x, min=0)


def cos(x):
    """Return the cosine; the argument may be overwritten."""
    return np.cos(x, out=x) if is_numpy(x) else namespace(x).cos(x)


def exp(x):
    """Return the exponential; the argument may be overwritten."""
    if is_numpy(x):
        return np.exp(x, out=x)
    return x.exp_() if is_tensor(x) else namespace(x).exp(x)


def erf(x):
    """Return the error function; the argument may be overwritten."""
    if is_numpy(x):
        return special.erf(x, out=x)
    xp = namespace(x)
    if hasattr(xp, "erf"):  # torch, cupy
        return xp.erf(x)
    return like(special.erf(to_numpy(x)), x)


class ArrayHolder:
    """A frozen dataclass whose arrays can be converted together."""

    def convert(self, change):
        """Return a copy with ``change`` applied to each array in it."""
        changed = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, ArrayHolder) and is_dataclass(value):
                changed[field.name] = value.convert(change)
            elif is_array(value) or sparse.issparse(value):
                changed[field.name] = change(value)
        return replace(self, **changed)

    def like(self, x, dtype=None):
        """Return a copy in the namespace, device and (unless told) dtype of ``x``."""
        return self.convert(lambda values: like(values, x, dtype))

    def __sklearn_array_api_convert__(self, converter):
        """Convert for scikit-learn's array API utilities."""
        return self.convert(converter)
