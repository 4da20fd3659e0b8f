"""Logistic regression on frozen features, for one penalty, many, or the best of them.

- ``_probe``: ``LogisticProbe``, from rows to coefficients to probabilities
- ``_probe_cv``: ``LogisticProbeCV``, which chooses C on held-out rows
- ``_path``: ``logistic_probe_path``, coefficients for many C
- ``_sgd``, ``_sgd_torch``: minibatch steps through skorch for ``solver="sgd"``

The mathematics is in ``sklearn_ext._numerics._logistic``.
"""
