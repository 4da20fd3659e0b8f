"""What the logistic solver asks of an array library: one small object for each."""

import numpy as np
from scipy import sparse

from sklearn_ext._core._optional import torch_device


class NumpyArrays:
    """NumPy arrays, and SciPy sparse rows, on the host."""

    def rows(self, X):
        """Return rows as they are."""
        return X

    def double(self, values):
        """Copy numbers to a float64 array."""
        return np.array(values, dtype=np.float64)

    def index(self, codes):
        """Make integers that can index."""
        return np.asarray(codes)

    def count(self, n):
        """Return the integers below n."""
        return np.arange(n)

    def cast(self, values, like):
        """Give the values the dtype of the rows ``like``."""
        return values.astype(like.dtype, copy=False)

    def zeros(self, *shape):
        """Make a float64 array of zeros."""
        return np.zeros(shape)

    def numpy(self, values):
        """Return the values as a NumPy array."""
        return values

    def eigh(self, matrix):
        """Decompose a symmetric float64 matrix: eigenvalues, eigenvectors."""
        return np.linalg.eigh(matrix)

    def solve(self, matrix, right):
        """Solve a regular linear system."""
        return np.linalg.solve(matrix, right)

    def flat(self, *parts):
        """Lay arrays end to end."""
        return np.concatenate([part.ravel() for part in parts])

    def exp_(self, values):
        """Exponentiate in place."""
        return np.exp(values, out=values)

    def log(self, values):
        """Logarithm in float64: losses are summed there."""
        return np.log(values, dtype=np.float64)

    def log1p(self, values):
        """Logarithm of one plus the values, in float64."""
        return np.log1p(values, dtype=np.float64)

    def largest(self, values):
        """Maximum of each column, (k, n) to (n,)."""
        return values.max(axis=0)

    def curvature(self, p, w):
        """Weighted sums of ``p (1 - p)``, (k, n) to (k,)."""
        # not p @ w: BLAS may warn of lanes that it reads and ignores, in float32
        mean, square = np.einsum("kn,n->k", p, w), np.einsum("kn,kn,n->k", p, p, w)
        return self.double(mean - square)

    def class_sums(self, X, y, w, n_classes):
        """Weighted sum of the rows of each class, (n_classes, d)."""
        shape = n_classes, X.shape[0]
        members = sparse.csc_array((w, y, np.arange(len(y) + 1)), shape=shape)
        total = members @ X
        return total.toarray() if sparse.issparse(total) else total


class TorchArrays:
    """Torch tensors on one device; the methods are those of `NumpyArrays`."""

    def __init__(self, device):
        self.torch, self.device = torch_device(device)

    def double(self, values):
        """Copy numbers to a float64 tensor."""
        return self._tensor(values).to(self.device, self.torch.float64, copy=True)

    def index(self, codes):
        """Make integers that can index."""
        return self._tensor(codes).to(self.device, self.torch.int64)

    def rows(self, X):
        """Move rows, as they are, to the device."""
        return self._tensor(X).to(self.device)

    def _tensor(self, values):
        """Share the memory of an array, but not a read-only one: torch warns of it."""
        if isinstance(values, np.ndarray) and not values.flags.writeable:
            values = values.copy()
        return self.torch.as_tensor(values)

    def count(self, n):
        """Return the integers below n."""
        return self.torch.arange(n, device=self.device)

    def cast(self, values, like):
        """Give the values the dtype of the rows ``like``."""
        return values.to(like.dtype)

    def zeros(self, *shape):
        """Make a float64 tensor of zeros."""
        return self.torch.zeros(shape, dtype=self.torch.float64, device=self.device)

    def numpy(self, values):
        """Return the values as a NumPy array."""
        return values.cpu().numpy()

    def eigh(self, matrix):
        """Decompose a symmetric float64 matrix: eigenvalues, eigenvectors."""
        return self.torch.linalg.eigh(matrix)

    def solve(self, matrix, right):
        """Solve a regular linear system."""
        return self.torch.linalg.solve(matrix, right)

    def flat(self, *parts):
        """Lay tensors end to end."""
        return self.torch.cat([part.reshape(-1) for part in parts])

    def exp_(self, values):
        """Exponentiate in place."""
        return values.exp_()

    def log(self, values):
        """Logarithm in float64: losses are summed there."""
        return values.double().log()

    def log1p(self, values):
        """Logarithm of one plus the values, in float64."""
        return values.double().log1p()

    def largest(self, values):
        """Maximum of each column, (k, n) to (n,)."""
        return values.amax(dim=0)

    def curvature(self, p, w):
        """Weighted sums of ``p (1 - p)``, (k, n) to (k,)."""
        return self.double((p - p * p) @ w)

    def class_sums(self, X, y, w, n_classes):
        """Weighted sum of the rows of each class, (n_classes, d)."""
        total = X.new_zeros((n_classes, X.shape[1]))
        return total.index_add_(0, y, w[:, None] * X)


def is_tensor(X):
    """Tell a torch tensor from the rest without importing torch."""
    return type(X).__module__.partition(".")[0] == "torch"


def arrays_of(X):
    """Return the object that computes on these rows."""
    return TorchArrays(X.device) if is_tensor(X) else NumpyArrays()


def times_rows(A, X):
    """Product ``A @ X`` of dense (k, n) with rows (n, d) that may be sparse."""
    return (X.T @ A.T).T if sparse.issparse(X) else A @ X


def times_columns(A, X):
    """Product ``A @ X.T`` of dense (k, d) with rows (n, d) that may be sparse.

    Few columns are faster as the right factor; copying them turned costs less.
    """
    Z = (X @ A.T).T
    return np.ascontiguousarray(Z) if isinstance(Z, np.ndarray) else Z.contiguous()
