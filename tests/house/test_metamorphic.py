"""What must not change the answer, held by every public estimator at its defaults."""

import pytest

from tests._instances import ESTIMATORS, FEW_ERRORS, IDS, MAPPED_TO_THEMSELVES, data_for
from tests.house._metamorphic import RELATIONS


@pytest.mark.filterwarnings(MAPPED_TO_THEMSELVES, FEW_ERRORS)
@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=IDS)
def test_relation(estimator, relation):
    X, y = data_for(estimator)
    RELATIONS[relation](estimator, X, y)
