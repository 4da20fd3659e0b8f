"""Minibatch training of the logistic probe through skorch; state is arrays only."""

from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from sklearn_ext._core._optional import require, torch_device
from sklearn_ext._core._validation import check_weights
from sklearn_ext.probes._logistic._rows import check_rows, check_squares

DEFAULTS = {"max_epochs": 20, "lr": None, "momentum": 0.9}


@dataclass(frozen=True)
class Stream:
    """What ``partial_fit`` keeps beside the coefficients."""

    mean: np.ndarray  # (n_features,), of the first batch
    scale: np.ndarray  # (n_features,)
    lr: float
    weight: float  # sum of the weights so far


def fit_sgd(probe, data, X, y, start):
    """Fit to all rows in several epochs and set the fitted attributes."""
    settings = sgd_settings(probe)
    shape = _n_scores(data.classes), data.X.shape[1]
    coef, intercept = start or (np.zeros(shape), np.zeros(shape[0]))
    stream = _stream(data.X, data.weight, settings, len(data.classes))
    _train(probe, data.X, data.y, data.weight, X, y, stream, settings, coef, intercept)
    probe._stream = stream


def update_sgd(probe, X, y, classes, sample_weight):
    """Take one epoch over more rows."""
    first = not hasattr(probe, "_stream")
    rows, y = check_rows(probe, X, y, reset=first)
    check_squares(rows)
    check_classification_targets(y)
    codes = _codes(probe, y, classes, first)
    weight = check_weights(sample_weight, rows, dtype=np.float64)
    settings = {**sgd_settings(probe), "max_epochs": 1}
    if first:
        shape = _n_scores(probe.classes_), rows.shape[1]
        start = np.zeros(shape), np.zeros(shape[0])
        stream = _stream(rows, weight, settings, len(probe.classes_))
    else:
        start = probe.coef_, probe.intercept_
        total = probe._stream.weight + float(weight.sum())
        stream = replace(probe._stream, weight=total)
    _train(probe, rows, codes, weight, X, y, stream, settings, *start, decay=False)
    probe._stream = stream


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


def _n_scores(classes):
    return 1 if len(classes) == 2 else len(classes)


def _codes(probe, y, classes, first):
    name = type(probe).__name__
    if first:
        if classes is None:
            raise ValueError(
                "classes must be given in the first call of partial_fit: all labels "
                "that will come."
            )
        probe.classes_ = np.unique(column_or_1d(classes))
        if len(probe.classes_) < 2:
            raise ValueError(
                f"{name} needs at least 2 classes, got one class: {classes!r}."
            )
    elif classes is not None and not np.array_equal(np.unique(classes), probe.classes_):
        raise ValueError(
            f"classes={classes!r} differs from those of the first call, "
            f"{probe.classes_!r}. Leave it out."
        )
    if len(unknown := np.setdiff1d(y, probe.classes_)):
        raise ValueError(
            f"y has labels {unknown.tolist()} that are not among classes "
            f"{probe.classes_.tolist()}. Name all labels in the first call."
        )
    return np.searchsorted(probe.classes_, y)


def _stream(X, weight, settings, n_classes):
    """Scale of the features, and a step that their largest moment allows."""
    share = weight / weight.sum()
    mean = share @ X
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


def _train(
    probe, X, y, weight, X_given, y_given, stream, settings, coef, intercept, decay=True
):
    require("skorch", extra="torch", user='solver="sgd"')
    from sklearn_ext._core._torch import WeightedLoss, fit_net
    from sklearn_ext.probes._logistic import _sgd_torch as nets

    device = torch_device(probe.device or "cpu")[1]
    batch = min(probe.batch_size or 256, len(X))
    steps = settings["max_epochs"] * -(-len(X) // batch) if decay else 0
    dtype, (mean, scale) = X.dtype, (stream.mean, stream.scale)

    def folded(net):
        W = net.module_.weight.detach().cpu().numpy() / scale
        b = net.module_.bias.detach().cpu().numpy()
        b = b - W @ mean if probe.fit_intercept else 0 * b
        return {
            "coef_": W.astype(dtype),
            "intercept_": b.astype(dtype),
            "classes_": probe.classes_,
        }

    centre = mean if probe.fit_intercept else 0 * mean
    net = fit_net(
        probe,
        X,
        y_given,
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
