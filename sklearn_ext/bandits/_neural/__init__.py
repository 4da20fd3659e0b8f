"""One net with an output an action, perturbed or pulled towards its start.

- ``_bandit``: the estimator; it trains through skorch and predicts with numpy
- ``_net_torch``: the module and its loss
"""
