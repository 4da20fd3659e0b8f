"""Many rows, few labels: representations that a pipeline can use.

In the order in which rows pass:

- ``_labels``: which rows have a label
- ``_views``: small transformers, learnt from all rows, each of unit size
- ``_head``: ridge in closed form, and what it says of rows that were left out
- ``_pretrained``: the estimators for few labels
- ``_sparse``: each row as a few of many features, to be read, searched and edited
- ``_plots``: did the unlabelled rows help, and which view did
- ``_theory``: what unlabelled rows are worth, as a rate
"""

from sklearn_ext.representations._plots import PretrainingGainDisplay
from sklearn_ext.representations._pretrained import (
    PretrainedClassifier,
    PretrainedRegressor,
)
from sklearn_ext.representations._sparse._allocation import allocate_budget
from sklearn_ext.representations._sparse._sparse_autoencoder import SparseAutoencoder
from sklearn_ext.representations._sparse._sparse_plots import (
    FeatureUsageDisplay,
    SparsityDisplay,
)
from sklearn_ext.representations._theory import pretraining_rate

__all__ = [
    "FeatureUsageDisplay",
    "PretrainedClassifier",
    "PretrainedRegressor",
    "PretrainingGainDisplay",
    "SparseAutoencoder",
    "SparsityDisplay",
    "allocate_budget",
    "pretraining_rate",
]
