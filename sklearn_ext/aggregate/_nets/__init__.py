"""Neural networks on batches of whole bags.

- ``_estimators``: on means and totals, on class proportions
- ``_net_torch``: module, losses, batches and early stopping in torch
"""
