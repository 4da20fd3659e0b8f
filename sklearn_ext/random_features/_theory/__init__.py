"""What theory predicts of random features, as functions.

- ``_framework``: test and training errors from eigenvalues and coefficients, the best
  ridge, and the width that suffices
- ``_time``: errors over the time of gradient descent, and the time to stop
- ``_powerlaw``: the same in closed form for powers of the index
- ``_eigenstructure``: eigenvalues and coefficients of data, and reports on them
"""
