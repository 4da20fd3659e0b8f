"""What makes an estimator: the contract with scikit-learn. Nothing here knows a family.

- ``_compat``: the only file that imports private or version-dependent names
- ``_base``: ``ExtEstimator``, and ``fit_context``, which undoes a method that raises
- ``_validation``: dtypes that are kept, weights of rows, lines that warnings name
- ``_tables``: columns of data frames that are categories, and their values
- ``_callbacks``: one fit as a tree of tasks for scikit-learn's callbacks
- ``_blocks``: one model from many blocks of rows
- ``_torch``: training through skorch, imported inside ``fit`` only
- ``_optional``: packages, devices and methods that may be missing, and say why
- ``_pipelines``: the model inside a pipeline or a search
- ``_scores``: predictions from log scores
- ``_plots``: what every picture shares
- ``_docs``: the text of a parameter, written once
- ``_discovery``: lists of estimators and of the types in their state
"""
