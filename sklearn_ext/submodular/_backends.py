"""Where gains are computed: numpy, compiled loops or a torch device."""

import numpy as np

from sklearn_ext._core._optional import require, torch_device
from sklearn_ext.submodular._oracle import Oracle
from sklearn_ext.submodular._oracle_compiled import CompiledOracle
from sklearn_ext.submodular._rows import RepresentedRows

BACKENDS = {"auto", "numpy", "numba", "torch"}


def make_oracle(objective, backend="auto", device=None):
    """Return an oracle that has no rows yet.

    Parameters
    ----------
    objective : SubmodularObjective
        With its reference fitted.
    backend : {"auto", "numpy", "numba", "torch"}, default="auto"
        "auto" is "torch" when there is a device, else compiled loops where there are
        some, else numpy.
    device : str, default=None
        Torch device; None is the CPU for "torch".

    Returns
    -------
    Oracle
        The oracle.
    """
    if device is not None and backend not in ("auto", "torch"):
        raise ValueError(
            f"device={device!r} is torch's and backend={backend!r} runs on the CPU; "
            "use backend='torch', or device=None."
        )
    if backend == "auto":
        backend = "numpy" if device is None else "torch"
        if device is None and of_maxima(objective):
            return CompiledOracle(objective)
    if backend == "numpy":
        return Oracle(objective)
    user = f"backend={backend!r}"
    if not of_maxima(objective):
        raise ValueError(
            f"{user} computes gains of FacilityLocation and Coverage, got "
            f"{type(objective).__name__}; use backend='auto' without a device."
        )
    if backend == "numba":
        require("numba", extra="compiled", user=user)
        require("sklearn_ext.submodular._kernels_numba", extra="compiled", user=user)
        return CompiledOracle(objective)
    _, device = torch_device("cpu" if device is None else device)
    from sklearn_ext.submodular._oracle_torch import TorchOracle

    return TorchOracle(objective, device)


def load_rows(oracle, Z, source=None, max_cache_mb=np.inf):
    """Give an oracle the rows of a table.

    Parameters
    ----------
    oracle : Oracle
        Without rows.
    Z : {ndarray, sparse array} of shape (n_rows, n_features)
        Rows.
    source : DenseRows or SparseRows, default=None
        Store of ``Z``, needed where memory is limited.
    max_cache_mb : float, default=inf
        Memory for coordinates; beyond it they are computed anew when needed.

    Returns
    -------
    Oracle
        The same oracle.
    """
    size = Z.shape[0] * oracle.objective.n_coords_ * Z.dtype.itemsize
    if size > max_cache_mb * 2**20:
        oracle.rows = RepresentedRows(oracle.objective, source)
    else:
        oracle.load(Z)
    return oracle


def of_maxima(objective):
    """Tell whether a coordinate's level is the largest value in the set."""
    return getattr(objective, "of_maxima", False)
