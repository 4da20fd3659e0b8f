"""Fit one model to many blocks of rows: summarise each, add, solve once."""

from functools import reduce
from operator import add

from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted


def fit_blocks(estimator, blocks, *, n_jobs=None, **params):
    """Fit an estimator to blocks of rows as if they were one table.

    The estimator must be fitted from sums, that is define ``_summarize(X, y,
    sample_weight=None, *, reset)``, whose results add, and ``_solve(summary)``.

    Parameters
    ----------
    estimator : estimator
        It is fitted in place.
    blocks : iterable
        Tuples ``(X, y)`` or ``(X, y, sample_weight)``, or callables without
        arguments that load such a tuple, so that only one block a worker is in memory.
    n_jobs : int or None, default=None
        Threads, or workers of the active joblib backend.
    **params : object
        Passed on to every ``_summarize``, for instance ``classes``.

    Returns
    -------
    estimator
        The estimator itself, fitted.

    Raises
    ------
    ValueError
        When there is no block, or a block is no tuple.
    """
    estimator._validate_params()
    before = estimator.__dict__.copy()
    blocks = iter(blocks)
    try:
        first = _summarize(estimator, next(blocks), params, reset=True)
        template = clone(estimator)
        template.__dict__.update(estimator.__dict__)  # what a summary has to agree with
        others = Parallel(
            n_jobs=n_jobs, prefer="threads", return_as="generator_unordered"
        )(delayed(_summarize)(template, block, params, reset=False) for block in blocks)
        return estimator._solve(reduce(add, others, first))
    except StopIteration:
        raise ValueError("fit_blocks needs at least one block, got none.") from None
    except BaseException:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise


def _summarize(estimator, block, params, *, reset):
    rows = block() if callable(block) else block
    if not isinstance(rows, (tuple, list)):
        raise ValueError(
            "blocks must yield tuples (X, y) or (X, y, sample_weight), or callables "
            f"that return one, got {type(rows).__name__}."
        )
    return estimator._summarize(*rows, reset=reset, **params)


def check_mergeable(model, other):
    """Check that two fitted models are of one class and saw the same features.

    Parameters
    ----------
    model, other : estimator
        Models whose sums shall be added.
    """
    name = type(model).__name__
    if not isinstance(other, type(model)):
        raise TypeError(f"merge takes a {name}, got {type(other).__name__}.")
    for one in (model, other):
        check_is_fitted(one)
    if model.n_features_in_ != other.n_features_in_:
        raise ValueError(
            f"merge takes a {name} of the same number of features, "
            f"{model.n_features_in_}, got {other.n_features_in_}."
        )
    names = [getattr(one, "feature_names_in_", None) for one in (model, other)]
    if all(n is not None for n in names) and names[0].tolist() != names[1].tolist():
        raise ValueError(
            f"merge takes a {name} of the same feature names in the same order, "
            f"{names[0].tolist()}, got {names[1].tolist()}."
        )
