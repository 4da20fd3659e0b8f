"""What the displays share; matplotlib is imported when something is drawn."""

from sklearn_ext._core._compat import check_matplotlib_support


class Display:
    """A display that makes its figure when it is given no axes."""

    def _axes(self, ax):
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        self.ax_ = plt.subplots(layout="constrained")[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        return self.ax_
