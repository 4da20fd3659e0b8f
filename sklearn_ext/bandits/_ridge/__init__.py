"""A ridge regression an action, in closed form.

In the order in which rows pass:

- ``_feature_map``: columns, or standardised columns and random waves, frozen early
- ``_statistics``: what the rows of each action say, as sums that add
- ``_shared``: slopes that actions have in common, or that follow from their features
- ``_posterior``: the ridge of each action from the sums, its width, and the evidence
- ``_bandit``: the estimator
"""
