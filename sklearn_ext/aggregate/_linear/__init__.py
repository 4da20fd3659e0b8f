"""Linear models of rows from bags, in closed form.

- ``_regressors``: the linear bag model, its members with a given ``rho``, and the one
  that chooses ``rho`` and ``alpha``
- ``_precision``: weights of bags whose aggregates carry noise of known variance
- ``_statistics``: bag means of the rows, and sums of them that merge
- ``_plug_in``: ``rho`` of least predicted risk from the sums
- ``_lobo``: errors of left-out bags over a grid
- ``_solvers``: slopes from sums, in the space of rows, or by LSQR
- ``_trust``: slopes without penalty and their covariance; when not to trust slopes
"""
