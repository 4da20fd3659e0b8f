"""Mathematics of two families or more: arrays in, arrays out, no estimator.

- ``_equal_rows``: a seeded hash of rows; equal rows as one, folds dealt to them
"""
