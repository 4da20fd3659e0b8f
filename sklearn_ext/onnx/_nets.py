"""Tables of numbers coded, and members of one batched net evaluated."""

import numpy as np

from sklearn_ext._numerics._nets import initial_of, layers
from sklearn_ext.onnx._graph import double


def member_outputs(g, model):
    """Return the outputs of all members, (n_members, n_samples, n_outputs)."""
    Z, weights = _coded(g, model.preprocessor_), model.weights_
    out = _passed(g, Z, weights)
    if "laziness" not in weights:
        return out
    moved = g.Sub(out, _passed(g, Z, initial_of(weights)))
    lazy = (weights["laziness"] != 1)[:, None, None]
    alpha = np.where(lazy, weights["laziness"][:, None, None], 0.0)
    kept = g.Mul(out, double(~lazy))
    return g.Add(kept, g.Mul(moved, double(alpha)))


def mean_of(g, outputs, n_members, n_outputs):
    """Return the mean over members, (n_samples, n_outputs)."""
    last = g.Transpose(outputs, perm=[1, 2, 0])
    mean = g.mean(last, n_members)
    return g.Reshape(mean, np.array([-1, n_outputs], dtype=np.int64))


def _passed(g, Z, weights):
    branch, names = float(weights["branch"]), layers(weights)

    def affine(h, name):
        weight, bias = (
            double(weights[f"{kind}_{name}"]) for kind in ("weight", "bias")
        )
        return g.Add(g.MatMul(h, weight), bias[:, None])

    h = affine(Z, names[0])
    for name in names[1:-1]:
        z = affine(g.Relu(h), name)
        h = g.Add(h, g.Mul(z, double([branch]))) if branch else z
    return affine(g.Relu(h), names[-1])


# --- columns --------------------------------------------------------------------------


def _coded(g, table):
    """Return columns as numbers that the net takes, in double precision."""
    if table.is_category_.any():
        raise NotImplementedError(
            "Tables of numbers convert to ONNX, those with categorical columns do not; "
            "code categories in front of the net, with a OneHotEncoder in a pipeline."
        )
    if not hasattr(table, "fill_"):
        raise NotImplementedError(
            "A net that was fitted to sparse rows does not convert to ONNX; fit it to "
            "dense ones."
        )
    X = g.rows()
    columns = {j: g.columns(X, [j]) for j in range(table.n_features_in_)}
    missing = {j: g.IsNaN(x) for j, x in columns.items()}
    parts = [
        g.Where(
            missing[j], double([[table.fill_[j]]]), _scaled(g, columns[j], table, j)
        )
        for j in np.flatnonzero(~table.is_constant_)
    ]
    parts += [g.double(missing[j]) for j in np.flatnonzero(table.has_missing_)]
    for j, means in enumerate(table.bin_means_):
        if len(means):
            x = g.Where(missing[j], double([[table.medians_[j]]]), columns[j])
            low, width = table.edges_[j][:-1], np.diff(table.edges_[j])
            share = _clipped(g, g.Div(g.Sub(x, double(low[None])), double(width)), 0, 1)
            parts.append(g.Sub(share, double(means[None])))
    if not parts:
        raise NotImplementedError("A table of constant columns does not convert.")
    return g.Concat(*parts, axis=1)


def _scaled(g, x, table, j):
    if table._numeric == "quantile":
        return _score(g, x, table.values_[j], table.scores_[j])
    z = g.Div(g.Sub(x, double([[table.center_[j]]])), double([[table.scale_[j]]]))
    if table._numeric != "robust":
        return z
    third = g.Div(z, double([[3.0]]))
    return g.Div(z, g.Sqrt(g.Add(g.Mul(third, third), double([[1.0]]))))


def _score(g, x, values, scores):
    """Interpolate scores; beyond the known values they grow by one at most."""
    inside = _clipped(g, x, values[0], values[-1])
    slopes = np.diff(scores) / np.diff(values)
    passed = g.double(g.GreaterOrEqual(inside, double(values[None, 1:-1])))
    ones = np.ones((max(1, len(values) - 2), 1))
    passed = g.MatMul(passed, ones) if len(values) > 2 else g.Mul(x, double([[0.0]]))
    at = g.Cast(passed, to=7)  # int64
    low, start, slope = (
        g.Gather(double(v), at, axis=0) for v in (values[:-1], scores[:-1], slopes)
    )
    z = g.Add(start, g.Mul(slope, g.Sub(inside, low)))
    steep = (scores[-1] - scores[0]) / (values[-1] - values[0])
    beyond = g.Mul(g.Sub(x, inside), double([[steep]]))
    return g.Add(z, g.Div(beyond, g.Add(g.Abs(beyond), double([[1.0]]))))


def _clipped(g, x, low, high):
    return g.Min(g.Max(x, double([[low]])), double([[high]]))
