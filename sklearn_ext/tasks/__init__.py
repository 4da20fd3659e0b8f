"""Many small related regressions: one a store, patient or sensor.

In the order in which rows pass:

- ``_groups``: labels of tasks, checked, found and joined
- ``_statistics``: what a task's rows say: products, or where columns are many factors
- ``_reml``: the population, by restricted likelihood
- ``_products``: the likelihood and the tasks from products, columns by columns
- ``_rows``: the same from factors, rows by rows, where a task has more columns
- ``_noise``: the noise of each task, shrunk
- ``_posterior``: coordinates of the fit; each task given the population and its rows
- ``_task_ridge``: the estimator
- ``_context``: folds and a curve that ask what a few labelled rows are worth
- ``_theory``: what one layer of linear attention learns from such tasks
- ``_plots``: the curve, and the picture of shrinkage
"""

from sklearn_ext.tasks._context import ContextCurve, ContextSplit, context_curve
from sklearn_ext.tasks._plots import ContextCurveDisplay, TaskShrinkageDisplay
from sklearn_ext.tasks._task_ridge import TaskRidge
from sklearn_ext.tasks._theory import in_context_risk, one_step_preconditioner

__all__ = [
    "ContextCurve",
    "ContextCurveDisplay",
    "ContextSplit",
    "TaskRidge",
    "TaskShrinkageDisplay",
    "context_curve",
    "in_context_risk",
    "one_step_preconditioner",
]
