"""Perceptrons of one shape as one batched net, a dict of arrays with the member first.

- ``_forward``: what such a net is; initial weights and the forward pass in NumPy
- ``_nets_torch``: the module that is trained, and Adam with a rate for each member
"""

from sklearn_ext._numerics._nets._forward import (
    activations,
    forward,
    initial_of,
    initial_weights,
    layers,
    members_of,
    n_parameters,
    shapes,
    sizes_of,
)

__all__ = [
    "activations",
    "forward",
    "initial_of",
    "initial_weights",
    "layers",
    "members_of",
    "n_parameters",
    "shapes",
    "sizes_of",
]
