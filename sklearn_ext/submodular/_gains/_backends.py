"""Where gains are computed: numpy, compiled loops or a torch device."""

from sklearn_ext._core._optional import require, torch_device
from sklearn_ext.submodular._gains._oracle import Oracle
from sklearn_ext.submodular._gains._oracle_compiled import CompiledOracle

KERNELS = "sklearn_ext.submodular._gains._kernels_numba"
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
    maxima = getattr(objective, "of_maxima", False)
    if backend == "auto" and device is None:
        return CompiledOracle(objective) if maxima else Oracle(objective)
    if backend == "numpy":
        return Oracle(objective)
    backend = "torch" if backend == "auto" else backend
    user = f"backend={backend!r}"
    if not maxima:
        raise ValueError(
            f"{user} computes gains of FacilityLocation and Coverage, got "
            f"{type(objective).__name__}; use backend='auto' without a device."
        )
    if backend == "numba":
        for module in ("numba", KERNELS):
            require(module, extra="compiled", user=user)
        return CompiledOracle(objective)
    _, device = torch_device("cpu" if device is None else device)
    from sklearn_ext.submodular._gains._oracle_torch import TorchOracle

    return TorchOracle(objective, device)
