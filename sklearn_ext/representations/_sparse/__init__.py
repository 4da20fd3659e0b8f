"""Rows as a few of many features.

In the order in which rows pass:

- ``_pursuit``: few atoms for each row, and their coefficients
- ``_allocation``: how many each row may have: a budget, and its price
- ``_dictionary``: where the atoms start, what a pass tells them, how they learn
- ``_linear``: codes by one matrix product instead of pursuit
- ``_sparse_torch``: the same network trained by gradients
- ``_sparse_autoencoder``: the estimator
- ``_report``: what the features stand for
- ``_sparse_plots``: what a budget buys, and which features rows use
"""
