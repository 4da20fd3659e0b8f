"""Training of all members as one batched net, and what is watched meanwhile."""

import math

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn

from sklearn_ext._core._torch import EndOfTraining, LeanNet, fit_net
from sklearn_ext._numerics._nets import members_of
from sklearn_ext._numerics._nets._nets_torch import BatchedMLP, MemberAdam, spread
from sklearn_ext.networks._parametrization import mup_scales
from sklearn_ext.networks._training._members import Training
from sklearn_ext.networks._training._regime import N_ROWS, KernelPath

SCALE_RATE = 6.0  # of learnt scales of columns, in rates of the weights
DIVERGED = 1e3  # times the loss of a constant
UNSTABLE = 10.0  # growth of the outputs after the warm-up
TIE = 1e-9
PROBE = 64  # rows on which activations are measured
EVALUATED = 2**18  # numbers of a layer at a time, of rows left out


def train(rows, members, plan, report=None):
    """Train members as one net.

    Parameters
    ----------
    rows : TrainingRows
        The rows.
    members : Members
        The members.
    plan : Plan
        How to train.
    report : dict or None
        ``estimator``, ``X``, ``y`` and ``metadata`` of `fit_net`, for callbacks, and
        ``state``, which maps weights to fitted attributes; None trains in silence.

    Returns
    -------
    Training
        Weights, losses and outputs, as arrays.
    """
    k, sizes = len(members), _sizes(rows, plan)
    n_batches = math.ceil(len(rows.target) / plan.batch_size)
    scales = mup_scales(
        plan.hidden_units,
        plan.base_units,
        plan.n_layers,
        residual=plan.residual,
        n_features=max(1, sizes[0]),
    )
    std, rate, decay = (
        {name: scale[kind] for name, scale in scales.items()}
        for kind in ("std", "rate", "decay")
    )
    rate, decay = rate | {"scale_0": SCALE_RATE}, decay | {"scale_0": 0.0}
    training = Training(diverged=np.zeros(k, dtype=bool))
    watch = Watch(training, rows, members, plan)
    warm = plan.warmup * n_batches * plan.max_iter
    report = {"estimator": None, "X": None, "y": None, **(report or {})}
    state = report.pop("state", None)
    net = fit_net(
        target={
            "y": rows.target[rows.order],
            "weight": rows.weight[rows.order].astype(np.float32),
            "fold": rows.fold[rows.order],
        },
        weight=np.ones(len(rows.order), dtype=np.float32),
        inputs=rows.order,
        seed=plan.seed,
        batch_size=plan.batch_size,
        loader=RowBatches,
        iterator_train__take=Taker(rows.Z, rows.bins, plan.device),
        state=lambda net: state(watch.weights(net)),
        callbacks=[Schedule(n_batches * plan.max_iter, warm), watch],
        net_type=LeanNet,
        module=OutputsFirst,
        module__n_members=k,
        module__sizes=sizes,
        module__std=std,
        module__seed=members.seeds.tolist(),
        module__branch=math.sqrt(2 / plan.n_layers) if plan.residual else 0.0,
        module__base_units=plan.base_units,
        module__laziness=members.laziness.tolist(),
        module__dropout=plan.dropout,
        module__scaled=True,
        criterion=MemberLoss,
        criterion__of_row=row_loss(rows, plan.logit_penalty),
        criterion__left_out=members.left_out,
        criterion__scale=members.weights(rows),
        optimizer=MemberAdam,
        optimizer__rates=members.rates / np.maximum(members.laziness, 1),
        optimizer__factors=spread(rate, sizes),
        optimizer__decays=plan.decay(n_batches) * spread(decay, sizes),
        lr=1.0,
        max_epochs=plan.max_iter,
        device=plan.device,
        **report,
    )
    training.weights = watch.weights(net)
    return training


def _sizes(rows, plan):
    return (rows.bins.n_columns, *[plan.hidden_units] * plan.n_layers, rows.n_outputs)


class OutputsFirst(BatchedMLP):
    """A `BatchedMLP` whose outputs come as (n_members, n_outputs, batch)."""

    def forward(self, X):
        """Return the outputs."""
        return self.outputs(X)


class RowBatches:
    """Batches of rows of a table that is never copied, of equal size.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset
        Row numbers, and a dict of what belongs to the rows.
    batch_size : int
        Rows of a batch at most.
    shuffle : bool
        Rows of a table of more than one batch are always shuffled.
    take : Taker
        Gives rows of the table.
    """

    def __init__(self, dataset, batch_size, shuffle=True, *, take):
        self.take, self.at = take, torch.as_tensor(dataset.X).to(take.device)
        self.n_batches = math.ceil(len(self.at) / batch_size)
        self.y = {k: torch.as_tensor(v).to(take.device) for k, v in dataset.y.items()}

    def __iter__(self):
        if self.n_batches == 1:
            yield self.take(self.at), self.y
            return
        drawn = torch.randperm(len(self.at)).to(self.at.device)
        for rows in drawn.tensor_split(self.n_batches):
            yield self.take(self.at[rows]), {k: v[rows] for k, v in self.y.items()}


class Taker:
    """Rows of a table as tensors, dense and with their bins.

    Parameters
    ----------
    Z : ndarray or CSR matrix of shape (n_rows, n_narrow)
        The table.
    bins : Bins
        What makes columns of bins.
    device : torch.device
        Where they are used.
    """

    def __init__(self, Z, bins, device):
        self.device, self.n_plain = device, bins.n_plain
        self.Z = torch.as_tensor(Z).to(device) if isinstance(Z, np.ndarray) else Z
        self.source = torch.as_tensor(bins.source).to(device)
        as_float = {"dtype": torch.float32, "device": device}
        self.before = torch.as_tensor(bins.before, **as_float)
        self.mean = torch.as_tensor(bins.mean, **as_float)

    def __call__(self, at):
        """Return the rows at some places, a tensor of any shape."""
        if not isinstance(self.Z, torch.Tensor):
            part = torch.from_numpy(self.Z[at.cpu().numpy().ravel()].toarray())
            return part.reshape(*at.shape, -1).to(self.device)
        Z = self.Z[at]
        if not len(self.source):
            return Z
        share = (
            Z.index_select(-1, self.source)
            .sub_(self.before)
            .clamp_(0, 1)
            .sub_(self.mean)
        )
        return torch.cat([Z[..., : self.n_plain], share], dim=-1)


def row_loss(rows, logit_penalty):
    """Return the loss of rows: a function of outputs (n_members, n_outputs, batch).

    It returns the loss of each row, (n_members, batch), and its slope, of the shape of
    the outputs. Targets are those of all members, (batch,) or (batch, n_outputs), or
    have a first axis of members.
    """
    if rows.target.ndim == 2:
        return _squared_error

    def log_loss(output, y):
        at = y[..., None, :].expand(len(output), 1, -1)
        log_share = torch.log_softmax(output, 1)
        losses, slope = -log_share.gather(1, at)[:, 0], log_share.exp()
        if logit_penalty:
            total = torch.logsumexp(output, 1)
            losses = losses + logit_penalty * total**2
            slope.mul_((1 + 2 * logit_penalty * total)[:, None])
        return losses, slope.scatter_add_(1, at, slope.new_full((), -1.0).expand_as(at))

    return log_loss


def _squared_error(output, y):
    error = output - y.mT
    return error.square().mean(1), error * (2 / output.shape[1])


class MemberLoss(nn.Module):
    """Sum over members of the mean over the rows that they do not leave out.

    So the gradient of each member is that of a net trained alone.

    Parameters
    ----------
    of_row : callable
        Loss of rows, and its slope; see `row_loss`.
    left_out : ndarray of shape (n_members,)
        Fold that each leaves out.
    scale : ndarray of shape (n_members,)
        Factor that gives its weights mean one.
    """

    def __init__(self, of_row, left_out, scale):
        super().__init__()
        self.of_row = of_row
        self.register_buffer("left_out", torch.as_tensor(left_out)[:, None])
        scale = torch.as_tensor(scale, dtype=torch.float32)[:, None]
        self.register_buffer("scale", scale)
        self.forget()

    def forget(self):
        """Begin a new mean."""
        self.sums = []

    def forward(self, output, target):
        """Return the loss of a batch."""
        weight = self._weight(target)
        return (weight * self.of_row(output, target["y"])[0]).mean(1).sum()

    def slope(self, output, target):
        """Return the derivative of the loss of a batch, which is counted."""
        weight = self._weight(target)
        losses, slope = self.of_row(output, target["y"])
        self.sums.append(((weight * losses).sum(1), weight.shape[1]))
        return slope.mul_(weight[:, None] / weight.shape[1])

    def _weight(self, target):
        held = target["fold"] != self.left_out
        return held * (target["weight"] * self.scale)

    def mean(self):
        """Return the mean loss of each member since `forget`."""
        losses, n_rows = zip(*self.sums, strict=True)
        return (sum(losses) / sum(n_rows)).cpu().numpy()


class Schedule(Callback):
    """Linear warm-up, then a cosine to zero.

    Parameters
    ----------
    n_steps : int
        Steps of the training.
    n_warm : float
        How many of them warm up.
    """

    def __init__(self, n_steps, n_warm):
        self.n_steps, self.n_warm = n_steps, n_warm

    def on_train_begin(self, net, **kwargs):
        """Start over."""
        self.step = 0

    def on_batch_begin(self, net, **kwargs):
        """Set the factor of all rates."""
        self.step += 1
        rise = min(1.0, self.step / (self.n_warm + 1))
        gone = max(0.0, self.step - self.n_warm) / (self.n_steps - self.n_warm + 1)
        fall = (1 + math.cos(math.pi * gone)) / 2
        net.optimizer_.param_groups[0]["lr"] = rise * fall


class Watch(Callback):
    """Losses of rows left out, sizes, divergence, the best epoch, and when to stop.

    Each row left out passes through the members that leave it out, and no others.

    Parameters
    ----------
    training : Training
        What is filled in.
    rows, members, plan
        As for `train`.
    """

    def __init__(self, training, rows, members, plan):
        self.training, self.plan, self.rows = training, plan, rows
        self.limit = DIVERGED * max(rows.constant_loss, 0.1)
        self.rate = float(members.rates.mean())
        held = [np.flatnonzero(rows.fold == fold) for fold in members.left_out]
        self.at = np.zeros((len(members), max(map(len, held))), dtype=np.intp)
        self.weight = np.zeros(self.at.shape)
        for j, h in enumerate(held):
            self.at[j, : len(h)] = h
            self.weight[j, : len(h)] = rows.weight[h]
        self.take = Taker(rows.Z, rows.bins, plan.device)
        self.probe = torch.as_tensor(rows.order[:PROBE]).to(plan.device)

    # --- called by skorch -------------------------------------------------------------

    def on_train_begin(self, net, **kwargs):
        """Start over."""
        self.least, self.since, self.kept = math.inf, 0, None
        self.target = torch.as_tensor(self.rows.target).to(net.device)
        self.of_row = net.criterion_.of_row
        if self.plan.follow_kernel:
            at = self.rows.order[:N_ROWS]
            Z = self.take(torch.as_tensor(at).to(net.device)).cpu().numpy()
            self.training.path = KernelPath(Z, self.rows.target[at])
            self.training.path.look(net.module_.to_weights())

    def on_epoch_end(self, net, **kwargs):
        """Measure, and stop where there is no more to gain."""
        self.measure(net)
        training = self.training
        if training.diverged.all():
            training.stop_reason = "diverged"
        elif self.plan.keep_best and self.since >= self.plan.patience:
            training.stop_reason = "instability" if self._unstable() else "patience"
        if training.stop_reason != "max_iter":
            raise EndOfTraining

    def on_train_end(self, net, **kwargs):
        """Return to the best epoch; the user's callbacks may have stopped early."""
        if len(net.history) > len(self.training.history):
            self.measure(net)
        stopped = len(net.history) < self.plan.max_iter
        if stopped and self.training.stop_reason == "max_iter":
            self.training.stop_reason = "callback"
        if self.kept is not None:
            with torch.no_grad():
                net.module_.members.copy_(self.kept)

    # --- an epoch ---------------------------------------------------------------------

    def measure(self, net):
        """Look at the members as an epoch leaves them."""
        module, training = net.module_, self.training
        module.eval()
        with torch.no_grad():
            sizes = self._sizes(net)
            self._freeze(net, sizes.pop("largest"))
            outputs, losses = self._held_out(module)
        if training.path is not None:
            training.path.look(module.to_weights())
        losses[training.diverged & ~np.isnan(losses)] = np.inf
        training.member_loss.append(losses)
        good = ~training.diverged & (self.weight.sum(axis=1) > 0)
        share = self.weight.sum(axis=1)[good]
        loss = share @ losses[good] / share.sum() if good.any() else np.nan
        training.history.append({"oob_loss": loss, **sizes})
        if not self.plan.keep_best or np.isnan(loss):
            training.best = len(training.history) - 1
            training.outputs = outputs
        elif loss < self.least * (1 - TIE) or self.kept is None:
            training.best, training.outputs = len(training.history) - 1, outputs
            self.least, self.since = loss, 0
            self.kept = module.members.detach().clone()
        else:
            self.since += 1

    def _sizes(self, net):
        module, good = net.module_, ~torch.as_tensor(self.training.diverged)
        X = self.take(self.probe)
        hidden, logits = module.last_hidden(X), module.outputs(X)
        good = good.to(hidden.device)
        gradient = module.members.grad[good]
        return {
            "activation_rms": float(hidden[good].square().mean().sqrt()),
            "logit_rms": float(logits[good].square().mean().sqrt()),
            "gradient_norm": float(gradient.norm(dim=1).mean()),
            "learning_rate": net.optimizer_.param_groups[0]["lr"] * self.rate,
            "largest": hidden.abs().flatten(1).amax(1).cpu().numpy(),
        }

    def _freeze(self, net, largest):
        training, losses = self.training, net.criterion_.mean()
        net.criterion_.forget()
        training.train_loss.append(losses)
        with np.errstate(invalid="ignore"):
            new = ~(losses <= self.limit) & ~training.diverged
        if new.any():
            if not training.diverged.any():
                training.diverged_at = len(training.train_loss)
                training.largest = float(np.max(largest[new]))
            training.diverged = training.diverged | new
            frozen = torch.as_tensor(new, device=net.module_.members.device)
            net.optimizer_.freeze(frozen)
            net.module_.members[frozen] = 0

    def _held_out(self, module):
        """Return outputs of the rows left out, and the mean loss of each member."""
        k, n_held = self.at.shape
        out = np.full((len(self.rows.target), self.rows.n_outputs), np.nan, np.float32)
        total = np.zeros(k)
        width = max(self.plan.hidden_units, self.rows.bins.n_columns)
        step = max(1, EVALUATED // (k * width))
        for start in range(0, n_held, step):
            part = slice(start, start + step)
            at, weight = self.at[:, part], self.weight[:, part]
            there = torch.as_tensor(at, device=module.members.device)
            output = module.outputs(self.take(there))
            loss = self.of_row(output, self.target[there])[0].double().cpu().numpy()
            with np.errstate(invalid="ignore"):
                total += np.where(weight > 0, weight * loss, 0).sum(axis=1)
            real = weight > 0
            out[at[real]] = output.transpose(1, 2).cpu().numpy()[real]
        share = self.weight.sum(axis=1)
        total = np.where(np.isnan(total), np.inf, total)
        return out, np.where(share > 0, total / np.where(share > 0, share, 1), np.nan)

    def _unstable(self):
        """Return whether outputs exploded while the loss of rows left out rose."""
        history = self.training.history
        warm = min(math.ceil(self.plan.warmup * self.plan.max_iter), len(history) - 1)
        grown = history[-1]["logit_rms"] > UNSTABLE * history[warm]["logit_rms"]
        return grown and history[-1]["oob_loss"] > history[warm]["oob_loss"]

    def weights(self, net):
        """Return the net of the members that did not diverge, as arrays."""
        return members_of(net.module_.to_weights(), ~self.training.diverged)
