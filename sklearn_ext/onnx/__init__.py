"""ONNX converters for the estimators whose prediction is a closed formula.

The rooms, in the order in which a model passes them:

- ``_converters``: what skl2onnx calls: types of the outputs, then labels beside
  probabilities, numbers, or columns.
- ``_formulas``: the scores, chances or values of each estimator, as a graph.
- ``_maps``: random features, waves, views and sparse codes.
- ``_nets``: coded columns, and the members of one batched net.
- ``_trees``: the members of a set of trees.
- ``_graph``: operators at the version that is asked for, and models inside models.
"""

from sklearn_ext._core._optional import require

__all__ = ["register_converters"]


def register_converters():
    """Teach skl2onnx our estimators; calling it again changes nothing.

    Afterwards :func:`skl2onnx.to_onnx` converts them, alone or inside pipelines:

    * linear models, and those linear in random features, whose maps are matrix
      products and one function a number: all of `probes` but `FrozenFeatures`, of
      `losses` and of `random_features`, the linear ones of `aggregate` and `rashomon`;
    * votes of a Rashomon set: of lines, of trees, of members that were searched for;
    * `MuMLPClassifier` and `MuMLPRegressor` on columns of numbers;
    * `TaskRidge`, with the task as a column of numbers, or else the population alone;
    * `RidgeBandit` and `AdversarialLinearBandit`: best action and predicted rewards;
    * `HierarchicalPolynomialRegressor`, on monomials or a transformer that converts;
    * `PretrainedClassifier` and `PretrainedRegressor` on the three cheap views;
    * what calibrates, selects or mixes models that convert themselves;
    * `SubmodularFeatureSelector`, and `SparseAutoencoder` with a linear encoder.

    Products that cancel where columns lie far from zero are taken in double precision,
    whatever the input; what comes out is single.

    Raises
    ------
    ImportError
        When skl2onnx is missing; ``pip install 'sklearn-ext[onnx]'`` brings it.

    Notes
    -----
    A model that keeps rows of the data (on landmarks, on an infinite number of
    features, with its nearest rows as an opinion) or asks all trees of a set raises a
    NotImplementedError that says which setting converts. Where there are no
    probabilities (`SphericalClassifier` with ``loss="squared_error"``), scores stand in
    their place.

    Examples
    --------
    >>> from sklearn_ext.onnx import register_converters
    >>> register_converters()  # doctest: +SKIP
    """
    require("skl2onnx", extra="onnx", user="register_converters")
    from sklearn_ext.onnx._converters import register

    register()
