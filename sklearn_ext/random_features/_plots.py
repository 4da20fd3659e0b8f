"""What the displays share."""

from sklearn_ext._core._compat import check_matplotlib_support


def axes_of(display, ax):
    """Return axes to draw on and store them in the display."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    display.ax_ = plt.subplots(layout="constrained")[1] if ax is None else ax
    display.figure_ = display.ax_.figure
    return display.ax_
