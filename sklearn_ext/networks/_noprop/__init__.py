"""The law of a numeric target, by blocks that are trained apart.

In the order in which rows pass:

- ``_rows``: distinct rows, dealt to folds
- ``_chain``: a regression, and blocks after it that turn noise into what it leaves
- ``_tables``: the law of each row as a table; its score, levels and calibrated ends
- ``_regressor``: the estimator
- ``_plots``: the law of some rows, or along a column
"""
