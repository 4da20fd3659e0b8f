"""The kernel of a network, and how sharp its loss is.

- ``_kernel``: the tangent kernel by matrix products; likeness of two kernels
- ``_sharpness``: the largest curvature of the loss of a fitted estimator
- ``_curvature_torch``: products of the Hessian with vectors, and its largest eigenvalue
"""

from sklearn_ext.networks._tangent._kernel import (
    kernel_alignment,
    neural_tangent_kernel,
    rate_factors,
)
from sklearn_ext.networks._tangent._sharpness import sharpness

__all__ = ["kernel_alignment", "neural_tangent_kernel", "rate_factors", "sharpness"]
