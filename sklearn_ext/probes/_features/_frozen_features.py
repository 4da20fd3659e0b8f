"""A frozen network as a transformer."""

import sys
import time
from numbers import Integral

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import HasMethods, Interval, StrOptions
from sklearn_ext._core._optional import require, torch_device
from sklearn_ext._core._validation import FLOATS, check_tensor


class FrozenFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ExtEstimator):
    """Features that a frozen network computes, as a step of a pipeline.

    Rows go through the network in batches, in evaluation mode and without gradients;
    the output, or the output of one of its layers, is pooled to one vector a row. The
    network is only read: its weights, buffers (batch norm!), hooks and training flags
    stay as they are, clones share it, and several threads may use it at once.

    The cost is that of the forward pass. Put the step into a
    ``Pipeline(memory=...)`` to pay it once: the cache key depends on the weights and
    parameters and not on whether the network was last used in training mode.

    Parameters
    ----------
    module : nn.Module, fitted skorch net, callable or None, default=None
        The network. A callable without arguments builds it at ``fit``, so that
        clones and searches carry no weights. None passes the rows through.
    layer : str or None, default=None
        Name of a layer, as in ``module.named_modules()``, whose output (of its first
        call) is taken; what comes after it is not computed. None takes the output of
        the module.
    pooling : {"auto", "mean", "max", "cls", "flatten"} or callable, default="auto"
        How an output becomes one vector a row. "mean" and "max" run over the places
        of (rows, channels, places...) and over the tokens of (rows, tokens,
        features), there over the real ones if ``preprocess`` returns an
        ``attention_mask``; "cls" takes the first token. "auto" takes the first token
        when the module has a parameter ``cls_token`` or ``class_token``, else the mean.
        A callable maps the output tensor to a tensor of shape (rows, features).
    normalize : bool, default=False
        Whether each vector is scaled to length one.
    batch_size : int, default=256
        Rows worked on at a time.
    device : str or None, default=None
        Torch device to compute on, such as "cuda". None computes where the module
        is; another device gets a copy of the weights for the time of a call.
    amp : bool, default=False
        Whether to compute in bfloat16 where torch's autocast thinks it safe.
    input_shape : tuple of int or None, default=None
        Shape that every row is given, such as ``(3, 32, 32)``.
    preprocess : callable or None, default=None
        Maps a batch of raw rows, an array or a list, to a tensor or to a dict of
        keywords of the module: a tokenizer, or the resizing of pictures. With it,
        ``X`` may be any sequence, for instance a list of texts.
    num_workers : int, default=0
        Processes that load the rows of a torch ``Dataset``.
    verbose : int, default=0
        Above 0, a line with the speed is printed about every ten seconds.

    Attributes
    ----------
    module_ : nn.Module or None
        The network that is used; it is the user's own object, not a copy.
    n_features_in_ : int
        Number of features seen during ``fit``; only when rows are arrays.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features seen during ``fit``; only when all are strings.

    See Also
    --------
    sklearn.preprocessing.FunctionTransformer : Any function as a transformer.
    NaiveBayesProbe : A head for the features that updates and merges exactly.
    LogisticProbe : A head for the features.

    Notes
    -----
    A pickle holds the network in evaluation mode (of a skorch net only its module).
    After a hit, ``Pipeline(memory=...)`` puts the stored copy in the place of the step:
    who trains the network on sets ``module`` again before the next fit.
    float32 comes out, or float64 if the module works in that.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J. (2023). "Revisiting
       Discriminative vs. Generative Classifiers: Theory and Implications". ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.probes import FrozenFeatures
    >>> X = np.arange(6.0).reshape(2, 3)
    >>> FrozenFeatures().fit_transform(X).shape
    (2, 3)
    """

    _parameter_constraints: dict = {
        "module": [None, callable, HasMethods(["initialize", "fit"])],
        "layer": [None, str],
        "pooling": [StrOptions({"auto", "mean", "max", "cls", "flatten"}), callable],
        "normalize": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [None, str],
        "amp": ["boolean"],
        "input_shape": [None, tuple, list],
        "preprocess": [None, callable],
        "num_workers": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        module=None,
        *,
        layer=None,
        pooling="auto",
        normalize=False,
        batch_size=256,
        device=None,
        amp=False,
        input_shape=None,
        preprocess=None,
        num_workers=0,
        verbose=0,
    ):
        self.module = module
        self.layer = layer
        self.pooling = pooling
        self.normalize = normalize
        self.batch_size = batch_size
        self.device = device
        self.amp = amp
        self.input_shape = input_shape
        self.preprocess = preprocess
        self.num_workers = num_workers
        self.verbose = verbose

    @fit_context()
    def fit(self, X, y=None):
        """Build the module where it is not built yet, and try it on the first row.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), torch Dataset or sequence
            The rows; a sequence of other things than arrays needs ``preprocess``.
        y : None
            Ignored.

        Returns
        -------
        FrozenFeatures
            The transformer itself.
        """
        bare = self._passes_through()
        if bare and self.layer is not None:
            raise ValueError(f"layer={self.layer!r} needs a module, got module=None.")
        self.module_ = None if bare else self._torch().build(self.module)
        X = self._check(X, reset=True)
        self._n_features_out = self._features(_first_row(X)).shape[1]
        return self

    def transform(self, X):
        """Compute the features of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), torch Dataset or sequence
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The features, in the container that ``set_output`` asks for.
        """
        check_is_fitted(self)
        return self._features(self._check(X, reset=False), self.verbose)

    def _validate_params(self):
        if isinstance(self.module, str):
            raise TypeError(
                "module must be a torch.nn.Module, a fitted skorch net or a callable "
                f"that builds one, got the string {self.module!r}. Load the network "
                "first, for example with torchvision.models or torch.load."
            )
        super()._validate_params()

    def _passes_through(self):
        return self.module is None and self.preprocess is None

    def _torch(self):
        require("torch", extra="torch", user=type(self).__name__)
        from sklearn_ext.probes._features import _frozen_features_torch

        return _frozen_features_torch

    def _check(self, X, *, reset):
        if self.preprocess is not None or _is_torch("utils.data", "Dataset", X):
            if len(X) == 0:
                raise ValueError("X has 0 rows, but at least one is needed.")
            return X
        if self._passes_through():
            return validate_data(self, X, reset=reset, dtype=FLOATS)
        if _is_torch("", "Tensor", X):
            check_tensor(self, X, reset=reset, allow_nd=True)
            return X.detach()
        return validate_data(self, X, reset=reset, dtype="numeric", allow_nd=True)

    def _features(self, X, verbose=0):
        if self._passes_through():
            return normalize(X) if self.normalize else X
        tools = self._torch()
        batches = self._batches(X)
        if _is_torch("utils.data", "Dataset", X):
            batches = tools.torch.utils.data.DataLoader(
                X,
                batch_size=self.batch_size,
                num_workers=self.num_workers,
                collate_fn=self.preprocess,
            )
        device = None if self.device is None else torch_device(self.device)[1]
        report = _Progress(len(X)) if verbose else lambda done: None
        return tools.embed(self, batches, len(X), device, report)

    def _batches(self, X):
        rows = getattr(X, "iloc", X)
        for start in range(0, len(X), self.batch_size):
            batch = rows[start : start + self.batch_size]
            if getattr(batch, "ndim", 1) == 1 and not hasattr(batch, "columns"):
                batch = list(batch)
            elif self.input_shape is not None:
                batch = _reshape(batch, tuple(self.input_shape))
            if isinstance(batch, np.ndarray) and not batch.flags.writeable:
                batch = batch.copy()  # torch warns about read-only memory
            yield batch if self.preprocess is None else self.preprocess(batch)

    def __sklearn_clone__(self):
        # The module is only read, so clones share it: a search copies no weights, and
        # a fitted skorch net, itself an estimator, stays fitted.
        template = type(self)()
        template.__dict__.update(self.__dict__, module=None)
        twin = super(FrozenFeatures, template).__sklearn_clone__()
        twin.module = self.module
        return twin

    def __getstate__(self):
        state = super().__getstate__()
        if "torch" in sys.modules:
            known = {k: v for k, v in state.items() if k in ("module", "module_")}
            state |= self._torch().storable(known)
        return state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        keeps = ["float64", "float32"] if self._passes_through() else []
        tags.transformer_tags.preserves_dtype = keeps
        return tags


class _Progress:
    """Prints how far a long pass has come."""

    def __init__(self, n_rows):
        self.n_rows, self.start = n_rows, time.perf_counter()
        self.last = self.start

    def __call__(self, done):
        now = time.perf_counter()
        if done == self.n_rows or now - self.last > 10:
            self.last = now
            speed = done / max(now - self.start, 1e-9)
            print(
                f"FrozenFeatures: {done} of {self.n_rows} rows, {speed:.0f} rows/s",
                file=sys.stderr,
            )


def _is_torch(module, name, X):
    """Whether X is of a torch type, without importing torch."""
    found = sys.modules.get(f"torch.{module}".rstrip("."))
    return found is not None and isinstance(X, getattr(found, name))


def _first_row(X):
    if _is_torch("utils.data", "Dataset", X):
        return sys.modules["torch"].utils.data.Subset(X, [0])
    return getattr(X, "iloc", X)[:1]


def _reshape(batch, shape):
    size = int(np.prod(batch.shape[1:]))
    if size != int(np.prod(shape)):
        raise ValueError(
            f"input_shape={shape} has {int(np.prod(shape))} values a row, but X has "
            f"{size}."
        )
    return batch.reshape(len(batch), *shape)
