"""Training and prediction that both neural members share."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._compat import CallbackSupportMixin, Interval
from sklearn_ext._core._optional import torch_device
from sklearn_ext._core._validation import FLOATS


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

    def _train(self, data, X, targets, bags, criterion):
        """Fit a net to rows with prepared targets and store its weights."""
        from torch.optim import Adam

        from sklearn_ext._core._torch import fit_net
        from sklearn_ext.aggregate._nets import _net_torch as nets

        rng = check_random_state(self.random_state)
        seed = rng.randint(2**31 - 1)
        order, _ = bags.order()
        X, targets, w = X[order], targets[order].astype(X.dtype), bags.weights[order]
        codes = bags.codes[order]
        train, callbacks = slice(None), []
        if self.early_stopping:
            held = bags.hold_out(self.validation_fraction, rng)[order]
            train = ~held
            callbacks = [
                nets.BagStopping(
                    X[held],
                    _target(targets, w, codes, held, X.dtype),
                    self.n_iter_no_change,
                )
            ]
        mean = np.average(X, axis=0, weights=w).astype(X.dtype)
        spread = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w))
        scale = np.where(spread > 0, spread, 1).astype(X.dtype)
        net = fit_net(
            self,
            X[train],
            data[1],
            _target(targets, w, codes, train, X.dtype),
            w[train].astype(X.dtype),
            seed=seed,
            batch_size=self.bags_per_batch,
            loader=nets.BagLoader,
            callbacks=callbacks,
            state=lambda net: {"weights_": nets.weights_of(net), **self._state()},
            module=nets.StandardisedNet,
            module__build=self.module,
            module__n_outputs=targets.shape[1],
            module__mean=mean,
            module__scale=scale,
            lr=self.lr,
            max_epochs=self.max_epochs,
            device=self._device(),
            optimizer=self.optimizer or Adam,
            **criterion,
        )
        self.weights_ = nets.weights_of(net)
        self.n_iter_ = len(net.history)
        self.loss_curve_ = np.array([row["train_loss"] for row in net.history])
        self.n_bags_ = len(bags.ids)
        return self

    def _device(self):
        return "cpu" if self.device is None else torch_device(self.device)[1]

    def _outputs(self, X, n_outputs):
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        from sklearn_ext.aggregate._nets._net_torch import outputs

        return outputs(self.module, n_outputs, self.weights_, X, self._device())


def _target(targets, weights, codes, rows, dtype):
    """Return what the losses take, with the bags of these rows numbered from 0."""
    return {
        "y": targets[rows],
        "w": weights[rows].astype(dtype),
        "bag": np.unique(codes[rows], return_inverse=True)[1],
    }
