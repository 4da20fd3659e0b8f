"""Features of a frozen network, batch by batch; imported only where torch is needed."""

import copy
import difflib
from contextlib import nullcontext
from itertools import chain

import numpy as np
import torch
from sklearn.exceptions import NotFittedError

CLASS_TOKENS = {"cls_token", "class_token"}
KEYS = ("last_hidden_state", "pooler_output")


class _Reached(Exception):
    """The wanted layer has answered: what comes after it need not be computed."""


def network_of(module):
    """Return the ``nn.Module`` in a module or fitted skorch net, else None."""
    module = getattr(module, "estimator", module)  # sklearn's FrozenEstimator
    module = getattr(module, "module_", module)
    return module if isinstance(module, torch.nn.Module) else None


def build(module):
    """Like `network_of`, but also call what builds a module."""
    if module is None:
        return torch.nn.Identity()
    if (network := network_of(module)) is not None:
        return network
    if hasattr(module, "initialize"):
        raise NotFittedError(
            f"module is a {type(module).__name__} that is not fitted: fit it first, or "
            "pass an nn.Module."
        )
    network = network_of(built := module())
    if network is None:
        raise TypeError(
            "module must be an nn.Module, a fitted skorch net or a callable that "
            f"returns one of them; the callable returned a {type(built).__name__}."
        )
    return network


def frozen_copy(module, device=None):
    """Copy the tree of modules in evaluation mode, but share its weights.

    The original keeps its training flags, hooks and buffers whatever the copy does,
    also while other threads use it. Only a change of device copies weights.
    """
    memo = {}
    for weight in module.parameters():
        memo[id(weight)] = weight
        if device is not None and weight.device != device:
            moved = weight.detach().to(device)
            memo[id(weight)] = torch.nn.Parameter(moved, requires_grad=False)
    for buffer in module.buffers():
        memo[id(buffer)] = buffer.detach().to(device or buffer.device, copy=True)
    return copy.deepcopy(module, memo).eval()


def storable(state):
    """Copy the trees of modules, in evaluation mode, with arrays for their tensors.

    A pickle of a tensor differs from call to call, which would make every key of a
    cache new; an array does not. Loading turns them into tensors again.

    Parameters
    ----------
    state : dict
        Attributes of `FrozenFeatures` that may hold networks.

    Returns
    -------
    dict
        Those that do.
    """
    found = {name: network_of(value) for name, value in state.items()}
    found = {name: module for name, module in found.items() if module is not None}
    memo = {}
    for module in found.values():
        for tensor in chain(module.parameters(), module.buffers()):
            memo[id(tensor)] = _StoredTensor(tensor)
    twins = copy.deepcopy(found, memo)
    for twin in twins.values():
        for part in twin.modules():  # what `eval` does, without a look at the tensors
            part.training = False
    return twins


class _StoredTensor:
    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        t, trained = self.tensor.detach().cpu().contiguous(), None
        if isinstance(self.tensor, torch.nn.Parameter):
            trained = self.tensor.requires_grad
        bits = t.view(torch.int16) if t.dtype == torch.bfloat16 else t  # as numpy knows
        dtype = str(t.dtype).removeprefix("torch.")
        return _load_tensor, (bits.numpy(), dtype, str(self.tensor.device), trained)


def _load_tensor(array, dtype, device, trained):
    """Return a tensor; a parameter, if it is said whether that is trained."""
    tensor = torch.from_numpy(np.array(array)).view(getattr(torch, dtype))
    if not device.startswith("cuda") or torch.cuda.is_available():
        tensor = tensor.to(device)
    return tensor if trained is None else torch.nn.Parameter(tensor, trained)


def embed(features, batches, n_rows, device=None, report=lambda done: None):
    """Run batches through a frozen copy of a module.

    Parameters
    ----------
    features : FrozenFeatures
        With the network, which is left untouched, and what to do with its output.
    batches : iterable
        Tensors, arrays, dicts of keywords or sequences whose first item is the input.
    n_rows : int
        Number of rows of all batches.
    device : torch.device or None
        Where to compute.
    report : callable
        Told the number of rows done after every batch.

    Returns
    -------
    ndarray of shape (n_rows, n_features_out)
        The features, float32, or float64 when the module works in that.
    """
    module, pooling = frozen_copy(features.module_, device), features.pooling
    tensors = chain(module.parameters(), module.buffers())
    first = next((t for t in tensors if t.is_floating_point()), torch.empty(0))
    device = device or first.device
    dtype = first.dtype if first.numel() else None
    target = None if features.layer is None else _submodule(module, features.layer)
    has_class_token = any(
        name.rpartition(".")[2] in CLASS_TOKENS for name, _ in module.named_parameters()
    )
    context = nullcontext()
    if features.amp:
        context = torch.autocast(device.type, torch.bfloat16)
    found, done = None, 0
    with torch.inference_mode(), context:
        for batch in batches:
            inputs = _to_device(batch, device, dtype)
            output = _forward(module, inputs, target, features.layer)
            output = select_tensor(output, pooling)
            mask = inputs.get("attention_mask") if isinstance(inputs, dict) else None
            rows = pool(output, pooling, has_class_token, mask)
            if features.normalize:
                rows = torch.nn.functional.normalize(rows, dim=1)
            wide = rows.dtype == torch.float64
            rows = rows.to("cpu", torch.float64 if wide else torch.float32).numpy()
            if found is None:
                found = np.empty((n_rows, rows.shape[1]), rows.dtype)
            if rows.shape[1] != found.shape[1]:
                raise ValueError(
                    f"Every batch must give equally many features, got "
                    f"{found.shape[1]} and then {rows.shape[1]}: choose another "
                    "pooling, or pad all rows to one length in preprocess."
                )
            found[done : done + len(rows)] = rows
            done += len(rows)
            report(done)
    if done != n_rows:
        raise ValueError(f"Expected one output per row, got {done} for {n_rows} rows.")
    return found


def _submodule(module, layer):
    layers = dict(module.named_modules())
    if layer not in layers:
        names = [name for name in layers if name]
        close = difflib.get_close_matches(layer, names, n=3) or names[-10:]
        raise ValueError(
            f"layer={layer!r} is not a layer of the module; for instance: {close}."
        )
    return layers[layer]


def _to_device(batch, device, dtype):
    if isinstance(batch, dict) or hasattr(batch, "keys"):
        return {key: _to_device(batch[key], device, dtype) for key in batch}
    if isinstance(batch, (tuple, list)):  # a Dataset's (input, label)
        batch = batch[0]
    x = torch.as_tensor(batch)
    if x.is_floating_point() and dtype is not None:
        return x.to(device, dtype)
    return x.to(device)


def _forward(module, inputs, target, layer):
    def run():
        try:
            return module(**inputs) if isinstance(inputs, dict) else module(inputs)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            error.add_note(
                f"FrozenFeatures gave the module {_describe(inputs)}. input_shape sets "
                "the shape of a row; integers are passed as they are, and X.astype "
                "makes floats of them; preprocess can do both."
            )
            raise

    if target is None:
        return run()

    def stop(module, args, output):
        raise _Reached(output)

    handle = target.register_forward_hook(stop)
    try:
        run()
    except _Reached as reached:
        return reached.args[0]
    finally:
        handle.remove()
    raise RuntimeError(f"layer={layer!r} was never called by the module.")


def _describe(inputs):
    if isinstance(inputs, dict):
        return {key: _describe(value) for key, value in inputs.items()}
    return f"{str(inputs.dtype).removeprefix('torch.')} of shape {tuple(inputs.shape)}"


def select_tensor(output, pooling="auto"):
    """Find the features in what a module returned.

    Parameters
    ----------
    output : tensor, tuple, list or dict
        A tensor is taken as it is, of a tuple the first tensor, of a dict its only
        tensor or the only one of the keys "last_hidden_state" and "pooler_output". Both
        keys are ambiguous unless ``pooling`` says that tokens are wanted.
    pooling : str or callable, default="auto"
        How the features will be pooled.

    Returns
    -------
    tensor
        The features.
    """
    if isinstance(output, torch.Tensor):
        return output
    if hasattr(output, "keys"):
        found = {k: v for k, v in output.items() if isinstance(v, torch.Tensor)}
        known = [key for key in KEYS if key in found]
        if len(known) == 2 and pooling != "auto":
            known = known[:1]
        if len(known) == 1 or (not known and len(found) == 1):
            return found[known[0] if known else next(iter(found))]
        what = f"a dict with tensors under {sorted(found)}"
    elif isinstance(output, (tuple, list)):
        for item in output:
            if isinstance(item, torch.Tensor):
                return item
        what = f"a {type(output).__name__} of {[type(o).__name__ for o in output]}"
    else:
        what = f"a {type(output).__name__}"
    raise TypeError(
        "FrozenFeatures needs one tensor from the module, or a dict in which exactly "
        f"one of {KEYS} or one tensor stands; found {what}. Name the layer by `layer`, "
        'or set pooling="mean" or "cls" to take the "last_hidden_state".'
    )


def pool(output, pooling, has_class_token=False, mask=None):
    """Reduce the output of a layer to two dimensions.

    Parameters
    ----------
    output : tensor of shape (n, ...)
        Rows of features, (n, tokens, features), or (n, channels, places...).
    pooling : {"auto", "mean", "max", "cls", "flatten"} or callable
        As in `FrozenFeatures`.
    has_class_token : bool, default=False
        Whether "auto" may take the first token.
    mask : tensor of shape (n, tokens) or None, default=None
        True or nonzero where a token is real.

    Returns
    -------
    tensor of shape (n, n_features_out)
        One row of features each.
    """
    if callable(pooling):
        rows = pooling(output)
        shape = tuple(getattr(rows, "shape", ()))
        if len(shape) != 2 or shape[0] != len(output):
            raise ValueError(
                f"pooling must return a tensor of shape ({len(output)}, n_features), "
                f"got {shape}."
            )
        return rows
    if output.ndim <= 2:
        return output if output.ndim == 2 else output[:, None]
    if pooling == "flatten":
        return output.flatten(1)
    tokens = output.ndim == 3
    if pooling == "cls" and not tokens:
        raise ValueError(
            'pooling="cls" needs an output of shape (rows, tokens, features), got '
            f"{tuple(output.shape)}."
        )
    if pooling == "cls" or (pooling == "auto" and tokens and has_class_token):
        return output[:, 0]
    if tokens and mask is not None:
        real = (mask != 0)[..., None]
        if pooling == "max":
            return output.masked_fill(~real, -torch.inf).amax(1)
        return (output * real).sum(1) / real.sum(1)
    axes = (1,) if tokens else tuple(range(2, output.ndim))
    return output.amax(axes) if pooling == "max" else output.mean(axes)
