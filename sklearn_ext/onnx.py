"""ONNX converters for the estimators whose prediction is a closed formula."""

import numpy as np

from sklearn_ext._core._optional import require

__all__ = ["register_converters"]

SINGLE, DOUBLE = 1, 11  # onnx.TensorProto.FLOAT and DOUBLE


def register_converters():
    """Teach skl2onnx our estimators; calling it again changes nothing.

    Afterwards :func:`skl2onnx.to_onnx` converts them, alone or inside pipelines:
    `NaiveBayesProbe` with either covariance, the linear probes, the linear regressors
    of aggregates, `RashomonRidge`, `SparseAutoencoder` with a linear encoder, and ridge
    regression and classification on random features, whose maps are matrix products
    and one function a number. Products that cancel where columns lie far from zero are
    taken in double precision, whatever the input; what comes out is single.

    Raises
    ------
    ImportError
        When skl2onnx is missing; ``pip install 'sklearn-ext[onnx]'`` brings it.

    Notes
    -----
    Converting a model on landmarks, on an infinite number of features or on a
    ``feature_map`` of your own raises a NotImplementedError: it keeps rows of the data.

    Examples
    --------
    >>> from sklearn_ext.onnx import register_converters
    >>> register_converters()  # doctest: +SKIP
    """
    skl2onnx = require("skl2onnx", extra="onnx", user="register_converters")
    from sklearn_ext import (
        aggregate,
        probes,
        random_features,
        rashomon,
        representations,
    )

    skl2onnx.update_registered_converter(
        representations.SparseAutoencoder,
        "SklearnExtSparseAutoencoder",
        _code_shapes,
        _convert_codes,
    )
    for cls in (
        aggregate.BagRegressor,
        aggregate.InstanceRegressor,
        aggregate.InterpolatingAggregateRegressor,
        aggregate.InterpolatingAggregateRegressorCV,
        random_features.RandomFeatureRidge,
        random_features.RandomFeatureRidgeCV,
        rashomon.RashomonRidge,
    ):
        skl2onnx.update_registered_converter(
            cls, f"SklearnExt{cls.__name__}", _regressor_shapes, _convert_regressor
        )
    for cls in (
        probes.NaiveBayesProbe,
        probes.ShrinkageDiscriminantProbe,
        probes.LogisticProbe,
        probes.LogisticProbeCV,
        random_features.RandomFeatureRidgeClassifier,
        random_features.RandomFeatureRidgeClassifierCV,
    ):
        skl2onnx.update_registered_converter(
            cls,
            f"SklearnExt{cls.__name__}",
            _classifier_shapes,
            _convert_classifier,
            options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
        )


def _regressor_shapes(operator):
    from skl2onnx.common.data_types import FloatTensorType

    model = operator.raw_operator
    n_targets = np.atleast_1d(model.intercept_).shape[0]
    n_rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = FloatTensorType([n_rows, n_targets])


def _convert_regressor(scope, operator, container):
    from skl2onnx.algebra import onnx_ops as ox

    model, version = operator.raw_operator, {"op_version": container.target_opset}
    X = ox.OnnxCast(operator.inputs[0], to=DOUBLE, **version)
    outputs = {"output_names": operator.outputs[:1]}
    if hasattr(model, "_features"):
        X = _doubled(ox, _random_features(ox, model._features, X, version), version)
        solution = model._solution()
        coef, intercept = solution.coef, solution.intercept
    else:
        coef = np.atleast_2d(model.coef_).T
        intercept = np.atleast_1d(model.intercept_)
    _affine(ox, X, coef, intercept, version, **outputs).add_to(scope, container)


def _code_shapes(operator):
    from skl2onnx.common.data_types import FloatTensorType

    n_rows = operator.inputs[0].get_first_dimension()
    m = len(operator.raw_operator.components_)
    operator.outputs[0].type = FloatTensorType([n_rows, m])


def _convert_codes(scope, operator, container):
    """Scores by one product, and zeros where their squares do not pay the price."""
    from skl2onnx.algebra import onnx_ops as ox

    model, version = operator.raw_operator, {"op_version": container.target_opset}
    if not hasattr(model, "encoder_coef_") or model._allocation == "row":
        raise NotImplementedError(
            "Only encoder='linear' with allocation='mutual' or 'feature' converts to "
            "ONNX: pursuit takes one feature after the other."
        )
    X = ox.OnnxCast(operator.inputs[0], to=DOUBLE, **version)
    X = ox.OnnxSub(X, _double(model.mean_), **version)
    scores = _affine(ox, X, model.encoder_coef_.T, model.encoder_intercept_, version)
    if model._rule.positive:
        scores = ox.OnnxRelu(scores, **version)
    least = np.broadcast_to(model.price_, len(model.components_))
    squares = ox.OnnxMul(scores, scores, **version)
    kept = _gates(ox, squares, np.nextafter(_single(least), np.float32(-1)), version)
    codes = ox.OnnxMul(scores, kept, output_names=operator.outputs[:1], **version)
    codes.add_to(scope, container)


def _classifier_shapes(operator):
    from skl2onnx.common.data_types import (
        FloatTensorType,
        Int64TensorType,
        StringTensorType,
    )

    classes = operator.raw_operator.classes_
    number = np.issubdtype(classes.dtype, np.number) or classes.dtype == bool
    n_rows = operator.inputs[0].get_first_dimension()
    label = Int64TensorType if number else StringTensorType
    operator.outputs[0].type = label([n_rows])
    operator.outputs[1].type = FloatTensorType([n_rows, len(classes)])


def _convert_classifier(scope, operator, container):
    from skl2onnx.algebra import onnx_ops as ox

    model, version = operator.raw_operator, {"op_version": container.target_opset}
    X = ox.OnnxCast(operator.inputs[0], to=DOUBLE, **version)
    scores = _scores(ox, model, X, version)
    classes = model.classes_
    classes = classes.astype(np.int64 if classes.dtype.kind in "biuf" else str)
    best = ox.OnnxArgMax(scores, axis=1, keepdims=0, **version)
    label = ox.OnnxReshape(
        ox.OnnxArrayFeatureExtractor(classes, best, op_version=1),
        np.array([-1], dtype=np.int64),
        output_names=operator.outputs[:1],
        **version,
    )
    chances = ox.OnnxSoftmax(
        scores, axis=1, output_names=operator.outputs[1:], **version
    )
    label.add_to(scope, container)
    chances.add_to(scope, container)


def _scores(ox, model, X, version):
    """Build the scores whose softmax are the probabilities, a column a class."""
    if hasattr(model, "covariance") and not hasattr(model, "coef_"):
        return _quadratic(ox, model._model.form, model.temperature_, X, version)
    if hasattr(model, "_features"):
        X = _doubled(ox, _random_features(ox, model._features, X, version), version)
        solution, factor = model._solution(), 1 / model.temperature_
        if len(model.classes_) == 2:  # one score s stands for the scores -s and s
            factor *= 2
        coef, intercept = factor * solution.coef.T, factor * solution.intercept
    else:
        coef, intercept = model.coef_, np.reshape(model.intercept_, -1)
    if len(coef) == 1:  # two classes: the log odds are the score of the second
        coef = np.r_[np.zeros_like(coef), coef]
        intercept = np.r_[0.0, intercept]
    return _affine(ox, X, coef.T, intercept, version)


def _affine(ox, X, coef, intercept, version, **outputs):
    """Take the product in double precision: far from zero it cancels the intercept."""
    product = ox.OnnxMatMul(X, _double(coef), **version)
    total = ox.OnnxAdd(product, _double(intercept), **version)
    return ox.OnnxCast(total, to=SINGLE, **version, **outputs)


def _doubled(ox, X, version):
    return ox.OnnxCast(X, to=DOUBLE, **version)


def _single(values):
    return np.asarray(values, dtype=np.float32)


def _double(values):
    return np.asarray(values, dtype=np.float64)


def _random_features(ox, features, X, version):
    """Scale the columns, multiply by the weights, apply the function of the kernel."""
    fmap, scaler = features.map, features.scaler
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
            X = ox.OnnxSub(X, _double(scaler.mean), **version)
        X = ox.OnnxDiv(X, _double(scaler.scale), **version)
    X = ox.OnnxCast(X, to=SINGLE, **version)  # not every function knows doubles
    weights, offset, size = _dense(fmap.weights), fmap.offset, fmap.n_components
    if fmap.pair:  # sin(p) = cos(p - pi / 2)
        half = size // 2
        weights = np.c_[weights, weights[:, :half]]
        offset = np.r_[offset, offset[:half] - np.pi / 2]
    P = ox.OnnxMatMul(X, _single(weights), **version)
    if fmap.kernel.name == "ntk":
        return _tangent_features(ox, fmap, X, P, version)
    P = P if offset is None else ox.OnnxAdd(P, _single(offset), **version)
    P, scale = _activated(ox, fmap.kernel.name, P, version)
    return ox.OnnxMul(P, _single([scale / np.sqrt(size)]), **version)


def _activated(ox, name, P, version):
    """Return a function of the products and its factor."""
    if name == "step":
        return _gates(ox, P, np.zeros(1), version), np.sqrt(2)
    if name == "erf":
        return ox.OnnxErf(P, **version), 1.0
    if name not in ("relu", "relu2"):
        return ox.OnnxCos(P, **version), np.sqrt(2)
    P = ox.OnnxRelu(P, **version)
    if name == "relu":
        return P, np.sqrt(2)
    return ox.OnnxMul(P, P, **version), np.sqrt(2 / 3)


def _tangent_features(ox, fmap, X, P, version):
    """Neurons, and slopes where the neurons without their offset are open."""
    n_slopes = fmap.tangents.shape[1]
    first = _dense(fmap.weights)[:, :n_slopes]
    gates = _gates(ox, ox.OnnxMatMul(X, _single(first), **version), [0.0], version)
    slopes = ox.OnnxMatMul(
        X, _single(_dense(fmap.tangents) * np.sqrt(2 / n_slopes)), **version
    )
    neurons = ox.OnnxRelu(ox.OnnxAdd(P, _single(fmap.offset), **version), **version)
    scale = np.sqrt(2 / (fmap.n_components - n_slopes))
    return ox.OnnxConcat(
        ox.OnnxMul(neurons, _single([scale]), **version),
        ox.OnnxMul(slopes, gates, **version),
        axis=1,
        **version,
    )


def _gates(ox, P, level, version):
    above = ox.OnnxGreater(P, _single(level), **version)
    return ox.OnnxCast(above, to=SINGLE, **version)


def _dense(weights):
    return weights.dense() if hasattr(weights, "dense") else weights


def _quadratic(ox, form, temperature, X, version):
    Z = ox.OnnxSub(X, _double(form.pivot), **version)
    Z = ox.OnnxDiv(Z, _double(form.scale), **version)
    Z = ox.OnnxCast(Z, to=SINGLE, **version)
    squares = ox.OnnxMul(Z, Z, **version)
    scores = ox.OnnxAdd(
        ox.OnnxMatMul(squares, _single(form.curvature.T / temperature), **version),
        ox.OnnxMatMul(Z, _single(form.weights.T / temperature), **version),
        **version,
    )
    return ox.OnnxAdd(scores, _single(form.intercept / temperature), **version)
