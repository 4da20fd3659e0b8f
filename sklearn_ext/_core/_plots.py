"""What every display shares: it is a record, it knows its model, it draws somewhere."""

from dataclasses import dataclass
from typing import dataclass_transform

from sklearn_ext._core._compat import check_matplotlib_support
from sklearn_ext._core._pipelines import innermost


@dataclass_transform(eq_default=False, kw_only_default=True)
class Display:
    """What is drawn, field by field; matplotlib is imported when something is."""

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        dataclass(cls, kw_only=True, eq=False, repr=False)

    @classmethod
    def _innermost(cls, estimator, *tables, wanted):
        """Return the model in a pipeline or search, tables as it sees them, names."""
        user = f"{cls.__name__}.from_estimator"
        return innermost(estimator, *tables, wanted=wanted, user=user)

    def _pyplot(self):
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot

        return matplotlib.pyplot

    def _axes(self, ax, **figure):
        """Store the axes to draw on, those of a new figure where there are none."""
        plt = self._pyplot()
        if ax is None:
            _, ax = plt.subplots(**{"layout": "constrained", **figure})
        self.ax_, self.figure_ = ax, ax.figure
        return ax
