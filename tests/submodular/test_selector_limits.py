"""The selector at its limits: purged rows, changed parameters, nothing to select."""

import pickle

import numpy as np
import pytest

from sklearn_ext.submodular import (
    DynamicSubmodularSelector,
    FacilityLocation,
    LogDet,
    Mixture,
)


def selector(n_select, **params):
    return DynamicSubmodularSelector(n_select, random_state=0, **params)


def test_purge_reaches_members_of_mixtures_and_references_of_the_user(rng):
    X = rng.normal(size=(12, 2))
    user = FacilityLocation(reference=X)  # float64, while the rows become float32
    mixture = Mixture([("a", user), ("b", FacilityLocation()), ("c", LogDet())])
    model = selector(3, objective=mixture).fit(X.astype(np.float32))
    model.forget([3], purge=True)
    for member in model.objective_model_.objectives_[:2]:
        reference = member.reference_.astype(np.float32)
        assert reference.shape == (12, 2)
        assert not (reference == X[3].astype(np.float32)).all(axis=1).any()
    stored = model._X.take(np.arange(11))
    assert not (stored == X[3].astype(np.float32)).all(axis=1).any()


def test_parameters_that_structures_depend_on_need_another_fit(rng):
    X = rng.normal(size=(12, 2))
    model = selector(2).fit(X).partial_fit(X + 1)
    with pytest.raises(ValueError, match="n_select was 2 in fit and is 5 now"):
        model.set_params(n_select=5).partial_fit(X)
    with pytest.raises(ValueError, match="call fit again"):
        model.reoptimize()
    with pytest.raises(ValueError, match="algorithm was 'leveled' in fit"):
        model.set_params(n_select=2, algorithm="sieve").update(X)
    model.set_params(algorithm="leveled").partial_fit(X)
    assert model.n_active_ == 36


def test_a_batch_of_zero_weights_is_never_selected(rng):
    X = rng.normal(size=(12, 2))
    model = selector(3).fit(X[:4]).partial_fit(X[4:], sample_weight=np.zeros(8))
    assert model.n_active_ == 12
    assert set(model.selected_ids_) <= set(range(4))


def test_nothing_can_be_selected(rng):
    with pytest.raises(ValueError, match="bar all 4 active ones"):
        selector(3, forbidden=range(4)).fit(rng.normal(size=(4, 2)))
    model = selector(3).fit(rng.normal(size=(4, 2))).forget(range(4))
    with pytest.raises(ValueError, match="no active rows to solve for"):
        model.refresh_reference()


@pytest.mark.parametrize(
    "ids",
    [[2**70, 1, 2], np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[ns]")],
)
def test_long_numbers_and_dates_come_back_as_they_were(ids, rng):
    X = rng.normal(size=(3, 2))
    model = pickle.loads(pickle.dumps(selector(3).fit(X, ids=ids)))
    assert set(model.selected_ids_) == set(ids)
    assert model.forget(ids[:1]).active_ids_.tolist() == list(ids[1:])
