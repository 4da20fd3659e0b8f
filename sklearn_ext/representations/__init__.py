"""Many rows, few labels: representations that a pipeline can use.

In the order in which rows pass:

- ``_labels``: which rows have a label
- ``_views``: small transformers, learnt from all rows, each of unit size
- ``_head``: ridge in closed form, and what it says of rows that were left out
- ``_pretrained``: the estimators for few labels
- ``_plots``: did the unlabelled rows help, and which view did
- ``_theory``: what unlabelled rows are worth, as a rate
"""

from sklearn_ext.representations._plots import PretrainingGainDisplay
from sklearn_ext.representations._pretrained import (
    PretrainedClassifier,
    PretrainedRegressor,
)
from sklearn_ext.representations._theory import pretraining_rate

__all__ = [
    "PretrainedClassifier",
    "PretrainedRegressor",
    "PretrainingGainDisplay",
    "pretraining_rate",
]
