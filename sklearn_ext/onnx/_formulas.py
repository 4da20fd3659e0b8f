"""What each estimator computes: scores, chances or values, as a graph.

Scores are log-probabilities up to a term common to all classes; votes and the like are
chances from the start.
"""

import numpy as np

from sklearn_ext.calibration._opinions import LEAST
from sklearn_ext.onnx._graph import INTEGER, double, single
from sklearn_ext.onnx._maps import random_features, views, waves
from sklearn_ext.onnx._nets import mean_of, member_outputs
from sklearn_ext.onnx._trees import voters, votes

# --- numbers ----------------------------------------------------------------------


def line(g, model):
    """Return the values of a linear model."""
    coef, intercept = model.coef_, model.intercept_
    if getattr(model, "predict_with", "best") == "members":
        members = model.members_
        coef, intercept = members.coef.mean(axis=0), members.intercept.mean()
    return g.affine(g.rows(), np.atleast_2d(coef).T, np.atleast_1d(intercept))


def ridge_on_features(g, model):
    """Return the values of a ridge on random features."""
    features = model._features
    Z = g.double(random_features(g, features.map, features.scaler, g.rows()))
    solution = model._solution()
    return g.affine(Z, solution.coef, solution.intercept)


def tasks(g, model):
    """Return the values of each row's own task, or of the population."""
    first = int(model.fit_intercept)
    population = np.append(np.zeros(1 - first), model.prior_mean_)
    X = g.rows()
    if model.group_feature is None:
        out = g.affine(X, population[1:, None], population[:1])
    else:
        if model.groups_.dtype.kind not in "biuf":
            raise NotImplementedError(
                "group_feature converts to ONNX where its labels are numbers, got "
                f"{model.groups_.dtype}."
            )
        column = model._group_column()
        known = g.Equal(g.columns(X, [column]), double(model.groups_[None]))
        own = np.column_stack([model.task_intercept_, model.task_coef_])
        terms = g.affine(g.double(known), own - population, population)
        others = [j for j in range(model.n_features_in_) if j != column]
        out = g.columns(terms, [0])
        if others:
            slopes = g.columns(terms, 1 + np.arange(len(others)))
            parts = g.Mul(slopes, g.columns(X, others))
            out = g.Add(out, g.MatMul(parts, np.ones((len(others), 1))))
    if not hasattr(model, "shared_"):
        return out
    if model.group_feature is not None:
        given = g.columns(g.given, others)
        return g.Add(out, g.double(g.model(model.shared_, given)))
    return g.Add(out, g.double(g.model(model.shared_)))


def net_values(g, model):
    """Return the mean of the members of a net, in the units of the targets."""
    n_members, n_outputs = model.weights_["bias_out"].shape
    mean = mean_of(g, member_outputs(g, model), n_members, n_outputs)
    scale, middle = model._target_scale, model._target_mean
    return g.Add(g.Mul(mean, double(scale[None])), double(middle[None]))


def behind_a_curve(g, model):
    """Return the curve at an index of monomials, or of a transformer's columns."""
    features, link = model.feature_map_, model.link_
    X = g.rows()
    Z = g.on_one_scale(X, features.columns)
    if hasattr(features, "transformer"):
        Phi = g.Sub(_transformed(g, features, Z), double(features.mean))
    else:
        parts = []
        for places in features.places:
            part = g.columns(Z, places[:, 0])
            for column in places.T[1:]:
                part = g.Mul(part, g.columns(Z, column))
            parts.append(part)
        raw = g.Concat(*parts, axis=1) if len(parts) > 1 else parts[0]
        Phi = g.on_one_scale(raw, features.products)
    t = g.affine(Phi, model.component_coef_[:, None], [model.intercept_])
    if not len(link.knots):
        return t
    low, high = (double([knot]) for knot in link.knots[[0, -1]])
    inside = g.Min(g.Max(t, low), high)
    u, knots = g.Div(g.Sub(inside, low), double([link.span])), link.cubics.x
    passed = g.above(u, double(knots[None, 1:-1]))
    place = g.MatMul(passed, single(np.ones((len(knots) - 2, 1))))
    place = g.Reshape(g.Cast(place, to=INTEGER), np.array([-1], dtype=np.int64))
    pieces = np.vstack([knots[:-1], link.span * link.cubics.c]).T
    piece = g.Gather(double(pieces), place, axis=0)
    u = g.Sub(u, g.columns(piece, [0]))
    out = g.columns(piece, [1])
    for power in (2, 3, 4):
        out = g.Add(g.Mul(out, u), g.columns(piece, [power]))
    out = g.Add(out, double(link.values[:1]))
    before, after = g.Min(g.Sub(t, low), double([0.0])), g.Sub(t, inside)
    after = g.Max(after, double([0.0]))
    out = g.Add(out, g.Mul(before, double(link.slopes[:1])))
    return g.Add(out, g.Mul(after, double(link.slopes[-1:])))


def _transformed(g, features, Z):
    """Return what a transformer makes of standardised columns, or of them as they are.

    skl2onnx's own converters take no product of other nodes.
    """
    transformer = features.transformer
    if hasattr(transformer, "_map"):  # random features
        return g.double(random_features(g, transformer._map, None, Z))
    if (features.columns.scale != 1).any() or features.columns.mean.any():
        raise NotImplementedError(
            f"feature_map={transformer!r} converts to ONNX with standardize=False: put "
            "a StandardScaler in front of the regressor, in a pipeline."
        )
    return g.double(g.model(transformer))


def mean_of_members(g, model):
    """Return the weighted mean of the values of regressors."""
    members, weights = _voting_members(model)
    parts = [
        g.Mul(
            g.Reshape(g.double(g.model(m)), np.array([-1, 1], dtype=np.int64)),
            double([w]),
        )
        for m, w in zip(members, weights, strict=True)
    ]
    return _sum(g, parts)


# --- scores of classes ------------------------------------------------------------


def linear_scores(g, model):
    """Return the scores of linear models; one row of them is that of the second."""
    return _of_both(g, g.rows(), model.coef_, np.reshape(model.intercept_, -1))


def gaussian_scores(g, model):
    """Return linear scores, or quadratic ones where each class has its variances."""
    if hasattr(model, "coef_"):
        return linear_scores(g, model)
    form, temperature = model._model.form, model.temperature_
    Z = g.Div(g.Sub(g.rows(), double(form.pivot)), double(form.scale))
    scores = g.Add(
        g.MatMul(g.Mul(Z, Z), double(form.curvature.T / temperature)),
        g.MatMul(Z, double(form.weights.T / temperature)),
    )
    return g.Add(scores, double(form.intercept / temperature))


def feature_scores(g, model):
    """Return the scores of a ridge on random features, tempered."""
    features, solution = model._features, model._solution()
    factor = 1 / model.temperature_
    if len(model.classes_) == 2:  # one score s stands for the scores -s and s
        factor *= 2
    Z = g.double(random_features(g, features.map, features.scaler, g.rows()))
    return _of_both(g, Z, factor * solution.coef.T, factor * solution.intercept)


def head_on_views(g, model):
    """Return a linear model of views side by side."""
    size = np.sqrt(max(len(model.views_), 1))
    if not model.views_:  # nothing varies: the intercept alone
        zeros = np.zeros((model.n_features_in_, len(model.intercept_)))
        return g.affine(g.rows(), zeros, model.intercept_)
    return g.affine(views(g, model), model.view_coef_.T / size, model.intercept_)


def tempered_head_on_views(g, model):
    """Return scores whose softmax are the chances of a classifier on views."""
    return g.Div(head_on_views(g, model), double([model.temperature_]))


def spherical_scores(g, model):
    """Return scores whose softmax are the chances, if the loss has any."""
    from sklearn_ext.losses._spherical import FLOOR

    n_classes = len(model.classes_)
    scores = g.affine(g.rows(), model.coef_.T, model.intercept_)
    if model.loss == "z":
        away = g.Sub(scores, g.mean(scores, n_classes))
        noise = double(model._noise).reshape(-1)
        s2 = g.Add(g.mean(g.Mul(away, away), n_classes), noise)
        scores = g.Div(away, g.Sqrt(g.Max(s2, double([FLOOR]))))
        return g.Div(scores, double([model.temperature_]))
    if model.loss == "taylor":
        half = g.Mul(g.Mul(scores, scores), double([0.5]))
        return g.Log(g.Add(g.Add(scores, half), double([1.0])))
    return scores


def _of_both(g, X, coef, intercept):
    if len(coef) == 1:  # two classes: the log odds are the score of the second
        coef = np.r_[np.zeros_like(coef), coef]
        intercept = np.r_[0.0, intercept]
    return g.affine(X, coef.T, intercept)


# --- chances of classes -----------------------------------------------------------


def logistic_members(g, model):
    """Return the mean probability of the members, or the best model's."""
    members = model.members_
    coef, intercept = members.coef, members.intercept
    if model.predict_with == "best":
        coef, intercept = model.coef_, model.intercept_
    second = g.Sigmoid(g.single(g.affine(g.rows(), coef.T, intercept)))
    second = g.mean(g.double(second), len(coef))
    return g.Concat(g.Sub(double([1.0]), second), second, axis=1)


def linear_members(g, model):
    """Return the shares of votes of directions, counted without rounding."""
    members = model.members_
    coef, intercept = members.coef, members.intercept
    if model.predict_with == "best":
        coef, intercept = model.best_coef_, model.best_intercept_
    n = len(coef)
    each = g.above(g.affine(g.rows(), coef.T, intercept), double([0.0]))
    second = g.MatMul(each, single(np.ones((n, 1))))
    both = g.Concat(g.Sub(single([n]), second), second, axis=1)
    return g.Div(g.double(both), double([n]))


def net_chances(g, model):
    """Return the mean probability of the members of a net."""
    each = g.Softmax(member_outputs(g, model), axis=2)
    return mean_of(g, each, *model.weights_["bias_out"].shape)


def tree_votes(g, model):
    """Return the shares of votes of trees."""
    return g.Div(g.double(votes(g, model)), double([len(voters(model))]))


def mixed_chances(g, model):
    """Return the mixture of probabilities."""
    members, weights = _voting_members(model)
    parts = [
        g.Mul(g.chances(member, model.classes_), double([weight]))
        for member, weight in zip(members, weights, strict=True)
        if weight > 0
    ]
    return _sum(g, parts)


def _voting_members(model):
    """Return fitted members and their weights."""
    if hasattr(model, "estimators_"):
        return model.estimators_, model.weights_
    if model.voting == "best":
        return model.members_[:1], [1.0]
    return model.members_, model.weights_


def _sum(g, parts):
    total = parts[0]
    for part in parts[1:]:
        total = g.Add(total, part)
    return total


def winner_chances(g, model):
    """Return the probabilities of the estimator that was fitted in the end."""
    return g.chances(model.estimator_, model.classes_)


def correctness_chances(g, model):
    """Return probabilities whose largest is that of being right."""
    from sklearn_ext.calibration._correctness import Corruption, NeighborVote

    K = len(model.classes_)
    kept = [o for o in model.opinions_ if isinstance(o, (NeighborVote, Corruption))]
    if kept:
        raise NotImplementedError(
            "Opinions of nearest or corrupted rows do not convert to ONNX: they keep "
            "rows of the data: use opinions=None or classifiers."
        )
    P = g.chances(model.estimator_, model.classes_)
    own = g.at(g.ArgMax(P, axis=1, keepdims=0), K)
    odds = _odds(g, P, own, K)
    if K == 2:
        second = g.columns(own, [1])
        features = [odds, second, g.Mul(second, odds)]
    else:
        two = g.TopK(_clipped(g, P, LEAST, 1.0), np.array([2], dtype=np.int64), axis=1)
        logs = g.Log(two[0])
        margin = g.Sub(g.columns(logs, [0]), g.columns(logs, [1]))
        entropy = _total(g, g.Mul(P, g.Log(_clipped(g, P, 1e-300, 1.0))), K)
        features = [odds, margin, g.Neg(entropy), own]
    for opinion in model.opinions_:
        features.append(_odds(g, g.chances(opinion, model.classes_), own, K))
    coef = model.correctness_coef_ / model.feature_scale_
    level = model.correctness_intercept_ - model.feature_mean_ @ coef
    right = g.affine(g.Concat(*features, axis=1), coef[:, None], [level])
    right = g.Sigmoid(right)
    # the other classes share the rest; see `predict_proba` for the least of confidence
    rest = g.Div(g.Log(_clipped(g, P, 1e-6, 1.0)), double([model.rest_temperature_]))
    rest = g.Softmax(g.Sub(rest, g.Mul(own, double([1e9]))), axis=1)
    largest = g.TopK(rest, np.array([1], dtype=np.int64), axis=1)[0]
    least = g.Div(largest, g.Add(largest, double([1.0])))
    right = g.Max(right, g.Mul(least, double([1 + 1e-9])))
    return g.Add(g.Mul(rest, g.Sub(double([1.0]), right)), g.Mul(own, right))


def _clipped(g, P, low, high):
    return g.Min(g.Max(P, double([low])), double([high]))


def _total(g, X, n):
    return g.MatMul(X, np.ones((n, 1)))


def _odds(g, P, own, n_classes):
    p = _clipped(g, _total(g, g.Mul(P, own), n_classes), LEAST, 1 - LEAST)
    return g.Sub(g.Log(p), g.Log(g.Sub(double([1.0]), p)))


# --- rewards of actions -----------------------------------------------------------


def ridge_rewards(g, model):
    """Return the predicted reward of every action."""
    fmap, posterior, X = model._map, model._posterior, g.rows()
    if hasattr(fmap, "transformer"):
        X = g.double(g.model(fmap.transformer))
    elif hasattr(fmap, "phases"):
        X = waves(g, fmap, X)
    scale = posterior.scale
    Z = g.Div(g.Sub(X, double(scale.origin)), double(scale.spread))
    return g.affine(Z, posterior.coef.T, posterior.base)


def adversarial_rewards(g, model):
    """Return the cumulated score of every action."""
    theta = model._theta
    return g.affine(waves(g, model._map, g.rows()), theta[:, :-1].T, theta[:, -1])
