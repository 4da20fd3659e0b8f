"""Pictures of sparse features: what a budget buys, and which features rows use."""

import numpy as np

from sklearn_ext._core._plots import Display
from sklearn_ext.representations._sparse._sparse_autoencoder import SparseAutoencoder


class SparsityDisplay(Display):
    """Variance that is left unexplained against the budget, from one fit.

    Parameters
    ----------
    n_nonzero_coefs : ndarray of shape (n_budgets,)
        Mean number of features of a row.
    fvu : ndarray of shape (n_budgets,)
        Fraction of the variance left unexplained.
    budget : float or None, default=None
        The budget of the model; None marks none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    line_ : matplotlib Line2D
        The curve.

    See Also
    --------
    SparseAutoencoder : The model; its method ``budget_curve`` gives the numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.representations import SparseAutoencoder, SparsityDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = SparseAutoencoder(50, n_nonzero_coefs=5, random_state=0).fit(X)
    >>> display = SparsityDisplay.from_estimator(model, X)
    """

    n_nonzero_coefs: np.ndarray
    fvu: np.ndarray
    budget: float | None = None

    @classmethod
    def from_estimator(cls, estimator, X=None, *, ax=None, name=None):
        """Draw the curve of a fitted model.

        Parameters
        ----------
        estimator : SparseAutoencoder
            Fitted, or a pipeline or search that ends in it.
        X : array-like of shape (n_samples, n_features), default=None
            Rows to measure on; None takes the gains that are kept from the fit.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Name in a legend.

        Returns
        -------
        SparsityDisplay
            The display.
        """
        tables = () if X is None else (X,)
        model, tables, _ = cls._innermost(estimator, *tables, wanted=SparseAutoencoder)
        curve = model.budget_curve(*tables)
        budget = model.n_nonzero_coefs_
        display = cls(
            n_nonzero_coefs=curve.n_nonzero_coefs, fvu=curve.fvu, budget=budget
        )
        return display.plot(ax, name=name)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw the curve, and where the model stands on it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Name in a legend.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        SparsityDisplay
            The display.
        """
        from matplotlib.ticker import NullFormatter, StrMethodFormatter

        ax = self._axes(ax)
        style = {"marker": ".", "label": name, **(curve_kwargs or {})}
        (self.line_,) = ax.plot(self.n_nonzero_coefs, self.fvu, **style)
        if self.budget is not None:
            at = np.interp(self.budget, self.n_nonzero_coefs, self.fvu)
            color = self.line_.get_color()
            ax.plot(self.budget, at, "o", ms=9, mfc="none", color=color)
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_ylim(0, 1)
        ax.set_xlabel("features of a row, in the mean")
        ax.set_ylabel("fraction of variance unexplained")
        if name is not None:
            ax.legend()
        return self


class FeatureUsageDisplay(Display):
    """How many rows use each feature, the most used first, beside Zipf's law.

    Parameters
    ----------
    usage : ndarray of shape (n_components,)
        Share of the rows that use each feature.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.
    line_ : matplotlib Line2D
        Usage by rank.
    slope_ : float
        Of the logarithm of usage in the logarithm of the rank, features that are idle
        left out: 0 is even use, -1 Zipf's law.

    See Also
    --------
    SparseAutoencoder : The model; ``allocation="feature"`` evens usage out.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.representations import FeatureUsageDisplay, SparseAutoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = SparseAutoencoder(50, n_nonzero_coefs=5, random_state=0).fit(X)
    >>> FeatureUsageDisplay.from_estimator(model).slope_ < 0
    True
    """

    usage: np.ndarray

    @classmethod
    def from_estimator(cls, estimator, X=None, *, ax=None, name=None):
        """Draw the usage of a fitted model's features.

        Parameters
        ----------
        estimator : SparseAutoencoder
            Fitted, or a pipeline or search that ends in it.
        X : array-like of shape (n_samples, n_features), default=None
            Rows that use them; None takes those of the fit.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Name in the legend.

        Returns
        -------
        FeatureUsageDisplay
            The display.
        """
        tables = () if X is None else (X,)
        model, tables, _ = cls._innermost(estimator, *tables, wanted=SparseAutoencoder)
        usage = model.usage_
        if tables:
            usage = model.coactivation(*tables).diagonal() / len(tables[0])
        return cls(usage=usage).plot(ax, name=name)

    def plot(self, ax=None, *, name=None, curve_kwargs=None):
        """Draw usage against rank, both logarithmic.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Name in the legend, before the slope.
        curve_kwargs : dict, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        FeatureUsageDisplay
            The display.
        """
        ax = self._axes(ax)
        usage = np.sort(self.usage[self.usage > 0])[::-1]
        rank = np.arange(1, len(usage) + 1)
        self.slope_ = float("nan")
        if len(usage) > 1:
            self.slope_ = float(np.polyfit(np.log(rank), np.log(usage), 1)[0])
        label = f"{name + ', ' if name else ''}slope {self.slope_:.2f}"
        style = {"label": label, **(curve_kwargs or {})}
        (self.line_,) = ax.loglog(rank, usage, **style)
        if idle := int(np.sum(self.usage == 0)):
            ax.set_title(f"{idle} idle features are not drawn")
        ax.set_xlabel("rank of the feature")
        ax.set_ylabel("share of rows that use it")
        ax.legend()
        return self
