"""What may be missing, and what to do then: packages, devices, methods."""

from functools import update_wrapper
from importlib import import_module
from types import MethodType


def require(module, *, extra, user):
    """Import an optional package.

    Parameters
    ----------
    module : str
        Name of the module, for instance ``"torch"``.
    extra : str
        The extra of sklearn-ext that installs it.
    user : str
        Who needs it, for the message.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        When the package is missing; the message holds the pip command.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{user} needs {module.partition('.')[0]}: "
            f"pip install 'sklearn-ext[{extra}]'"
        ) from error


def torch_device(device):
    """Find torch and a device of it, or say which devices there are.

    Parameters
    ----------
    device : str or torch.device
        What the user chose.

    Returns
    -------
    torch : module
        The package.
    device : torch.device
        The device, with its index.

    Raises
    ------
    ImportError
        When torch is missing.
    RuntimeError
        When this machine has no such device.
    """
    torch = require("torch", extra="torch", user=f"device={str(device)!r}")
    try:
        return torch, torch.empty(1, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        present = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        if torch.backends.mps.is_available():
            present.append("mps")
        raise RuntimeError(
            f"device={str(device)!r} is not on this machine, which has {present}. "
            "Choose one of these, or None to stay with the input's own."
        ) from error


class ConditionalMethod:
    """A method that is missing, and says why, while `missing` gives a reason.

    scikit-learn's ``available_if`` hides the reason behind a message of its own.

    Parameters
    ----------
    method : callable
        The method.
    """

    def __init__(self, method):
        self.method = method
        update_wrapper(self, method)

    def __get__(self, instance, owner=None):
        if instance is None:
            return self.method
        if reason := self.missing(instance):
            raise AttributeError(f"{self.method.__name__} needs {reason}")
        return MethodType(self.method, instance)

    def missing(self, instance):
        """Return what the estimator needs to have the method, or None."""
        raise NotImplementedError
