"""Every check of scikit-learn on every public estimator, without exceptions."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests._instances import ESTIMATORS, FEW_ERRORS, IDS, MAPPED_TO_THEMSELVES
from tests._marks import skip_absent_device

# public checks that check_estimator leaves out
EXTRA_CHECKS = [
    "check_param_validation",
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_get_feature_names_out_error",
]


@pytest.mark.filterwarnings(MAPPED_TO_THEMSELVES, FEW_ERRORS)
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    skip_absent_device(check)
    check(estimator)


# the checks of set_output transform arrays after fitting data frames
@pytest.mark.filterwarnings(
    "ignore:X .* feature names", MAPPED_TO_THEMSELVES, FEW_ERRORS
)
@pytest.mark.parametrize("name", EXTRA_CHECKS)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=IDS)
def test_extra_checks(estimator, name):
    of_transformers = "transform" in name or "names_out" in name
    if of_transformers and not hasattr(estimator, "transform"):
        return  # the check says nothing about this estimator
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)
