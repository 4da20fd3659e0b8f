"""The hidden layer of a network that was trained on some task, as columns."""

import warnings
from numbers import Integral

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn import config_context
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
    is_classifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import HasMethods, _safe_indexing
from sklearn_ext._core._pipelines import peel
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext._numerics._arrays import dense, relu
from sklearn_ext._numerics._equal_rows import EqualRows

ACTIVATIONS = {
    "identity": lambda x: x,
    "logistic": expit,
    "relu": relu,
    "tanh": np.tanh,
}


class HiddenLayer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ExtEstimator):
    """The activations of a hidden layer of a network.

    A network that has learnt one task has, in its last hidden layer, columns on which
    that task is linear. They often serve a related task with few labels, or the same
    task in another population, better than the columns that the network was given.

    Networks feel the scale of columns; the default standardises them. Tables go to a
    pipeline or a search as they are, with names, categories and missing values.

    Parameters
    ----------
    estimator : estimator or None, default=None
        :class:`~sklearn.neural_network.MLPClassifier`, ``MLPRegressor``, a skorch net,
        or a pipeline that ends in one of them. None stands for standardised columns and
        a network of 64 hidden units with ``alpha=1e-3``, a classifier where ``y`` are
        classes; it sees equal rows once, with their weight, and no warning is made of
        its stopping after 200 epochs.
    layer : int or str, default=-1
        Which hidden layer: from 0 on, or -1 for the last. Of a skorch net it is the
        name of a sub-module, whose output is taken; -1 is what the last sub-module with
        weights is given. Of one that is passed several times, the last output counts.
    activation : bool, default=True
        Whether to take the layer after its activation function, or before. For a skorch
        net name another sub-module instead.
    prefit : bool, default=False
        Whether ``estimator`` is fitted, and is to stay as it is: trained on a source,
        say, to transform a target. `fit` then needs no ``y``. A clone forgets what it
        learnt: where clones are made, as in a search, wrap it in
        :class:`~sklearn.frozen.FrozenEstimator` instead.
    random_state : int, RandomState instance or None, default=None
        Seed of the network: its ``random_state``, or torch's generator while a skorch
        net is trained. None leaves the one that it has.

    Attributes
    ----------
    estimator_ : estimator
        The fitted network, or pipeline.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, when all are strings.

    See Also
    --------
    ConcatenatedRepresentations : Several trainings side by side.

    References
    ----------
    .. [1] J. Zhang and L. Bottou, "Learning useful representations for shifting tasks
       and distributions", ICML 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ext.representations import HiddenLayer
    >>> X, y = load_wine(return_X_y=True)
    >>> HiddenLayer(random_state=0).fit(X, y == 0).transform(X).shape
    (178, 64)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "layer": [Integral, str],
        "activation": ["boolean"],
        "prefit": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator=None,
        *,
        layer=-1,
        activation=True,
        prefit=False,
        random_state=None,
    ):
        self.estimator = estimator
        self.layer = layer
        self.activation = activation
        self.prefit = prefit
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            What the network is to learn; not used with ``prefit``.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        HiddenLayer
            The fitted transformer.
        """
        self._is_net = self.estimator is None or is_net(self.estimator)
        self._which = {"layer": self.layer, "activation": self.activation}
        if self.prefit:
            X = self._check(X, reset=True)
            self._take(X)
        else:
            X, y = self._check(X, y, reset=True)
            self._train(X, y, sample_weight)
        # a layer that is not there is an error now, not in the first transform
        first = self._activations(_safe_indexing(X, [0]))
        self._n_features_out = first.shape[1]
        return self

    def transform(self, X):
        """Return the activations.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_units)
            The activations of the layer.
        """
        check_is_fitted(self)
        return self._activations(self._check(X, reset=False))

    # --- the fit ------------------------------------------------------------------

    def _check(self, X, y=None, *, reset):
        """Check rows; tables go to a pipeline as they are, with their columns."""
        given = (X,) if self.prefit or not reset else (X, y)
        if self._is_net or not (hasattr(X, "columns") or hasattr(X, "column_names")):
            finite = "allow-nan" if get_tags(self).input_tags.allow_nan else True
            options = {"multi_output": True} if len(given) > 1 else {}
            options |= {"dtype": FLOATS, "ensure_all_finite": finite, "reset": reset}
            return validate_data(self, *given, **options)
        validate_data(self, *given, reset=reset, skip_check_array=True)
        if len(given) == 1:
            return X
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
        check_consistent_length(X, y)
        return X, y

    def _take(self, X):
        if self.estimator is None:
            raise ValueError(
                "prefit=True needs a fitted estimator, got estimator=None: pass a "
                "network, or leave prefit at False."
            )
        check_is_fitted(self.estimator)
        expected = getattr(self.estimator, "n_features_in_", X.shape[1])
        if X.shape[1] != expected:
            raise ValueError(
                f"the fitted {type(self.estimator).__name__} takes {expected} columns, "
                f"got X with {X.shape[1]}."
            )
        self.estimator_ = self.estimator

    def _train(self, X, y, sample_weight):
        w = None
        if sample_weight is not None:
            w = check_weights(sample_weight, X, dtype=np.float64)
        if self.estimator is not None:
            self.estimator_ = self._trained(clone(self.estimator), X, y, w)
            return
        rows = EqualRows.in_either_precision(X, _codes(y), w=w)
        net = _default_net(y[rows.first])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 200 epochs are meant
            # relative to their mean, or their scale would weigh against the penalty
            weight = rows.weight / rows.weight.mean()
            self.estimator_ = self._trained(net, X[rows.first], y[rows.first], weight)
        del net[-1]._optimizer  # it is trained no further

    def _trained(self, estimator, X, y, w):
        if self.random_state is not None:
            seed = check_random_state(self.random_state).randint(2**31 - 1)
            set_seeds(estimator, seed)
        options = _weights_for(estimator, w)
        net = peel(estimator)[0]
        # the network's weights are ours to pass on, by the names of steps
        with config_context(enable_metadata_routing=False):
            if not _is_skorch(net):
                return estimator.fit(X, y, **options)
            import torch

            X = X.astype(np.float32) if isinstance(X, np.ndarray) else X
            with torch.random.fork_rng():
                if self.random_state is not None:
                    torch.manual_seed(seed)
                return estimator.fit(X, _skorch_target(net, y), **options)

    # --- the layer ----------------------------------------------------------------

    def _activations(self, X):
        dtype = X.dtype if isinstance(X, np.ndarray) else None
        fitted = self.estimator_
        if isinstance(fitted, FrozenEstimator):
            fitted = fitted.estimator
        net, heads = peel(fitted)
        if heads and isinstance(X, np.ndarray):
            X = _like_its_names(fitted, X)
        for head in heads:
            X = head.transform(X)
        if _is_skorch(net):
            found = _of_module(net, np.asarray(dense(X)), **self._which)
        elif hasattr(net, "coefs_"):
            X = X if sparse.issparse(X) else np.asarray(X)
            found = _of_mlp(net, X, **self._which)
        else:
            raise TypeError(
                "HiddenLayer takes an MLPClassifier, an MLPRegressor, a skorch net, or "
                f"a pipeline that ends in one, got {type(net).__name__}, which has no "
                "hidden layers."
            )
        return found.astype(dtype or found.dtype, copy=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = not self.prefit
        tags.target_tags.multi_output = True
        tags.input_tags.allow_nan = takes_missing(self.estimator)
        return tags


def _default_net(y):
    kind = type_of_target(y)
    if kind.startswith("continuous"):
        return make_pipeline(
            StandardScaler(), MLPRegressor(hidden_layer_sizes=(64,), alpha=1e-3)
        )
    if y.ndim == 1 and (y == y[0]).all():
        raise ValueError(
            f"HiddenLayer needs at least two classes to learn, got one class, "
            f"{y[:1].tolist()[0]!r}."
        )
    return make_pipeline(StandardScaler(), MLPClassifier((64,), alpha=1e-3))


def _codes(y):
    """Return the target as numbers that tell its values apart."""
    if y.dtype.kind in "fiub":
        return y
    return np.unique(y, return_inverse=True)[1].reshape(y.shape)


def takes_seed(estimator):
    """Tell whether an estimator, or something within it, has a random state."""
    return bool(_seeded(estimator))


def set_seeds(estimator, seed):
    """Give the same seed to the estimator and all within it that take one."""
    estimator.set_params(**dict.fromkeys(_seeded(estimator), seed))


def _seeded(estimator):
    return [
        name
        for name in estimator.get_params()
        if name == "random_state" or name.endswith("__random_state")
    ]


def is_net(estimator):
    """Tell a network from a pipeline or a search that may end in one."""
    return hasattr(estimator, "hidden_layer_sizes") or _is_skorch(estimator)


def takes_missing(estimator):
    """Tell whether an estimator, or what a pipeline begins with, takes NaN."""
    if isinstance(estimator, Pipeline):
        return takes_missing(estimator.steps[0][1])
    return hasattr(estimator, "fit") and get_tags(estimator).input_tags.allow_nan


def _weights_for(estimator, w):
    """Return weights by the names that an estimator, or each step of one, takes."""
    if w is None:
        return {}
    if isinstance(estimator, Pipeline):
        *heads, last = estimator.steps
        taking = [pair for pair in heads if has_fit_parameter(pair[1], "sample_weight")]
        return {
            f"{name}__{key}": w
            for name, step in [*taking, last]
            for key in _weights_for(step, w)
        }
    if not has_fit_parameter(estimator, "sample_weight"):
        raise ValueError(
            f"{type(estimator).__name__} takes no sample_weight in fit: leave the "
            "weights out, or pass repeated rows."
        )
    return {"sample_weight": w}


def _skorch_target(net, y):
    """Return the target as the loss of a module takes it."""
    if not is_classifier(net):
        return y.astype(np.float32).reshape(len(y), -1) if y.dtype.kind == "f" else y
    if y.ndim > 1 or y.dtype == np.int64:
        return y
    from skorch import NeuralNetBinaryClassifier

    binary = isinstance(net, NeuralNetBinaryClassifier)
    codes = np.unique(y, return_inverse=True)[1]
    return codes.astype(np.float32 if binary else np.int64)


def _like_its_names(pipeline, X):
    """Give columns the names that a fitted pipeline asks for."""
    names = getattr(pipeline, "feature_names_in_", None)
    if names is None:
        return X
    import pandas

    return pandas.DataFrame(X, columns=names)


def _is_skorch(net):
    return hasattr(net, "forward_iter")


def _of_mlp(net, X, layer, activation):
    """Compute a hidden layer of scikit-learn's networks."""
    n_hidden = len(net.coefs_) - 1
    if isinstance(layer, str) or not -1 <= layer < n_hidden or n_hidden == 0:
        raise ValueError(
            f"layer must be -1 or below {n_hidden}, the number of hidden layers of "
            f"this {type(net).__name__}, got {layer!r}."
        )
    act = ACTIVATIONS[net.activation]
    last = n_hidden - 1 if layer == -1 else layer
    for i in range(last + 1):
        X = X @ net.coefs_[i] + net.intercepts_[i]
        if i < last or activation:
            X = act(X)
    return X


def _of_module(net, X, layer, activation):
    """Compute what a sub-module puts out, by a hook, on the net's own device."""
    if not activation:
        raise ValueError(
            "activation=False has no meaning for a skorch net: name as layer the "
            "sub-module before the activation function."
        )
    import torch

    module, before = _sub_module(net.module_, layer)
    latest, found = [], []

    def keep(_, given, put_out=None):
        latest[:] = [given[0] if before else put_out]

    hook = (
        module.register_forward_pre_hook(keep)
        if before
        else module.register_forward_hook(keep)
    )
    dtype = str(next(net.module_.parameters()).dtype).removeprefix("torch.")
    rows = X.astype(dtype, copy=False)
    try:
        with torch.random.fork_rng():  # a DataLoader draws, also in order
            for _ in net.forward_iter(rows, training=False):
                if not latest or not isinstance(latest[0], torch.Tensor):
                    raise ValueError(_no_rows(net, layer, latest))
                kept = latest.pop().detach()
                found.append(kept.reshape(len(kept), -1).cpu().numpy())
    finally:
        hook.remove()
    return np.concatenate(found)


def _no_rows(net, layer, latest):
    got = f"a {type(latest[0]).__name__}" if latest else "nothing, as it is not used"
    named = [name for name, _ in net.module_.named_modules() if name]
    return (
        f"layer={layer!r} must lead to a sub-module that puts out a tensor, got {got}: "
        f"name another of {named}."
    )


def _sub_module(module, layer):
    """Return a sub-module, and whether its input is meant instead of its output."""
    named = {name: part for name, part in module.named_modules() if name}
    if layer in named:
        return named[layer], False
    if layer == -1:
        with_weights = [
            part
            for part in named.values()
            if not list(part.children()) and list(part.parameters())
        ]
        if with_weights:
            return with_weights[-1], True
    raise ValueError(
        f"layer must be -1 or the name of a sub-module, one of {list(named)}, got "
        f"{layer!r}."
    )
