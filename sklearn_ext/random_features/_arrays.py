"""One spelling of array operations for NumPy, sparse and array API inputs."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
from scipy import sparse, special

from sklearn_ext._core._compat import array_api_compat, move_to


def namespace(x):
    """Return the array API namespace of an array; NumPy's for sparse input."""
    if isinstance(x, np.ndarray) or sparse.issparse(x):
        return array_api_compat.array_namespace(np.empty(0))
    return array_api_compat.array_namespace(x)


def is_numpy(x):
    """Whether the array is NumPy's own, so that SciPy and ``out=`` may be used."""
    return isinstance(x, np.ndarray)


def is_array(x):
    """Whether the value is an array of any supported namespace."""
    return array_api_compat.is_array_api_obj(x)


def to_numpy(x):
    """Copy an array of any namespace and device to NumPy."""
    if is_numpy(x) or sparse.issparse(x):
        return x
    if hasattr(x, "cpu"):  # torch, with or without scikit-learn's dispatch
        return x.detach().cpu().numpy()
    return move_to(x, xp=namespace(np.empty(0)), device="cpu")


def like(values, x, dtype=None):
    """Bring an array to the namespace, device and (unless told) dtype of ``x``."""
    if sparse.issparse(values):
        return values.astype(dtype or x.dtype, copy=False)
    if sparse.issparse(x) or is_numpy(x):
        return np.asarray(to_numpy(values), dtype=dtype or x.dtype)
    xp, device = namespace(x), array_api_compat.device(x)
    if not is_numpy(values) and namespace(values) is not xp:
        values = to_numpy(values)
    return xp.asarray(values, dtype=dtype or x.dtype, device=device)


def float64(x):
    """Return the array in double precision, in single where the device has no other."""
    if sparse.issparse(x):
        return x.astype(np.float64, copy=False)
    xp = namespace(x)
    if x.dtype == xp.float64 or "mps" in str(array_api_compat.device(x)):
        return x
    return xp.astype(x, xp.float64)


def dense(x):
    """Return a dense array."""
    return x.toarray() if sparse.issparse(x) else x


def relu(x):
    """Return ``max(x, 0)``; the argument may be overwritten."""
    if is_numpy(x):
        return np.maximum(x, 0, out=x)
    return namespace(x).clip(x, min=0)


def cos(x):
    """Return the cosine; the argument may be overwritten."""
    return np.cos(x, out=x) if is_numpy(x) else namespace(x).cos(x)


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

    def like(self, x):
        """Return a copy in the namespace, device and dtype of ``x``."""
        return self.convert(lambda values: like(values, x))

    def __sklearn_array_api_convert__(self, converter):
        """Convert for scikit-learn's array API utilities."""
        return self.convert(converter)
