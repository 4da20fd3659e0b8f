"""Rows routed through many trees at once on a torch device."""

import numpy as np
import torch

BLOCK = {"cpu": 2**20}  # entries of a table of trees by rows: what a cache holds
LARGE_BLOCK = 2**26  # and enough to keep an accelerator busy


def _entries(device):
    return BLOCK.get(torch.device(device).type, LARGE_BLOCK)


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
    n_trees, n_rows = len(label), len(bits)
    columns = torch.as_tensor(np.ascontiguousarray(bits.T), device=device).long()
    stop = np.full((n_trees, label.shape[1] - split.shape[1]), -1)
    splits = torch.as_tensor(np.concatenate([split, stop], axis=1), device=device)
    splits, labels = splits.long(), torch.as_tensor(label, device=device).long()
    out = np.empty((n_trees, n_rows), dtype=label.dtype)
    row = torch.arange(n_rows, device=device)
    depth = label.shape[1].bit_length() - 1
    step = max(_entries(device) // (8 * n_rows), 1)
    for start in range(0, n_trees, step):
        part = slice(start, start + step)
        node = torch.zeros(len(labels[part]), n_rows, dtype=torch.long, device=device)
        for _ in range(depth):
            chosen = torch.gather(splits[part], 1, node)
            below = 2 * node + 1 + columns[chosen.clamp(min=0), row]
            node = torch.where(chosen >= 0, below, node)
        out[part] = torch.gather(labels[part], 1, node).cpu().numpy()
    return out


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
        columns = np.ascontiguousarray(bits.T)
        self.columns = torch.as_tensor(columns, device=device).long()
        self.weight = torch.as_tensor(weight, device=device)
        self.device = device

    def counts(self, split):
        """Class weights of all leaves, shape (n_structures, n_leaves, n_classes)."""
        n_rows, n_classes = self.weight.shape
        out = np.empty((len(split), split.shape[1] + 1, n_classes))
        step = max(_entries(self.device) // (8 * n_rows), 1)
        for start in range(0, len(split), step):
            part = split[start : start + step]
            out[start : start + step] = self._batch(part).cpu().numpy()
        return out

    def _batch(self, split):
        n_rows, n_classes = self.weight.shape
        n, n_inner = split.shape
        split = torch.as_tensor(split, device=self.device).long()
        row = torch.arange(n_rows, device=self.device)
        node = torch.zeros(n, n_rows, dtype=torch.long, device=self.device)
        for _ in range(n_inner.bit_length()):
            node = 2 * node + 1 + self.columns[torch.gather(split, 1, node), row]
        sums = torch.zeros(
            n, n_inner + 1, n_classes, dtype=self.weight.dtype, device=self.device
        )
        for c in range(n_classes):
            mass = self.weight[:, c].expand(n, -1)
            sums[..., c].scatter_add_(1, node - n_inner, mass)
        return sums
