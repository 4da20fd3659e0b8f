"""Operators at the version that is asked for, and models inside models."""

from functools import partial

import numpy as np
from skl2onnx.algebra import onnx_ops
from skl2onnx.algebra.onnx_operator import OnnxSubEstimator
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

# onnx.TensorProto.FLOAT, DOUBLE and INT64
SINGLE, DOUBLE, INTEGER = 1, 11, 7


def single(values):
    """Return a constant in single precision."""
    return np.asarray(values, dtype=np.float32)


def double(values):
    """Return a constant in double precision."""
    return np.asarray(values, dtype=np.float64)


class Graph:
    """Operators by name: ``g.MatMul(X, W)`` is a node at the container's opset.

    Parameters
    ----------
    operator : skl2onnx.common._topology.Operator
        What is converted.
    container : skl2onnx.common._container.ModelComponentContainer
        What it is written to.
    """

    def __init__(self, operator, container):
        self.given = operator.inputs[0]
        self.opset = container.target_opset

    def __getattr__(self, name):
        return partial(getattr(onnx_ops, f"Onnx{name}"), op_version=self.opset)

    def rows(self):
        """Return the input in double precision: far from zero, products cancel."""
        return self.double(self.given)

    def double(self, X):
        """Convert to double precision."""
        return self.Cast(X, to=DOUBLE)

    def single(self, X, **outputs):
        """Convert to single precision."""
        return self.Cast(X, to=SINGLE, **outputs)

    def affine(self, X, coef, intercept):
        """Return ``X @ coef + intercept``, all in double precision."""
        return self.Add(self.MatMul(X, double(coef)), double(intercept))

    def on_one_scale(self, X, standard):
        """Return columns less their means, over their scales; infinite ones give 0."""
        return self.Div(self.Sub(X, double(standard.mean)), double(standard.scale))

    def columns(self, X, places):
        """Return some of the columns."""
        return self.Gather(X, np.asarray(places, dtype=np.int64), axis=1)

    def above(self, X, level):
        """Return ones, in single precision, where a number is larger than a level."""
        return self.single(self.Greater(X, level))

    def mean(self, X, n):
        """Return the mean of each row of n numbers in double precision, as a column."""
        return self.MatMul(X, np.full((n, 1), 1 / n))

    def at(self, code, n_classes):
        """Return a row of zeros with a one at each code, in double precision."""
        column = self.Reshape(code, np.array([-1, 1], dtype=np.int64))
        places = np.arange(n_classes, dtype=np.int64)[None]
        return self.double(self.Equal(column, places))

    # --- models inside models -----------------------------------------------------

    def model(self, model, X=None):
        """Return what the converter of a fitted model says: its operator's outputs."""
        X = self.given if X is None else X
        if isinstance(model, Pipeline):
            for _, step in model.steps[:-1]:
                if step not in (None, "passthrough"):
                    X = self.model(step, X)
            return self.model(model.steps[-1][1], X)
        options = {"zipmap": False} if is_classifier(model) else None
        return OnnxSubEstimator(model, X, op_version=self.opset, options=options)

    def chances(self, model, classes):
        """Return a classifier's probabilities of all classes, in double precision."""
        last = model.steps[-1][1] if isinstance(model, Pipeline) else model
        if isinstance(last, DummyClassifier) and last.strategy == "prior":
            nothing = np.zeros((last.n_features_in_, len(classes)))
            known = self.affine(self.rows(), nothing[:, : len(last.classes_)], 0.0)
            known = self.Add(known, double(last.class_prior_))
        else:
            known = self.double(self.model(model)[1])
        if np.array_equal(model.classes_, classes):
            return known
        places = np.asarray(model.classes_)[:, None] == np.asarray(classes)[None]
        return self.MatMul(known, double(places))
