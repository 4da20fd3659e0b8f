"""Boosted trees from aggregates.

- ``_regressor``: the estimator, and the joint refit of all leaves to the bags
- ``_trees``: one tree on binned features, grown level by level
"""
