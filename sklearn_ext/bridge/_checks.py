"""What methods of a bridge check about times and counts before they answer."""

from numbers import Integral, Real

import numpy as np

from sklearn_ext._core._optional import ConditionalMethod


def plain(value):
    """Show a value as the user would write it, tables by their type and shape."""
    if isinstance(value, np.generic):
        value = value.item()
    if shape := getattr(value, "shape", ()):
        return f"{type(value).__name__} of shape {tuple(shape)}"
    return repr(value)


def check_times(t, s=None):
    """Check one time, or two in order; return them as floats."""
    for name, value in (("t", t), ("s", s)):
        if value is None:
            continue
        if not isinstance(value, Real) or not 0 <= value <= 1:
            hint = " Rows come first, then times." if np.ndim(value) else ""
            raise ValueError(f"{name} must lie in [0, 1], got {plain(value)}.{hint}")
    if s is not None and s <= t:
        raise ValueError(f"s must be later than t, got t={t} and s={s}.")
    return float(t) if s is None else (float(t), float(s))


def check_grid(times):
    """Return increasing times in [0, 1]; an integer is a number of equal steps."""
    if np.ndim(times) == 0:
        if not isinstance(times, Integral) or times < 2:
            raise ValueError(
                "times must be an integer of at least 2, or a list of times in [0, 1], "
                f"got {plain(times)}."
            )
        return np.linspace(0.0, 1.0, int(times))
    if np.ndim(times) != 1:
        raise ValueError(
            f"times must be a list of times in [0, 1], got {plain(times)}. Rows come "
            "first, then times."
        )
    times = np.asarray(times, dtype=float)
    if not len(times) or not ((times >= 0) & (times <= 1)).all():
        raise ValueError(f"times must be a list of times in [0, 1], got {times}.")
    if (np.diff(times) <= 0).any():
        raise ValueError(f"times must increase, got {times}.")
    return times


def check_count(n_samples):
    """Check a number of draws."""
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(
            f"n_samples must be an integer of at least 1, got {plain(n_samples)}."
        )


class NeedsStoredSource(ConditionalMethod):
    """A method that exists only with ``fit_inverse_transform=True``."""

    def missing(self, instance):
        """Return what is missing where no rows are stored."""
        if instance.fit_inverse_transform:
            return None
        return (
            "the source rows, which are stored only with fit_inverse_transform=True: "
            "set it and fit again."
        )
