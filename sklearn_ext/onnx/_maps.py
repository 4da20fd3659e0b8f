"""Random features and waves: products, and one function a number."""

import numpy as np

from sklearn_ext.onnx._graph import double, single


def random_features(g, fmap, scaler, X):
    """Scale the columns, multiply by the weights, apply the function of the kernel."""
    if not hasattr(fmap, "weights"):
        raise NotImplementedError(
            "Only map='random' with a finite n_components converts to ONNX, got a "
            f"{type(fmap).__name__}: it keeps rows or an estimator of its own."
        )
    if scaler is not None:
        if not hasattr(scaler, "scale"):
            raise NotImplementedError(
                "Only standardize='standard' converts to ONNX, got a scaling by "
                f"{type(scaler).__name__}."
            )
        if scaler.mean is not None:
            X = g.Sub(X, double(scaler.mean))
        X = g.Div(X, double(scaler.scale))
    weights, offset, size = _dense(fmap.weights), fmap.offset, fmap.n_components
    if fmap.pair:  # sin(p) = cos(p - pi / 2)
        half = size // 2
        weights = np.c_[weights, weights[:, :half]]
        offset = np.r_[offset, offset[:half] - np.pi / 2]
    P = g.MatMul(X, double(weights))
    if fmap.kernel.name == "ntk":
        return _tangent_features(g, fmap, X, P)
    P = P if offset is None else g.Add(P, double(offset))
    P, scale = _activated(g, fmap.kernel.name, P)
    return g.Mul(P, single([scale / np.sqrt(size)]))


def _activated(g, name, P):
    """Return a function of the products, in single precision, and its factor."""
    if name == "step":
        return g.above(P, double([0.0])), np.sqrt(2)
    if name == "erf":
        return g.Erf(g.single(P)), 1.0
    if name not in ("relu", "relu2"):
        return _cosine_of_turns(g, g.Mul(P, double([1 / (2 * np.pi)]))), np.sqrt(2)
    P = g.Relu(g.single(P))
    if name == "relu":
        return P, np.sqrt(2)
    return g.Mul(P, P), np.sqrt(2 / 3)


def _tangent_features(g, fmap, X, P):
    """Neurons, and slopes where the neurons without their offset are open."""
    n_slopes = fmap.tangents.shape[1]
    first = _dense(fmap.weights)[:, :n_slopes]
    gates = g.above(g.MatMul(X, double(first)), double([0.0]))
    slopes = g.MatMul(X, double(_dense(fmap.tangents) * np.sqrt(2 / n_slopes)))
    neurons = g.Relu(g.single(g.Add(P, double(fmap.offset))))
    scale = np.sqrt(2 / (fmap.n_components - n_slopes))
    return g.Concat(
        g.Mul(neurons, single([scale])), g.Mul(g.single(slopes), gates), axis=1
    )


def _dense(weights):
    return weights.dense() if hasattr(weights, "dense") else weights


def _cosine_of_turns(g, turns):
    """Return cosines in single precision; whole turns are left out before."""
    fraction = g.Sub(turns, g.Floor(turns))
    return g.Cos(g.Mul(g.single(fraction), single([2 * np.pi])))


def waves(g, fmap, X):
    """Standardise and clip the columns of a bandit, and put waves beside them."""
    from sklearn_ext.bandits._ridge._feature_map import CLIP

    Z = g.Div(g.Sub(X, double(fmap.mean)), double(fmap.scale))
    Z = g.Min(g.Max(Z, double([-CLIP])), double([CLIP]))
    if not len(fmap.phases):
        return Z
    cosines = _cosine_of_turns(g, g.affine(Z, fmap.weights, fmap.phases))
    return g.Concat(Z, g.double(g.Mul(cosines, single([0.5]))), axis=1)


def views(g, model):
    """Scale the columns and set the views of their moments side by side."""
    X = g.Div(g.rows(), double(model.scale_))
    blocks = [_view(g, view, X) for _, view in model.views_]
    return blocks[0] if len(blocks) == 1 else g.Concat(*blocks, axis=1)


def _view(g, view, X):
    A = g.Sub(X, double(getattr(view, "mean_", [0.0])))
    if hasattr(view, "components_"):
        return g.MatMul(A, double(view.components_))
    if hasattr(view, "phases_"):
        half, k = view.n_components // 2, view.n_components
        W, phases = view.weights_, view.phases_
        W, phases = np.c_[W, W[:, :half]], np.r_[phases, phases[:half] - np.pi / 2]
        turns = g.affine(A, W / (2 * np.pi), phases / (2 * np.pi))
        Z = g.Mul(g.double(_cosine_of_turns(g, turns)), double([np.sqrt(2 / k)]))
        return g.Div(g.Sub(Z, double(view.centre_)), double([view.scale_]))
    if type(view).__name__ == "RawView":
        return g.Div(A, double([view.scale_]))
    raise NotImplementedError(
        "Only views 'raw', 'tilt' and 'random_features' convert to ONNX, got a "
        f"{type(view).__name__}: it keeps rows or an estimator of its own."
    )


def sparse_codes(g, model):
    """Return scores by one product; zeros where their squares do not pay the price."""
    if not hasattr(model, "encoder_coef_") or model._allocation == "row":
        raise NotImplementedError(
            "Only encoder='linear' with allocation='mutual' or 'feature' converts to "
            "ONNX: pursuit takes one feature after the other."
        )
    X = g.Sub(g.rows(), double(model.mean_))
    scores = g.single(g.affine(X, model.encoder_coef_.T, model.encoder_intercept_))
    if model._rule.positive:
        scores = g.Relu(scores)
    least = single(np.broadcast_to(model.price_, len(model.components_)))
    return g.Mul(
        scores, g.above(g.Mul(scores, scores), np.nextafter(least, single(-1)))
    )
