"""Classification from class proportions.

- ``_classifier``: the linear classifier
- ``_targets``: labels or proportions as one table
- ``_losses``: losses of bags and rows with their gradients
- ``_poisson_binomial``: the exact law of a count, for expectation-maximisation
"""
