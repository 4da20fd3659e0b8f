"""Several representations of a row side by side, or several seeds of one."""

from copy import copy
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from sklearn.base import MetaEstimatorMixin, TransformerMixin, clone, is_regressor
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    StrOptions,
    _check_feature_names_in,
    _check_method_params,
    _raise_for_params,
    _routing_enabled,
    _safe_indexing,
)
from sklearn_ext._core._optional import ConditionalMethod
from sklearn_ext._core._validation import FLOATS, check_weights, warn
from sklearn_ext._numerics._arrays import blocks as row_blocks
from sklearn_ext._numerics._arrays import dense
from sklearn_ext._numerics._equal_rows import EqualRows, as_numbers
from sklearn_ext._numerics._factors import eigh
from sklearn_ext.representations._corruption_components import signed
from sklearn_ext.representations._hidden_layer import (
    HiddenLayer,
    set_seeds,
    takes_missing,
    takes_seed,
)
from sklearn_ext.representations._labels import is_labeled, plain
from sklearn_ext.representations._views import ALL, AUTO, RawView, View, named_views

AT_A_TIME = 4096  # rows whose blocks are measured together
RANK = 1e-12  # eigenvalues below this share of the largest are rounding


class _UndoneByRaw(ConditionalMethod):
    def missing(self, instance):
        """Return what a representation without its columns would need."""
        if any(isinstance(view, RawView) for view in instance._known_views()):
            return None
        return "the view 'raw' among views: no other can be undone."


class ConcatenatedRepresentations(TransformerMixin, ExtEstimator):
    r"""Views of a row side by side, each of equal weight; or several seeds of one.

    Each block of columns is centred and scaled to total variance one, and divided by
    the root of the number of blocks. So the whole has the mean of the blocks' kernels,
    :math:`K = \sum_v w_v K_v / \sum_v w_v`, and a ridge on it is a kernel ridge with
    that kernel: no block drowns another, whatever its number of columns.

    A classifier or regressor among the views stands for its hidden layer
    (:class:`HiddenLayer`). With ``n_seeds`` each view is fitted several times from
    different random states, drawn from one seed sequence, so that results do not depend
    on ``n_jobs``. Networks of one architecture and one task differ in what they find
    useful; side by side they keep more of it for the next task. Three seeds give about
    half of what ten do. One network ten times as wide does as well when the task
    changes, at half the cost; several are worth it when they exist anyway, when they
    are trained in parallel, or when the population changes.

    Rows without a label (-1 among integer classes, NaN among numbers, None among
    objects) are seen by views that need none. Views feel the scale of columns.

    Parameters
    ----------
    views : {"auto", "all"}, str, estimator or sequence, default="auto"
        ``"auto"`` are the views "raw", "tilt" and "random_features", ``"all"`` these,
        "triangle", "graph" and "trees". Else one of their names, an estimator, or a
        sequence of names, estimators, and pairs of a name and either.
    n_seeds : int, default=1
        Fits of each view.
    resample : {"bootstrap"} or None, default=None
        ``"bootstrap"`` fits each seed to rows drawn with replacement, as many as there
        are distinct rows and with their weights; views then need no random state.
    weights : array-like of shape (n_views,), dict or None, default=None
        Weights of the views' kernels; by name if a dict, in which others have 1. A view
        of weight zero is left out.
    block_scale : bool, default=True
        Whether to centre blocks, scale them to unit size, and divide them by the root
        of the weights' sum. Otherwise columns stay as they are, but for ``weights``.
    n_components : int or None, default=None
        Principal components of the whole to keep: a closed form of distilling all into
        one small representation. None keeps all columns.
    prefit : bool, default=False
        Whether the estimators are fitted, and are to stay as they are. `fit` then
        learns their scales, and components, from its rows, and views given by name.
    n_jobs : int or None, default=None
        Views that are fitted at the same time.
    random_state : int, RandomState instance or None, default=None
        Where seeds come from. With None and ``n_seeds=1`` views keep their own.

    Attributes
    ----------
    views_ : list of tuple
        Names and fitted transformers, in the order of columns.
    similarity_ : ndarray of shape (n_blocks, n_blocks)
        Linear centred kernel alignment of each two blocks on the training rows: 1 where
        they are the same up to a rotation, near 0 where they have nothing in common.
    components_ : ndarray of shape (n_components, n_columns)
        Principal components, only with ``n_components``.
    explained_variance_ratio_ : ndarray of shape (n_components,)
        Their share of the variance, only with ``n_components``.
    n_components_ : int
        Their number, only with ``n_components``.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, when all are strings.

    See Also
    --------
    PretrainedClassifier : With a head, and an answer to whether it helped.
    RepresentationSimilarityDisplay : Draws ``similarity_``.
    sklearn.pipeline.FeatureUnion : Side by side, with the scales that columns have.

    References
    ----------
    .. [1] J. Zhang and L. Bottou, "Learning useful representations for shifting tasks
       and distributions", ICML 2023.
    .. [2] S. Kornblith, M. Norouzi, H. Lee and G. Hinton, "Similarity of Neural Network
       Representations Revisited", ICML 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_ext.representations import ConcatenatedRepresentations
    >>> X, y = load_wine(return_X_y=True)
    >>> nets = MLPClassifier((8,), max_iter=1000)
    >>> model = ConcatenatedRepresentations(nets, n_seeds=3, random_state=0)
    >>> model.fit(scale(X), y).transform(scale(X)).shape
    (178, 24)
    >>> model.get_feature_names_out()[-1]
    'mlpclassifier2_7'
    """

    _parameter_constraints: dict = {
        "views": [str, HasMethods(["fit"]), list, tuple],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
        "resample": [StrOptions({"bootstrap"}), None],
        "weights": ["array-like", dict, None],
        "block_scale": ["boolean"],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "prefit": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        views="auto",
        *,
        n_seeds=1,
        resample=None,
        weights=None,
        block_scale=True,
        n_components=None,
        prefit=False,
        n_jobs=None,
        random_state=None,
    ):
        self.views = views
        self.n_seeds = n_seeds
        self.resample = resample
        self.weights = weights
        self.block_scale = block_scale
        self.n_components = n_components
        self.prefit = prefit
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None, **fit_params):
        """Fit every view, and learn how large it is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target, for views that learn from one; rows may lack it.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts: in the sizes of blocks, and in views that take
            weights.
        **fit_params : object
            Further parameters of the views' ``fit``: routed to those that request them
            with metadata routing, passed to all estimators without.

        Returns
        -------
        ConcatenatedRepresentations
            The fitted transformer.
        """
        members = self._members()
        X = self._check(X, [m.estimator for m in members], reset=True)
        w = check_weights(sample_weight, X, dtype=np.float64)
        params = self._fit_params(members, sample_weight, fit_params)
        if not w.all():
            kept = np.flatnonzero(w)
            params = {k: _check_method_params(X, v, kept) for k, v in params.items()}
            y = None if y is None else _safe_indexing(y, kept)
            X, w = _safe_indexing(X, kept), w[kept]
        if y is not None:
            check_consistent_length(X, y)
        rows = Rows(X, y, w / w.max())  # so that no sum overflows
        seeds = self._seeds(members)
        fits = [(m, i) for m in members for i in range(self.n_seeds)]
        views = Parallel(n_jobs=self.n_jobs)(
            delayed(_fitted)(
                member, rows, params[member.name], seed, self.prefit, self.resample
            )
            for (member, _), seed in zip(fits, seeds, strict=True)
        )
        several = self.n_seeds > 1
        blocks = [
            Block(f"{m.name}{i}" if several else m.name, m.name, view)
            for (m, i), view in zip(fits, views, strict=True)
        ]
        weights = np.array([m.weight / self.n_seeds for m, _ in fits])
        self._place(blocks, weights, rows)
        return self

    def transform(self, X, **params):
        """Return the blocks side by side, or their principal components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        **params : object
            Parameters routed to the views' ``transform``; with metadata routing only.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
            The representation.
        """
        check_is_fitted(self)
        _raise_for_params(params, self, "transform")
        X = self._check(X, [view for _, view in self.views_], reset=False)
        routed = process_routing(self, "transform", **params) if params else {}
        dtype = np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64
        parts = []
        for block in self._blocks:
            given = routed[block.member].transform if block.member in routed else {}
            parts.append(block.columns(X, dtype, **given))
        Z = np.hstack(parts)
        if not hasattr(self, "components_"):
            return Z
        return ((Z - self._mean) @ self.components_.T).astype(dtype, copy=False)

    def fit_transform(self, X, y=None, sample_weight=None, **params):
        """Fit every view and return the blocks of the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target, see `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.
        **params : object
            Parameters of the views' ``fit`` and, with metadata routing, ``transform``.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
            The representation.
        """
        if not _routing_enabled():
            return self.fit(X, y, sample_weight, **params).transform(X)
        router = self.get_metadata_routing()
        to_fit, to_transform = (
            {name: params[name] for name in router.consumes(method, params)}
            for method in ("fit", "transform")
        )
        self.fit(X, y, sample_weight, **to_fit)
        return self.transform(X, **to_transform)

    @_UndoneByRaw
    def inverse_transform(self, X):
        """Return rows from their representation: what the view "raw" holds of them.

        It exists with a view "raw" only. Principal components give the rows up to what
        was left out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
            The representation of rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The rows.
        """
        check_is_fitted(self)
        Z = check_array(X, dtype=FLOATS)
        dtype, n_columns = Z.dtype, len(self.get_feature_names_out())
        if Z.shape[1] != n_columns:
            raise ValueError(
                f"X has {Z.shape[1]} columns, but this representation has {n_columns}."
            )
        if hasattr(self, "components_"):
            Z = Z @ self.components_ + self._mean
        start = 0
        for block in self._blocks:
            end = start + len(block.centre)
            if isinstance(block.view, RawView):
                V = Z[:, start:end] / block.factor + block.centre
                found = V * block.view.scale_ + block.view.mean_
                return found.astype(dtype, copy=False)
            start = end
        return None  # pragma: no cover

    def get_feature_names_out(self, input_features=None):
        """Return names of the columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of ``X``; those seen in `fit` if None.

        Returns
        -------
        ndarray of str
            Name of the view, and the number of its column, or the column itself in the
            view "raw".
        """
        check_is_fitted(self)
        given = _check_feature_names_in(self, input_features)
        if hasattr(self, "components_"):
            own = type(self).__name__.lower()
            return np.array([f"{own}{j}" for j in range(self.n_components_)], object)
        names = []
        for block in self._blocks:
            raw = isinstance(block.view, RawView)
            columns = given if raw else range(len(block.centre))
            names += [f"{block.name}_{column}" for column in columns]
        return np.array(names, dtype=object)

    def get_params(self, deep=True):
        """Return parameters, those of named views as ``name__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the views and their parameters.

        Returns
        -------
        dict
            Parameters by name.
        """
        params = super().get_params(deep=deep)
        for name, view in self._named() if deep else ():
            params[name] = view
            if hasattr(view, "get_params"):
                inner = view.get_params()
                params |= {f"{name}__{key}": value for key, value in inner.items()}
        return params

    def set_params(self, **params):
        """Set parameters, those of named views as ``name__parameter``.

        Parameters
        ----------
        **params : object
            Parameters by name; the name of a view replaces it.

        Returns
        -------
        ConcatenatedRepresentations
            The estimator itself.
        """
        if "views" in params:
            self.views = params.pop("views")
        own = self.get_params(deep=False)
        new = {
            n: params.pop(n) for n, _ in self._named() if n in params and n not in own
        }
        if new:
            pairs = (e if isinstance(e, tuple) else (None, e) for e in self.views)
            self.views = [
                entry if name is None else (name, new.get(name, entry))
                for name, entry in pairs
            ]
        return super().set_params(**params)

    def get_metadata_routing(self):
        """Tell scikit-learn who takes inputs of ``fit`` and ``transform``.

        Returns
        -------
        MetadataRouter
            The routing.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        mapping = MethodMapping().add(caller="fit", callee="fit")
        mapping.add(caller="transform", callee="transform")
        for method in ("fit", "transform"):
            mapping.add(caller="fit_transform", callee=method)
        for member in self._members():
            if not isinstance(member.estimator, View):
                router.add(**{member.name: member.estimator}, method_mapping=mapping)
        return router

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        try:
            views = [member.estimator for member in self._members()]
        except (TypeError, ValueError):  # fit will say what is wrong
            return tags
        tags.input_tags.sparse = all(get_tags(v).input_tags.sparse for v in views)
        tags.input_tags.allow_nan = all(map(takes_missing, views))
        learners = [part for view in views for part in _learners(view)]
        tags.target_tags.required = not self.prefit and bool(learners)
        return tags

    # --- what is fitted -----------------------------------------------------------

    def _named(self):
        """Return the pairs of a name and an estimator among the views."""
        views = self.views if isinstance(self.views, (list, tuple)) else ()
        pairs = [
            entry for entry in views if isinstance(entry, tuple) and len(entry) == 2
        ]
        return [(name, view) for name, view in pairs if isinstance(name, str)]

    def _known_views(self):
        """Return the fitted views, or those that would be fitted."""
        if hasattr(self, "views_"):
            return [view for _, view in self.views_]
        try:
            return [member.estimator for member in self._members()]
        except (TypeError, ValueError):  # fit will say what is wrong
            return []

    def _members(self):
        """Return the views as named estimators, without those of weight zero."""
        views = self.views
        if isinstance(views, str):
            views = {"auto": AUTO, "all": ALL}.get(views, (views,))
        views = views if isinstance(views, (list, tuple)) else [views]
        pairs = [self._pair(entry) for entry in views]
        if not pairs:
            raise ValueError("views must hold at least one view, got none.")
        names = self._distinct([name for name, _ in pairs], views)
        weights = _weights(self.weights, names)
        members = [
            Member(name, view, weight)
            for name, (_, view), weight in zip(names, pairs, weights, strict=True)
            if weight > 0
        ]
        if not members:
            raise ValueError("weights must have a positive one, got only zeros.")
        return members

    def _pair(self, entry):
        name, view = None, entry
        if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str):
            name, view = entry
        if isinstance(view, str):
            known, view = named_views((view,))[0]
            return name or known, view
        if not hasattr(view, "fit"):
            raise TypeError(
                "views must hold names, estimators, or pairs of a name and either; got "
                f"{view!r}."
            )
        name = name or type(view).__name__.lower()
        if hasattr(view, "transform"):
            return name, view
        layer = HiddenLayer(view, prefit=self.prefit)
        if _routing_enabled():
            wanted = get_routing_for_object(view).consumes("fit", ["sample_weight"])
            layer.set_fit_request(sample_weight=bool(wanted))
        return name, layer

    def _distinct(self, names, views):
        """Check names that were given, and number others that are taken."""
        taken, own = [name for name, _ in self._named()], self._get_param_names()
        for name in taken:
            if taken.count(name) > 1 or "__" in name or name in own:
                raise ValueError(
                    "names of views must be distinct, without '__', and no parameters "
                    f"of {type(self).__name__}, got {name!r}."
                )
        found = []
        for name, view in zip(names, views, strict=True):
            free, number = name, 1
            while free in taken and not isinstance(view, tuple):
                number += 1
                free = f"{name}-{number}"
            found.append(free)
            taken.append(free)
        return found

    def _seeds(self, members):
        """Return the seed of each fit; None leaves a view the one that it has."""
        if self.n_seeds > 1 and self.prefit:
            raise ValueError(
                f"n_seeds={self.n_seeds} fits each view several times, and prefit=True "
                "not at all: choose one of them."
            )
        unseeded = [m.name for m in members if not takes_seed(m.estimator)]
        if self.n_seeds > 1 and self.resample is None and unseeded:
            raise ValueError(
                f"n_seeds={self.n_seeds} repeats views by their random_state, and "
                f"{unseeded[0]!r} has none: pass resample='bootstrap', leave the view "
                "out, or set n_seeds=1."
            )
        n_fits = len(members) * self.n_seeds
        if self.n_seeds == 1 and self.random_state is None and self.resample is None:
            return [None] * n_fits
        start = check_random_state(self.random_state).randint(2**31 - 1)
        drawn = np.random.SeedSequence(start).generate_state(n_fits)
        return [int(seed >> 1) for seed in drawn]  # scikit-learn takes 31 bits

    def _check(self, X, views, *, reset):
        """Check rows; tables go to the users' views as they are, with their columns."""
        is_table = hasattr(X, "columns") or hasattr(X, "column_names")
        if is_table and not all(isinstance(view, View) for view in views):
            return validate_data(self, X, reset=reset, skip_check_array=True)
        sparse = all(get_tags(view).input_tags.sparse for view in views)
        missing = all(takes_missing(view) for view in views)
        return validate_data(
            self,
            X,
            dtype=FLOATS,
            reset=reset,
            accept_sparse=("csr", "csc") if sparse else False,
            ensure_all_finite="allow-nan" if missing else True,
        )

    def _fit_params(self, members, sample_weight, fit_params):
        """Return what each view's ``fit`` is given beside rows and target."""
        given = dict(fit_params)
        if sample_weight is not None:
            given["sample_weight"] = sample_weight
        if given and _routing_enabled():  # of nothing the routing has no names
            routed = process_routing(self, "fit", **given)
            return {
                m.name: dict(routed[m.name].fit) if m.name in routed else {}
                for m in members
            }
        found = {}
        for member in members:
            found[member.name] = dict(given)
            if isinstance(member.estimator, View):
                found[member.name] = {}
            elif not has_fit_parameter(member.estimator, "sample_weight"):
                found[member.name].pop("sample_weight", None)
                unequal = sample_weight is not None and np.ptp(sample_weight) > 0
                if unequal and self.resample is None:
                    raise ValueError(
                        f"The view {member.name!r} takes no sample_weight in fit. "
                        "Leave it out, pass repeated rows, or use "
                        "resample='bootstrap'."
                    )
        return found

    # --- how large the blocks are -------------------------------------------------

    def _place(self, blocks, weights, rows):
        """Measure the blocks on the rows, and set what `transform` needs."""
        mean, gram, parts = _moments(blocks, rows)
        for block, at in zip(blocks, parts, strict=True):
            if not np.isfinite(gram[at, at]).all():
                raise ValueError(
                    f"The view {block.name!r} has columns with NaN, infinite or too "
                    "large values on the training rows: impute or scale them."
                )
        variances = np.array([_variance(mean[at], gram[at, at]) for at in parts])
        varies = variances > 0
        for block in [b for b, good in zip(blocks, varies, strict=True) if not good]:
            warn(f"The view {block.name!r} is the same for all rows and is left out.")
        if not varies.any():
            raise ValueError(
                "ConcatenatedRepresentations needs rows that differ in some view, got "
                f"{len(rows.w)} sample(s) without any difference."
            )
        shares = np.where(varies, weights / weights[varies].max(), 0.0)
        shares /= shares.sum()
        self._blocks, kept = [], np.flatnonzero(varies)
        for i in kept:
            factor, centre = (
                np.sqrt(weights[i]),
                np.zeros(parts[i].stop - parts[i].start),
            )
            if self.block_scale:
                factor, centre = np.sqrt(shares[i] / variances[i]), mean[parts[i]]
            self._blocks.append(replace(blocks[i], centre=centre, factor=float(factor)))
        self.views_ = [(block.name, block.view) for block in self._blocks]
        self.similarity_ = _similarity(gram, [parts[i] for i in kept])
        for name in ("components_", "explained_variance_ratio_", "n_components_"):
            self.__dict__.pop(name, None)
        if self.n_components is not None:
            self._distil(mean, gram, [parts[i] for i in kept])

    def _distil(self, mean, gram, parts):
        columns = np.concatenate([np.arange(at.start, at.stop) for at in parts])
        sizes = [len(block.centre) for block in self._blocks]
        factors = np.repeat([block.factor for block in self._blocks], sizes)
        centres = np.concatenate([block.centre for block in self._blocks])
        e, V = eigh(gram[np.ix_(columns, columns)] * np.outer(factors, factors))
        order = np.flatnonzero(e > RANK * e.max())[::-1][: self.n_components]
        self.components_ = signed(V[:, order].T)
        self.explained_variance_ratio_ = e[order] / e.sum()
        self.n_components_ = len(order)
        self._mean = (mean[columns] - centres) * factors


@dataclass(frozen=True)
class Member:
    """A view as the user named it, before it is fitted."""

    name: str
    estimator: object
    weight: float


@dataclass(frozen=True)
class Block:
    """A fitted view, whose it is, and where its columns are in the whole."""

    name: str
    member: str
    view: object
    centre: np.ndarray | None = None  # (n_columns,), of the columns
    factor: float = 1.0  # by which they are multiplied

    def columns(self, X, dtype, **params):
        """Return the columns as they stand in the whole."""
        V = _columns(self.view, X, **params)
        return ((V - self.centre) * self.factor).astype(dtype, copy=False)


@dataclass(frozen=True)
class Rows:
    """What views are fitted to."""

    X: object
    y: object
    w: np.ndarray  # (n_samples,), positive

    def labeled(self, *, numbers):
        """Return positions of rows with a label; -1 is one among numbers."""
        y = np.asarray(self.y)  # floats may be targets, of which -1 is one like any
        return np.flatnonzero(is_labeled(y, numeric=numbers or y.dtype.kind == "f"))

    def at(self, positions):
        """Return some rows."""
        whole = len(positions) == len(self.w) and (np.diff(positions) == 1).all()
        return self.X if whole else _safe_indexing(self.X, positions)

    def target(self, at):
        """Return the target of some rows, all of which have one."""
        y = np.asarray(self.y)
        return _safe_indexing(self.y, at) if y.dtype.kind != "O" else plain(y[at])

    def drawn(self, at, seed):
        """Draw positions with replacement: distinct rows, by their weights."""
        tables = [as_numbers(_safe_indexing(self.X, at))]
        if self.y is not None:
            y = np.asarray(self.y)[at]
            tables.append(y if y.dtype.kind in "fiub" else as_numbers(y[:, None]))
        rows = EqualRows.in_either_precision(*tables, w=self.w[at])
        rng = np.random.default_rng(seed)
        share = rows.weight / rows.weight.sum()
        return at[rows.first[rng.choice(len(rows), len(rows), p=share)]]


def _fitted(member, rows, params, seed, prefit, resample):
    """Return a view fitted to the rows that it can learn from."""
    view = member.estimator
    if isinstance(view, HiddenLayer) and view.prefit:
        return copy(view).fit(rows.X)  # a clone would lose what its network learnt
    if prefit and not isinstance(view, View):
        check_is_fitted(view)
        return view
    view = clone(view)
    if seed is not None and takes_seed(view):
        set_seeds(view, seed)
    learners = [] if isinstance(view, View) else list(_learners(view))
    if learners and rows.y is None:
        raise ValueError(
            f"The view {member.name!r} requires y to be passed, but the target y is "
            "None."
        )
    at = np.arange(len(rows.w))
    if learners:
        at = rows.labeled(numbers=any(map(is_regressor, learners)))
    if len(at) == 0:
        raise ValueError(
            f"The view {member.name!r} learns from labels, and no row has one: -1, NaN "
            "and None mark rows without."
        )
    if resample is not None:
        at = rows.drawn(at, seed)
    if isinstance(view, View):
        w = None if resample is not None else rows.w[at]
        return view.fit(rows.at(at), sample_weight=w)
    params = _check_method_params(rows.X, params, at)
    if resample is not None:
        params.pop("sample_weight", None)  # the draw has used it
    y = None
    if rows.y is not None:
        y = rows.target(at) if learners else _safe_indexing(rows.y, at)
    return view.fit(rows.at(at), y, **params)


def _learners(view):
    """Find what learns from labels in a view, also within pipelines and unions."""
    if isinstance(view, HiddenLayer) and view.estimator is not None:
        yield view.estimator
    elif get_tags(view).target_tags.required:
        yield view
    elif isinstance(view, MetaEstimatorMixin) and hasattr(view, "estimator"):
        yield from _learners(view.estimator)
    else:
        for parts in ("steps", "transformer_list", "transformers"):
            for _, part, *_ in getattr(view, parts, ()):
                if hasattr(part, "fit"):
                    yield from _learners(part)


def _columns(view, X, **params):
    V = np.asarray(dense(view.transform(X, **params)), dtype=np.float64)
    return V.reshape(len(V), -1)


# --- sizes and similarities of blocks -------------------------------------------------


def representation_similarity(representations, sample_weight=None):
    r"""Measure how alike several representations of the same rows are.

    Linear centred kernel alignment of each two: :math:`\| A^\top B \|^2 / (\| A^\top A
    \| \| B^\top B \|)` for centred A and B. It is 1 where they are the same up to a
    rotation and a scale, and for unrelated ones about the inverse of the number of
    directions in which they vary.

    Parameters
    ----------
    representations : sequence of array-like of shape (n_samples, n_columns)
        Two or more, of the same rows; numbers of columns may differ.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n_representations, n_representations)
        The alignments, ones on the diagonal; NaN for one without variance.

    See Also
    --------
    RepresentationSimilarityDisplay : Draws them.

    References
    ----------
    .. [1] S. Kornblith, M. Norouzi, H. Lee and G. Hinton, "Similarity of Neural Network
       Representations Revisited", ICML 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.representations import representation_similarity
    >>> A, other = np.random.default_rng(0).normal(size=(2, 500, 3))
    >>> representation_similarity([A, A[:, ::-1] * 7 + 1, other]).round(1)
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 1.]])
    """
    tables = [check_array(A, dtype=FLOATS) for A in representations]
    if len(tables) < 2:
        raise ValueError(
            f"representations must be two or more, got {len(tables)}: pass a list of "
            "arrays."
        )
    check_consistent_length(*tables)
    w = check_weights(sample_weight, tables[0], dtype=np.float64)
    kept = np.flatnonzero(w)
    w = w[kept]
    Z = np.hstack([_at_unit_size(A[kept].astype(np.float64)) for A in tables])
    Z -= (w / w.sum()) @ Z
    ends = np.cumsum([A.shape[1] for A in tables])
    starts = ends - [A.shape[1] for A in tables]
    parts = [slice(*pair) for pair in zip(starts, ends, strict=True)]
    return _similarity(Z.T @ (Z * (w / w.sum())[:, None]), parts)


def _at_unit_size(A):
    """Bring a table near zero and its largest value to one, so that squares exist."""
    A = np.ldexp(A, -np.frexp(np.abs(A).max())[1])
    A = A - A[0]
    return np.ldexp(A, -np.frexp(np.abs(A).max())[1])


def _moments(blocks, rows):
    """Return mean and covariance of all blocks side by side, and where each is."""
    share, pivot, total, gram = rows.w / rows.w.sum(), None, 0.0, 0.0
    for at in row_blocks(len(share), AT_A_TIME):
        X = _safe_indexing(rows.X, at)
        tables = [_columns(block.view, X) for block in blocks]
        Z = np.hstack(tables)
        if pivot is None:
            pivot = Z[0].copy()  # what is constant is then exactly zero
            ends = np.cumsum([V.shape[1] for V in tables]).tolist()
        Z -= pivot
        total = total + share[at] @ Z
        gram = gram + Z.T @ (Z * share[at][:, None])
    parts = [slice(*pair) for pair in zip([0, *ends[:-1]], ends, strict=True)]
    return pivot + total, gram - np.outer(total, total), parts


def _variance(mean, gram):
    """Return the summed variance, zero where it is mere rounding."""
    variance = np.trace(gram)
    noise = len(mean) * (1e-14 * np.abs(mean).max(initial=0.0)) ** 2
    return variance if variance > noise else 0.0


def _similarity(gram, parts):
    sized = [(at, np.sqrt(np.trace(gram[at, at]))) for at in parts]
    with np.errstate(invalid="ignore"):
        squares = np.array(  # of products of blocks of unit size: those exist
            [[np.sum((gram[a, b] / s / r) ** 2) for b, r in sized] for a, s in sized]
        )
        norms = np.sqrt(np.diagonal(squares))
        return squares / np.outer(norms, norms)


def _weights(weights, names):
    """Return the weight of each view."""
    if weights is None:
        return np.ones(len(names))
    if isinstance(weights, dict):
        if unknown := sorted(set(weights) - set(names)):
            raise ValueError(f"weights names {unknown}, but the views are {names}.")
        weights = [weights.get(name, 1.0) for name in names]
    weights = np.asarray(weights, dtype=np.float64)
    if (
        weights.shape != (len(names),)
        or not (np.isfinite(weights) & (weights >= 0)).all()
    ):
        raise ValueError(
            f"weights must be {len(names)} non-negative numbers, one for each of "
            f"{names}, got {weights.tolist()}."
        )
    return weights
