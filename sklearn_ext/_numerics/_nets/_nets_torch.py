"""k perceptrons trained as one batched net: the module, and Adam with rates of members.

Everything that a member learns lies in one row of one matrix, ``BatchedMLP.members``
(k, p): a step of the optimiser is a few passes over that matrix, the best weights of an
epoch are one copy of it, and a member is a row. The tensors of a layer are views of it.
The matrix ``weight_out`` lies there transposed, since products with few columns are
several times slower than products with few rows.
"""

import math

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from sklearn_ext._numerics._nets._forward import initial_weights, shapes

_where_positive = torch.ops.aten.threshold_backward.grad_input  # one pass, in place
SIZES = 8  # of batches, whose views of a room are kept
CONTIGUOUS = {"memory_format": torch.contiguous_format}


def views(members, sizes):
    """Return the tensors of a net as views of the matrix of its members, by name.

    Parameters
    ----------
    members : Tensor of shape (n_members, n_parameters_of_one)
        One member a row.
        Behind the tensors of `shapes` there may be a scale of each column, ``scale_0``.
    sizes : tuple of int
        Columns, units of each hidden layer, outputs.
    """
    tensors, start = {}, 0
    for name, shape in shapes(sizes).items():
        stop = start + int(np.prod(shape))
        part = members[:, start:stop]
        if name == "weight_out":
            tensors[name] = part.unflatten(1, shape[::-1]).transpose(1, 2)
        else:
            tensors[name] = part.unflatten(1, shape)
        start = stop
    if start < members.shape[1]:
        tensors["scale_0"] = members[:, start:]
    return tensors


def spread(values, sizes):
    """Lay out one number a tensor as a row of the matrix of members.

    Parameters
    ----------
    values : dict of float
        A number for each tensor of `shapes`, and perhaps for ``scale_0``.
    sizes : tuple of int
        Columns, units of each hidden layer, outputs.

    Returns
    -------
    ndarray of shape (n_parameters_of_one,)
    """
    table = shapes(sizes)
    if "scale_0" in values:
        table["scale_0"] = sizes[:1]
    return np.repeat([values[k] for k in table], [np.prod(s) for s in table.values()])


class BatchedMLP(torch.nn.Module):
    """k perceptrons of one shape; see ``_forward`` for what they compute.

    Parameters
    ----------
    n_members : int
        Members k.
    sizes : tuple of int
        Columns, units of each hidden layer, outputs.
    std : dict of float
        Standard deviation of each initial tensor.
    seed : int or sequence of int
        Of the initial weights, as in `initial_weights`, and of dropout.
    branch : float, default=0.0
        Factor of a residual branch, 0 for a plain net.
    base_units : int, default=None
        Width at which all tensors move at the full rate; stored among the weights.
    laziness : sequence of float, default=None
        Alpha of each member: where it is not one, the output is ``alpha (f - f_0)``
        with f_0 the member as it started, of which a frozen copy is kept.
    dropout : float, default=0.0
        Share of hidden units that a member does without in a step, all rows alike.
    scaled : bool, default=False
        Whether each member learns a scale of each column, which starts at one. It
        becomes part of ``weight_0`` when the net is turned into arrays: all that it
        changes is how rows of that matrix move.
    dtype : dtype, default=float32
        Of the weights; initial weights are those of float64, rounded.
    """

    def __init__(
        self,
        n_members,
        sizes,
        std,
        *,
        seed=0,
        branch=0.0,
        base_units=None,
        laziness=None,
        dropout=0.0,
        scaled=False,
        dtype=np.float32,
    ):
        super().__init__()
        self.n_members, self.sizes = n_members, tuple(sizes)
        self.branch, self.base_units = float(branch), base_units
        self.dropout, self.seed = dropout, int(np.ravel(seed)[0])
        weights = initial_weights(n_members, sizes, std, seed=seed, dtype=dtype)
        weights.pop("branch")
        n = sum(w[0].size for w in weights.values()) + scaled * self.sizes[0]
        members = torch.ones(
            (n_members, n), dtype=torch.as_tensor(weights["bias_0"]).dtype
        )
        tensors = views(members, self.sizes)
        for name, weight in weights.items():
            tensors[name].copy_(torch.as_tensor(weight))
        self.members = torch.nn.Parameter(members)
        alpha = torch.ones(n_members) if laziness is None else laziness
        alpha = torch.as_tensor(alpha, dtype=members.dtype)
        lazy = alpha != 1
        self.register_buffer("laziness", alpha if lazy.any() else None)
        self.register_buffer("lazy", lazy.nonzero().ravel())
        self.register_buffer("initial", members.clone() if lazy.any() else None)

    def forward(self, X):
        """Evaluate all members.

        Parameters
        ----------
        X : Tensor of shape (batch, n_features) or (n_members, batch, n_features)
            Rows that all members share, or rows of each member.

        Returns
        -------
        Tensor of shape (batch, n_members, n_outputs)
            A view of a tensor of the order (member, output, row).
        """
        return self.outputs(X).permute(2, 0, 1)

    def outputs(self, X):
        """Evaluate all members; return (n_members, n_outputs, batch).

        Where gradients are wanted, activations lie in buffers that the next such call
        writes over: differentiate before.
        """
        buffers = self._kept_buffers(X, torch.is_grad_enabled())
        out = _Pass.apply(self.members, X, self, buffers, self._masks())
        if self.laziness is None:
            return out
        lazy = self._alpha() * (out[self.lazy] - self._outputs_at_start(X))
        return out.index_copy(0, self.lazy, lazy)

    @torch.no_grad()
    def differentiate(self, X, slope):
        """Set the gradient of a loss, without the graph of `outputs`.

        Parameters
        ----------
        X : Tensor
            As for `forward`.
        slope : callable
            Maps outputs (n_members, n_outputs, batch) to the derivative of the loss.
        """
        buffers, masks = self._kept_buffers(X, True), self._masks()
        buffers.room.turn += 1
        out = self._pass(self._tensors(), X, buffers, masks)
        if self.laziness is None:
            signal = slope(out)
        else:
            out[self.lazy] -= self._outputs_at_start(X)
            out[self.lazy] *= self._alpha()
            signal = slope(out)
            signal[self.lazy] *= self._alpha()
        self._propagate(X, buffers, masks, signal)
        self.members.grad = self._gradient

    def _alpha(self):
        return self.laziness[self.lazy, None, None]

    @torch.no_grad()
    def _outputs_at_start(self, X):
        """Return what lazy members said before training."""
        rows = X if X.ndim == 2 else X[self.lazy]
        start = views(self.initial[self.lazy], self.sizes)
        room = self._new_room(rows.shape[-2], len(self.lazy))
        return self._pass(start, rows, room.buffers(rows.shape[-2]), None)

    @torch.no_grad()
    def last_hidden(self, X):
        """Return what enters the output layer, (n_members, batch, units)."""
        buffers = self._kept_buffers(X, False)
        self._pass(self._tensors(), X, buffers, None)
        return buffers.entering[-1].clone()

    def to_weights(self):
        """Return the net as NumPy arrays, as ``_forward`` takes it."""
        arrays = _to_arrays(self.members, self.sizes)
        dtype = arrays["bias_0"].dtype
        weights = {**arrays, "branch": np.asarray(self.branch, dtype=dtype)}
        if self.base_units is not None:
            weights["base_units"] = np.asarray(self.base_units, dtype=dtype)
        if self.laziness is not None:
            weights["laziness"] = self.laziness.cpu().numpy().copy()
            start = _to_arrays(self.initial, self.sizes)
            weights |= {f"initial_{name}": array for name, array in start.items()}
        return weights

    def _tensors(self):
        """Return the views of the members, made once as long as they stay in place."""
        members = self.members.detach()
        if getattr(self, "_at", None) != (members.data_ptr(), members.device):
            self._views, self._rooms = views(members, self.sizes), {}
            scaled, first = "scale_0" in self._views, self._views["weight_0"]
            self._scaled = torch.empty_like(first, **CONTIGUOUS) if scaled else None
            self._gradient = torch.zeros_like(members)
            self._gradient_views = views(self._gradient, self.sizes)
            self._at = members.data_ptr(), members.device
        return self._views

    def _kept_buffers(self, X, for_gradient):
        """Return buffers of a batch, in the room that is kept for the largest one."""
        self._tensors()
        n_rows, room = X.shape[-2], self._rooms.get(for_gradient)
        if room is None or room.n_rows < n_rows:
            room = self._rooms[for_gradient] = self._new_room(n_rows, self.n_members)
        return room.buffers(n_rows)

    def _new_room(self, n_rows, n_members):
        like = {"dtype": self.members.dtype, "device": self.members.device}
        return _Room(n_members, n_rows, self.sizes, like)

    def __getstate__(self):
        made = {"_at", "_views", "_rooms", "_scaled", "_generator"}
        made |= {"_gradient", "_gradient_views"}
        return {k: v for k, v in self.__dict__.items() if k not in made}

    def _masks(self):
        if not (self.dropout and self.training):
            return None
        if not hasattr(self, "_generator"):
            self._generator = torch.Generator().manual_seed(self.seed)
        keep, stream = 1 - self.dropout, {"generator": self._generator}
        masks = (
            torch.empty((self.n_members, 1, n), dtype=self.members.dtype)
            for n in self.sizes[1:-1]
        )
        masks = (mask.bernoulli_(keep, **stream).div_(keep) for mask in masks)
        return [mask.to(self.members.device) for mask in masks]

    def _pass(self, tensors, X, buffers, masks):
        """Fill what enters each later layer into buffers, and return the outputs."""
        k, entering = len(tensors["bias_0"]), buffers.entering
        rows = X.expand(k, *X.shape) if X.ndim == 2 else X
        bias, branch = tensors["bias_0"][:, None], self.branch
        h = buffers.signals[0][0] if branch else entering[0]
        torch.baddbmm(bias, rows, self._first(tensors), out=h)
        for layer in range(len(entering)):
            if layer > 0:
                weight = tensors[f"weight_{layer}"]
                bias = tensors[f"bias_{layer}"][:, None]
                if branch:
                    h.baddbmm_(entering[layer - 1], weight, alpha=branch)
                    h.add_(bias, alpha=branch)
                else:
                    h = entering[layer]
                    torch.baddbmm(bias, entering[layer - 1], weight, out=h)
            torch.clamp(h, min=0, out=entering[layer])
            if masks is not None:
                entering[layer].mul_(masks[layer])
        weight = tensors["weight_out"].transpose(1, 2)
        last = entering[-1].transpose(1, 2)
        return torch.baddbmm(tensors["bias_out"][..., None], weight, last)

    def _propagate(self, X, buffers, masks, g_out):
        """Write the gradient of all tensors, given that of the outputs.

        Returns the signal that reaches the first layer, (n_members, batch, units).
        """
        tensors, into = self._tensors(), self._gradient_views
        entering, branch = buffers.entering, self.branch
        torch.sum(g_out, 2, out=into["bias_out"])
        torch.bmm(g_out, entering[-1], out=into["weight_out"].transpose(1, 2))
        weight, g, turn = tensors["weight_out"].mT, buffers.signals[0][-1], 0
        _outer(g_out.transpose(1, 2), weight, g)
        self._through(g, buffers, masks, -1)
        for layer in range(len(entering) - 1, 0, -1):
            own = into[f"weight_{layer}"], into[f"bias_{layer}"]
            torch.bmm(entering[layer - 1].transpose(1, 2), g, out=own[0])
            torch.sum(g, 1, out=own[1])
            turn = 1 if branch else 1 - turn  # the signal itself stays where it is
            back = buffers.signals[turn][layer - 1]
            torch.bmm(g, tensors[f"weight_{layer}"].transpose(1, 2), out=back)
            self._through(back, buffers, masks, layer - 1)
            if branch:
                for tensor in own:
                    tensor.mul_(branch)
                g = g.add_(back, alpha=branch)
            else:
                g = back
        torch.sum(g, 1, out=into["bias_0"])
        rows = X.expand(len(g), *X.shape) if X.ndim == 2 else X
        torch.bmm(rows.transpose(1, 2), g, out=into["weight_0"])
        if "scale_0" in tensors:
            moved = torch.mul(into["weight_0"], tensors["weight_0"], out=self._scaled)
            torch.sum(moved, 2, out=into["scale_0"])
            into["weight_0"].mul_(tensors["scale_0"][..., None])
        return g

    def _through(self, g, buffers, masks, layer):
        """Multiply a signal by the slope of the activation, in place."""
        _where_positive(g, buffers.entering[layer], 0, grad_input=g)
        if masks is not None:
            g.mul_(masks[layer])

    def _first(self, tensors):
        """Return the first matrix of each member, with the scales of its columns."""
        if "scale_0" not in tensors:
            return tensors["weight_0"]
        own = self._scaled if tensors is self._views else None
        return torch.mul(tensors["weight_0"], tensors["scale_0"][..., None], out=own)


class _Room:
    """Where activations and signals lie; making room anew at each batch costs a third.

    Batches of up to ``n_rows`` rows use the same memory: what one wrote there, the next
    writes over.

    Attributes
    ----------
    turn : int
        How often it has been filled.
    """

    def __init__(self, n_members, n_rows, sizes, like):
        self.n_rows, self.turn, self._cut = n_rows, 0, {}
        self.shapes = [(n_members, n) for n in sizes[1:-1]]
        flat = [n_rows * math.prod(shape) for shape in self.shapes]
        self.entering = [torch.empty(n, **like) for n in flat]
        self.shared = [torch.empty(max(flat), **like) for _ in range(2)]

    def buffers(self, n_rows):
        """Return the buffers of a batch."""
        if n_rows not in self._cut:
            if len(self._cut) == SIZES:
                self._cut.clear()
            self._cut[n_rows] = _Buffers(self, n_rows)
        return self._cut[n_rows]


class _Buffers:
    """The part of a room that a batch uses, as tensors.

    Attributes
    ----------
    room : _Room
        The room.
    entering : list of Tensor of shape (n_members, n_rows, units)
        What enters each layer but the first.
    signals : list of two lists of Tensor
        Room for the signal at each layer, twice; layers share it.
    """

    def __init__(self, room, n_rows):
        self.room, shapes = room, [(k, n_rows, n) for k, n in room.shapes]
        self.entering = list(map(_front, room.entering, shapes))
        self.signals = [[_front(flat, s) for s in shapes] for flat in room.shared]


def _front(flat, shape):
    return flat[: math.prod(shape)].view(shape)


def _outer(a, b, out):
    """Multiply batches of matrices of few columns and few rows."""
    if a.shape[2] == 1:
        return torch.mul(a, b, out=out)
    return torch.bmm(a, b, out=out)


def _to_arrays(members, sizes):
    tensors = views(members.detach().cpu(), sizes)
    if "scale_0" in tensors:
        scale = tensors.pop("scale_0")[..., None]
        tensors["weight_0"] = tensors["weight_0"] * scale
    return {name: np.array(t.numpy(), order="C") for name, t in tensors.items()}


class _Pass(torch.autograd.Function):
    """The pass of a `BatchedMLP` and its gradient, without a graph.

    ``members.grad`` is set here, since leaving that to autograd costs two more passes
    over as many numbers. It is one matrix, which the next gradient writes over.
    """

    @staticmethod
    def forward(ctx, members, X, module, buffers, masks):
        buffers.room.turn += 1
        ctx.net = module, buffers, buffers.room.turn, masks
        ctx.save_for_backward(X)
        return module._pass(module._tensors(), X, buffers, masks)

    @staticmethod
    @once_differentiable
    def backward(ctx, g_out):
        module, buffers, turn, masks = ctx.net
        if buffers.room.turn != turn:
            raise RuntimeError(
                "These outputs of a BatchedMLP can no longer be differentiated: it has "
                "been evaluated again. Call backward first, or evaluate under "
                "torch.no_grad()."
            )
        (X,), before = ctx.saved_tensors, module.members.grad
        before = before.clone() if before is module._gradient else before
        g = module._propagate(X, buffers, masks, g_out)
        if before is not None:
            module._gradient.add_(before)
        module.members.grad = module._gradient
        g_rows = None
        if ctx.needs_input_grad[1]:
            tensors = module._tensors()
            g_rows = torch.bmm(g, module._first(tensors).transpose(1, 2))
            g_rows = g_rows.sum(0) if X.ndim == 2 else g_rows
        return None, g_rows, None, None, None


class MemberAdam(torch.optim.Optimizer):
    """AdamW in which each member, and each entry of a member, has its own rate.

    A step is ``p -= lr R decays p`` and then ``p -= lr R m / (sqrt(v) + eps)``, with R
    the rate of a member times the factor of the entry, and m, v the means of gradients
    and squared gradients, corrected for their start. Equal rates give
    :class:`torch.optim.AdamW`. A member of rate zero stays exactly as it is, whatever
    its gradient.

    Parameters
    ----------
    params : iterable of Parameter
        Parameters whose first axis is the member.
    lr : float, default=1.0
        Factor of all rates: what a schedule sets, by ``param_groups[0]["lr"]``.
    rates : array-like of shape (n_members,)
        Learning rate of each member.
    factors : array-like, default=1.0
        Factor of the rate of each entry; it is broadcast over the members.
    decays : array-like, default=0.0
        Weight decay of each entry; it is broadcast over the members.
    betas : tuple of float, default=(0.9, 0.99)
        Memory of the two means.
    eps : float, default=1e-8
        Added to the root.
    """

    def __init__(
        self,
        params,
        lr=1.0,
        *,
        rates,
        factors=1.0,
        decays=0.0,
        betas=(0.9, 0.99),
        eps=1e-8,
    ):
        defaults = {"lr": lr, "rates": rates, "factors": factors, "decays": decays}
        super().__init__(params, {**defaults, "betas": betas, "eps": eps})

    # the two methods of torch import its compiler, a second of every first fit

    def add_param_group(self, param_group):
        """Add parameters, with settings of their own where there are any."""
        params = param_group["params"]
        params = [params] if isinstance(params, torch.Tensor) else list(params)
        self.param_groups.append({**self.defaults, **param_group, "params": params})

    def zero_grad(self, set_to_none=True):
        """Forget gradients."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p.grad is None:
                    p.grad = None
                else:
                    p.grad.zero_()

    def freeze(self, members):
        """Let some members (an index or mask) stay as they are from now on."""
        for group in self.param_groups:
            for p in group["params"]:
                state = self._state(p, group)
                for name in ("rate", "decay", "mean", "square"):
                    state[name] = state[name].expand_as(p).contiguous()
                    state[name][members] = 0
                state["frozen"] = (state["rate"].flatten(1) == 0).all(1)
                state["any_frozen"] = True

    def _state(self, p, group):
        state = self.state[p]
        if not state:
            like = {"dtype": p.dtype, "device": p.device}
            rates = torch.as_tensor(group["rates"], **like)
            state["frozen"] = rates == 0
            if (rates == rates[0]).all():
                rates = rates[:1]  # a row of the matrix of members does for all
            rates = rates.reshape(-1, *(1 for _ in p.shape[1:]))
            state["rate"] = rates * torch.as_tensor(group["factors"], **like)
            state["decay"] = state["rate"] * torch.as_tensor(group["decays"], **like)
            state["any_frozen"] = bool(state["frozen"].any())
            state["step"] = 0
            for name in ("mean", "square", "move"):
                state[name] = torch.zeros_like(p)
        return state

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, p.grad, self._state(p, group), group)
        return loss

    def _move(self, p, g, state, group):
        (beta, gamma), lr, eps = group["betas"], group["lr"], group["eps"]
        state["step"] += 1
        correction = (1 - gamma ** state["step"]) ** 0.5
        if state["any_frozen"]:
            g = g.clone()
            g[state["frozen"]] = 0  # a product with a rate of zero would keep NaN
        state["mean"].lerp_(g, 1 - beta)
        state["square"].mul_(gamma).addcmul_(g, g, value=1 - gamma)
        move = torch.sqrt(state["square"], out=state["move"])
        torch.div(state["mean"], move.add_(eps * correction), out=move)
        p.addcmul_(p, state["decay"], value=-lr)
        p.addcmul_(
            move, state["rate"], value=-lr * correction / (1 - beta ** state["step"])
        )


# torch wraps it for its profiler otherwise, at the cost of a small step
MemberAdam.step.hooked = True
