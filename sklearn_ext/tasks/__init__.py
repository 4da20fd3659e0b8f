"""Many small related regressions: one a store, patient or sensor."""

from sklearn_ext.tasks._task_ridge import TaskRidge

__all__ = ["TaskRidge"]
