"""Methods that an estimator has only with some of its parameters."""

from functools import update_wrapper
from types import MethodType


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
