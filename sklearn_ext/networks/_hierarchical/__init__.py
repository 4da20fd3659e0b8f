"""A polynomial seen through an unknown curve, in closed form.

In the order in which rows pass:

- ``_monomials``: columns on one scale, their products on one scale, block by block
- ``_single_index``: distinct rows; ridge and curve by turns, from several starts
- ``_link``: the curve, as smooth as rows that were left out like it
- ``_regressor``: the estimator
"""
