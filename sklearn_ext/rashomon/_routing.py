"""Which inputs a search hands to its candidates, and what it may be given."""

from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from sklearn_ext._core._compat import _routing_enabled
from sklearn_ext.rashomon._candidates import default_candidates, listed


class CandidatesMixin:
    """Routes and tags of an estimator with ``estimators`` and ``cv``."""

    def get_metadata_routing(self):
        """Say which inputs go where.

        Returns
        -------
        MetadataRouter
            Routes to the candidates, the splitter and the scorer.
        """
        router = MetadataRouter(owner=self)
        for name, estimator, *_ in self._candidates():
            router.add(
                **{name.replace(" ", "_"): estimator},
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
        if hasattr(self.cv, "get_metadata_routing"):
            router.add(
                splitter=self.cv,
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        return router

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = [get_tags(candidate[1]) for candidate in self._candidates()]
        tags.estimator_type = inner[0].estimator_type
        tags.classifier_tags = inner[0].classifier_tags
        tags.regressor_tags = inner[0].regressor_tags
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False
        tags.input_tags.sparse = all(t.input_tags.sparse for t in inner)
        tags.input_tags.allow_nan = all(t.input_tags.allow_nan for t in inner)
        tags.target_tags.required = True
        return tags

    def _candidates(self):
        if self.estimators is None:
            return default_candidates()
        return listed(self.estimators)

    def _routed(self, params):
        """Sort inputs: for ``fit`` of the members, the splitter and validation."""
        if not _routing_enabled():
            to_split = {k: v for k, v in params.items() if k == "groups"}
            to_fit = {k: v for k, v in params.items() if k != "groups"}
            return {None: to_fit}, to_split, to_fit
        routed = process_routing(self, "fit", **params)
        to_fit = {
            name: routed[name.replace(" ", "_")].fit for name, *_ in self._candidates()
        }
        to_split = routed.splitter.split if "splitter" in routed else {}
        used = set().union(*(given.keys() for given in to_fit.values()))
        return to_fit, to_split, {k: v for k, v in params.items() if k in used}
