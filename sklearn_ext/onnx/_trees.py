"""The members of a set of trees, as one ensemble over the truth of their splits."""

import numpy as np
from skl2onnx.algebra.onnx_ops import OnnxTreeEnsembleRegressor_1

from sklearn_ext.onnx._graph import double


def voters(model):
    """Return the trees whose votes the model counts."""
    if model.voting == "exact":
        raise NotImplementedError(
            "voting='exact' does not convert to ONNX, because it asks all trees of the "
            "set by a recursion: use voting='members', 'best' or 'simplest'."
        )
    if model.voting == "members":
        return model.members_.arrays
    return model._best if model.voting == "best" else model.members_.simplest()


def votes(g, model):
    """Count the votes for each class, without rounding."""
    trees, splits = voters(model), model._splits
    used = np.unique(trees.split[trees.split >= 0])
    if len(used) == 0:
        used = np.zeros(1, dtype=int)  # single leaves read nothing
    X = g.columns(g.rows(), splits.feature[used])
    bits = g.single(g.Not(g.Greater(X, double(splits.threshold[used]))))
    attributes = _nodes(trees, np.searchsorted(used, trees.split))
    return OnnxTreeEnsembleRegressor_1(
        bits, op_version=1, n_targets=len(model.classes_), **attributes
    )


def _nodes(trees, place):
    """List the nodes that can be reached, tree by tree."""
    nodes, leaves = [], []
    for tree, (split, label) in enumerate(zip(trees.split, trees.label, strict=True)):
        waiting = [0]
        while waiting:
            node = waiting.pop()
            if node < len(split) and split[node] >= 0:
                zero, one = 2 * node + 1, 2 * node + 2
                nodes.append((tree, node, place[tree, node], "BRANCH_LEQ", zero, one))
                waiting += [one, zero]
            else:
                nodes.append((tree, node, 0, "LEAF", 0, 0))
                leaves.append((tree, node, label[node]))
    tree, node, split, mode, zero, one = map(list, zip(*nodes, strict=True))
    leaf_tree, leaf, label = (np.asarray(v).tolist() for v in zip(*leaves, strict=True))
    return {
        "nodes_treeids": tree,
        "nodes_nodeids": node,
        "nodes_featureids": np.asarray(split).tolist(),
        "nodes_modes": mode,
        "nodes_values": [0.5] * len(node),
        "nodes_truenodeids": zero,  # the bit is at most one half: it is not set
        "nodes_falsenodeids": one,
        "target_treeids": leaf_tree,
        "target_nodeids": leaf,
        "target_ids": label,
        "target_weights": [1.0] * len(leaf),
    }
