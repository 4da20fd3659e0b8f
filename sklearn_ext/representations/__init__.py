"""Many rows, few labels: representations that a pipeline can use.

In the order in which rows pass:

- ``_views``: small transformers, learnt from all rows, each of unit size
- ``_theory``: what unlabelled rows are worth, as a rate
"""

from sklearn_ext.representations._theory import pretraining_rate

__all__ = ["pretraining_rate"]
