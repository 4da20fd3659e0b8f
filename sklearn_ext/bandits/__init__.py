"""Decisions under partial feedback: one sees the reward of the action taken alone.

In the order in which rows pass:

- ``_exploration``: from scores of actions to probabilities, and a draw
- ``_ridge/``: a ridge regression an action, from sums
- ``_decisions``: what all bandits do: decide, be asked, be judged on a log
- ``_problems``: worlds in which all rewards are known, and bandits run through them
- ``_plots``: pictures of regret and of what is explored
"""

from sklearn_ext.bandits._decisions import Decisions
from sklearn_ext.bandits._exploration import (
    inverse_gap_probabilities,
    log_barrier_probabilities,
)
from sklearn_ext.bandits._plots import ExplorationDisplay, RegretDisplay
from sklearn_ext.bandits._problems import (
    BanditProblem,
    BanditRun,
    make_bandit_from_classification,
    make_bandit_log,
    make_linear_bandit,
    simulate,
)
from sklearn_ext.bandits._ridge._bandit import RidgeBandit

__all__ = [
    "BanditProblem",
    "BanditRun",
    "Decisions",
    "ExplorationDisplay",
    "RegretDisplay",
    "RidgeBandit",
    "inverse_gap_probabilities",
    "log_barrier_probabilities",
    "make_bandit_from_classification",
    "make_bandit_log",
    "make_linear_bandit",
    "simulate",
]
