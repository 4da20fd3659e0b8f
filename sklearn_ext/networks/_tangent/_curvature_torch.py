"""Products of the Hessian of a network's loss with vectors; its largest eigenvalue."""

import numpy as np
import torch

from sklearn_ext._numerics._nets import forward, initial_of, shapes, sizes_of


def outputs(tensors, X, branch):
    """Evaluate a net by operations that can be differentiated twice.

    Parameters
    ----------
    tensors : dict of Tensor
        Its tensors, member first.
    X : Tensor of shape (n_samples, n_columns)
        Rows.
    branch : float
        Factor of a residual branch, 0 for a plain net.

    Returns
    -------
    Tensor of shape (n_members, n_samples, n_outputs)
    """
    h = X @ tensors["weight_0"] + tensors["bias_0"][:, None]
    for layer in range(1, len(tensors) // 2 - 1):
        z = h.relu() @ tensors[f"weight_{layer}"] + tensors[f"bias_{layer}"][:, None]
        h = h + branch * z if branch else z
    return h.relu() @ tensors["weight_out"] + tensors["bias_out"][:, None]


def member_losses(out, target):
    """Return the mean loss of each member: log-loss of codes, or squared error."""
    if target.ndim == 2:
        return (out - target).square().mean((1, 2))
    at = target.expand(len(out), -1)
    return torch.nn.functional.cross_entropy(out.mT, at, reduction="none").mean(1)


def largest_curvature(weights, X, target, *, factors, max_iter, tol, seed):
    """Return the largest eigenvalue of the Hessian of each member's mean loss.

    Parameters
    ----------
    weights : dict of ndarray
        The net.
    X : ndarray of shape (n_samples, n_columns)
        Rows as the net takes them.
    target : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Codes of classes, or numbers.
    factors : dict of float or None
        What each tensor counts, by the Hessian between two roots of it; None counts all
        alike.
    max_iter : int
        Products at most.
    tol : float
        Relative change at which to stop.
    seed : int
        Of the first vector.

    Returns
    -------
    ndarray of shape (n_members,)
    """
    names = list(shapes(sizes_of(weights)))
    roots = [1.0 if factors is None else factors[name] ** 0.5 for name in names]
    tensors = [
        torch.as_tensor(weights[name], dtype=torch.float64).requires_grad_()
        for name in names
    ]
    rows = torch.as_tensor(X, dtype=torch.float64)
    branch = float(weights["branch"])
    out = outputs(dict(zip(names, tensors, strict=True)), rows, branch)
    if "laziness" in weights:
        start = {k: v.astype(np.float64) for k, v in initial_of(weights).items()}
        alpha = torch.as_tensor(weights["laziness"], dtype=torch.float64)[:, None, None]
        lazy = alpha * (out - torch.as_tensor(forward(start, X)))
        out = torch.where(alpha == 1, out, lazy)
    loss = member_losses(out, torch.as_tensor(target)).sum()  # members do not meet
    gradients = torch.autograd.grad(loss, tensors, create_graph=True)

    def product(vectors):
        along = [r * v for r, v in zip(roots, vectors, strict=True)]
        found = torch.autograd.grad(gradients, tensors, along, retain_graph=True)
        return [r * v for r, v in zip(roots, found, strict=True)]

    stream = np.random.default_rng(seed)
    start = [torch.as_tensor(stream.standard_normal(t.shape)) for t in tensors]
    found = _power(product, start, 0.0, max_iter, tol)
    if (found < 0).any():  # the most negative one hides the largest: move all up
        found = _power(product, start, found.clamp(max=0), max_iter, tol)
    return found.numpy()


def _power(product, vectors, shift, max_iter, tol):
    """Return the eigenvalue that is farthest from a shift, for each member."""
    value = torch.full(vectors[0].shape[:1], torch.inf, dtype=torch.float64)
    shift = torch.zeros_like(value) + shift
    for _ in range(max_iter):
        norm = _dot(vectors, vectors).sqrt()
        vectors = [_times(v, 1 / norm) for v in vectors]
        images = product(vectors)
        before, value = value, _dot(vectors, images)
        if ((value - before).abs() <= tol * value.abs()).all():
            break
        images = [i - _times(v, shift) for i, v in zip(images, vectors, strict=True)]
        still = _dot(images, images) == 0  # a loss that is flat
        vectors = [
            torch.where(still.view(-1, *[1] * (v.ndim - 1)), v, i)
            for i, v in zip(images, vectors, strict=True)
        ]
    return value


def _dot(a, b):
    return sum((x * y).flatten(1).sum(1) for x, y in zip(a, b, strict=True))


def _times(vector, factor):
    return vector * factor.view(-1, *[1] * (vector.ndim - 1))
