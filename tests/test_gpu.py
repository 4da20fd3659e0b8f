"""Every estimator with a ``device`` gives the same answers on each of them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from tests._instances import (
    ESTIMATORS,
    MAPPED_TO_THEMSELVES,
    NEEDS_TORCH,
    data_for,
    fitted,
    outputs,
)

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

WITH_DEVICE = [e for e in ESTIMATORS if "device" in e.get_params()]
needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device is here"
)
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, needs_cuda])]


@pytest.mark.filterwarnings(MAPPED_TO_THEMSELVES)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("estimator", WITH_DEVICE, ids=lambda e: type(e).__name__)
def test_devices_agree(estimator, device):
    X, y = data_for(estimator)
    expected = outputs(fitted(estimator, X, y), X)
    there = outputs(fitted(clone(estimator).set_params(device=device), X, y), X)
    for method, result in expected.items():
        if result.dtype.kind == "f":
            scale = abs(result).max()
            assert_allclose(there[method], result, rtol=1e-4, atol=1e-4 * scale)
        else:
            assert np.mean(there[method] == result) > 0.97


PAGE = Path(__file__).parents[1] / "docs" / "user_guide" / "gpu.rst"


@pytest.mark.parametrize("estimator", WITH_DEVICE, ids=lambda e: type(e).__name__)
def test_the_page_names_every_estimator_with_a_device(estimator):
    cls = type(estimator)
    family = cls.__module__.split(".")[1]
    assert f"`~sklearn_ext.{family}.{cls.__name__}`" in PAGE.read_text()


def test_every_net_takes_a_device():
    assert {type(estimator).__name__ for estimator in WITH_DEVICE} >= NEEDS_TORCH
