"""Resampling to a representative subset of rows."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    _safe_indexing,
)
from sklearn_ext._core._validation import warn
from sklearn_ext.submodular._gains._backends import BACKENDS
from sklearn_ext.submodular._maximize import maximize
from sklearn_ext.submodular._objectives._named import OBJECTIVE, make_objective
from sklearn_ext.submodular._rows._encoding import encoder_tags, first_rows


class SubmodularSampler(ExtEstimator):
    """Replace a table by a representative subset of its rows.

    Unlike a random subset it has no near copies and leaves no region out [1]_. It
    offers ``fit_resample``, so it is a step of imbalanced-learn's pipelines, where
    training sees the subset and prediction all rows.

    Rows are compared at the scale of their columns; `fit` warns where a few columns
    drown the others.

    Parameters
    ----------
    n_select : int or float, default=0.1
        Rows to keep: a number, or a share of all. More than there are, in the table or
        in a class, raises a warning.
    sampling_strategy : {"all", "per_class", "equal"} or dict, default="all"
        "all" ignores the target; "per_class" selects within each class, in proportion
        to its size, "equal" the same number from each; a dict gives numbers by class,
        and classes that it does not name are left out.
    objective : str or SubmodularObjective, default="facility_location"
        What a set is worth, as in `DynamicSubmodularSelector`.
    solver : {"lazy", "greedy", "stochastic", "threshold"}, default="lazy"
        How it is maximised.
    encoder : transformer, default=None
        Maps rows to where they are compared, as in `DynamicSubmodularSelector`: a clone
        is fitted, one in `sklearn.frozen.FrozenEstimator` stays as it is. The rows that
        are returned are not encoded.
    backend : {"auto", "numpy", "numba", "torch"}, default="auto"
        What computes gains, as in `DynamicSubmodularSelector`.
    device : str, default=None
        Torch device, for instance "cuda"; None stays on the CPU.
    random_state : int, RandomState instance or None, default=None
        Draws reference rows.

    Attributes
    ----------
    sample_indices_ : ndarray of shape (n_selected,)
        Selected rows, class by class and in the order of choice. Rows that add nothing
        are not selected.
    encoder_ : transformer or None
        The encoder as it was fitted.
    n_features_in_ : int
        Number of features, of rows that have some.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, only when all are strings.

    See Also
    --------
    DynamicSubmodularSelector : Follows a table that changes.
    sklearn.utils.resample : Random rows.

    References
    ----------
    .. [1] K. Wei, R. Iyer and J. Bilmes, "Submodularity in data subset selection and
       active learning", ICML 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.submodular import SubmodularSampler
    >>> X, y = load_iris(return_X_y=True)
    >>> sampler = SubmodularSampler(12, sampling_strategy="equal", random_state=0)
    >>> X_small, y_small = sampler.fit_resample(X, y)
    >>> X_small.shape, y_small.tolist()
    ((12, 4), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    """

    _takes_sparse = True
    _parameter_constraints: dict = {
        "n_select": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
        ],
        "sampling_strategy": [StrOptions({"all", "per_class", "equal"}), dict],
        "objective": OBJECTIVE,
        "solver": [StrOptions({"lazy", "greedy", "stochastic", "threshold"})],
        "encoder": [HasMethods(["fit", "transform"]), None],
        "backend": [StrOptions(BACKENDS)],
        "device": [str, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_select=0.1,
        *,
        sampling_strategy="all",
        objective="facility_location",
        solver="lazy",
        encoder=None,
        backend="auto",
        device=None,
        random_state=None,
    ):
        self.n_select = n_select
        self.sampling_strategy = sampling_strategy
        self.objective = objective
        self.solver = solver
        self.encoder = encoder
        self.backend = backend
        self.device = device
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Select rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Target; needed by every strategy but "all".

        Returns
        -------
        self : SubmodularSampler
            The fitted sampler.
        """
        _, X = first_rows(self, X, y)
        if y is not None:
            check_consistent_length(X, y)
        rng = check_random_state(self.random_state)
        objective = make_objective(self.objective, "greedy")
        chosen = []
        for rows, k in self._shares(X.shape[0], y):
            if k > len(rows):
                whole = self.sampling_strategy == "all"
                where = "" if whole else f" of class {_safe_indexing(y, rows[0])}"
                warn(
                    f"{k} rows are to be selected out of {len(rows)}{where}; all that "
                    "add something are."
                )
            if k:
                found = maximize(
                    objective,
                    X[rows],
                    min(k, len(rows)),
                    method=self.solver,
                    backend=self.backend,
                    device=self.device,
                    random_state=rng,
                )
                chosen.append(rows[found.indices])
        self.sample_indices_ = np.concatenate([np.empty(0, dtype=np.intp), *chosen])
        return self

    def fit_resample(self, X, y=None):
        """Select rows and return them.

        Parameters
        ----------
        X : {array-like, dataframe, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Target.

        Returns
        -------
        X_resampled : {array-like, dataframe, sparse matrix}
            The selected rows, in the container that came.
        y_resampled : array-like or None
            Their targets.
        """
        self.fit(X, y)
        X_new = _safe_indexing(X, self.sample_indices_)
        return X_new, None if y is None else _safe_indexing(y, self.sample_indices_)

    def _shares(self, n, y):
        """Return pairs (rows, how many of them to select)."""
        total = self.n_select
        if not isinstance(total, Integral):
            total = max(1, round(total * n))
        if self.sampling_strategy == "all":
            return [(np.arange(n), total)]
        if y is None:
            raise ValueError(
                f"sampling_strategy={self.sampling_strategy!r} needs y; pass it, or "
                "use 'all'."
            )
        classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
        if isinstance(self.sampling_strategy, dict):
            if unknown := set(self.sampling_strategy) - set(classes.tolist()):
                raise ValueError(
                    f"sampling_strategy names {sorted(map(str, unknown))}, which are "
                    f"no classes of y: {classes}."
                )
            for k in self.sampling_strategy.values():
                if not isinstance(k, Integral) or k < 0:
                    raise ValueError(
                        "sampling_strategy must give a number of rows, 0 or more, for "
                        f"each class, got {k!r}."
                    )
            sizes = [self.sampling_strategy.get(c, 0) for c in classes.tolist()]
        else:
            equal = self.sampling_strategy == "equal"
            sizes = _split(total, np.ones_like(counts) if equal else counts)
        return [(np.flatnonzero(codes == c), k) for c, k in enumerate(sizes)]

    def __sklearn_tags__(self):
        return encoder_tags(super().__sklearn_tags__(), self.encoder)


def _split(total, weights):
    """Split a number in proportion to whole weights, by largest remainders."""
    sizes, rest = np.divmod(total * weights, weights.sum())
    late = np.argsort(-rest, kind="stable")[: total - sizes.sum()]
    sizes[late] += 1
    return sizes.tolist()
