"""ONNX converters for the estimators whose prediction is a closed formula."""

import numpy as np

from sklearn_ext._core._optional import require

__all__ = ["register_converters"]


def register_converters():
    """Teach skl2onnx our estimators; calling it again changes nothing.

    Afterwards :func:`skl2onnx.to_onnx` converts them, alone or inside pipelines:
    `NaiveBayesProbe` with either covariance, and the linear probes.

    Raises
    ------
    ImportError
        When skl2onnx is missing; ``pip install 'sklearn-ext[onnx]'`` brings it.

    Examples
    --------
    >>> from sklearn_ext.onnx import register_converters
    >>> register_converters()  # doctest: +SKIP
    """
    skl2onnx = require("skl2onnx", extra="onnx", user="register_converters")
    from sklearn_ext import probes

    for cls in (
        probes.NaiveBayesProbe,
        probes.ShrinkageDiscriminantProbe,
        probes.LogisticProbe,
        probes.LogisticProbeCV,
    ):
        skl2onnx.update_registered_converter(
            cls,
            f"SklearnExt{cls.__name__}",
            _classifier_shapes,
            _convert_classifier,
            options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
        )


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
    X = ox.OnnxCast(operator.inputs[0], to=1, **version)  # float32
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
    if getattr(model, "covariance", None) == "class":
        return _quadratic(ox, model._model.form, model.temperature_, X, version)
    coef, intercept = model.coef_, np.reshape(model.intercept_, -1)
    if len(coef) == 1:  # two classes: the log odds are the score of the second
        coef = np.r_[np.zeros_like(coef), coef]
        intercept = np.r_[0.0, intercept]
    product = ox.OnnxMatMul(X, coef.T.astype(np.float32), **version)
    return ox.OnnxAdd(product, intercept.astype(np.float32), **version)


def _quadratic(ox, form, temperature, X, version):
    def constant(values):
        return np.asarray(values, dtype=np.float32)

    Z = ox.OnnxSub(X, constant(form.pivot), **version)
    Z = ox.OnnxDiv(Z, constant(form.scale), **version)
    squares = ox.OnnxMul(Z, Z, **version)
    scores = ox.OnnxAdd(
        ox.OnnxMatMul(squares, constant(form.curvature.T / temperature), **version),
        ox.OnnxMatMul(Z, constant(form.weights.T / temperature), **version),
        **version,
    )
    return ox.OnnxAdd(scores, constant(form.intercept / temperature), **version)
