"""Neural networks on batches of whole bags.

- ``_regressor``: on means and totals
- ``_classifier``: on class proportions
- ``_base``: training and prediction that both share
- ``_net_torch``: module, losses, batches and early stopping in torch
"""
