"""Decisions under partial feedback: one sees the reward of the action taken alone.

In the order in which rows pass:

- ``_log``: what comes back: rows, actions, rewards and propensities, checked
- ``_rewards``: moments of all rewards, and the gamma that follows them
- ``_exploration``: from scores of actions to probabilities, and a draw
- ``_ridge/``: a ridge regression an action, from sums
- ``_regressor``: the user's own models, a clone or several an action
- ``_neural/``: one net with an output an action, perturbed or pulled to its start
- ``_adversarial``: for rewards that react to what is done
- ``_episodes``: a few steps, of which each changes what comes next
- ``_decisions``: what all bandits do: decide, be asked, be judged on a log
- ``_problems``: worlds in which all rewards are known, and bandits run through them
- ``_values/``: what another policy would have earned, from the log of one
- ``_theory``: bounds of the papers, and the estimators that ours replaced
- ``_plots``: pictures of regret, of what is explored, and of values
"""

from sklearn_ext.bandits._adversarial import AdversarialLinearBandit
from sklearn_ext.bandits._decisions import Decisions
from sklearn_ext.bandits._episodes import EpisodicPolicy, episodic_log_barrier
from sklearn_ext.bandits._exploration import (
    inverse_gap_probabilities,
    log_barrier_probabilities,
)
from sklearn_ext.bandits._neural._bandit import NeuralBandit
from sklearn_ext.bandits._plots import (
    ExplorationDisplay,
    PolicyValueDisplay,
    RegretDisplay,
)
from sklearn_ext.bandits._problems import (
    BanditProblem,
    BanditRun,
    make_bandit_from_classification,
    make_bandit_log,
    make_linear_bandit,
    simulate,
)
from sklearn_ext.bandits._regressor import RegressorBandit
from sklearn_ext.bandits._ridge._bandit import RidgeBandit
from sklearn_ext.bandits._theory import regression_regret_bound, theoretical_gamma
from sklearn_ext.bandits._values._policy import (
    PolicyValue,
    compare_policies,
    policy_value,
    policy_value_curve,
)
from sklearn_ext.bandits._values._replay import cross_fit_rewards, replay
from sklearn_ext.bandits._values._scorer import make_policy_value_scorer

__all__ = [
    "AdversarialLinearBandit",
    "BanditProblem",
    "BanditRun",
    "Decisions",
    "EpisodicPolicy",
    "ExplorationDisplay",
    "NeuralBandit",
    "PolicyValue",
    "PolicyValueDisplay",
    "RegressorBandit",
    "RegretDisplay",
    "RidgeBandit",
    "compare_policies",
    "cross_fit_rewards",
    "episodic_log_barrier",
    "inverse_gap_probabilities",
    "log_barrier_probabilities",
    "make_bandit_from_classification",
    "make_bandit_log",
    "make_linear_bandit",
    "make_policy_value_scorer",
    "policy_value",
    "policy_value_curve",
    "regression_regret_bound",
    "replay",
    "simulate",
    "theoretical_gamma",
]
