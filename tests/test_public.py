"""What is public is exported and documented as the house says."""

import inspect
from importlib import import_module

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import sklearn_ext
from tests._instances import ESTIMATORS, FEW_ERRORS, IDS, MAPPED_TO_THEMSELVES, fitted

# as scikit-learn: RT02 names of returns, GL01 and GL02 placing of the first line
IGNORED = {"RT02", "GL01", "GL02"}
IGNORED_IN_METHODS = IGNORED | {"ES01", "SA01", "EX01", "PR02"}


def public_objects():
    for family in sklearn_ext.FAMILIES:
        module = import_module(f"sklearn_ext.{family}")
        for name in module.__all__:
            yield f"sklearn_ext.{family}.{name}", getattr(module, name)
    yield "sklearn_ext.all_estimators", sklearn_ext.all_estimators
    yield "sklearn_ext.trusted_types", sklearn_ext.trusted_types


def public_docstrings():
    for path, thing in public_objects():
        yield path, IGNORED | {"ES01", "SA01", "EX01"}
        if inspect.isclass(thing):
            for name, member in inspect.getmembers(thing, callable):
                ours = (getattr(member, "__module__", "") or "").startswith(
                    "sklearn_ext"
                )
                if not name.startswith("_") and ours:
                    yield f"{path}.{name}", IGNORED_IN_METHODS


@pytest.mark.parametrize(("path", "ignored"), list(public_docstrings()))
def test_docstrings(path, ignored):
    found = [error for error in validate(path)["errors"] if error[0] not in ignored]
    assert not found


@pytest.mark.filterwarnings(MAPPED_TO_THEMSELVES, FEW_ERRORS)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=IDS)
def test_fitted_attributes_are_documented(estimator):
    model = fitted(estimator)
    sections = NumpyDocString(inspect.cleandoc(type(model).__doc__))
    documented = {
        name.strip(): " ".join(entry.desc)
        for entry in sections["Attributes"]
        for name in entry.name.split(",")
        if name.strip().endswith("_")
    }
    actual = {
        name
        for name in set(vars(model)) | set(dir(type(model)))
        if name.endswith("_") and not name.startswith("_") and hasattr(model, name)
    }
    assert actual - documented.keys() == set()
    for name in documented.keys() - actual:  # some exist in some settings alone
        assert any(word in documented[name].lower() for word in ("only", "when")), name


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=IDS)
def test_estimators_show_an_example_and_point_elsewhere(estimator):
    sections = NumpyDocString(inspect.cleandoc(type(estimator).__doc__))
    assert sections["Examples"]
    assert sections["See Also"]
    assert sections["References"]


@pytest.mark.parametrize("family", sklearn_ext.FAMILIES)
def test_exports(family):
    module = import_module(f"sklearn_ext.{family}")
    assert list(module.__all__) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name).__module__.startswith(f"sklearn_ext.{family}._")


def test_families_are_sorted_and_reachable():
    assert list(sklearn_ext.FAMILIES) == sorted(sklearn_ext.FAMILIES)
    for family in sklearn_ext.FAMILIES:
        assert inspect.ismodule(getattr(sklearn_ext, family))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sklearn_ext.nothing  # noqa: B018


def test_unknown_kind_of_estimator():
    with pytest.raises(ValueError, match=r"type_filter must be None or one of \["):
        sklearn_ext.all_estimators("oracle")
