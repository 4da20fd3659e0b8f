"""Errors of many directions on a torch device."""

import numpy as np
import torch

from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.rashomon._linear._sparse_rows import SparseRows

BLOCK = {"cpu": 2**20}  # entries of a table of directions by rows: what a cache holds
LARGE_BLOCK = 2**26  # and enough to keep an accelerator busy


def direction_errors_torch(directions, rows, weight=None, *, device):
    """Weighted errors of directions, as ``direction_errors``.

    Parameters
    ----------
    directions : ndarray of shape (n_directions, n_dims)
        Hypotheses.
    rows : ndarray or SparseRows of shape (n_rows, n_dims)
        Rows times their class sign.
    weight : ndarray of shape (n_rows,) or None, default=None
        Weights; None counts rows.
    device : str
        Torch device.

    Returns
    -------
    ndarray of shape (n_directions,)
        Errors; products keep the dtype of the input.
    """
    products = _products_with(rows, device)
    weights = None if weight is None else torch.as_tensor(weight, device=device)
    out = torch.empty(len(directions), dtype=torch.float64, device=device)
    entries = BLOCK.get(torch.device(device).type, LARGE_BLOCK)
    for part in blocks(len(directions), max(entries // len(rows), 1)):
        block = torch.as_tensor(directions[part], device=device)
        wrong = products(block) <= 0
        if weights is None:
            found = wrong.sum(dim=1, dtype=torch.int32)  # int64 takes longer
        else:
            found = wrong.to(weights.dtype) @ weights
        out[part] = found
    return out.cpu().numpy()


def _products_with(rows, device):
    """Move rows to a device; return the function of directions that multiplies."""
    if not isinstance(rows, SparseRows):
        columns = torch.as_tensor(np.ascontiguousarray(rows.T), device=device)
        return lambda block: block @ columns
    S = rows.S.tocoo()
    place = torch.as_tensor(np.stack([S.row, S.col]).astype(np.int64))
    S = torch.sparse_coo_tensor(
        place, torch.as_tensor(S.data), S.shape, check_invariants=False
    ).to(device)
    left, right = (torch.as_tensor(a, device=device) for a in (rows.left, rows.right))
    return lambda block: (S @ block.T).T + torch.outer(block @ right, left)
