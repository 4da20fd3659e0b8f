"""Displays of how much equally good models disagree."""

import numpy as np

from sklearn_ext._core._pipelines import innermost
from sklearn_ext.rashomon._linear_classifier import RashomonLinearClassifier
from sklearn_ext.rashomon._logistic import RashomonLogisticRegression
from sklearn_ext.rashomon._plots import axes_of, say_empty
from sklearn_ext.rashomon._search import RashomonSearchCV
from sklearn_ext.rashomon._trees._classifier import RashomonTreeClassifier

VOTING = (
    RashomonTreeClassifier,
    RashomonLinearClassifier,
    RashomonLogisticRegression,
    RashomonSearchCV,
)


class MultiplicityDisplay:
    """Vote shares of all rows, sorted: who gets another answer from another model.

    Parameters
    ----------
    share : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Share of models that vote for the class in question, or for each.
    label : str or sequence of str, default="positive class"
        Name of that class, or of each.

    Attributes
    ----------
    ax_ : Axes
        Axes of the last plot.
    figure_ : Figure
        Its figure.
    lines_ : list of Line2D
        The curve of each class; of two classes that of the second.

    See Also
    --------
    MultiplicityCurveDisplay : Disagreement against the slack.
    ambiguity : Share of rows with any disagreement.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_ext.rashomon import MultiplicityDisplay, RashomonTreeClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = RashomonTreeClassifier(2, random_state=0).fit(X, y)
    >>> display = MultiplicityDisplay.from_estimator(clf, X)
    """

    def __init__(self, *, share, label="positive class"):
        self.share = share
        self.label = label

    @classmethod
    def from_estimator(cls, estimator, X, *, ax=None, name=None, **curve_kwargs):
        """Compute vote shares and plot them.

        Parameters
        ----------
        estimator : classifier
            A fitted one of this family, or a Pipeline that ends in one; its
            ``vote_share`` is used where there is one, else its members vote.
        X : array-like of shape (n_samples, n_features)
            Rows.
        ax : Axes or None, default=None
            Where to draw.
        name : str or None, default=None
            Label of the curve.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        MultiplicityDisplay
            The display.
        """
        user = f"{cls.__name__}.from_estimator"
        estimator, (X,), _ = innermost(estimator, X, wanted=VOTING, user=user)
        classes = estimator.classes_
        if hasattr(estimator, "vote_share"):
            share = estimator.vote_share(X)
        else:
            votes = np.asarray(estimator.member_predictions(X))
            share = np.column_stack([(votes == c).mean(axis=0) for c in classes])
        labels = [f"class {c}" for c in classes]
        if len(classes) == 2:  # the first mirrors the second
            share, labels = share[:, 1], labels[1]
        display = cls(share=share, label=labels).plot(ax, name=name, **curve_kwargs)
        return say_empty(display, estimator.log_ratio_ == -np.inf)

    @classmethod
    def from_predictions(
        cls, predictions, positive, *, ax=None, name=None, **curve_kwargs
    ):
        """Plot vote shares of given predictions.

        Parameters
        ----------
        predictions : array-like of shape (n_models, n_samples)
            Class labels by model.
        positive : object
            Class whose share is shown.
        ax : Axes or None, default=None
            Where to draw.
        name : str or None, default=None
            Label of the curve.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        MultiplicityDisplay
            The display.
        """
        share = (np.asarray(predictions) == positive).mean(axis=0)
        display = cls(share=share, label=f"class {positive}")
        return display.plot(ax, name=name, **curve_kwargs)

    def plot(self, ax=None, *, name=None, **curve_kwargs):
        """Draw the sorted shares; the shaded rows of one curve are undecided.

        Parameters
        ----------
        ax : Axes or None, default=None
            Where to draw.
        name : str or None, default=None
            Label of the curve; with several classes title of the legend.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        MultiplicityDisplay
            The display.
        """
        ax = axes_of(self, ax)
        share = np.sort(np.asarray(self.share), axis=0)
        at = np.arange(1, len(share) + 1) / len(share)
        several = share.ndim == 2
        names = list(self.label) if several else name
        self.lines_ = ax.plot(at, share, label=names, **curve_kwargs)
        undecided = (np.asarray(self.share) > 0) & (np.asarray(self.share) < 1)
        if several:  # each curve has an order of its own
            undecided = undecided.any(axis=1)
        else:
            shaded = (share > 0) & (share < 1)
            ax.fill_between(at, 0, 1, where=shaded, alpha=0.15, color="gray")
        voted = "a class" if several else self.label
        ax.set(xlabel="share of rows", ylabel=f"share of models voting for {voted}")
        ax.set_title(f"{undecided.mean():.0%} of the rows depend on the model")
        if several or name is not None:
            ax.legend(title=name if several else None)
        return self


class MultiplicityCurveDisplay:
    """Ambiguity and discrepancy of trees against the slack.

    Parameters
    ----------
    theta : ndarray of shape (n_thetas,)
        Slacks.
    ambiguity : ndarray of shape (n_thetas,)
        Share of rows to which some tree of the set gives another class.
    discrepancy : ndarray of shape (n_thetas,)
        Largest share of rows on which one tree differs from the best one.

    Attributes
    ----------
    ax_ : Axes
        Axes of the last plot.
    figure_ : Figure
        Its figure.
    lines_ : list of Line2D
        Both curves.

    See Also
    --------
    MultiplicityDisplay : Vote shares of all rows at one slack.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.rashomon import MultiplicityCurveDisplay
    >>> from sklearn_ext.rashomon import RashomonTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = RashomonTreeClassifier(2, random_state=0).fit(X, y)
    >>> display = MultiplicityCurveDisplay.from_estimator(clf, X, theta=[0, 0.05])
    """

    def __init__(self, *, theta, ambiguity, discrepancy):
        self.theta = theta
        self.ambiguity = ambiguity
        self.discrepancy = discrepancy

    @classmethod
    def from_estimator(cls, estimator, X, *, theta=None, ax=None, **curve_kwargs):
        """Evaluate a fitted tree classifier over slacks and plot.

        Parameters
        ----------
        estimator : RashomonTreeClassifier
            A fitted one, or a Pipeline that ends in one.
        X : array-like of shape (n_samples, n_features)
            Rows.
        theta : array-like or None, default=None
            Slacks; None takes eight between zero and the fitted one.
        ax : Axes or None, default=None
            Where to draw.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        MultiplicityCurveDisplay
            The display.
        """
        user = f"{cls.__name__}.from_estimator"
        trees = RashomonTreeClassifier
        estimator, (X,), _ = innermost(estimator, X, wanted=trees, user=user)
        if theta is None:
            theta = np.linspace(0, estimator.theta or 0.05, 8)
        display = cls(**estimator.multiplicity_at(X, theta)).plot(ax, **curve_kwargs)
        return say_empty(display, not np.isfinite(display.ambiguity).any())

    def plot(self, ax=None, **curve_kwargs):
        """Draw both curves.

        Parameters
        ----------
        ax : Axes or None, default=None
            Where to draw.
        **curve_kwargs : dict
            Passed to ``ax.plot``.

        Returns
        -------
        MultiplicityCurveDisplay
            The display.
        """
        ax = axes_of(self, ax)
        kinds = ("ambiguity", "-o"), ("discrepancy", "--s")
        self.lines_ = [
            ax.plot(self.theta, getattr(self, kind), style, label=kind, **curve_kwargs)[
                0
            ]
            for kind, style in kinds
        ]
        ax.set(xlabel="slack of the mean loss (theta)", ylabel="share of rows")
        ax.set_ylim(bottom=0)
        ax.legend()
        return self
