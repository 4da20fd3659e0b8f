"""Mathematics of two families or more: arrays in, arrays out, no estimator.

- ``_arrays``: namespace, device and dtype of NumPy, sparse, torch and array API input;
  blocks of rows
- ``_equal_rows``: a seeded hash of rows; equal rows as one, folds dealt to them
- ``_classes``: labels as places among classes, their rows, what a class weighs
- ``_lbfgs``: L-BFGS with a preconditioner that follows the iterate
- ``_logistic/``: the logistic objective, solved for one penalty or a path of them
- ``_factors``: Cholesky and eigenvectors of matrices that may be singular
- ``_filters``: ridge, gradient flow and iterated ridge as filters of a spectrum
- ``_ridge``: ridge regression in closed form, primal or dual: a grid of ridges, exact
  leave-one-out of whole rows
- ``_random_features``: random Fourier features, weights of random maps, the rule
  ``"scale"``
- ``_quantiles``: quantiles of weighted values, normal scores of their ranks
- ``_corruption``: copies of rows in which columns have the values of other rows
- ``_held_out``: a temperature from held-out scores; the interval of a count of hits
- ``_nets/``: perceptrons of one shape as one batched net: forward pass in NumPy; the
  module, and Adam with a rate for each member
"""
