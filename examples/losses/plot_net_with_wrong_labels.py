"""
A net that does not memorise
============================

A net with 27,000 weights learns a thousand handwritten digits by heart, the wrong
labels too. Early stopping helps; a loss that trusts labels less, and steps that do not
merely make the net surer of what it says, help more. All three work in any skorch net.
"""

# %%
# Three labels in ten are wrong
# -----------------------------

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.preprocessing import scale
from skorch import NeuralNetClassifier
from skorch.callbacks import EpochScoring
from torch import nn

from sklearn_ext.losses import CompSumLoss, OrthogonalGradient

X, y = load_digits(return_X_y=True)
X, rng = scale(X).astype(np.float32), np.random.default_rng(0)
order = rng.permutation(len(y))
train, test = order[:1000], order[1000:]
labels = y[train].copy()
wrong = rng.random(1000) < 0.3
labels[wrong] = (labels[wrong] + rng.integers(1, 10, wrong.sum())) % 10

# %%
# Four ways to train the same net
# -------------------------------
# ``CompSumLoss`` is the generalised cross-entropy; ``OrthogonalGradient`` takes from
# each gradient the part along the weights, and wraps any optimizer of torch. We watch
# the accuracy on true labels of new rows, which no way of training sees.


def true_accuracy(net, X=None, y=None):
    """Accuracy on new rows."""
    return float(np.mean(net.predict(X_test) == y_test))


X_test, y_test = X[test], y[test]


def train_net(**options):
    """Train forty epochs and return the accuracy after each."""
    torch.manual_seed(0)
    watch = EpochScoring(true_accuracy, name="true", on_train=True, use_caching=False)
    layers = nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()
    net = NeuralNetClassifier(
        nn.Sequential(*layers, nn.Linear(128, 10)),
        lr=1e-3,
        max_epochs=40,
        batch_size=64,
        train_split=None,
        verbose=0,
        callbacks=[watch],
        **{"optimizer": torch.optim.AdamW, "criterion": nn.CrossEntropyLoss} | options,
    )
    net.fit(X[train], labels)
    return net.history[:, "true"]


projected = {"optimizer": OrthogonalGradient, "optimizer__base": torch.optim.AdamW}
ways = {
    "cross-entropy": {},
    "cross-entropy, orthogonal": projected,
    "CompSumLoss": {"criterion": CompSumLoss},
    "CompSumLoss, orthogonal": projected | {"criterion": CompSumLoss},
}
figure, ax = plt.subplots(layout="constrained")
for (name, options), style in zip(ways.items(), ("-", "--", "-.", ":"), strict=True):
    curve = train_net(**options)
    ax.plot(np.arange(1, 41), curve, style, label=name)
    print(f"{name}: best {max(curve):.3f}, after 40 epochs {curve[-1]:.3f}")
ax.set(xlabel="epoch", ylabel="accuracy on true labels of new rows")
ax.legend()

# %%
# When not
# --------
# With labels that can be trusted cross-entropy is as good, and a net that is too small
# to memorise gains little.
