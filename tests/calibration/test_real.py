"""What a second opinion is worth on tables of other people."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.real_data import available
from sklearn_ext.calibration import CorrectnessCalibratedClassifier
from sklearn_ext.calibration._metrics import correctness_log_loss

TABLES = ("california", "hr", "letter", "magic", "penbased")


@pytest.mark.skipif(
    not all(map(available, TABLES)), reason="the tables are not installed"
)
def test_neighbours_beat_temperature_on_four_of_five_tables():
    from benchmarks.calibration_data import split, table

    base, better = make_pipeline(StandardScaler(), LogisticRegression()), 0
    for name in TABLES:
        A, B, t, u = split(*table(name, 3000), 0, 1000, 1500)
        peer = CalibratedClassifierCV(
            base, method="temperature", ensemble=False, cv=5
        ).fit(A, t)
        model = CorrectnessCalibratedClassifier(base).fit(A, t)
        right = peer.predict(B) == u
        np.testing.assert_array_equal(right, model.predict(B) == u)
        theirs = peer.predict_proba(B).max(axis=1)
        losses = [
            correctness_log_loss(right, c, np.ones(len(c)))
            for c in (model.confidence(B), theirs)
        ]
        better += losses[0] < losses[1]
    assert better >= 4
