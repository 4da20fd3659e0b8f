"""Minibatch training of the logistic probe through skorch; state is arrays only."""

from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ext._core._optional import require, torch_device

DEFAULTS = {"max_epochs": 20, "lr": None, "momentum": 0.9}


@dataclass(frozen=True)
class Stream:
    """What ``partial_fit`` keeps beside the coefficients."""

    mean: np.ndarray  # (n_features,), of the first batch
    scale: np.ndarray  # (n_features,)
    lr: float
    weight: float  # sum of the weights so far


def sgd_settings(probe):
    """Merge ``sgd_params`` with the defaults."""
    given = probe.sgd_params or {}
    if unknown := sorted(set(given) - set(DEFAULTS)):
        raise ValueError(
            f"sgd_params has unknown keys {unknown}; allowed are {sorted(DEFAULTS)}."
        )
    settings = {**DEFAULTS, **given}
    epochs, lr, momentum = (settings[name] for name in DEFAULTS)
    if not (isinstance(epochs, Integral) and epochs >= 1):
        raise ValueError(f"max_epochs must be an integer from 1 on, got {epochs!r}.")
    if not (lr is None or 0 < lr < np.inf):
        raise ValueError(f"lr must be a positive number or None, got {lr!r}.")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must lie in [0, 1), got {momentum!r}.")
    return settings


def _stream(X, weight, settings, n_classes):
    """Scale of the features, and a step that their largest moment allows."""
    share = weight / weight.sum()
    mean = (share @ X).astype(X.dtype).astype(np.float64)  # as it is subtracted
    scale = np.sqrt(share @ (X - mean) ** 2)
    scale = np.where(scale > 1e-7 * np.maximum(abs(mean), 1e-30), scale, 1.0)
    lr = settings["lr"]
    if lr is None:
        few = slice(None, None, -(-len(X) // 4096))
        Z = (X[few] - mean) / scale * np.sqrt(share[few] / share[few].sum())[:, None]
        v = np.ones(Z.shape[1])
        for _ in range(10):  # power iteration
            v = Z.T @ (Z @ (v / max(np.linalg.norm(v), 1e-300)))
        bend = 0.25 if n_classes == 2 else 0.5  # the log-loss curves no more
        lr = 0.2 / (bend * max(float(np.linalg.norm(v)), 1.0))
    return Stream(mean, scale, float(lr), float(weight.sum()))


def train(probe, X, y, weight, labels, start=None, stream=None, *, once=False):
    """Take minibatch steps and set the fitted attributes.

    Parameters
    ----------
    probe : LogisticProbe
        Whose parameters and ``classes_`` are set.
    X : ndarray of shape (n_samples, n_features)
        Checked rows.
    y : ndarray of shape (n_samples,)
        Codes of the classes.
    weight : ndarray of shape (n_samples,)
        Weights.
    labels : array-like of shape (n_samples,)
        Labels as they came, for callbacks.
    start : tuple of ndarray or None, default=None
        Coefficients and intercepts to start from; zeros by default.
    stream : Stream or None, default=None
        What earlier batches have left.
    once : bool, default=False
        Whether this is one epoch of a stream, in which steps do not shrink.
    """
    require("skorch", extra="torch", user='solver="sgd"')
    from sklearn_ext._core._torch import WeightedLoss, fit_net
    from sklearn_ext.probes._logistic import _sgd_torch as nets

    settings = sgd_settings(probe) | ({"max_epochs": 1} if once else {})
    n_classes = len(probe.classes_)
    if stream is None:
        stream = _stream(X, weight, settings, n_classes)
    else:
        stream = replace(stream, weight=stream.weight + float(weight.sum()))
    n_scores = 1 if n_classes == 2 else n_classes
    coef, intercept = start or (np.zeros((n_scores, X.shape[1])), np.zeros(n_scores))
    device = torch_device(probe.device or "cpu")[1]
    batch = min(probe.batch_size or 256, len(X))
    steps = 0 if once else settings["max_epochs"] * -(-len(X) // batch)
    dtype, (mean, scale) = X.dtype, (stream.mean, stream.scale)

    def folded(net):
        W = (net.module_.weight.detach().cpu().numpy() / scale).astype(dtype)
        b = net.module_.bias.detach().cpu().numpy().astype(np.float64)
        b = b - W.astype(np.float64) @ mean if probe.fit_intercept else 0 * b
        return {"coef_": W, "intercept_": b, "classes_": probe.classes_}

    centre = mean if probe.fit_intercept else 0 * mean
    net = fit_net(
        probe,
        X,
        labels,
        y,
        weight.astype(dtype),
        seed=check_random_state(probe.random_state).randint(2**31 - 1),
        batch_size=batch,
        state=folded,
        module=nets.LinearScores,
        module__mean=centre.astype(dtype),
        module__scale=scale.astype(dtype),
        module__coef=(coef * scale).astype(dtype),
        module__intercept=(intercept + coef @ centre).astype(dtype),
        module__fit_intercept=probe.fit_intercept,
        criterion=WeightedLoss,
        criterion__row_loss=nets.row_loss,
        optimizer=nets.DecayingSGD,
        lr=stream.lr,
        optimizer__momentum=settings["momentum"],
        optimizer__penalty=1 / (probe.C * stream.weight * scale**2),
        optimizer__total_steps=steps,
        max_epochs=settings["max_epochs"],
        device=str(device),
    )
    for name, value in folded(net).items():
        setattr(probe, name, value)
    probe.n_iter_ = len(net.history)
    probe._stream = stream
