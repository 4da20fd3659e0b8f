"""Labels of bags as they arrive."""

import numpy as np
import pytest

from sklearn_ext.aggregate import BagRegressor


def test_labels_without_an_order_are_refused():
    """Sets compare, and numpy sorts them somehow: equal ones would be two bags."""
    X, y = np.arange(24.0).reshape(12, 2), np.arange(12.0)
    sets = np.empty(12, dtype=object)
    sets[:] = [frozenset([i % 3]) for i in range(12)]
    with pytest.raises(ValueError, match="bags holds labels that cannot be sorted"):
        BagRegressor().fit(X, y, bags=sets)
