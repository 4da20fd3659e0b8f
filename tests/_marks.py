"""What a version, a build or a machine cannot do, and tests that need it."""

import polars as pl
import pytest
import sklearn
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

VERSION = parse_version(sklearn.__version__)
SHOWS_ATTRIBUTES = parse_version("1.9") <= VERSION  # of a model, on its page
CALLBACKS = pytest.mark.skipif(
    parse_version("1.9") > VERSION, reason="scikit-learn has callbacks from 1.9 on"
)
DEFAULT_SCORES = pytest.mark.skipif(
    parse_version("1.8") > VERSION,
    reason="a search routes metadata to score methods from scikit-learn 1.8 on",
)
TEMPERATURE = pytest.mark.skipif(
    parse_version("1.8") > VERSION, reason="the peer is scikit-learn's from 1.8 on"
)
scaler = StandardScaler().fit(pl.DataFrame({"a": [0.0, 1.0]}))
READS_POLARS = hasattr(scaler, "feature_names_in_")
POLARS = pytest.mark.skipif(
    not READS_POLARS, reason="this scikit-learn reads no names of this polars"
)
# torch before 2.6 says so of every pickle that holds a tensor
PICKLED_TENSORS = pytest.mark.filterwarnings(
    "ignore:You are using `torch.load`:FutureWarning"
)


def skip_absent_device(check):
    """Skip a check of scikit-learn on a device that torch was built for, not found."""
    options = getattr(check, "keywords", {})
    if "cuda" in (options.get("device"), options.get("device_name")):
        torch = pytest.importorskip("torch", reason="the torch extra is not installed")
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
