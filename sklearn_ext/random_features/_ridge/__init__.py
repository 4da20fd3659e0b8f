"""The ridge estimators, in the order in which rows pass.

- ``_rows``: distinct rows with summed weights, and the sample that streams keep
- ``_encoders``: targets as columns of numbers, and columns as predictions
- ``_base``: reads rows, draws features, adds up, predicts: what all four share
- ``_choice``: leave-one-out, folds and the choice of a ridge
- ``_ridge``, ``_ridge_cv``, ``_classifier``, ``_classifier_cv``: an estimator each
"""
