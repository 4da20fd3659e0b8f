"""What older versions of scikit-learn do not offer."""

import polars as pl
import pytest
import sklearn
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

CALLBACKS = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="scikit-learn has callbacks from 1.9 on",
)


scaler = StandardScaler().fit(pl.DataFrame({"a": [0.0, 1.0]}))
READS_POLARS = hasattr(scaler, "feature_names_in_")
POLARS = pytest.mark.skipif(
    not READS_POLARS, reason="this scikit-learn reads no names of this polars"
)
