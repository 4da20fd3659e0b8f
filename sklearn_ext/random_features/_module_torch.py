"""Random features with a linear head as a torch module, for any loss."""

import numpy as np
import torch
from torch import nn

from sklearn_ext._numerics._arrays import to_numpy
from sklearn_ext.random_features._features import RandomFeatures
from sklearn_ext.random_features._maps import RandomMap
from sklearn_ext.random_features._scaling import Scaler


class RandomFeatureModule(nn.Module):
    """Frozen random features and a trainable linear head.

    It serves in :class:`~skorch.regressor.NeuralNetRegressor` and
    :class:`~skorch.classifier.NeuralNetClassifier`, whose loss may be any.

    Parameters
    ----------
    n_features : int
        Number of columns.
    n_outputs : int, default=1
        Number of outputs.
    squeeze : bool, default=False
        Whether to return one output as a vector, as losses of two classes want it.
    dtype : torch.dtype, default=torch.float32
        Precision.
    **params : object
        Parameters of :class:`RandomFeatures` with ``map="random"``.

    Attributes
    ----------
    head : torch.nn.Linear
        The trainable layer; the features have no parameters.

    See Also
    --------
    RandomFeatures : The same features as a transformer.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ext.random_features import RandomFeatureModule
    >>> module = RandomFeatureModule(4, 2, n_components=16, random_state=0)
    >>> module(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self, n_features, n_outputs=1, *, squeeze=False, dtype=torch.float32, **params
    ):
        super().__init__()
        rows = np.eye(2, n_features)  # random maps look at the number of columns only
        features = RandomFeatures(**params).fit(rows)
        if not isinstance(features._map, RandomMap):
            raise ValueError(
                f"RandomFeatureModule needs map='random', got map={features.map!r}: "
                "landmarks are rows of data, which it does not see."
            )
        self._setup(features._map, n_outputs, squeeze, dtype)

    def _setup(self, fmap, n_outputs, squeeze, dtype, scaler=None):
        self.squeeze, self._names = squeeze, []
        self._frozen = fmap.convert(lambda values: self._keep(values, dtype))
        self.head = nn.Linear(fmap.n_components, n_outputs, dtype=dtype)
        d = fmap.weights.shape[0]
        mean = np.zeros(d) if scaler is None or scaler.mean is None else scaler.mean
        scale = np.ones(d) if scaler is None else scaler.scale
        self.register_buffer("mean", torch.as_tensor(np.array(mean), dtype=dtype))
        self.register_buffer("scale", torch.as_tensor(np.array(scale), dtype=dtype))

    def _keep(self, values, dtype):
        name = f"frozen{len(self._names)}"
        values = torch.as_tensor(np.array(to_numpy(values)), dtype=dtype)
        self.register_buffer(name, values)
        self._names.append(name)
        return values

    def forward(self, X):
        """Return the outputs.

        Parameters
        ----------
        X : torch.Tensor of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        torch.Tensor of shape (n_samples, n_outputs) or (n_samples,)
            The outputs.
        """
        if X.ndim != 2 or X.shape[1] != len(self.mean):
            raise ValueError(
                f"Expected rows of {len(self.mean)} columns, got a tensor of shape "
                f"{tuple(X.shape)}."
            )
        names = iter(self._names)  # buffers, in case the module has moved
        fmap = self._frozen.convert(lambda values: getattr(self, next(names)))
        with torch.no_grad():
            Phi = fmap((X.to(self.mean.dtype) - self.mean) / self.scale)
        out = self.head(Phi)
        return out[:, 0] if self.squeeze else out

    @classmethod
    def from_ridge(cls, estimator, *, squeeze=False, dtype=torch.float32):
        """Start from a fitted ridge: same features, its coefficients as the head.

        Parameters
        ----------
        estimator : estimator
            A fitted ridge of this family with a finite random map.
        squeeze : bool, default=False
            Whether to return one output as a vector.
        dtype : torch.dtype, default=torch.float32
            Precision.

        Returns
        -------
        RandomFeatureModule
            The module; its outputs are those of the ridge.
        """
        solution, features = estimator._solution(), estimator._features
        if not isinstance(features.map, RandomMap):
            raise ValueError(
                "from_ridge needs random features of finite width, got "
                f"{type(features.map).__name__}."
            )
        if not isinstance(features.scaler, Scaler | None):
            raise ValueError(
                "from_ridge needs standardize=False or 'standard', got "
                f"{type(features.scaler).__name__}."
            )
        module = cls.__new__(cls)
        nn.Module.__init__(module)
        coef, intercept = (to_numpy(a) for a in (solution.coef, solution.intercept))
        fmap = features.map
        module._setup(fmap, coef.shape[1], squeeze, dtype, features.scaler)
        with torch.no_grad():
            module.head.weight.copy_(torch.as_tensor(coef.T.copy()))
            module.head.bias.copy_(torch.as_tensor(np.array(intercept)))
        return module
