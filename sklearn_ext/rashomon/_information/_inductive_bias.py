"""Bits that data and design must supply for a loss, in classes without an exact law."""

from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
from scipy.special import log_expit, logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import (
    Bunch,
    check_array,
    check_consistent_length,
    check_random_state,
)
from sklearn.utils.multiclass import check_classification_targets

from sklearn_ext._core._validation import FLOATS, check_level, warn
from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.rashomon._information._splitting import split
from sklearn_ext.rashomon._ratio import check_count, replicate_interval

BLOCK = 2**20  # entries of a table of particles by rows by units
SPREAD = 1.0  # bits between runs from which they are not believed
ACTIVATIONS = {
    "relu": lambda h: np.maximum(h, 0.0, out=h),
    "tanh": np.tanh,
    "identity": lambda h: h,
}
LOSSES = "zero_one", "log_loss", "squared_error"


@dataclass(frozen=True)
class NetworkSpace:
    """Fully connected nets whose weights are normal, scaled by the root of the fan-in.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(16,)
        Units of each hidden layer; without layers the net is linear.
    activation : {"relu", "tanh", "identity"}, default="relu"
        What hidden units do.

    See Also
    --------
    inductive_bias : How many bits single out the good ones.

    Examples
    --------
    >>> from sklearn_ext.rashomon import NetworkSpace
    >>> NetworkSpace((8, 8)).n_weights(n_inputs=2, n_outputs=1)
    105
    """

    hidden_layer_sizes: tuple = (16,)
    activation: str = "relu"

    def __post_init__(self):
        if isinstance(self.hidden_layer_sizes, Integral):
            raise ValueError(
                "hidden_layer_sizes must hold one number of units for each layer, got "
                f"{self.hidden_layer_sizes!r}. Give ({self.hidden_layer_sizes},)."
            )
        for size in self.hidden_layer_sizes:
            check_count("hidden_layer_sizes", size)
        if self.activation not in list(ACTIVATIONS):
            raise ValueError(
                f"activation must be one of {sorted(ACTIVATIONS)}, got "
                f"{self.activation!r}."
            )

    def shapes(self, n_inputs, n_outputs):
        """Return rows and columns of each layer's weights; the last row is the bias.

        Parameters
        ----------
        n_inputs, n_outputs : int
            Columns of the rows and of the answer.

        Returns
        -------
        list of tuple
            One pair for each layer.
        """
        sizes = n_inputs, *self.hidden_layer_sizes, n_outputs
        return [(a + 1, b) for a, b in pairwise(sizes)]

    def n_weights(self, n_inputs, n_outputs):
        """Count the weights, biases included.

        Parameters
        ----------
        n_inputs, n_outputs : int
            Columns of the rows and of the answer.

        Returns
        -------
        int
            Their number.
        """
        return sum(a * b for a, b in self.shapes(n_inputs, n_outputs))

    def outputs(self, weights, X, n_outputs):
        """Run many nets on the same rows.

        Parameters
        ----------
        weights : ndarray of shape (n_nets, n_weights)
            Standard normal numbers, before they are scaled.
        X : ndarray of shape (n_samples, n_inputs)
            Rows.
        n_outputs : int
            Columns of the answer.

        Returns
        -------
        ndarray of shape (n_nets, n_samples, n_outputs)
            Raw answers.
        """
        hidden, start = X, 0
        for rows, columns in self.shapes(X.shape[1], n_outputs):
            if start > 0:
                hidden = ACTIVATIONS[self.activation](hidden)
            layer = weights[:, start : start + rows * columns] / np.sqrt(rows)
            layer = layer.reshape(-1, rows, columns)
            hidden = np.matmul(hidden, layer[:, :-1]) + layer[:, -1:]
            start += rows * columns
        return hidden


def inductive_bias(
    space,
    X=None,
    y=None,
    *,
    target_loss,
    loss="zero_one",
    n_particles=300,
    n_steps=10,
    n_replicates=8,
    confidence_level=0.95,
    random_state=None,
):
    """Count the bits that single out models of at most a given loss on test rows.

    Minus the binary logarithm of the share of a class, under a normal prior, whose loss
    on the rows is at most ``target_loss``: what training rows and design together must
    supply. Rare shares come from adaptive splitting with moves on ellipses; independent
    runs tell how far they can be believed. The cost is the number of evaluations,
    about ``n_replicates * n_particles * (3 n_steps) * bits / 2.3`` times that of a
    model on the rows.

    Parameters
    ----------
    space : {"linear"}, NetworkSpace or callable
        The class: linear models with a constant, nets, or a function of your own from
        weights of shape (n, dim) to losses of shape (n,), with an attribute ``dim``.
        All weights are standard normal before they are scaled.
    X : array-like of shape (n_samples, n_features) or None, default=None
        Test rows; None for a function of your own.
    y : array-like of shape (n_samples,) or None, default=None
        Their classes, or numbers for the squared error.
    target_loss : float
        Largest mean loss of a good model.
    loss : {"zero_one", "log_loss", "squared_error"}, default="zero_one"
        Mean loss on the rows; a tie of two classes is an error.
    n_particles : int, default=300
        Particles of each run.
    n_steps : int, default=10
        Moves of each particle at each level; take more for hundreds of weights or more
        than forty bits.
    n_replicates : int, default=8
        Independent runs, at least two.
    confidence_level : float, default=0.95
        Coverage of the interval.
    random_state : int, RandomState instance or None, default=None
        Source of randomness.

    Returns
    -------
    Bunch
        ``bits``; their ``interval``; ``replicate_sd``, the standard deviation of the
        runs in bits; ``n_evaluations``; ``reliable``, whether all runs arrived and
        differ by less than a bit, without which the interval has no upper end;
        ``curve``, a Bunch of ``loss`` and ``bits`` on the way.

    Warns
    -----
    ConvergenceWarning
        When the bits are not reliable.

    See Also
    --------
    NetworkSpace : A class of nets.
    RashomonTreeClassifier : Trees, whose law is exact.

    Notes
    -----
    There is no parametric tail: distributions fitted to the bulk of sampled losses miss
    by about one bit for each bit that the target lies beyond the sample.

    References
    ----------
    .. [1] A. Boopathy et al., "Towards Exact Computation of Inductive Bias", IJCAI
       2024.
    .. [2] S. K. Au, J. L. Beck, "Estimation of small failure probabilities in high
       dimensions by subset simulation", Probabilistic Engineering Mechanics 16, 2001.
    .. [3] I. Murray, R. P. Adams, D. J. C. MacKay, "Elliptical Slice Sampling", AISTATS
       2010.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.rashomon import inductive_bias
    >>> X, y = load_iris(return_X_y=True)
    >>> X = X[:100] - X[:100].mean(axis=0)
    >>> found = inductive_bias("linear", X, y[:100], target_loss=0.02, random_state=0)
    >>> print(f"{found.bits:.0f}", found.reliable)
    3 True
    """
    check_count("n_particles", n_particles)
    check_count("n_steps", n_steps)
    check_count("n_replicates", n_replicates)
    if n_replicates < 2 or n_particles < 10:
        raise ValueError(
            "n_replicates must be at least 2 and n_particles at least 10, got "
            f"{n_replicates} and {n_particles}."
        )
    if not isinstance(target_loss, Real) or not np.isfinite(target_loss):
        raise ValueError(f"target_loss must be a finite number, got {target_loss!r}.")
    check_level(confidence_level)
    losses_of, dim = _losses(space, X, y, loss)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    seeds = np.random.SeedSequence(seed).spawn(n_replicates)
    target = float(target_loss)
    runs = [
        split(losses_of, dim, target, n_particles=n_particles, n_steps=n_steps, rng=rng)
        for rng in map(np.random.default_rng, seeds)
    ]
    return _summary(runs, confidence_level)


def _summary(runs, confidence_level):
    arrived = np.array([run.arrived for run in runs])
    logs = np.array([run.log_probability for run in runs])
    bits = -logs / np.log(2)
    spread = float(bits[arrived].std(ddof=1)) if arrived.sum() > 1 else np.inf
    reliable = bool(arrived.all() and spread < SPREAD)
    ends = replicate_interval(np.where(arrived, logs, -np.inf), confidence_level)
    mean, high, low = (max(-end / np.log(2), 0.0) for end in ends)
    if not reliable:  # runs that gave up prove no more than what they passed
        low, high = bits.min(), np.inf
        reason = (
            f"their standard deviation is {spread:.2g} bits"
            if arrived.all()
            else f"{int((~arrived).sum())} of {len(runs)} did not reach the target loss"
        )
        warn(
            f"The runs cannot be believed: {reason}. Use more n_steps or n_particles, "
            "or a larger target_loss.",
            ConvergenceWarning,
        )
    losses = np.unique(np.concatenate([run.losses for run in runs]))
    with np.errstate(divide="ignore"):
        logs = logsumexp([run.at(losses) for run in runs], axis=0) - np.log(len(runs))
    return Bunch(
        bits=float(mean) + 0.0,  # no -0
        interval=(float(low) + 0.0, float(high) + 0.0),
        replicate_sd=spread,
        n_evaluations=sum(run.n_evaluations for run in runs),
        reliable=reliable,
        curve=Bunch(loss=losses, bits=np.maximum(-logs / np.log(2), 0.0)),
    )


def _losses(space, X, y, loss):
    """Return losses of vectors of weights, and how many weights there are."""
    if callable(space):
        dim = getattr(space, "dim", None)
        check_count("space.dim", dim)
        return lambda z: _checked(space(z), len(z)), int(dim)
    if isinstance(space, str) and space == "linear":
        space = NetworkSpace(())
    if not isinstance(space, NetworkSpace):
        raise ValueError(
            "space must be 'linear', a NetworkSpace or a callable with an attribute "
            f"dim, got {space!r}."
        )
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {list(LOSSES)}, got {loss!r}.")
    X = check_array(X, dtype=FLOATS)
    check_consistent_length(X, y)
    n_outputs, measure = _measure(y, loss)
    dim = space.n_weights(X.shape[1], n_outputs)
    width = max(*space.hidden_layer_sizes, n_outputs, 1)

    def losses_of(z):
        parts = blocks(len(z), max(BLOCK // (len(X) * width), 1))
        each = [measure(space.outputs(z[part], X, n_outputs)) for part in parts]
        return np.concatenate(each)

    return losses_of, dim


def _checked(losses, n):
    losses = np.asarray(losses, dtype=float)
    if losses.shape != (n,) or np.isnan(losses).any():
        raise ValueError(
            f"space must return one loss for each of {n} vectors, none of them nan; "
            f"got shape {losses.shape}."
        )
    return losses


def _measure(y, loss):
    """Return the number of outputs, and the mean loss of outputs of many models."""
    if np.ndim(y) != 1:
        raise ValueError(f"y must have one dimension, got shape {np.shape(y)}.")
    if loss == "squared_error":
        target = check_array(y, ensure_2d=False, dtype=np.float64)
        return 1, lambda out: ((out[..., 0] - target) ** 2).mean(axis=1)
    y = np.asarray(y)
    check_classification_targets(y)
    classes, code = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("inductive_bias needs at least two classes, got one class.")
    if len(classes) == 2:
        sign = 2.0 * code - 1
        if loss == "zero_one":
            return 1, lambda out: (out[..., 0] * sign <= 0).mean(axis=1)
        return 1, lambda out: -log_expit(out[..., 0] * sign).mean(axis=1)
    right = np.arange(len(code)), code

    def wrong(out):
        others = out.copy()
        others[(slice(None), *right)] = -np.inf
        return (others.max(axis=2) >= out[(slice(None), *right)]).mean(axis=1)

    def log_loss(out):
        return (logsumexp(out, axis=2) - out[(slice(None), *right)]).mean(axis=1)

    return len(classes), wrong if loss == "zero_one" else log_loss
