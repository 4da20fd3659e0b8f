"""Neural networks on batches of whole bags.

- ``_estimators``: the regressor on means, the classifier on class proportions, and the
  training and prediction that both share
- ``_net_torch``: module, losses, batches and early stopping in torch
"""
