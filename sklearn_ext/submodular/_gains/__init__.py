"""Gains of rows in slots, wherever they are computed.

* ``_backends``: which oracle computes them
* ``_oracle``: an objective on stored rows, by numpy; what the others are told by
* ``_oracle_compiled``, ``_kernels_numba``: the same by compiled loops
* ``_oracle_torch``: the same on a device
"""
