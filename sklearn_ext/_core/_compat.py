"""The only file that imports private or version-dependent scikit-learn names."""

import inspect

from scipy import sparse
from sklearn.base import _fit_context
from sklearn.externals import array_api_compat
from sklearn.utils import _safe_indexing
from sklearn.utils._array_api import get_namespace, get_namespace_and_device
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    Options,
    RealNotInt,
    StrOptions,
    validate_params,
)
from sklearn.utils.metadata_routing import _raise_for_params, _routing_enabled
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import (
    _check_feature_names,
    _check_feature_names_in,
    _check_method_params,
    _check_n_features,
    _check_sample_weight,
    _is_fitted,
    _num_samples,
)

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:
        """Stand-in whose tasks tell nobody and never stop a fit."""

        def _init_callback_context(self, **kwargs):
            return _SilentContext()

    class _SilentContext:
        def subcontext(self, **kwargs):
            return self

        def call_on_fit_task_begin(self, **kwargs):
            return self

        def call_on_fit_task_end(self, **kwargs):
            return False


try:
    from sklearn.utils import _align_api_if_sparse
except ImportError:  # scikit-learn < 1.9

    def _align_api_if_sparse(X):
        return X


try:
    from sklearn.utils._array_api import check_same_namespace, move_to

    MIXED_NAMESPACES = True
except ImportError:  # scikit-learn < 1.9: all arrays, classes_ too, share a namespace
    from sklearn.utils._array_api import _convert_to_numpy, _is_numpy_namespace

    MIXED_NAMESPACES = False

    def check_same_namespace(X, estimator, *, attribute, method):
        """Accept every namespace."""

    def move_to(*arrays, xp, device):
        """Convert the arrays to namespace ``xp`` on ``device``."""
        moved = tuple(_moved(array, xp, device) for array in arrays)
        return moved if len(moved) > 1 else moved[0]

    def _moved(array, xp, device):
        if array is None or sparse.issparse(array):
            return array
        if _is_numpy_namespace(xp) and array_api_compat.is_array_api_obj(array):
            return _convert_to_numpy(array, array_api_compat.array_namespace(array))
        return xp.asarray(array, device=device)

    _check_on_any_device = _check_sample_weight

    def _check_sample_weight(sample_weight, X, **options):
        """Check weights; those made from nothing come to the device of ``X``."""
        weight = _check_on_any_device(sample_weight, X, **options)
        xp, is_array_api, device = get_namespace_and_device(X)
        return xp.asarray(weight, device=device) if is_array_api else weight


def splitter_of(search, evaluate_candidates):
    """Return the splitter that a running search has made of its ``cv``."""
    if hasattr(search, "_checked_cv_orig"):
        return search._checked_cv_orig
    # scikit-learn < 1.9 hands it to nobody but the function that it passes on
    return inspect.getclosurevars(evaluate_candidates).nonlocals["cv_orig"]


__all__ = [
    "MIXED_NAMESPACES",
    "CallbackSupportMixin",
    "HasMethods",
    "Hidden",
    "Interval",
    "Options",
    "RealNotInt",
    "StrOptions",
    "_BaseComposition",
    "_align_api_if_sparse",
    "_check_feature_names",
    "_check_feature_names_in",
    "_check_method_params",
    "_check_n_features",
    "_check_sample_weight",
    "_fit_context",
    "_is_fitted",
    "_num_samples",
    "_raise_for_params",
    "_routing_enabled",
    "_safe_indexing",
    "array_api_compat",
    "check_matplotlib_support",
    "check_same_namespace",
    "get_namespace",
    "get_namespace_and_device",
    "move_to",
    "splitter_of",
    "validate_params",
]
