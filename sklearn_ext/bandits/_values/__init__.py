"""What a policy would have earned, from the log of another one.

In the order in which a log passes:

- ``_weights``: a target as probabilities of the logged actions, and its overlap
- ``_betting``: bounds on a mean that hold at every time, by betting against it
- ``_policy``: values of policies, differences between two, and the curve over time
- ``_scorer``: the value as a score, for searches with metadata routing
- ``_replay``: a bandit run through a log by rejection; rewards predicted out of fold
"""
