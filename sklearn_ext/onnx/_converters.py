"""What skl2onnx calls: types of the outputs, then what is written into them."""

from functools import partial

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.base import is_classifier

from sklearn_ext import (
    aggregate,
    bandits,
    calibration,
    losses,
    networks,
    probes,
    random_features,
    rashomon,
    representations,
    submodular,
    tasks,
)
from sklearn_ext.onnx import _formulas
from sklearn_ext.onnx._graph import Graph
from sklearn_ext.onnx._maps import random_features as features_of
from sklearn_ext.onnx._maps import sparse_codes

VALUES = {
    _formulas.line: (
        aggregate.BagRegressor,
        aggregate.InstanceRegressor,
        aggregate.InterpolatingAggregateRegressor,
        aggregate.InterpolatingAggregateRegressorCV,
        rashomon.RashomonRidge,
    ),
    _formulas.ridge_on_features: (
        random_features.RandomFeatureRidge,
        random_features.RandomFeatureRidgeCV,
    ),
    _formulas.tasks: (tasks.TaskRidge,),
    _formulas.head_on_views: (representations.PretrainedRegressor,),
    _formulas.net_values: (networks.MuMLPRegressor,),
    _formulas.behind_a_curve: (networks.HierarchicalPolynomialRegressor,),
}
SCORES = {
    _formulas.linear_scores: (
        aggregate.LabelProportionClassifier,
        losses.CompSumClassifier,
        losses.CompSumClassifierCV,
        losses.WorstGroupClassifier,
        probes.LogisticProbe,
        probes.LogisticProbeCV,
        probes.ShrinkageDiscriminantProbe,
    ),
    _formulas.gaussian_scores: (probes.NaiveBayesProbe,),
    _formulas.feature_scores: (
        random_features.RandomFeatureRidgeClassifier,
        random_features.RandomFeatureRidgeClassifierCV,
    ),
    _formulas.spherical_scores: (losses.SphericalClassifier,),
    _formulas.tempered_head_on_views: (representations.PretrainedClassifier,),
}
CHANCES = {
    _formulas.logistic_members: (rashomon.RashomonLogisticRegression,),
    _formulas.linear_members: (rashomon.RashomonLinearClassifier,),
    _formulas.net_chances: (networks.MuMLPClassifier,),
    _formulas.tree_votes: (rashomon.RashomonTreeClassifier,),
    _formulas.mixed_chances: (calibration.LogLossMixtureClassifier,),
    _formulas.winner_chances: (
        calibration.SelectiveClassifierCV,
        probes.ProbeSearchCV,
        probes.TwoRegimes,
    ),
    _formulas.correctness_chances: (calibration.CorrectnessCalibratedClassifier,),
}
REWARDS = {
    _formulas.ridge_rewards: (bandits.RidgeBandit,),
    _formulas.adversarial_rewards: (bandits.AdversarialLinearBandit,),
}
OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False]}


def _parse(scope, model, inputs, custom_parsers=None):
    """Name what comes out where skl2onnx cannot know it: no classifier, no mixin."""
    this = scope.declare_local_operator(f"SklearnExt{type(model).__name__}", model)
    this.inputs = inputs
    named = {"variable": FloatTensorType()}
    if is_classifier(model):
        said = "probabilities" if hasattr(model, "members_") else "rewards"
        named = {"label": _label_type(model.classes_)(), said: FloatTensorType()}
    for name, kind in named.items():
        this.outputs.append(scope.declare_local_variable(name, kind))
    return this.outputs


PLAIN = {"parser": _parse, "options": {"zipmap": [False]}}  # arrays, no dictionaries


def register():
    """Register every converter."""
    for formulas, shapes, convert, more in (
        (VALUES, _value_shapes, _convert_values, {}),
        (SCORES, _class_shapes, _convert_scores, {"options": OPTIONS}),
        (CHANCES, _class_shapes, _convert_chances, {"options": OPTIONS}),
        (REWARDS, _class_shapes, _convert_chances, PLAIN),
    ):
        for formula, classes in formulas.items():
            for cls in classes:
                _register(cls, shapes, partial(convert, formula), **more)
    _register(rashomon.RashomonSearchCV, _search_shapes, _convert_search, **PLAIN)
    _register(random_features.RandomFeatures, _map_shapes, _convert_map)
    _register(representations.SparseAutoencoder, _code_shapes, _convert_codes)
    _register(submodular.SubmodularFeatureSelector, _column_shapes, _convert_columns)


def _register(cls, shapes, convert, **more):
    update_registered_converter(
        cls, f"SklearnExt{cls.__name__}", shapes, convert, **more
    )


# --- numbers and columns ----------------------------------------------------------


def _n_rows(operator):
    return operator.inputs[0].get_first_dimension()


def _value_shapes(operator):
    model = operator.raw_operator
    if isinstance(model, networks.MuMLPRegressor):
        n_targets = model.weights_["bias_out"].shape[1]
    else:
        n_targets = np.atleast_1d(model.intercept_).shape[0]
    operator.outputs[0].type = FloatTensorType([_n_rows(operator), n_targets])


def _convert_values(formula, scope, operator, container):
    g = Graph(operator, container)
    values = formula(g, operator.raw_operator)
    g.single(values, output_names=operator.outputs[:1]).add_to(scope, container)


def _map_shapes(operator):
    n = operator.raw_operator.n_components_
    operator.outputs[0].type = FloatTensorType([_n_rows(operator), n])


def _convert_map(scope, operator, container):
    g = Graph(operator, container)
    Z = features_of(g, operator.raw_operator._map, None, g.rows())
    g.Identity(Z, output_names=operator.outputs[:1]).add_to(scope, container)


def _code_shapes(operator):
    n = len(operator.raw_operator.components_)
    operator.outputs[0].type = FloatTensorType([_n_rows(operator), n])


def _convert_codes(scope, operator, container):
    g = Graph(operator, container)
    Z = sparse_codes(g, operator.raw_operator)
    g.Identity(Z, output_names=operator.outputs[:1]).add_to(scope, container)


def _column_shapes(operator):
    n = int(operator.raw_operator.get_support().sum())
    given = operator.inputs[0].type
    operator.outputs[0].type = type(given)([_n_rows(operator), n])


def _convert_columns(scope, operator, container):
    g = Graph(operator, container)
    kept = operator.raw_operator.get_support(indices=True).astype(np.int64)
    names = operator.outputs[:1]
    g.Gather(g.given, kept, axis=1, output_names=names).add_to(scope, container)


# --- labels, beside probabilities or rewards --------------------------------------


def _label_type(classes):
    number = np.issubdtype(classes.dtype, np.number) or classes.dtype == bool
    return Int64TensorType if number else StringTensorType


def _class_shapes(operator):
    classes, n_rows = operator.raw_operator.classes_, _n_rows(operator)
    operator.outputs[0].type = _label_type(classes)([n_rows])
    operator.outputs[1].type = FloatTensorType([n_rows, len(classes)])


def _write_label(g, scores, scope, operator, container):
    """Write the label of the largest score."""
    classes = operator.raw_operator.classes_
    classes = classes.astype(np.int64 if classes.dtype.kind in "biuf" else str)
    best = g.ArgMax(scores, axis=1, keepdims=0)
    label = g.Reshape(
        g.ArrayFeatureExtractor(classes, best),
        np.array([-1], dtype=np.int64),
        output_names=operator.outputs[:1],
    )
    label.add_to(scope, container)


def _convert_scores(formula, scope, operator, container):
    g, model = Graph(operator, container), operator.raw_operator
    scores = formula(g, model)
    _write_label(g, scores, scope, operator, container)
    probable = hasattr(model, "predict_proba")
    out = g.Softmax(scores, axis=1) if probable else scores
    g.single(out, output_names=operator.outputs[1:]).add_to(scope, container)


def _convert_chances(formula, scope, operator, container):
    g = Graph(operator, container)
    chances = formula(g, operator.raw_operator)
    _write_label(g, chances, scope, operator, container)
    g.single(chances, output_names=operator.outputs[1:]).add_to(scope, container)


# --- members of a search: classifiers or regressors -------------------------------


def _search_shapes(operator):
    if is_classifier(operator.raw_operator):
        return _class_shapes(operator)
    operator.outputs[0].type = FloatTensorType([_n_rows(operator), 1])


def _convert_search(scope, operator, container):
    if is_classifier(operator.raw_operator):
        return _convert_chances(_formulas.mixed_chances, scope, operator, container)
    _convert_values(_formulas.mean_of_members, scope, operator, container)
