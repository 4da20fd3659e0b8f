"""Many rows, few labels: representations that a pipeline can use.

In the order in which rows pass:

- ``_sparse``: each row as a few of many features, to be read, searched and edited
- ``_theory``: what unlabelled rows are worth, as a rate
"""

from sklearn_ext.representations._sparse._allocation import allocate_budget
from sklearn_ext.representations._sparse._sparse_autoencoder import SparseAutoencoder
from sklearn_ext.representations._theory import pretraining_rate

__all__ = ["SparseAutoencoder", "allocate_budget", "pretraining_rate"]
