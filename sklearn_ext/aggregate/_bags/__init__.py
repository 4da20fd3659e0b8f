"""Bags: how rows are put into them, checked, summed and kept whole.

- ``_make_bags``: form bags at random or of rows that are alike
- ``_tools``: from responses to aggregates and back; what bags keep; bags in rounds
- ``_partition``: labels, weights and rows as a partition that is checked, summed and
  held out in whole bags
- ``_splitters``: cross-validation that never cuts a bag
- ``_marks``: hashes of the bags of a fit, by which a score tells that folds cut them
"""
