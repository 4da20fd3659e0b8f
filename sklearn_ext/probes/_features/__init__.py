"""Features that a frozen network computes.

- ``_frozen_features``: ``FrozenFeatures``, the network as a step of a pipeline
- ``_frozen_features_torch``: the forward pass, batch by batch, up to one layer
"""
