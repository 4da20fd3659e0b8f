"""Fit every estimator on a bare installation: numpy, scipy and scikit-learn alone.

Run it without pytest: ``python -m tests.smoke``.
"""

import sys
import warnings

import numpy as np
import sklearn

import sklearn_ext
from tests._instances import ESTIMATORS, LEFT_OUT, data_for, fitted, outputs, plain


def main():
    """Fit and use each with its defaults; raise at the first that fails."""
    warnings.simplefilter("ignore", category=UserWarning)  # of small data
    for estimator in ESTIMATORS:
        model = fitted(plain(type(estimator)))
        for said in outputs(model, data_for(model)[0]).values():
            assert said.dtype.kind not in "fc" or np.isfinite(said).all(), model
    for name in LEFT_OUT:
        expect_advice(dict(sklearn_ext.all_estimators())[name]())
    assert "torch" not in sys.modules or not LEFT_OUT
    print(
        f"{len(ESTIMATORS)} estimators of {sklearn_ext.__path__[0]} fitted with "
        f"scikit-learn {sklearn.__version__}, numpy {np.__version__}"
    )


def expect_advice(estimator):
    """Raise unless fitting says which extra to install."""
    try:
        fitted(estimator)
    except ImportError as error:
        if "pip install 'sklearn-ext[torch]'" in str(error):
            return
        raise
    raise AssertionError(f"{estimator} was fitted without torch")


if __name__ == "__main__":
    main()
