"""What a bare installation runs, run here too: not first seen broken there."""

import pytest

from tests import smoke


@pytest.mark.slow
def test_every_estimator_fits_with_its_defaults(capsys):
    smoke.main()
    assert "estimators of" in capsys.readouterr().out
