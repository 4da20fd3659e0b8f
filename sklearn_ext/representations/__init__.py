"""Many rows, few labels: representations that a pipeline can use.

In the order in which rows pass:

- ``_labels``: which rows have a label
- ``_views``: small transformers, learnt from all rows, each of unit size
- ``_head``: ridge in closed form, and what it says of rows that were left out
- ``_pretrained``: the estimators for few labels
- ``_hidden_layer``: the hidden layer of a network that learnt some task
- ``_concatenated``: views, or several seeds of one, side by side; how alike they are
- ``_corruption_components``: on what corrupted copies of rows agree, in closed form
- ``_temperatures``: the temperature of each row at which its softmax says so much
- ``_contrastive``: an encoder that recognises a row among corrupted copies
- ``_contrastive_torch``: its layers and heads, batches of copies, losses
- ``_sparse``: each row as a few of many features, to be read, searched and edited
- ``_plots``: did the unlabelled rows help, and which view did; how alike views are
- ``_theory``: what unlabelled rows are worth, as a rate
"""

from sklearn_ext.representations._concatenated import (
    ConcatenatedRepresentations,
    representation_similarity,
)
from sklearn_ext.representations._contrastive import ContrastiveEncoder
from sklearn_ext.representations._corruption_components import CorruptionComponents
from sklearn_ext.representations._hidden_layer import HiddenLayer
from sklearn_ext.representations._plots import (
    PretrainingGainDisplay,
    RepresentationSimilarityDisplay,
)
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
from sklearn_ext.representations._temperatures import individual_temperatures
from sklearn_ext.representations._theory import pretraining_rate

__all__ = [
    "ConcatenatedRepresentations",
    "ContrastiveEncoder",
    "CorruptionComponents",
    "FeatureUsageDisplay",
    "HiddenLayer",
    "PretrainedClassifier",
    "PretrainedRegressor",
    "PretrainingGainDisplay",
    "RepresentationSimilarityDisplay",
    "SparseAutoencoder",
    "SparsityDisplay",
    "allocate_budget",
    "individual_temperatures",
    "pretraining_rate",
    "representation_similarity",
]
