"""Logistic regression, two classes or more, as pure functions of arrays.

- ``_objective``: the penalised log-loss (or its relatives with an exponent ``q``) with
  its gradient; moments of the rows, the preconditioner and the start that they give
- ``_solver``: ``prepare`` once what does not depend on the penalty, then ``solve`` for
  one C or ``solve_path`` for many, with a bound on the distance to the optimum
"""

from sklearn_ext._numerics._logistic._objective import LogisticObjective, Moments
from sklearn_ext._numerics._logistic._solver import (
    Problem,
    Solution,
    duality_gap,
    prepare,
    solve,
    solve_path,
)

__all__ = [
    "LogisticObjective",
    "Moments",
    "Problem",
    "Solution",
    "duality_gap",
    "prepare",
    "solve",
    "solve_path",
]
