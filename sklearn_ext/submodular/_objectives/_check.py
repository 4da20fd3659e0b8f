"""Look for sets where a function is not monotone or not submodular."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_random_state


@dataclass(frozen=True)
class SubmodularityCheck:
    """The worst margins found; negative ones are violations.

    Parameters
    ----------
    monotone_margin : float
        Smallest gain of a row.
    submodular_margin : float
        Smallest loss of gain from a smaller to a larger set.
    n_trials : int
        How many chains of sets were tried.
    scale : float
        Largest gain seen, to judge the margins by.

    Examples
    --------
    >>> from sklearn_ext.submodular import SubmodularityCheck
    >>> SubmodularityCheck(0.0, -0.5, 10, 1.0).passed
    False
    """

    monotone_margin: float
    submodular_margin: float
    n_trials: int
    scale: float

    @property
    def passed(self):
        """Whether no violation beyond rounding was found."""
        worst = min(self.monotone_margin, self.submodular_margin)
        return bool(worst >= -1e-9 * self.scale)


def check_submodular(objective, X, n_trials=200, *, random_state=0):
    """Try random chains of sets for violated monotonicity or diminishing returns.

    A chain grows row by row from the empty set; the gain of every row outside must be
    non-negative and never rise along it. A passed check is no proof.

    Parameters
    ----------
    objective : SubmodularObjective
        The objective; it is fitted to ``X``.
    X : array-like of shape (n_samples, n_features)
        Rows to build sets of; a dozen suffices.
    n_trials : int, default=200
        Number of random chains.
    random_state : int, RandomState instance or None, default=0
        Orders the chains.

    Returns
    -------
    SubmodularityCheck
        The worst margins.

    See Also
    --------
    CallableObjective : Wraps a function of your own.

    Examples
    --------
    >>> from sklearn_ext.submodular import FacilityLocation, check_submodular
    >>> check_submodular(FacilityLocation(), [[0.0], [1.0], [3.0]]).passed
    True
    """
    rng = check_random_state(random_state)
    rows = objective.fit_reference(X).represent(X)
    n = rows.shape[0]
    lowest_gain = lowest_drop = np.inf
    scale = 0.0
    for _ in range(n_trials):
        order = rng.permutation(n)
        state = objective.empty_state()
        gains = objective.gains(rows[order], state)
        scale = max(scale, abs(gains).max())
        lowest_gain = min(lowest_gain, gains.min())
        for i in range(n - 1):
            state = objective.add(state, rows[order[i : i + 1]])
            later = objective.gains(rows[order[i + 1 :]], state)
            lowest_gain = min(lowest_gain, later.min())
            lowest_drop = min(lowest_drop, (gains[1:] - later).min())
            gains = later
    lowest_drop = lowest_drop if np.isfinite(lowest_drop) else 0.0  # one row only
    return SubmodularityCheck(float(lowest_gain), float(lowest_drop), n_trials, scale)
