"""Minibatch Adam, the published algorithm, through skorch."""

import numpy as np

from sklearn_ext._core._optional import require, torch_device
from sklearn_ext.bridge._mixture import PotentialMixture
from sklearn_ext.bridge._samples import Sample
from sklearn_ext.bridge._solvers._fixed_point import Fit
from sklearn_ext.bridge._solvers._start import (
    first_components,
    first_state,
    problem_of,
    represent,
    warm_state,
)

DEFAULTS = {"max_epochs": 30, "lr": 0.01, "batch_size": 256}


def paired(sides, rng):
    """Put rows of both sides side by side, the shorter side repeated.

    Returns
    -------
    rows : ndarray of shape (n_pairs, 2 * n_features)
        Source and target rows; which meet is chance.
    weights : ndarray of shape (n_pairs, 2)
        Weights of both with mean one: repetition does not make a row count more.
    """
    n = max(side.X.shape[0] for side in sides)
    rows, weights = [], []
    for side in sides:
        X, w = side.host
        turns = -(-n // len(X))
        order = np.concatenate([np.argsort(rng.random(len(X))) for _ in range(turns)])
        order = order[:n]
        w = w[order] / np.bincount(order, minlength=len(X))[order]
        rows.append(X[order])
        weights.append(w * (n / w.sum()))
    return np.hstack(rows), np.stack(weights, axis=1)


def fit_adam(
    estimator, data, sides, centre, options, rng, *, mixture, holdout, described
):
    """Train by minibatches from clusters of the target, or from a mixture.

    ``described`` turns a mixture into fitted attributes.

    Returns
    -------
    fit : Fit
        State after the last epoch, or the best on rows held out; the losses are those
        of the epochs.
    n_iter : int
        Epochs.
    """
    require("skorch", extra="torch", user="solver='adam'")
    from torch.optim import Adam

    from sklearn_ext._core._torch import WeightedLoss, fit_net
    from sklearn_ext.bridge._solvers._adam_torch import (
        KeepBest,
        LightBridge,
        bridge_loss,
    )

    dtype = np.float32 if "float32" in str(sides[0].X.dtype) else np.float64
    host = [Sample(*side.host) for side in sides]
    problem, kind = problem_of(*host, options), options.covariance_type
    if mixture is None:
        rows = represent(*host[1].host)
        K, init = options.n_components, options.init_params
        drawn = first_components(*rows, K, init, kind, rng)
        mixture = first_state(problem, rows[0], *drawn, options.epsilon).mixture
    start = (mixture.log_weights, mixture.means, mixture.scales)
    start = [np.asarray(a, dtype=dtype) for a in start]
    rows, weights = (a.astype(dtype) for a in paired(host, rng))

    def learnt(net):
        arrays = net.module_.parameters_in_data_form()
        arrays = (a.detach().cpu().numpy().astype(float) for a in arrays)
        return PotentialMixture.of(*arrays, options.epsilon, kind)

    def no_better(net):
        return holdout.no_better(warm_state(problem, learnt(net)), centre)

    net = fit_net(
        estimator,
        rows,
        data[1],
        weights,
        np.ones(len(rows), dtype=dtype),
        seed=int(rng.random() * 2**31),
        callbacks=[] if holdout is None else [KeepBest(no_better)],
        state=lambda net: described(learnt(net)),
        **{
            "module": LightBridge,
            "module__log_weights": start[0],
            "module__means": start[1],
            "module__scales": start[2],
            "module__epsilon": options.epsilon,
            "module__covariance_type": kind,
            "criterion": WeightedLoss,
            "criterion__row_loss": bridge_loss,
            "optimizer": Adam,
            "device": torch_device(estimator.device or "cpu")[1],
            **DEFAULTS,
            **(estimator.torch_params or {}),
        },
    )
    curve = [float(loss) for loss in net.history[:, "train_loss"]]
    state = warm_state(problem, learnt(net))
    fit = Fit(state, curve, True, 0.0)
    return (fit if holdout is None else holdout.best(fit)), len(curve)
