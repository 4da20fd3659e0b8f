"""The base class of every estimator and the decorator of every fitting method."""

import functools
import warnings

from sklearn.base import BaseEstimator

import sklearn_ext
from sklearn_ext._core._compat import _fit_context, _is_fitted
from sklearn_ext._core._validation import warn


class ExtEstimator(BaseEstimator):
    """Base of all estimators: links to our documentation, version in pickles."""

    _doc_link_module = "sklearn_ext"
    _takes_sparse = False  # rows; what more there is to say, a class adds to its tags

    @property
    def _doc_link_template(self):
        return _pages() + "/api/generated/{estimator_module}.{estimator_name}.html"

    def _get_doc_link(self):
        return super()._get_doc_link() if _pages() else ""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._takes_sparse
        return tags

    def __dir__(self):
        """List what can be read now, without what is still to be computed.

        scikit-learn reads all that is listed, here and for the view in notebooks.
        """
        waiting = self._waiting()
        names = [name for name in object.__dir__(self) if name not in waiting]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return [name for name in names if hasattr(self, name)]

    def _waiting(self):
        """Return names of fitted attributes that nobody has asked for so far.

        Of those only whose first reading takes long, or changes what is to be done.
        """
        return ()

    def __getstate__(self):
        return {**super().__getstate__(), "_sklearn_ext_version": _version()}

    def __setstate__(self, state):
        state = dict(state)
        stored = state.pop("_sklearn_ext_version", "unknown")
        if stored != _version():
            warn(
                f"{type(self).__name__} was stored by sklearn_ext {stored} and is "
                f"loaded by {_version()}: results may differ. Refit it, or load it "
                f"with sklearn_ext {stored}."
            )
        super().__setstate__(state)


@functools.cache
def _pages():
    """Return where pyproject.toml says that our pages are, "" while it does not."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls = metadata("sklearn-ext").get_all("Project-URL") or []
    except PackageNotFoundError:  # sources that nobody has installed
        return ""
    pages = dict(url.split(", ", 1) for url in urls).get("Documentation", "")
    return "" if "example.org" in pages else pages


def _version():
    return sklearn_ext.__version__


def fit_context(*, prefer_skip_nested_validation=True):
    """Validate the parameters, run the method, and undo it when it raises.

    As scikit-learn's own decorator it checks ``_parameter_constraints`` and tears
    callbacks down. Beyond it, a method that raises leaves the estimator as it was:
    the attributes are put back. So a method must replace its fitted arrays and never
    write into them.

    Parameters
    ----------
    prefer_skip_nested_validation : bool, default=True
        Whether estimators fitted inside skip their own validation; False for
        meta-estimators, whose inner estimators come from the user.

    Returns
    -------
    callable
        A decorator for ``fit``, ``partial_fit`` and other methods that change state.
    """

    def decorate(method):
        validated = _fit_context(
            prefer_skip_nested_validation=prefer_skip_nested_validation
        )(method)
        in_stream = (
            method.__name__ == "partial_fit" and not prefer_skip_nested_validation
        )

        @functools.wraps(method)
        def run(self, *args, **kwargs):
            # later rows of a stream find nothing to validate, to skip or to tear down
            bare = in_stream and not hasattr(self, "set_callbacks") and _is_fitted(self)
            before = self.__dict__.copy()
            try:
                return (method if bare else validated)(self, *args, **kwargs)
            except BaseException:  # an interrupt must not leave half a model either
                self.__dict__.clear()
                self.__dict__.update(before)
                raise

        return run

    return decorate
