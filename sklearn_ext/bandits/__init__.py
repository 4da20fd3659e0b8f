"""Decisions under partial feedback: one sees the reward of the action taken alone.

In the order in which rows pass:

- ``_exploration``: from scores of actions to probabilities, and a draw
- ``_ridge/``: a ridge regression an action, from sums
- ``_decisions``: what all bandits do: decide, be asked, be judged on a log
"""

from sklearn_ext.bandits._decisions import Decisions
from sklearn_ext.bandits._exploration import (
    inverse_gap_probabilities,
    log_barrier_probabilities,
)
from sklearn_ext.bandits._ridge._bandit import RidgeBandit

__all__ = [
    "Decisions",
    "RidgeBandit",
    "inverse_gap_probabilities",
    "log_barrier_probabilities",
]
