"""Losses for nets, and steps orthogonal to the weights."""

import torch
from torch import nn
from torch.nn import functional


def _reduced(loss, reduction):
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.mean()


def _checked(reduction):
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(
            f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}."
        )
    return reduction


class CompSumLoss(nn.Module):
    """Comp-sum loss of scores: ``(1 - p ** (tau - 1)) / (tau - 1)``.

    Parameters
    ----------
    tau : float, default=1.7
        How much a badly fitted row may pull: 1 is cross-entropy, 2 is ``1 - p``.
    reduction : {"mean", "sum", "none"}, default="mean"
        How rows are joined.

    See Also
    --------
    CompSumClassifier : The linear model.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ext.losses import CompSumLoss
    >>> CompSumLoss(tau=2)(torch.zeros(3, 2), torch.tensor([0, 1, 1]))
    tensor(0.5000)
    """

    def __init__(self, tau=1.7, reduction="mean"):
        super().__init__()
        if tau < 0:
            raise ValueError(f"tau must be non-negative, got {tau}.")
        self.tau, self.reduction = tau, _checked(reduction)

    def forward(self, output, target):
        """Return the loss of scores (n, n_classes) at labels (n,)."""
        log_p = functional.log_softmax(output, dim=1)
        own = log_p.gather(1, target[:, None])[:, 0]
        q = self.tau - 1
        loss = -own if q == 0 else -torch.expm1(q * own) / q
        return _reduced(loss, self.reduction)


class StableMaxLoss(nn.Module):
    """Cross-entropy with a softmax that grows linearly instead of exponentially.

    Probabilities are proportional to ``1 + x`` for scores x above zero, and to
    ``1 / (1 - x)`` below.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default="mean"
        How rows are joined.

    See Also
    --------
    OrthogonalGradient : The other remedy of the same paper.

    References
    ----------
    .. [1] L. Prieto et al., "Grokking at the Edge of Numerical Stability", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ext.losses import StableMaxLoss
    >>> StableMaxLoss()(torch.tensor([[3.0, 0.0]]), torch.tensor([0]))
    tensor(0.2231)
    """

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = _checked(reduction)

    def forward(self, output, target):
        """Return the loss of scores (n, n_classes) at labels (n,)."""
        # both branches on clamped scores, else where() multiplies zero by infinity
        above, below = output.clamp(min=0), output.clamp(max=0)
        logs = torch.where(output >= 0, torch.log1p(above), -torch.log1p(-below))
        own = logs.gather(1, target[:, None])[:, 0]
        return _reduced(torch.logsumexp(logs, dim=1) - own, self.reduction)


class ZLoss(nn.Module):
    """Z-loss: it sees how far the label's score stands out among all scores.

    Parameters
    ----------
    scale : float, default=0.1
        Sharpness.
    target : float, default=10.0
        The z score at which a row is at rest.
    reduction : {"mean", "sum", "none"}, default="mean"
        How rows are joined.

    See Also
    --------
    SphericalClassifier : The linear model.

    References
    ----------
    .. [1] A. de Brébisson, P. Vincent, "The Z-loss: a shift and scale invariant
       classification loss belonging to the spherical family", 2016.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ext.losses import ZLoss
    >>> ZLoss()(torch.eye(4), torch.arange(4)).shape
    torch.Size([])
    """

    def __init__(self, scale=0.1, target=10.0, reduction="mean"):
        super().__init__()
        if scale <= 0:
            raise ValueError(f"scale must be positive, got {scale}.")
        self.scale, self.target = scale, target
        self.reduction = _checked(reduction)

    def forward(self, output, target):
        """Return the loss of scores (n, n_classes) at labels (n,)."""
        centred = output - output.mean(dim=1, keepdim=True)
        s2 = (centred**2).mean(dim=1).clamp(min=1e-30)
        z = centred.gather(1, target[:, None])[:, 0] / s2.sqrt()
        loss = functional.softplus(self.scale * (self.target - z)) / self.scale
        return _reduced(loss, self.reduction)


class OrthogonalGradient(torch.optim.Optimizer):
    """Optimizer whose gradients are made orthogonal to the weights, tensor by tensor.

    Growing all weights of a net sharpens its scores without changing what it predicts,
    which is how a net memorises wrong labels. The part of the gradient along the
    weights is taken out before each step of the base optimizer. Tensors of less than
    two entries, or of zeros, keep their gradient.

    Parameters
    ----------
    params : iterable
        Parameters or groups of them.
    base : type, default=torch.optim.AdamW
        The optimizer that steps.
    rescale : bool, default=True
        Whether the gradient gets its old length back.
    **base_params : object
        Passed on to ``base``, for instance ``lr``.

    See Also
    --------
    CompSumLoss : A loss for wrong labels.

    References
    ----------
    .. [1] L. Prieto et al., "Grokking at the Edge of Numerical Stability", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ext.losses import OrthogonalGradient
    >>> w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> optimizer = OrthogonalGradient([w], base=torch.optim.SGD, lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> torch.round(w.detach(), decimals=2)
    tensor([2.8900, 4.0800])
    """

    def __init__(self, params, base=torch.optim.AdamW, *, rescale=True, **base_params):
        self.base, self.rescale = base(params, **base_params), rescale
        super().__init__(self.base.param_groups, {})
        # one list and one state for both, whoever schedules or loads them
        self.base.param_groups = self.param_groups
        self.state = self.base.state

    @torch.no_grad()
    def _project(self):
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is None or w.numel() < 2:
                    continue
                size = (w * w).sum()
                if size == 0:
                    continue
                g = w.grad
                across = g - (w * g).sum() / size * w
                if self.rescale:
                    length = across.norm()
                    if length > 0:
                        across = across * (g.norm() / length)
                w.grad.copy_(across)

    def step(self, closure=None):
        """Make gradients orthogonal and step; a closure is evaluated first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._project()
        self.base.step()
        return loss

    def zero_grad(self, set_to_none=True):
        """Forget the gradients."""
        self.base.zero_grad(set_to_none=set_to_none)

    def state_dict(self):
        """Return the state of the base optimizer."""
        return self.base.state_dict()

    def load_state_dict(self, state_dict):
        """Restore the state of the base optimizer."""
        self.base.load_state_dict(state_dict)
        self.param_groups, self.state = self.base.param_groups, self.base.state
