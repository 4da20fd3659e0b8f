"""Every predictor at its defaults beside what its reader would have used.

``python -m benchmarks defaults`` writes ``docs/benchmarks/tables/defaults.rst``.
Nothing is tuned on either side: constructors without arguments but for seeds, raw
columns and standardised ones, the same splits. Errors are misclassified shares, and for
numbers the test mean squared error over the variance of the target.
"""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

from benchmarks.defaults_data import CLASSES, NUMBERS, raw, splits
from benchmarks.harness import Study
from sklearn_ext.aggregate import (
    AggregateBoostingRegressor,
    AggregateMetaRegressor,
    AggregateNetClassifier,
    AggregateNetRegressor,
    BagRegressor,
    InstanceRegressor,
    InterpolatingAggregateRegressor,
    InterpolatingAggregateRegressorCV,
    LabelProportionClassifier,
)
from sklearn_ext.calibration import (
    CorrectnessCalibratedClassifier,
    LogLossMixtureClassifier,
    SelectiveClassifierCV,
)
from sklearn_ext.losses import (
    CompSumClassifier,
    CompSumClassifierCV,
    SphericalClassifier,
    WorstGroupClassifier,
)
from sklearn_ext.probes import (
    LogisticProbe,
    LogisticProbeCV,
    NaiveBayesProbe,
    ProbeSearchCV,
    ShrinkageDiscriminantProbe,
    TwoRegimes,
)
from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
)
from sklearn_ext.rashomon import (
    RashomonLinearClassifier,
    RashomonLogisticRegression,
    RashomonRidge,
    RashomonSearchCV,
    RashomonTreeClassifier,
)
from sklearn_ext.representations import PretrainedClassifier, PretrainedRegressor

BAG = 10  # rows of a bag, drawn at random


def _cv_logistic():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # its own coming defaults
        return LogisticRegressionCV(max_iter=1000)


PROBES = {  # ours: (estimator, baseline)
    "NaiveBayesProbe": (NaiveBayesProbe(), GaussianNB()),
    "ShrinkageDiscriminantProbe": (
        ShrinkageDiscriminantProbe(),
        LinearDiscriminantAnalysis(),
    ),
    "LogisticProbe": (LogisticProbe(), LogisticRegression(max_iter=1000)),
    "LogisticProbeCV": (LogisticProbeCV(), _cv_logistic()),
    "ProbeSearchCV": (ProbeSearchCV(), _cv_logistic()),
    "TwoRegimes": (TwoRegimes(random_state=0), _cv_logistic()),
}
CALIBRATION = {
    "CorrectnessCalibratedClassifier": (
        CorrectnessCalibratedClassifier(),
        LogisticRegression(max_iter=1000),
    ),
    "SelectiveClassifierCV": (
        SelectiveClassifierCV(),
        LogisticRegression(max_iter=1000),
    ),
    "LogLossMixtureClassifier": (
        LogLossMixtureClassifier(),
        LogisticRegression(max_iter=1000),
    ),
}
LOSSES = {
    "CompSumClassifier": (CompSumClassifier(), LogisticRegression(max_iter=1000)),
    "CompSumClassifierCV": (CompSumClassifierCV(), _cv_logistic()),
    "SphericalClassifier": (SphericalClassifier(), LinearDiscriminantAnalysis()),
    "WorstGroupClassifier": (
        WorstGroupClassifier(),
        LogisticRegression(max_iter=1000),
    ),
}
RANDOM_FEATURES = {
    "RandomFeatureRidgeClassifier": (
        RandomFeatureRidgeClassifier(random_state=0),
        LogisticRegression(max_iter=1000),
    ),
    "RandomFeatureRidgeClassifierCV": (
        RandomFeatureRidgeClassifierCV(random_state=0),
        HistGradientBoostingClassifier(random_state=0),
    ),
}
RASHOMON = {
    "RashomonLogisticRegression": (
        RashomonLogisticRegression(random_state=0),
        LogisticRegression(max_iter=1000),
    ),
    "RashomonLinearClassifier": (
        RashomonLinearClassifier(random_state=0),
        LogisticRegression(max_iter=1000),
    ),
    "RashomonSearchCV": (
        RashomonSearchCV(random_state=0),
        HistGradientBoostingClassifier(random_state=0),
    ),
    "RashomonTreeClassifier": (
        RashomonTreeClassifier(random_state=0),
        DecisionTreeClassifier(
            max_depth=RashomonTreeClassifier().max_depth, random_state=0
        ),
    ),
}
REPRESENTATIONS = {
    "PretrainedClassifier": (
        PretrainedClassifier(random_state=0),
        LogisticRegression(max_iter=1000),
    ),
}
REGRESSORS = {
    "PretrainedRegressor": (PretrainedRegressor(random_state=0), RidgeCV()),
    "RandomFeatureRidge": (RandomFeatureRidge(random_state=0), RidgeCV()),
    "RandomFeatureRidgeCV": (
        RandomFeatureRidgeCV(random_state=0),
        HistGradientBoostingRegressor(random_state=0),
    ),
    "RashomonRidge": (RashomonRidge(random_state=0), RidgeCV()),
}


def misclassified(model, X, y):
    """Return the share of rows in a wrong class."""
    return np.mean(model.predict(X) != y)


def unexplained(model, X, y):
    """Return the mean squared error over the variance of the target."""
    return np.mean((model.predict(X) - y) ** 2) / np.var(y)


def fitted(model, X, y, bags=None):
    """Fit a clone; that it does not converge on raw columns is part of the result."""
    model = clone(model)
    takes_bags = bags is not None and type(model).__module__.startswith("sklearn_ext")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)  # advice on scales and small sets
        warnings.simplefilter("ignore", FutureWarning)
        if takes_bags:
            return model.fit(X, y, bags=bags)
        return model.fit(X, y)


def into_bags(X, y, *, means):
    """Draw bags of ten rows; every row has the mean response of its bag, or its own.

    Classifiers of bags take the labels of rows and use the shares of each bag alone.
    """
    n = len(X) // BAG * BAG
    bags = np.arange(n) // BAG
    if not means:
        return X[:n], y[:n], bags
    return X[:n], y[:n].reshape(-1, BAG).mean(axis=1)[bags], bags


class OnMeans(RegressorMixin, BaseEstimator):
    """A baseline that is fitted to the means of bags, one row a bag."""

    def __init__(self, model):
        self.model = model

    def fit(self, X, y):
        """Fit to the means of consecutive bags."""
        means = X.reshape(-1, BAG, X.shape[1]).mean(axis=1)
        self.model_ = clone(self.model).fit(means, y[::BAG])
        return self

    def predict(self, X):
        """Predict rows."""
        return self.model_.predict(X)


ON_MEANS = OnMeans(RidgeCV())
OF_BAGS = {
    "BagRegressor": (BagRegressor(), ON_MEANS),
    "InstanceRegressor": (InstanceRegressor(), RidgeCV()),
    "InterpolatingAggregateRegressor": (InterpolatingAggregateRegressor(), ON_MEANS),
    "InterpolatingAggregateRegressorCV": (
        InterpolatingAggregateRegressorCV(),
        ON_MEANS,
    ),
    "AggregateMetaRegressor": (AggregateMetaRegressor(), ON_MEANS),
    "AggregateNetRegressor": (AggregateNetRegressor(random_state=0), ON_MEANS),
    "AggregateBoostingRegressor": (
        AggregateBoostingRegressor(random_state=0),
        HistGradientBoostingRegressor(random_state=0),
    ),
}


def name_of(model):
    """Return what the table calls a baseline."""
    if isinstance(model, OnMeans):
        return f"{type(model.model).__name__} on means"
    if isinstance(model, OnShares):
        return "LogisticRegression on shares"
    return type(model).__name__


class OnShares(ClassifierMixin, BaseEstimator):
    """Logistic regression on rows that are of each class by their bag's share of it."""

    def fit(self, X, y):
        """Fit to consecutive bags, of whose labels only the shares are used."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        shares = np.eye(len(self.classes_))[codes].reshape(-1, BAG, len(self.classes_))
        shares = np.repeat(shares.mean(axis=1), BAG, axis=0)
        rows = np.tile(X, (len(self.classes_), 1))
        labels = np.repeat(self.classes_, len(X))
        weight, known = shares.T.ravel(), shares.T.ravel() > 0
        model = LogisticRegression(max_iter=1000)
        self.model_ = model.fit(rows[known], labels[known], weight[known])
        return self

    def predict(self, X):
        """Predict rows."""
        return self.model_.predict(X)


CLASSES_OF_BAGS = {
    "LabelProportionClassifier": (LabelProportionClassifier(), OnShares()),
    "AggregateNetClassifier": (AggregateNetClassifier(random_state=0), OnShares()),
}


class _Defaults(Study):
    tables: tuple = ()
    pairs: dict = {}
    bags = False
    means = True
    error = staticmethod(misclassified)

    def run(self):
        """Fit everything on every split and compare."""
        data = {name: raw(name) for name in self.tables}
        rows, baselines = [], {}
        for scaled in (False, True):
            for name, (ours, baseline) in self.pairs.items():
                key = (scaled, name_of(baseline))
                mine = self._errors(ours, data, scaled)
                if key not in baselines:
                    baselines[key] = self._errors(baseline, data, scaled)
                rows.append(self._row(name, baseline, scaled, mine, baselines[key]))
        rows.sort(key=lambda row: list(self.pairs).index(row[0]))
        columns = ["default", "beside", "columns", "error over theirs", "worst table"]
        return {"columns": [*columns, *self.tables], "rows": rows}

    def _errors(self, model, data, scaled):
        several = get_tags(model).classifier_tags
        binary = several is not None and not several.multi_class
        model = make_pipeline(StandardScaler(), model) if scaled else model
        errors = {}
        for name, (X, y) in data.items():
            if binary and len(np.unique(y)) > 2:
                continue
            errors[name] = np.mean(
                [self._error(model, X, y, *rows) for rows in splits(len(X))]
            )
        return errors

    def _error(self, model, X, y, train, test):
        if not self.bags:
            return self.error(fitted(model, X[train], y[train]), X[test], y[test])
        head, last = (None, model) if not hasattr(model, "steps") else model
        A, B = X[train], X[test]
        if head is not None:
            A, B = head.fit_transform(A), head.transform(B)
        rows, response, bags = into_bags(A, y[train], means=self.means)
        return self.error(fitted(last, rows, response, bags), B, y[test])

    def _cell(self, table, mine, theirs):
        return f"{mine[table]:.3f} / {theirs[table]:.3f}" if table in mine else ""

    def _row(self, name, baseline, scaled, mine, theirs):
        floor = 0.002  # of an error, below which ratios are noise
        ratios = {
            table: (mine[table] + floor) / (theirs[table] + floor) for table in mine
        }
        worst = max(ratios, key=ratios.get)
        return [
            name,
            name_of(baseline),
            "standardised" if scaled else "raw",
            f"{np.exp(np.mean(np.log(list(ratios.values())))):.3f}",
            f"{worst} {ratios[worst]:.2f}",
            *(self._cell(table, mine, theirs) for table in self.tables),
        ]


class _Classifiers(_Defaults):
    note = """Share of test rows in a wrong class, means of two splits of at most 500
    training and 1000 test rows. *Error over theirs* is the geometric mean over tables
    of the ratio, .002 added to both sides. Empty: only two classes are supported."""
    tables = CLASSES


class Probes(_Classifiers):
    """Heads for embeddings, on tables."""

    title = "Probes at their defaults, ours / beside"
    pairs = PROBES


class CalibratedClassifiers(_Classifiers):
    """Classifiers that know how sure they are."""

    title = "Calibration at its defaults, ours / beside"
    pairs = CALIBRATION


class Losses(_Classifiers):
    """Linear classifiers with other losses, on clean labels."""

    title = "Losses at their defaults on clean labels, ours / beside"
    pairs = LOSSES


class RandomFeatureClassifiers(_Classifiers):
    """Classifiers on random features."""

    title = "Random-feature classifiers at their defaults, ours / beside"
    pairs = RANDOM_FEATURES


class RashomonClassifiers(_Classifiers):
    """Classifiers with their Rashomon sets."""

    title = "Rashomon classifiers at their defaults, ours / beside"
    pairs = RASHOMON


class Pretrained(_Classifiers):
    """Classifiers on views of all rows, here with a label on every row."""

    title = "Views at their defaults, all rows labelled, ours / beside"
    pairs = REPRESENTATIONS


class DefaultRegressors(_Defaults):
    """Mean squared errors over the variance of the target."""

    title = "Regressors at their defaults, ours / beside"
    note = """Test mean squared error over the variance of the target, means of two
    splits of at most 500 training and 1000 test rows."""
    tables = NUMBERS
    pairs = REGRESSORS
    error = staticmethod(unexplained)


class DefaultRegressorsOfBags(DefaultRegressors):
    """The same with responses known per bag of ten rows."""

    title = "Regressors of bags at their defaults, ours / beside"
    note = """The response is known as the mean of bags of ten training rows drawn at
    random; the test is on rows. ``RidgeCV on means`` has one row a bag, the means of
    its columns; the other baselines have all rows, each with the mean response of its
    bag."""
    pairs = OF_BAGS
    bags = True


class DefaultClassifiersOfBags(_Defaults):
    """Misclassified shares, labels known as proportions of bags."""

    title = "Classifiers of bags at their defaults, ours / beside"
    note = """Of labels the shares in bags of ten training rows drawn at random are
    known; the test is on rows. Beside: logistic regression on rows that belong to each
    class by their bag's share of it."""
    tables = CLASSES
    pairs = CLASSES_OF_BAGS
    bags = True
    means = False


BENCHMARKS = [
    Probes,
    CalibratedClassifiers,
    Losses,
    RandomFeatureClassifiers,
    RashomonClassifiers,
    Pretrained,
    DefaultRegressors,
    DefaultRegressorsOfBags,
    DefaultClassifiersOfBags,
]
