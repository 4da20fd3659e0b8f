"""Warnings that name the line of the user, however deep they arise."""

import sys
import warnings

_INSIDE = {"sklearn_ext", "sklearn", "joblib"}  # packages whose lines say nothing


def warn(message, category=UserWarning):
    """Warn at the innermost line outside these packages.

    A fixed ``stacklevel`` cannot: fits are reached through ``fit``, ``partial_fit``,
    ``fit_blocks`` or a Pipeline.

    Parameters
    ----------
    message : str
        What is said.
    category : type, default=UserWarning
        Class of the warning.
    """
    frame, level = sys._getframe(1), 2
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        if name.partition(".")[0] not in _INSIDE:
            break
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
