"""The bridge that chooses its components, scales, prior and start by itself."""

from numbers import Integral, Real

import numpy as np

from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext.bridge._light import LightSchrodingerBridge, recentred
from sklearn_ext.bridge._mixture import COVARIANCE_TYPES
from sklearn_ext.bridge._samples import around
from sklearn_ext.bridge._solvers._choose import Search, few_rows, first_of, settings
from sklearn_ext.bridge._solvers._held_out import split

COMPONENTS = Interval(Integral, 1, None, closed="left")
STRENGTHS = Interval(Real, 0, None, closed="left")
TYPES, STARTS = set(COVARIANCE_TYPES), {"kmeans", "k-means++"}
IN_A_LIST = {
    "n_components": COMPONENTS,
    "covariance_type": StrOptions(TYPES),
    "prior_strength": STRENGTHS,
    "init_params": StrOptions(STARTS),
}


@shared_docs(LightSchrodingerBridge)
class LightSchrodingerBridgeCV(LightSchrodingerBridge):
    """Light bridge whose settings are chosen by the loss on rows held out.

    Surplus components of a :class:`LightSchrodingerBridge` fit noise, and missing ones
    miss the shape of the target; the held-out loss tells both, at a fixed epsilon. A
    part of the rows of both sides is held out. Components are added while that loss
    falls, then the other settings are tried one after another, each by a short fit that
    ends when the rows held out no longer gain. The best of them goes on with all rows.
    The whole takes one to five times as long as a usual fit. With fewer than ten rows
    on a side nothing is held out, and the first of each list is taken.

    Parameters
    ----------
    n_components : "auto", int or list of int, default="auto"
        Numbers to choose from, or the one to take. "auto" goes from 1 up to 40, with
        ten distinct target rows for each component or more.
    epsilon : see LightSchrodingerBridge
    covariance_type : "auto", str or list of str, default="auto"
        Scale matrices to choose from, the first with all numbers of components. "auto"
        is diagonal ones, then multiples of the identity, one full matrix for all, and
        full ones where they cost little: up to 12 features.
    prior_strength : "auto", float or list of float, default="auto"
        Rows of the pooled covariance to choose from. "auto" is 20, 2, 100 and 500.
    init_params : "auto", str or list of str, default="auto"
        Starts to choose from. "auto" is both.
    reg_covar, max_iter, tol, balance_iter : see LightSchrodingerBridge
    validation_fraction : float, default=0.2
        Part of both sides that is held out for the choice.
    fit_inverse_transform, default_domain, device : see LightSchrodingerBridge
    random_state : see LightSchrodingerBridge

    Attributes
    ----------
    best_params_ : dict
        Chosen ``n_components``, ``covariance_type``, ``prior_strength`` and
        ``init_params``.
    cv_results_ : dict of ndarray
        The trials in their order: the settings, ``held_out_loss`` and ``n_iter``, the
        pass at which it was lowest.
    epsilon_, n_components_, log_weights_, means_, scales_ : see LightSchrodingerBridge
    source_mean_, target_mean_, loss_, loss_curve_ : see LightSchrodingerBridge
    n_iter_, converged_, ot_value_, kl_to_prior_ : see LightSchrodingerBridge
    n_batches_seen_, X_fit_, source_weight_ : see LightSchrodingerBridge
    inverse_ : LightSchrodingerBridgeCV
        Bridge with roles swapped, when ``fit_inverse_transform=True``.
    n_features_in_, feature_names_in_ : see LightSchrodingerBridge

    See Also
    --------
    LightSchrodingerBridge : One setting, with every parameter of the solvers.
    sklearn.model_selection.GridSearchCV : Other grids, by several folds.

    References
    ----------
    Korotin, Gushchin, Burnaev. Light Schrödinger Bridge. ICLR 2024.

    Examples
    --------
    >>> from sklearn_ext.bridge import LightSchrodingerBridgeCV, make_entropic_ot
    >>> pair = make_entropic_ot(500, 500, n_components=3, random_state=0)
    >>> bridge = LightSchrodingerBridgeCV(epsilon=1.0, random_state=0)
    >>> sorted(bridge.fit(pair.X, X_target=pair.Y).best_params_)
    ['covariance_type', 'init_params', 'n_components', 'prior_strength']
    """

    # what is neither asked for nor searched is as in the parent by default
    solver, n_init, epsilon_annealing = "fixed_point", 2, "auto"
    early_stopping, torch_params = False, None

    _parameter_constraints: dict = {
        **{
            name: LightSchrodingerBridge._parameter_constraints[name]
            for name in (
                "epsilon",
                "reg_covar",
                "max_iter",
                "tol",
                "balance_iter",
                "validation_fraction",
                "fit_inverse_transform",
                "default_domain",
                "device",
                "random_state",
            )
        },
        "n_components": [StrOptions({"auto"}), list, tuple, COMPONENTS],
        "covariance_type": [StrOptions({"auto", *TYPES}), list, tuple],
        "prior_strength": [StrOptions({"auto"}), list, tuple, STRENGTHS],
        "init_params": [StrOptions({"auto", *STARTS}), list, tuple],
    }

    def __init__(
        self,
        n_components="auto",
        *,
        epsilon="scale",
        covariance_type="auto",
        prior_strength="auto",
        init_params="auto",
        reg_covar=1e-6,
        max_iter=300,
        tol=1e-5,
        balance_iter=8,
        validation_fraction=0.2,
        fit_inverse_transform=False,
        default_domain=None,
        device=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.epsilon = epsilon
        self.covariance_type = covariance_type
        self.prior_strength = prior_strength
        self.init_params = init_params
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.tol = tol
        self.balance_iter = balance_iter
        self.validation_fraction = validation_fraction
        self.fit_inverse_transform = fit_inverse_transform
        self.default_domain = default_domain
        self.device = device
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        for name, allowed in IN_A_LIST.items():
            values = getattr(self, name)
            if not isinstance(values, list | tuple):
                continue
            if not values or not all(map(allowed.is_satisfied_by, values)):
                raise ValueError(
                    f"{name} as a list must have values, each {allowed}, got "
                    f"{values!r}."
                )

    def _first_mixture(self, sides, epsilon, rng):
        """Choose the settings on some rows; return the mixture of the best trial."""
        grid = {name: getattr(self, name) for name in IN_A_LIST}
        sizes = [side.X.shape[0] for side in sides]
        held = [round(self.validation_fraction * n) for n in sizes]
        self._keep([], first_of(settings(grid, *sides[1].X.shape)), settled=True)
        if min(*held, sizes[0] - held[0], sizes[1] - held[1]) < 2:
            return None
        few = [few_rows(side) for side in sides]
        kept, held = split(few, self.validation_fraction, rng)
        centre = [side.mean for side in kept]
        kept = [side.on(self.device) for side in around(kept, centre)]
        options = self._options(epsilon, kept)
        search = Search(kept, around(held, centre), options, grid, rng)
        best = search.best()
        self._keep(search.trials, best.params, settled=best.settled)
        return recentred(best.state.mixture, centre, sides)

    def _keep(self, trials, best_params, *, settled):
        self.best_params_, self._settled = best_params, settled
        columns = {
            **{name: [trial.params[name] for trial in trials] for name in IN_A_LIST},
            "held_out_loss": [trial.loss for trial in trials],
            "n_iter": [trial.n_iter for trial in trials],
        }
        self.cv_results_ = {name: np.array(column) for name, column in columns.items()}

    def _settings(self):
        # a fit that must not go on makes one pass over all rows
        short = {} if self._settled else {"max_iter": 1, "tol": np.inf}
        return super()._settings() | self.best_params_ | short

    def _fit_shortly(self, X, y, data):
        return self.fit(X, y, **data)
