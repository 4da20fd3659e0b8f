"""Perceptrons of one shape as one batched net: initial weights, forward pass in NumPy.

A net of k members is a flat dict of arrays, member first: ``weight_0`` (k, d, n),
``bias_0`` (k, n), ``weight_1`` (k, n, n), ``bias_1``, ..., ``weight_out`` (k, n, K),
``bias_out`` (k, K), and ``branch``, a number. Where ``branch`` is 0 the net is plain::

    h_1 = relu(x W_0 + b_0);  h_{l+1} = relu(h_l W_l + b_l);  f = h_L W_out + b_out

and where it is not, it is residual::

    h_1 = x W_0 + b_0;  h_{l+1} = h_l + branch (relu(h_l) W_l + b_l)
    f = relu(h_L) W_out + b_out

Three further entries are optional. ``base_units``, a number, is the width at which
every tensor would move at the full rate. ``laziness`` (k,) is alpha of ``alpha (f -
f_0)``, where f_0 is the net of the ``initial_*`` tensors, one for each above; members
of laziness one are f itself.
"""

import numpy as np

ROWS = 1024  # rows at a time: the activations of a member stay in the cache
FIXED = ("branch", "base_units", "laziness")  # what a net has beside what it learns


def shapes(sizes):
    """Return the shape of each tensor of one member, by name, in the order of passing.

    Parameters
    ----------
    sizes : tuple of int
        Columns, units of each hidden layer, outputs.
    """
    names = [*range(len(sizes) - 2), "out"]
    table = {}
    for name, n_in, n_out in zip(names, sizes[:-1], sizes[1:], strict=True):
        table[f"weight_{name}"] = (n_in, n_out)
        table[f"bias_{name}"] = (n_out,)
    return table


def initial_weights(n_members, sizes, std, *, seed, branch=0.0, dtype=np.float64):
    """Draw a net: normal weights of the given standard deviations.

    Each member has a stream of its own, drawn in float64: its weights depend neither on
    the number of members nor on ``dtype``, and no global generator is touched.

    Parameters
    ----------
    n_members : int
        Members k.
    sizes : tuple of int
        Columns, units of each hidden layer, outputs.
    std : dict of float
        Standard deviation of each tensor of `shapes`.
    seed : int or sequence of int
        One seed for all members, which then differ; or the seed of each member: members
        of one seed start from the same weights.
    branch : float, default=0.0
        Factor of a residual branch, 0 for a plain net.
    dtype : dtype, default=float64
        Of the result.

    Returns
    -------
    dict of ndarray
    """
    if np.ndim(seed) == 0:
        seeds = np.random.SeedSequence(int(seed)).spawn(n_members)
    else:
        seeds = [int(s) for s in seed]
    streams = [np.random.default_rng(s) for s in seeds]
    weights = {
        name: np.stack([stream.normal(0.0, std[name], shape) for stream in streams])
        for name, shape in shapes(sizes).items()
    }
    weights = {name: w.astype(dtype, copy=False) for name, w in weights.items()}
    return {**weights, "branch": np.asarray(branch, dtype=dtype)}


def layers(weights):
    """Return the names of the layers: ``["0", "1", ..., "out"]``."""
    n_hidden = sum(name.startswith("weight_") for name in weights) - 1
    return [*map(str, range(n_hidden)), "out"]


def sizes_of(weights):
    """Return columns, units of each hidden layer, outputs of a net."""
    tensors = [weights[f"weight_{layer}"] for layer in layers(weights)]
    return (tensors[0].shape[1], *(w.shape[2] for w in tensors))


def n_parameters(weights):
    """Count what all members of a net have learnt."""
    return sum(
        np.size(value)
        for name, value in weights.items()
        if name not in FIXED and not name.startswith("initial_")
    )


def members_of(weights, members):
    """Return the net of some members only (an index, a mask or a slice)."""
    return {k: v[members] if np.ndim(v) else v for k, v in weights.items()}


def initial_of(weights):
    """Return the net that lazy members started from."""
    start = "initial_"
    net = {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}
    return {**net, "branch": weights["branch"]}


def forward(weights, X):
    """Evaluate all members on all rows.

    Parameters
    ----------
    weights : dict of ndarray
        A net, as this module's docstring says.
    X : ndarray of shape (n_samples, n_features) or (n_members, n_samples, n_features)
        Rows that all members share, or rows of each member.

    Returns
    -------
    ndarray of shape (n_members, n_samples, n_outputs)
        In the dtype of the weights.
    """
    bias = weights["bias_out"]
    X = np.asarray(X, dtype=bias.dtype)
    n_samples = X.shape[-2]
    out = np.empty((len(bias), n_samples, bias.shape[1]), dtype=bias.dtype)
    for start in range(0, n_samples, ROWS):
        rows = slice(start, start + ROWS)
        out[:, rows] = _outputs(weights, X[..., rows, :])
    lazy = np.flatnonzero(weights.get("laziness", np.ones(len(bias))) != 1)
    if len(lazy):
        start = members_of(initial_of(weights), lazy)
        out[lazy] -= forward(start, X if X.ndim == 2 else X[lazy])
        out[lazy] *= weights["laziness"][lazy, None, None]
    return out


def _outputs(weights, X):
    last = activations(weights, X)[-1]
    return last @ weights["weight_out"] + weights["bias_out"][:, None]


def activations(weights, X):
    """Return what enters each layer: the rows, then ``relu`` of each hidden layer.

    The last entry is what enters the output layer.

    Returns
    -------
    list of ndarray
        The rows (n_samples, n_features), then arrays (n_members, n_samples, units).
    """
    h = X @ weights["weight_0"] + weights["bias_0"][:, None]
    entering = [X, np.maximum(h, 0)]
    branch = weights["branch"]
    for layer in layers(weights)[1:-1]:
        z = entering[-1] @ weights[f"weight_{layer}"]
        z += weights[f"bias_{layer}"][:, None]
        h = h + branch * z if branch else z
        entering.append(np.maximum(h, 0))
    return entering
