"""Cross-validation that never cuts a bag."""

import numpy as np
from sklearn.model_selection import (
    BaseCrossValidator,
    KFold,
    LeaveOneOut,
    ShuffleSplit,
)

from sklearn_ext._core._compat import _num_samples
from sklearn_ext.aggregate._bags._partition import Bags


class _BagSplitter(BaseCrossValidator):
    """Split the bags with a splitter of rows, then give each row its bag's side."""

    __metadata_request__split = {"bags": True}

    def split(self, X, y=None, groups=None, bags=None):
        """Generate indices of rows for training and testing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Ignored.
        groups : array-like of shape (n_samples,), default=None
            Taken as the bags when ``bags`` is None: what searches pass on without
            metadata routing.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags.

        Yields
        ------
        train, test : ndarray
            Row numbers.
        """
        partition = self._partition(X, groups if bags is None else bags)
        for sides in self._splitter().split(partition.ids):
            yield tuple(
                np.flatnonzero(np.isin(partition.codes, bags_of_side))
                for bags_of_side in sides
            )

    def get_n_splits(self, X=None, y=None, groups=None, bags=None):
        """Return the number of splits.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.
        groups : array-like of shape (n_samples,), default=None
            Bags, when ``bags`` is None.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags.

        Returns
        -------
        int
            The number of splits.
        """
        return self.n_splits

    def _partition(self, X, bags):
        if bags is None:
            raise ValueError(
                f"{type(self).__name__} needs the bags: pass bags= (searches do so "
                "with metadata routing enabled) or groups=."
            )
        return Bags.of(bags, _num_samples(X))


class BagKFold(_BagSplitter):
    """K folds of whole bags.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    shuffle : bool, default=False
        Whether to shuffle the bags first.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffle.

    See Also
    --------
    BagShuffleSplit : Random splits of whole bags.
    sklearn.model_selection.GroupKFold : The same with ``groups``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import BagKFold
    >>> bags = ["a", "a", "b", "b", "b"]
    >>> for train, test in BagKFold(2).split(np.zeros((5, 1)), bags=bags):
    ...     print(train, test)
    [2 3 4] [0 1]
    [0 1] [2 3 4]
    """

    def __init__(self, n_splits=5, *, shuffle=False, random_state=None):
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def _splitter(self):
        return KFold(
            self.n_splits, shuffle=self.shuffle, random_state=self.random_state
        )


class BagShuffleSplit(_BagSplitter):
    """Random splits of whole bags.

    Parameters
    ----------
    n_splits : int, default=10
        Number of splits.
    test_size : float, int or None, default=None
        Share or number of bags for testing; None takes a tenth.
    train_size : float, int or None, default=None
        Share or number of bags for training; None takes the others.
    random_state : int, RandomState instance or None, default=None
        Seed of the splits.

    See Also
    --------
    BagKFold : Folds of whole bags.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import BagShuffleSplit
    >>> splitter = BagShuffleSplit(3, test_size=0.5, random_state=0)
    >>> splitter.get_n_splits()
    3
    """

    def __init__(
        self, n_splits=10, *, test_size=None, train_size=None, random_state=None
    ):
        self.n_splits = n_splits
        self.test_size = test_size
        self.train_size = train_size
        self.random_state = random_state

    def _splitter(self):
        return ShuffleSplit(
            self.n_splits,
            test_size=self.test_size,
            train_size=self.train_size,
            random_state=self.random_state,
        )


class LeaveOneBagOut(_BagSplitter):
    """Test on each bag once.

    See Also
    --------
    InterpolatingAggregateRegressorCV : Leave-one-bag-out in closed form.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import LeaveOneBagOut
    >>> LeaveOneBagOut().get_n_splits(np.zeros((3, 1)), bags=[0, 0, 1])
    2
    """

    def get_n_splits(self, X=None, y=None, groups=None, bags=None):
        """Return the number of bags.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : object, default=None
            Ignored.
        groups : array-like of shape (n_samples,), default=None
            Bags, when ``bags`` is None.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags.

        Returns
        -------
        int
            The number of splits.
        """
        return len(self._partition(X, groups if bags is None else bags).ids)

    def _splitter(self):
        return LeaveOneOut()
