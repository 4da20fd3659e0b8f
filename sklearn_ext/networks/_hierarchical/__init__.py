"""A polynomial seen through an unknown curve, in closed form.

In the order in which rows pass:

- ``_model``: what predicts: products of columns on one scale, and a curve of their sum
- ``_single_index``: how it is fitted: ridge and curve by turns, judged by rows left out
- ``_regressor``: the estimator
"""
