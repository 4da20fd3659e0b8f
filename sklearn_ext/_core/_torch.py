"""Training through skorch; imported inside fit only."""

from contextlib import suppress
from functools import partial

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback

from sklearn_ext._core._callbacks import FitTasks


class EndOfTraining(Exception):
    """Raised by a callback that ends training early; the net so far is the result."""


class TensorLoader:
    """Batches as slices of whole tensors; a DataLoader collates row by row."""

    def __init__(self, dataset, batch_size=-1, shuffle=False):
        self.X = torch.as_tensor(dataset.X)
        self.y = dataset.y and {k: torch.as_tensor(v) for k, v in dataset.y.items()}
        self.batch_size, self.shuffle = batch_size, shuffle

    def __iter__(self):
        n = len(self.X)
        order = torch.randperm(n) if self.shuffle else None
        step = n if self.batch_size == -1 else self.batch_size
        for start in range(0, n, step):
            rows = slice(start, start + step)
            rows = rows if order is None else order[rows]
            yield self.X[rows], self.y and {k: v[rows] for k, v in self.y.items()}


class WeightedLoss(torch.nn.Module):
    """Mean of ``w * row_loss(output, y)`` over the rows of a batch."""

    def __init__(self, row_loss):
        super().__init__()
        self.row_loss = row_loss

    def forward(self, output, target):
        """Return the weighted mean; weights have mean one over all rows."""
        return (target["w"] * self.row_loss(output, target["y"])).mean()


class ReportEpochs(Callback):
    """Tell scikit-learn's callbacks about every epoch, and obey their stop."""

    def __init__(self, tasks, state):
        self.tasks, self.state = tasks, state

    def on_epoch_begin(self, net, **kwargs):
        """Open a task."""
        self.tasks.begin()

    def on_epoch_end(self, net, **kwargs):
        """Close it."""
        if self.tasks.end(lambda: self.state(net)):
            raise EndOfTraining


class Net(NeuralNet):
    """A skorch net whose ``predict`` returns the raw outputs.

    A skorch net takes the user's interrupt for the end of training and would pass for
    fitted. Here the fit fails, which leaves the estimator as it was.
    """

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train until the last epoch, or until a callback raises `EndOfTraining`."""
        self.notify("on_train_begin", X=X, y=y)
        with suppress(EndOfTraining):
            self.fit_loop(X, y, **fit_params)
        self.notify("on_train_end", X=X, y=y)
        return self

    def predict(self, X):
        """Return the module's outputs as one array."""
        return np.concatenate([out.cpu().numpy() for out in self.forward_iter(X)])


class LeanNet(Net):
    """A net whose training steps are the bare loop, for nets so small that it counts.

    The module and the criterion know their derivatives: ``module.differentiate(X,
    slope)`` sets gradients, given the derivative of the loss, ``criterion.slope``, as a
    function of the outputs. Callbacks hear of the begin of each batch and of epochs.
    Losses of batches are not written to the history: a criterion that is asked for them
    keeps them itself.
    """

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Train for an epoch, or leave an epoch of evaluation to skorch."""
        if not training:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
            return
        self._set_training(True)
        module, criterion, optimizer = self.module_, self.criterion_, self.optimizer_
        callbacks = [callback for _, callback in self.callbacks_]
        for batch in iterator:
            X, y = batch
            for callback in callbacks:
                callback.on_batch_begin(self, batch=batch, training=True)
            module.differentiate(X, partial(criterion.slope, target=y))
            optimizer.step()


def fit_net(
    estimator,
    X,
    y,
    target,
    weight,
    *,
    seed,
    batch_size=None,
    inputs=None,
    metadata=None,
    loader=TensorLoader,
    callbacks=(),
    state=lambda net: {"net_": net},
    net_type=Net,
    **params,
):
    """Train a net on copies of the data and report it as one fit task.

    Parameters
    ----------
    estimator : CallbackSupportMixin or None
        The estimator that is fitted; None reports to nobody.
    X : ndarray of shape (n_samples, n_features)
        Validated rows.
    y : array-like
        The target as the user passed it, for callbacks.
    target : ndarray of shape (n_samples, ...) or dict of ndarray
        The target as the loss wants it; a dict when it takes several arrays.
    weight : ndarray of shape (n_samples,)
        Non-negative weights; they are scaled to mean one.
    seed : int
        Seed of weights and batches; the global generators are left as they were.
    batch_size : int or None, default=None
        Rows a step; None takes all.
    inputs : ndarray of shape (n_rows, ...) or None, default=None
        What the loader takes, where that is not ``X``.
    metadata : dict or None, default=None
        Further inputs of rows that the user passed, for callbacks.
    loader : callable
        Makes the batches of training; :class:`TensorLoader` or one of its kind.
    callbacks : sequence of skorch.callbacks.Callback
        Further callbacks, which leave the net after training.
    state : callable
        Maps the net to the fitted attributes that ``predict`` needs.
    net_type : type
        :class:`Net`, or :class:`LeanNet` for small nets.
    **params : object
        Further parameters of :class:`~skorch.net.NeuralNet`.

    Returns
    -------
    Net
        The trained net, which holds neither data nor the estimator.
    """
    reporters, inputs = [], X if inputs is None else inputs
    if estimator is not None:
        tasks = FitTasks(
            estimator,
            X,
            y,
            max_subtasks=params["max_epochs"],
            task_name="epoch",
            metadata=metadata,
        )
        reporters = [ReportEpochs(tasks, state)]
    weight = weight * (len(weight) / weight.sum())
    on_cuda = str(params["device"]).startswith("cuda")
    cuda = [torch.cuda.current_device()] if on_cuda else []
    learning = torch.inference_mode(False), torch.enable_grad()  # whatever the user set
    with learning[0], learning[1], torch.random.fork_rng(cuda):
        torch.manual_seed(seed)
        net = net_type(
            batch_size=batch_size or -1,
            iterator_train=loader,
            iterator_train__shuffle=batch_size is not None,
            iterator_valid=TensorLoader,
            iterator_valid__batch_size=65_536,
            callbacks=[*reporters, *callbacks],
            callbacks__print_log=None,
            callbacks__valid_loss=None,
            train_split=None,
            verbose=0,
            **params,
        )
        targets = target if isinstance(target, dict) else {"y": np.array(target)}
        net.fit(np.array(inputs, order="C"), {**targets, "w": weight})
    net.callbacks = None  # the reporter holds X, y and the estimator
    passed = (ReportEpochs, *map(type, callbacks))
    net.callbacks_ = [c for c in net.callbacks_ if not isinstance(c[1], passed)]
    if estimator is not None:
        tasks.close(**state(net))
    return net
