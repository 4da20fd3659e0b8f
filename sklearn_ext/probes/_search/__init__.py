"""Which head to take: several of them on the same folds.

- ``_probe_search_cv``: ``ProbeSearchCV``, the comparison as a classifier
- ``_neighbors``: nearest neighbours that count copies of a row as one
- ``_measures``: error, log-loss and calibration of held-out rows, and who is level
- ``_summary``: what was found, in words
- ``_plots``: ``ProbeSearchDisplay``, the picture of it
"""
