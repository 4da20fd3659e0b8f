"""Neural networks on aggregates, batch by batch of whole bags."""

from numbers import Integral, Real

import numpy as np
from scipy.special import softmax
from sklearn.base import MultiOutputMixin, is_classifier
from sklearn.utils import check_random_state

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._optional import require, torch_device
from sklearn_ext.aggregate._base import BagClassifierMixin, BagRegressorMixin


class BagNet(CallbackSupportMixin):
    """Training and prediction that both nets share."""

    _parameter_constraints: dict = {
        "module": [callable, None],
        "rho": [Interval(Real, 0, None, closed="left")],
        "bags_per_batch": [Interval(Integral, 1, None, closed="left"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "optimizer": [callable, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "device": [str, None],
        "random_state": ["random_state"],
    }

    def _train(self, data, X, targets, bags, loss, **options):
        """Fit a net to rows with prepared targets and store its weights."""
        require("torch", extra="torch", user=type(self).__name__)
        from torch.optim import Adam

        from sklearn_ext._core._torch import fit_net
        from sklearn_ext.aggregate._nets import _net_torch as nets

        rng = check_random_state(self.random_state)
        seed = rng.randint(2**31 - 1)
        rows, _ = bags.order()
        X, targets, bags = X[rows], targets[rows].astype(X.dtype), bags.subset(rows)
        mean = np.average(X, axis=0, weights=bags.weights).astype(X.dtype)
        spread = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=bags.weights))
        scale = np.where(spread > 0, spread, 1).astype(X.dtype)
        train, callbacks = (X, targets, bags), []
        if self.early_stopping:
            train, held = bags.hold_out(X, targets, self.validation_fraction, rng)
            patience = self.n_iter_no_change
            callbacks = [nets.BagStopping(held[0], _target(*held), patience)]
        target = _target(*train)
        known = {"classes_": self.classes_} if is_classifier(self) else {}
        net = fit_net(
            self,
            train[0],
            data[1],
            target,
            target["w"],
            seed=seed,
            batch_size=self.bags_per_batch,
            loader=nets.BagLoader,
            callbacks=callbacks,
            state=lambda net: {"weights_": nets.weights_of(net), **known},
            module=nets.StandardisedNet,
            module__build=self.module,
            module__n_outputs=targets.shape[1],
            module__mean=mean,
            module__scale=scale,
            lr=self.lr,
            max_epochs=self.max_epochs,
            device=self._device(),
            optimizer=self.optimizer or Adam,
            criterion=getattr(nets, loss),
            **{f"criterion__{name}": value for name, value in options.items()},
        )
        self.weights_ = nets.weights_of(net)
        self.n_iter_ = len(net.history)
        self.loss_curve_ = np.array([row["train_loss"] for row in net.history])
        return self

    def _device(self):
        return "cpu" if self.device is None else torch_device(self.device)[1]

    def _outputs(self, X, n_outputs):
        from sklearn_ext.aggregate._nets._net_torch import outputs

        return outputs(self.module, n_outputs, self.weights_, X, self._device())


def _target(X, targets, bags):
    """Return what the losses take."""
    return {"y": targets, "w": bags.weights.astype(X.dtype), "bag": bags.codes}


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

    def __init__(
        self,
        module=None,
        rho=0.01,
        *,
        bags_per_batch=64,
        max_epochs=100,
        lr=3e-3,
        optimizer=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        device=None,
        random_state=None,
    ):
        self.module = module
        self.rho = rho
        self.bags_per_batch = bags_per_batch
        self.max_epochs = max_epochs
        self.lr = lr
        self.optimizer = optimizer
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state

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
        X, y, bags = self._take(
            X, y, bags, sample_weight, multi_output=True, y_numeric=True
        )
        self._one_target = y.ndim == 1
        means = bags.means(y.reshape(len(y), -1))
        self._center = np.average(means, axis=0, weights=bags.sizes)
        variance = np.average((means - self._center) ** 2, axis=0, weights=bags.sizes)
        scale = np.sqrt(variance * len(y) / len(means))  # of rows, for random bags
        self._scale = np.where(scale > 0, scale, 1.0)
        targets = (bags.spread(means) - self._center) / self._scale
        return self._train(data, X, targets, bags, "SquaredLoss", rho=self.rho)

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
        raw = self._outputs(self._rows(X), len(self._center))
        predicted = (raw * self._scale + self._center).astype(raw.dtype)
        return predicted[:, 0] if self._one_target else predicted


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
        self.module = module
        self.rho = rho
        self.loss = loss
        self.bags_per_batch = bags_per_batch
        self.max_epochs = max_epochs
        self.lr = lr
        self.optimizer = optimizer
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state
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
        X, targets, bags = self._take(X, y, bags, sample_weight, multi_output=True)
        targets = bags.spread(bags.means(targets))
        if self.loss == "ce":
            return self._train(data, X, targets, bags, "CrossEntropy", rho=self.rho)
        overall = np.average(targets, axis=0, weights=bags.weights).astype(X.dtype)
        return self._train(data, X, targets, bags, "CentredLoss", overall=overall)

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
        return softmax(self._outputs(self._rows(X), len(self.classes_)), axis=1)
