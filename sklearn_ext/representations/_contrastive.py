"""An encoder that is trained to recognise a row among corrupted copies."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext._core._optional import require, torch_device
from sklearn_ext._core._validation import FLOATS
from sklearn_ext._numerics._arrays import relu
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext.representations._corruption_components import Coding


class ContrastiveEncoder(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ExtEstimator,
):
    r"""Hidden layers that recognise a row among corrupted copies.

    Each step makes two copies of some rows, in which columns have values of others
    [1]_, and asks a head on top of the hidden layers to tell a row's second copy from
    those of the others. With ``temperature="individual"`` the loss of row i is the
    robust one of [2]_,

    .. math:: \tau_i \log \frac1m \sum_j e^{s_{ij} / \tau_i} + \tau_i \rho - s_{ii},

    with the temperature at its optimum, exactly, in each step
    (:func:`individual_temperatures`), so that none is to be tuned.

    When not: with more than a few labels a class the three views of
    :class:`PretrainedClassifier` are ahead of it, at a hundredth of the cost. It may be
    worth a place beside them:
    ``views=["raw", "tilt", "random_features", ContrastiveEncoder()]``.

    Columns are standardised, so that their scale does not matter but for the order of
    batches, which is drawn by the rows' values. Equal rows are one. Training needs
    torch and skorch; `transform` needs neither.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(128, 128)
        Widths of the hidden layers; the last is the representation.
    corruption : float, default=0.4
        Probability that a column is replaced in a copy.
    feature_groups : array-like of shape (n_features,) or None, default=None
        Columns with equal labels are replaced together: those of one category's
        indicators, for instance. None replaces each on its own.
    loss : {"infonce", "spectral"}, default="infonce"
        The loss above; or the spectral one, whose best linear map
        :class:`CorruptionComponents` computes.
    temperature : "individual" or float, default="individual"
        Temperature of "infonce": each row's own, or one for all.
    rho : float, default=1.0
        Nats between each row's softmax and a uniform one, if "individual".
    min_temperature, max_temperature : float, default=0.05 and 10.0
        Limits of individual temperatures.
    n_heads : int, default=1
        Projection heads; the loss is their mean.
    max_iter : int, default=60
        Epochs.
    batch_size : int, default=256
        Rows of a step; the last ones of an epoch are spread over its steps.
    learning_rate : float, default=0.001
        Step of Adam.
    device : str or None, default=None
        Where to train; None is the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and copies.

    Attributes
    ----------
    coefs_ : list of ndarray
        Weights of the hidden layers.
    intercepts_ : list of ndarray
        Their offsets.
    mean_, scale_ : ndarray of shape (n_features,)
        Means and standard deviations of the columns, infinite of constant ones.
    loss_curve_ : ndarray of shape (n_iter,)
        Mean loss of each epoch.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, when all are strings.

    See Also
    --------
    CorruptionComponents : In closed form; try it first.
    PretrainedClassifier : What to try before either.

    References
    ----------
    .. [1] D. Bahri, H. Jiang, Y. Tay and D. Metzler, "SCARF: Self-Supervised
       Contrastive Learning using Random Feature Corruption", ICLR 2022.
    .. [2] Z.-H. Qiu, Q. Hu, Z. Yuan, D. Zhou, L. Zhang and T. Yang, "Not All Semantics
       are Created Equal: Contrastive Self-supervised Learning with Automatic
       Temperature Individualization", ICML 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ext.representations import ContrastiveEncoder
    >>> X, _ = load_wine(return_X_y=True)
    >>> encoder = ContrastiveEncoder((16,), max_iter=5, random_state=0)
    >>> encoder.fit(X).transform(X).shape
    (178, 16)
    """

    _parameter_constraints: dict = {
        "hidden_layer_sizes": [tuple, list],
        "corruption": [Interval(Real, 0, 1, closed="neither")],
        "feature_groups": ["array-like", None],
        "loss": [StrOptions({"infonce", "spectral"})],
        "temperature": [
            StrOptions({"individual"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "rho": [Interval(Real, 0, None, closed="neither")],
        "min_temperature": [Interval(Real, 0, None, closed="neither")],
        "max_temperature": [Interval(Real, 0, None, closed="neither")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "device": [str, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(128, 128),
        *,
        corruption=0.4,
        feature_groups=None,
        loss="infonce",
        temperature="individual",
        rho=1.0,
        min_temperature=0.05,
        max_temperature=10.0,
        n_heads=1,
        max_iter=60,
        batch_size=256,
        learning_rate=1e-3,
        device=None,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.corruption = corruption
        self.feature_groups = feature_groups
        self.loss = loss
        self.temperature = temperature
        self.rho = rho
        self.min_temperature = min_temperature
        self.max_temperature = max_temperature
        self.n_heads = n_heads
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.random_state = random_state

    @fit_context()
    def fit(self, X, y=None):
        """Train the encoder.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : object, default=None
            Not used.

        Returns
        -------
        ContrastiveEncoder
            The fitted encoder.
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        sizes, groups = self._sizes(), self._groups(X.shape[1])
        require("torch", extra="torch", user="ContrastiveEncoder")
        require("skorch", extra="torch", user="ContrastiveEncoder")
        rows = X[EqualRows.in_either_precision(X).first]
        if len(rows) < 2:
            raise ValueError(
                f"ContrastiveEncoder needs rows that differ, got {len(X)} sample(s) "
                "that are all equal."
            )
        coding = Coding.of(rows, np.ones(len(rows)), None)
        self.mean_, self.scale_ = coding.mean, coding.scale
        return self._train(self._standardised(rows), sizes, groups)

    def transform(self, X):
        """Return the last hidden layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_units)
            Its activations.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        H = self._standardised(X)
        for W, b in zip(self.coefs_, self.intercepts_, strict=True):
            H = relu(H @ W + b)
        return H.astype(X.dtype, copy=False)

    @property
    def _n_features_out(self):
        return len(self.intercepts_[-1])

    # --- the fit ------------------------------------------------------------------

    def _sizes(self):
        sizes = list(self.hidden_layer_sizes)
        if not sizes or not all(isinstance(n, Integral) and n >= 1 for n in sizes):
            raise ValueError(
                "hidden_layer_sizes must hold at least one width, each 1 or more, got "
                f"{self.hidden_layer_sizes!r}."
            )
        if self.min_temperature >= self.max_temperature:
            raise ValueError(
                f"min_temperature={self.min_temperature} must be below "
                f"max_temperature={self.max_temperature}."
            )
        return sizes

    def _groups(self, n_features):
        if self.feature_groups is None:
            return None
        groups = np.asarray(self.feature_groups)
        if groups.shape != (n_features,):
            raise ValueError(
                f"feature_groups must have one label for each of {n_features} columns, "
                f"got shape {groups.shape}."
            )
        return np.unique(groups, return_inverse=True)[1]

    def _standardised(self, X):
        return ((X - self.mean_) / self.scale_).astype(X.dtype, copy=False)

    def _train(self, Z, sizes, groups):
        from torch.optim import Adam

        from sklearn_ext._core._torch import fit_net
        from sklearn_ext.representations import _contrastive_torch as nets

        seed = check_random_state(self.random_state).randint(2**31 - 1)
        net = fit_net(
            self,
            Z,
            None,
            {},
            np.ones(len(Z), dtype=Z.dtype),
            seed=seed,
            batch_size=self.batch_size,
            loader=nets.CorruptedPairs,
            state=self._state,
            iterator_train__corruption=self.corruption,
            iterator_train__groups=groups,
            module=nets.Encoder,
            module__sizes=[Z.shape[1], *sizes],
            module__n_heads=self.n_heads,
            module__double=Z.dtype == np.float64,
            **self._criterion(nets),
            optimizer=Adam,
            lr=self.learning_rate,
            max_epochs=self.max_iter,
            device="cpu" if self.device is None else torch_device(self.device)[1],
        )
        self.__dict__.update(self._state(net))
        self.n_iter_ = len(net.history)
        self.loss_curve_ = np.array([row["train_loss"] for row in net.history])
        return self

    def _criterion(self, nets):
        if self.loss == "spectral":
            return {"criterion": nets.Spectral}
        individual = self.temperature == "individual"
        limits = {
            "rho": self.rho,
            "min_temperature": self.min_temperature,
            "max_temperature": self.max_temperature,
        }
        return {
            "criterion": nets.InfoNCE,
            "criterion__temperature": None if individual else self.temperature,
            "criterion__limits": limits,
        }

    def _state(self, net):
        """Return what `transform` needs."""
        coefs, intercepts = zip(*net.module_.weights(), strict=True)
        return {
            "coefs_": list(coefs),
            "intercepts_": list(intercepts),
            "mean_": self.mean_,
            "scale_": self.scale_,
        }
