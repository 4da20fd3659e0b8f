"""The worst subgroup.

- ``_game``: a model against the worst mix of subgroups: smoothing and certificate
- ``_worst_group``: WorstGroupClassifier, for the subgroup that fares worst
"""
