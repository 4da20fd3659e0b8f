"""What surrounds a fit: epsilon, centring, warnings, and the attributes it leaves."""

import math
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext.bridge._frames import array_namespace
from sklearn_ext.bridge._plan import EntropicPlan
from sklearn_ext.bridge._sampling import like
from sklearn_ext.bridge._solve import (
    double_mean,
    mean_variance,
    to_numpy,
    weighted_mean,
)

LARGEST_SINGLE, LARGEST_DOUBLE = 1e30, 1e140  # variances, and their inverses
ANNEAL_BELOW = 0.005  # epsilon in mean variances of a feature


def centred(source, target):
    """Return the means of both sides, and both sides around them."""
    centre = weighted_mean(source), weighted_mean(target)
    return centre, [source.around(centre[0]), target.around(centre[1])]


def choose_epsilon(epsilon, source, target):
    """Resolve "scale", and refuse what the dtype cannot resolve."""
    sides = source, target
    with np.errstate(over="ignore", invalid="ignore"):  # an error follows
        variance = sum(map(mean_variance, sides)) / 2
    single = source.X.dtype == array_namespace(source.X).float32
    limit = LARGEST_SINGLE if single else LARGEST_DOUBLE
    if not (variance == 0 or 1 / limit < variance < limit):
        raise ValueError(
            f"The mean variance of a feature is {variance:.3g}; squares of such values "
            f"lose all precision in {'float32' if single else 'float64'}. Scale the "
            "columns first."
        )
    if epsilon == "scale":
        return 0.1 * variance or 1.0
    lowest = (1e-6 if single else 1e-12) * variance
    if epsilon < lowest:
        raise ValueError(
            f"epsilon={epsilon:g} is below {lowest:.3g}, the least that this dtype "
            "resolves on these data: use a larger epsilon, float64, or exact optimal "
            "transport."
        )
    return float(epsilon)


def wants_annealing(epsilon_annealing, epsilon, sides):
    """Resolve "auto": small values of epsilon are reached through larger ones."""
    if epsilon_annealing != "auto":
        return bool(epsilon_annealing)
    return epsilon < ANNEAL_BELOW * sum(mean_variance(side) for side in sides) / 2


def how_target_came(X_target, sample_domain):
    """Return the name of the argument that told the target, or None."""
    if X_target is not None:
        return "X_target"
    return None if sample_domain is None else "sample_domain"


def plan_of(mixture, centre, X):
    """Return the plan of a mixture around the centre, in the library of X."""
    means = (like(to_numpy(m), X) for m in centre)
    return EntropicPlan(mixture.map(lambda a: like(to_numpy(a), X)), *means)


def described(plan, target_came_as):
    """Return the fitted attributes that every method needs."""
    parameters = plan.parameters
    return {
        "_plan": plan,
        "_target_came_as": target_came_as,
        "epsilon_": plan.epsilon,
        "n_components_": parameters.means.shape[0],
        "log_weights_": parameters.log_weights,
        "means_": parameters.means,
        "scales_": parameters.scales,
        "source_mean_": plan.source_mean,
        "target_mean_": plan.target_mean,
    }


def mean_squares(source, target):
    """Return E|x - y|^2 of independent rows of both sides.

    Half of it less epsilon L is the value of entropic transport, wherever the origin.
    """
    gap = to_numpy(double_mean(source)) - to_numpy(double_mean(target))
    D = source.X.shape[1]
    return D * (mean_variance(source) + mean_variance(target)) + float(gap @ gap)


def values(fit, source, target, epsilon):
    """Return the fitted attributes that hold losses and transport costs."""
    D = source.X.shape[1]
    ot_value = mean_squares(source, target) / 2 - epsilon * fit.state.loss
    return {
        "loss_": fit.state.loss,
        "loss_curve_": list(fit.curve) or [fit.state.loss],
        "ot_value_": ot_value,
        "kl_to_prior_": ot_value / epsilon + D / 2 * math.log(2 * math.pi * epsilon),
    }


def warn_about_target(X, y):
    """Warn when y looks like a target table: it would be ignored silently."""
    shape = getattr(y, "shape", ())
    if len(shape) == 2 and shape[1:] == getattr(X, "shape", ())[1:] and shape[1] > 1:
        warnings.warn(
            "y is ignored. It looks like a table with the columns of X: pass the "
            "target as X_target.",
            UserWarning,
            stacklevel=5,
        )


def warn_about_missing_target(X_target, sample_domain):
    """Warn when rows are mapped to themselves, which hardly anybody wants."""
    if X_target is None and sample_domain is None:
        warnings.warn(
            "no X_target and no sample_domain: the rows are mapped to themselves; pass "
            "X_target, or sample_domain with 0 for source and 1 for target rows. "
            "Pipelines and searches pass sample_domain on with metadata routing, after "
            "set_fit_request(sample_domain=True).",
            UserWarning,
            stacklevel=5,
        )


def warn_about_scales(sides):
    """Warn when one column would decide alone."""
    spread = []
    for side in sides:
        xp = array_namespace(side.X)
        spread.append(to_numpy(xp.mean((side.X - weighted_mean(side)) ** 2, axis=0)))
    variance = np.sum(spread, axis=0)
    variance = variance[variance > 0]
    if len(variance) and variance.max() > 1e4 * variance.min():
        warnings.warn(
            "Columns differ in scale more than a hundredfold, and the cost is "
            "Euclidean: the largest will decide alone. Scale them first, for instance "
            "with StandardScaler fitted on both sides.",
            UserWarning,
            stacklevel=5,
        )


def warn_about_fit(fit, target, options):
    """Warn when the target has too few rows, or the passes were too few."""
    wanted, found = options.n_components, fit.state.mixture.means.shape[0]
    if found < wanted:
        distinct = target.X.shape[0]
        if distinct < wanted:
            warnings.warn(
                f"n_components={wanted} is more than the {distinct} distinct target "
                f"rows: {found} are used.",
                ConvergenceWarning,
                stacklevel=5,
            )
    held = options.covariance_type == "full" and _held_by_floor(
        fit.state, target, options
    )
    if held:
        warnings.warn(
            f"{held} of {found} components have fewer target rows than features, and "
            "only reg_covar keeps their full scales from being singular. Take "
            "covariance_type='diag', fewer components, or a larger prior_strength.",
            ConvergenceWarning,
            stacklevel=5,
        )
    if not (fit.converged or fit.stopped):
        reason = (
            f"max_iter={options.max_iter} reached; the last pass lowered the penalised "
            f"loss by {fit.drop:.2g}. Increase max_iter or tol."
            if fit.drop > 0
            else "No step lowers the penalised loss any more, but the fit is not "
            "stationary. Increase balance_iter or prior_strength, or take fewer "
            "components or covariance_type='diag'."
        )
        warnings.warn(
            reason,
            ConvergenceWarning,
            stacklevel=5,
        )


def _held_by_floor(state, target, options):
    """Count full components in a subspace though each of their features varies."""
    if options.covariance_type != "full" or options.prior_strength > 0:
        return 0  # the prior fills the missing directions
    mass, C = to_numpy(state.target.mass), to_numpy(state.target.spread)
    few = mass * target.size < C.shape[1]
    floor = options.reg_covar * mean_variance(target)
    flat = np.linalg.eigvalsh(C)[:, 0] < floor
    varied = np.diagonal(C, axis1=1, axis2=2).min(axis=1) > floor
    return int((few & flat & varied).sum())
