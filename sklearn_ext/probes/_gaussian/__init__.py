"""Heads that take classes for normal: sums of rows, densities, scores.

- ``_naive_bayes``: ``NaiveBayesProbe``, independent features, fitted from sums
- ``_discriminant``: ``ShrinkageDiscriminantProbe``, correlated features, whose
  correlations are shrunk
- ``_input``: rows, labels, weights and priors, checked and encoded
- ``_statistics``: ``NaiveBayesStatistics``, the sums of each class, which add
- ``_densities``: means, variances and priors made of sums; how variances are shrunk
- ``_forms``: the linear and the quadratic form that score rows
- ``_temperature``: what scores are divided by, from rows that are left out
"""
