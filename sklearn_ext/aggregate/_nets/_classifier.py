"""Neural classification from class proportions, batch by batch of whole bags."""

from numbers import Real

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._optional import require
from sklearn_ext._core._validation import FLOATS
from sklearn_ext.aggregate._bags._marks import BagMarks
from sklearn_ext.aggregate._bags._partition import check_bags, check_lengths
from sklearn_ext.aggregate._base import BagClassifierMixin
from sklearn_ext.aggregate._nets._base import BagNet
from sklearn_ext.aggregate._nets._regressor import AggregateNetRegressor
from sklearn_ext.aggregate._proportions._targets import class_targets


@shared_docs(AggregateNetRegressor)
class AggregateNetClassifier(BagNet, BagClassifierMixin, ExtEstimator):
    r"""Neural network on class proportions of bags.

    Minimises the interpolated cross-entropy of
    :class:`LabelProportionClassifier`, or a debiased loss, over batches of whole bags.
    Needs torch and skorch.

    Parameters
    ----------
    module, rho : see AggregateNetRegressor
    loss : {"ce", "centred"}, default="ce"
        ``"ce"`` is the interpolated cross-entropy; ``"centred"`` the cross-entropy
        against pseudo-labels that are unbiased for random bags, centred within the
        batch, which keeps its variance bounded as bags grow. It ignores ``rho``.
    bags_per_batch, max_epochs, lr, optimizer : see AggregateNetRegressor
    early_stopping, validation_fraction : see AggregateNetRegressor
    n_iter_no_change, device, random_state : see AggregateNetRegressor
    classes : array-like of shape (n_classes,) or None, default=None
        Classes in the order of the columns of proportions; None takes the labels.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes.
    weights_, loss_curve_, n_bags_, n_iter_ : see AggregateNetRegressor
    n_features_in_, feature_names_in_ : see AggregateNetRegressor

    See Also
    --------
    LabelProportionClassifier : The linear member, far faster.
    AggregateNetRegressor : For numeric responses.

    References
    ----------
    .. [1] Busa-Fekete, Choi, Dick, Gentile, Medina, "Easy Learning from Label
       Proportions", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import AggregateNetClassifier
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> model = AggregateNetClassifier(random_state=0)  # doctest: +SKIP
    >>> model.fit(X, X[:, 0] > 0, bags=np.arange(400) // 4)  # doctest: +SKIP
    """

    _parameter_constraints: dict = {
        **BagNet._parameter_constraints,
        "rho": [Interval(Real, 0, 1, closed="both")],
        "loss": [StrOptions({"ce", "centred"})],
        "classes": ["array-like", None],
    }

    def __init__(
        self,
        module=None,
        rho=0.01,
        *,
        loss="ce",
        bags_per_batch=64,
        max_epochs=100,
        lr=3e-3,
        optimizer=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        device=None,
        random_state=None,
        classes=None,
    ):
        super().__init__(
            module,
            rho,
            bags_per_batch=bags_per_batch,
            max_epochs=max_epochs,
            lr=lr,
            optimizer=optimizer,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            device=device,
            random_state=random_state,
        )
        self.loss = loss
        self.classes = classes

    @fit_context()
    def fit(self, X, y, bags=None, sample_weight=None):
        """Train on rows and the class proportions of their bags.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Class labels, of which only the shares in the bags are used; or these
            shares, replicated on the rows of their bag, together with ``classes``.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags; None makes every row a bag.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        AggregateNetClassifier
            The fitted estimator.
        """
        data = X, y
        check_lengths(X, y, bags)
        X, y = validate_data(self, X, y, dtype=FLOATS, multi_output=True)
        self.classes_, targets = class_targets(self, y)
        X, targets, bags = check_bags(X, targets, bags, sample_weight, whole_rows=True)
        self._marks = BagMarks.of(X, targets, bags)
        require("torch", extra="torch", user=type(self).__name__)
        from sklearn_ext.aggregate._nets import _net_torch as nets

        targets = bags.spread(bags.means(targets))
        criterion = {"criterion": nets.CrossEntropy, "criterion__rho": self.rho}
        if self.loss == "centred":
            overall = np.average(targets, axis=0, weights=bags.weights)
            criterion = {
                "criterion": nets.CentredLoss,
                "criterion__overall": overall.astype(X.dtype),
            }
        return self._train(data, X, targets, bags, criterion)

    def _state(self):
        return {"classes_": self.classes_}

    def predict_proba(self, X):
        """Predict the class probabilities of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        check_is_fitted(self)
        return softmax(self._outputs(X, len(self.classes_)), axis=1)
