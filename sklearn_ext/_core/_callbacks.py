"""One fit as a tree of tasks for scikit-learn's callbacks."""


class FitTasks:
    """Report the iterations of one fit and learn whether to stop.

    Parameters
    ----------
    estimator : CallbackSupportMixin
        The estimator that is being fitted.
    X, y : array-like
        The data as the user passed them.
    max_subtasks : int or None
        Number of iterations at most; None when it is not known.
    task_name : str, default="iteration"
        What one subtask is called in progress bars.
    metadata : dict or None, default=None
        Further inputs per row, such as ``{"sample_weight": w}``.
    """

    def __init__(
        self, estimator, X, y, *, max_subtasks, task_name="iteration", metadata=None
    ):
        self._task_name, self._open = task_name, None
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._root = estimator._init_callback_context(max_subtasks=max_subtasks)
        self._root.call_on_fit_task_begin(**self._data)

    def begin(self):
        """Open the next subtask."""
        self._open = self._root.subcontext(task_name=self._task_name)
        self._open.call_on_fit_task_begin(**self._data)

    def end(self, lazy=None, **state):
        """Close the subtask, opened here if nobody did; True asks to stop.

        Parameters
        ----------
        lazy : callable or None, default=None
            Returns the state as a dict, called only when a callback wants it.
        **state : object
            Fitted attributes that ``predict`` needs, as they stand now.

        Returns
        -------
        bool
            Whether a callback wants the fit to stop.
        """
        if self._open is None:
            self.begin()
        task, self._open = self._open, None
        return bool(
            task.call_on_fit_task_end(
                **self._data, reconstruction_attributes=lazy or state
            )
        )

    def close(self, **state):
        """Close the fit itself."""
        self._root.call_on_fit_task_end(**self._data, reconstruction_attributes=state)
