"""Neural regression from aggregates, batch by batch of whole bags."""

import numpy as np
from sklearn.base import MultiOutputMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._optional import require
from sklearn_ext._core._validation import FLOATS
from sklearn_ext.aggregate._bags._marks import BagMarks
from sklearn_ext.aggregate._bags._partition import check_bags, check_lengths
from sklearn_ext.aggregate._base import BagRegressorMixin
from sklearn_ext.aggregate._nets._base import BagNet


class AggregateNetRegressor(BagNet, MultiOutputMixin, BagRegressorMixin, ExtEstimator):
    r"""Neural network on the interpolated squared loss of bags.

    Minimises :math:`(1 - \rho) \sum_a S_a (\bar y_a - \bar f_a)^2 + \rho \sum_i s_i
    (\bar y_a - f_i)^2` over batches of whole bags, with means taken by one indexed sum.
    Needs torch and skorch.

    Parameters
    ----------
    module : callable or None, default=None
        Called as ``module(n_features, n_outputs)``, it builds a torch module that maps
        standardised rows to outputs; None builds two hidden layers of 64 units. It
        must be importable by name for the estimator to be pickled.
    rho : float, default=0.01
        Weight of the instance-level loss. Small values help; tune it on a log grid.
    bags_per_batch : int or None, default=64
        Whole bags of a step; None takes all.
    max_epochs : int, default=100
        Most passes over the bags.
    lr : float, default=0.003
        Learning rate.
    optimizer : callable or None, default=None
        A torch optimizer; None takes Adam.
    early_stopping : bool, default=False
        Whether to hold bags out, stop when their loss no longer falls, and return to
        the best weights.
    validation_fraction : float, default=0.1
        Share of the bags held out.
    n_iter_no_change : int, default=10
        Epochs without improvement after which to stop.
    device : str or None, default=None
        A torch device on which to train; None trains on the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and held-out bags; torch's own generator is left
        alone. Without bags, equal rows are one and the values of rows order them, so
        columns on another scale meet other batches.

    Attributes
    ----------
    weights_ : dict of ndarray
        Parameters and buffers of the trained module.
    loss_curve_ : ndarray of shape (n_iter,)
        Mean training loss of each epoch.
    n_bags_ : int
        Number of bags.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when all are strings.

    See Also
    --------
    AggregateBoostingRegressor : Trees, usually better on tables.
    AggregateNetClassifier : For class proportions.

    References
    ----------
    .. [1] Javanmard, Chen, Mirrokni, Badanidiyuru, Fu, "Learning from Aggregate
       responses: Instance Level versus Bag Level Loss Functions", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import AggregateNetRegressor
    >>> X = np.random.default_rng(0).uniform(-2, 2, size=(600, 1))
    >>> model = AggregateNetRegressor(random_state=0)  # doctest: +SKIP
    >>> model.fit(X, X[:, 0] ** 2, bags=np.arange(600) // 3)  # doctest: +SKIP
    """

    @fit_context()
    def fit(self, X, y, bags=None, sample_weight=None):
        """Train on rows and the aggregates of their bags.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Aggregates replicated on the rows of their bag; individual responses do as
            well, since only bag means are used.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags; None makes every row a bag.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        AggregateNetRegressor
            The fitted estimator.
        """
        data = X, y
        check_lengths(X, y, bags)
        X, y = validate_data(
            self, X, y, dtype=FLOATS, multi_output=True, y_numeric=True
        )
        self._one_target = y.ndim == 1
        y = np.asarray(y, dtype=float).reshape(len(y), -1)
        X, y, bags = check_bags(X, y, bags, sample_weight, whole_rows=True)
        self._marks = BagMarks.of(X, y, bags)
        means = bags.means(y)
        self._center = np.average(means, axis=0, weights=bags.sizes)
        variance = np.average((means - self._center) ** 2, axis=0, weights=bags.sizes)
        scale = np.sqrt(variance * len(y) / len(means))  # of rows, for random bags
        self._scale = np.where(scale > 0, scale, 1.0)
        require("torch", extra="torch", user=type(self).__name__)
        from sklearn_ext.aggregate._nets._net_torch import SquaredLoss

        targets = (bags.spread(means) - self._center) / self._scale
        criterion = {"criterion": SquaredLoss, "criterion__rho": self.rho}
        return self._train(data, X, targets, bags, criterion)

    def _state(self):
        return {}

    def predict(self, X):
        """Predict the response of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions.
        """
        check_is_fitted(self)
        raw = self._outputs(X, len(self._center))
        predicted = (raw * self._scale + self._center).astype(raw.dtype)
        return predicted[:, 0] if self._one_target else predicted
