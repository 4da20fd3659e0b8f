"""Rows routed through many trees at once on a torch device."""

import numpy as np
import torch

BLOCK = {"cpu": 2**20}  # entries of a table of trees by rows: what a cache holds
LARGE_BLOCK = 2**26  # and enough to keep an accelerator busy


def tree_labels_torch(split, label, bits, *, device):
    """Predicted class index of many trees, by one gather for each level.

    Parameters
    ----------
    split : ndarray of int, shape (n_trees, n_inner)
        Splits of the heaps, -1 where there is none.
    label : ndarray of int, shape (n_trees, n_nodes)
        Labels of the leaves.
    bits : ndarray of bool, shape (n_rows, n_splits)
        Split values.
    device : str
        Torch device.

    Returns
    -------
    ndarray of int, shape (n_trees, n_rows)
        Class indices.
    """
    stop = np.full((len(label), label.shape[1] - split.shape[1]), -1)
    splits = np.concatenate([split, stop], axis=1)
    labels = torch.as_tensor(label, device=device).long()
    out = np.empty((len(label), len(bits)), dtype=label.dtype)
    columns, depth = _columns(bits, device), label.shape[1].bit_length() - 1
    for part, node in _routed(splits, columns, depth):
        out[part] = torch.gather(labels[part], 1, node).cpu().numpy()
    return out


def _columns(bits, device):
    return torch.as_tensor(np.ascontiguousarray(bits.T), device=device).long()


def _routed(splits, columns, depth):
    """Yield some trees at a time, and the node where each row ends in each of them."""
    n_rows, device, some_stop = columns.shape[1], columns.device, (splits < 0).any()
    splits = torch.as_tensor(splits, device=device).long()
    row = torch.arange(n_rows, device=device)
    step = max(BLOCK.get(device.type, LARGE_BLOCK) // (8 * n_rows), 1)
    for start in range(0, len(splits), step):
        part = slice(start, start + step)
        node = torch.zeros(len(splits[part]), n_rows, dtype=torch.long, device=device)
        for _ in range(depth):
            chosen = torch.gather(splits[part], 1, node)
            inner = chosen.clamp(min=0) if some_stop else chosen
            below = 2 * node + 1 + columns[inner, row]
            node = torch.where(chosen >= 0, below, node) if some_stop else below
        yield part, node


class TorchLeafCounter:
    """Class weights in the leaves of random structures, as ``LeafCounter``.

    Parameters
    ----------
    bits : ndarray of bool, shape (n_rows, n_splits)
        Split values.
    weight : ndarray of shape (n_rows, n_classes)
        Class weights of the rows.
    device : str
        Torch device.
    """

    def __init__(self, bits, weight, device):
        self.columns = _columns(bits, device)
        self.weight = torch.as_tensor(weight, device=device)

    def counts(self, split):
        """Class weights of all leaves, shape (n_structures, n_leaves, n_classes)."""
        n_classes, n_inner = self.weight.shape[1], split.shape[1]
        out = np.empty((len(split), n_inner + 1, n_classes))
        for part, node in _routed(split, self.columns, n_inner.bit_length()):
            sums = self.weight.new_zeros(len(node), n_inner + 1, n_classes)
            for c in range(n_classes):
                mass = self.weight[:, c].expand(len(node), -1)
                sums[..., c].scatter_add_(1, node - n_inner, mass)
            out[part] = sums.cpu().numpy()
        return out
