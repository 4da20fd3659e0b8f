"""First components: k-means++ whose draws ignore row order and repetition; numpy."""

import numpy as np

STARTING_ROWS = 5000  # represent any number
SURPLUS = 3  # clusters for each component, before they are merged
CLOSE = 1e-9  # relative difference that may be rounding


def principal_axes(X, w):
    """Return the rows around their weighted mean, and the axes of their covariance."""
    X = X - w @ X / w.sum()
    return X, np.linalg.eigh((X * w[:, None]).T @ X)[1]


def principal_order(X, w):
    """Order rows along the first principal axis of their weighted covariance.

    The order depends on the weighted set of rows only, so that draws along it are the
    same however rows are ordered, repeated or weighted.
    """
    centred, axes = principal_axes(X, w)
    score = centred @ axes[:, -1]
    size = np.abs(score)
    third = w @ (score * size * size)
    if abs(third) <= CLOSE * (w @ (size * size * size)):  # no more than rounding
        size_of = np.abs(axes[:, -1])
        third = axes[np.argmax(size_of >= (1 - CLOSE) * size_of.max()), -1]
    unit = size.max() or 1.0
    score = score / (unit if third > 0 else -unit)
    # ties that only rounding would break are broken by another projection
    other = X @ np.sqrt(np.arange(2.0, 2.0 + X.shape[1]))
    return np.lexsort((other, np.round(score, 12)))


def represent(Y, w):
    """Return rows that represent a sample at the start, their weights and an order."""
    order = principal_order(Y, w)
    if len(Y) <= STARTING_ROWS:
        return Y, w, order
    Y = Y[systematic(order, w, STARTING_ROWS)]
    return Y, np.ones(len(Y)), np.arange(len(Y))


def systematic(order, w, size):
    """Take ``size`` rows at equal steps of weight along an order."""
    bounds = np.cumsum(w[order])
    levels = (np.arange(size) + 0.5) / size * bounds[-1]
    return order[np.searchsorted(bounds, levels, side="right").clip(max=len(w) - 1)]


def _draw(probability, order, rng):
    bounds = np.cumsum(probability[order])
    place = np.searchsorted(bounds, rng.random() * bounds[-1], side="right")
    return order[min(place, len(order) - 1)]


def kmeans_plus_plus(Y, w, n_components, order, rng):
    """Choose centres with probability proportional to squared distance.

    Fewer than ``n_components`` come back when the rows have fewer distinct values.
    """
    centres = [Y[_draw(w, order, rng)]]
    distance = np.sum((Y - centres[0]) ** 2, axis=1)
    while len(centres) < n_components and (w * distance).sum() > 0:
        centres.append(Y[_draw(w * distance, order, rng)])
        distance = np.minimum(distance, np.sum((Y - centres[-1]) ** 2, axis=1))
    return np.array(centres)


def nearest(Y, centres):
    """Return the index of the nearest centre, the first of those that tie."""
    half = np.sum(centres**2, axis=1) / 2
    distance = half - Y @ centres.T
    least = distance.min(axis=1, keepdims=True)
    return np.argmax(distance <= least + CLOSE * half.max(), axis=1)


def lloyd(Y, w, centres, max_iter=5):
    """Improve centres by weighted k-means steps; empty clusters stay where they are."""
    for _ in range(max_iter):
        share = (nearest(Y, centres)[None, :] == np.arange(len(centres))[:, None]) * w
        mass = share.sum(axis=1, keepdims=True)
        moved = np.where(mass > 0, share @ Y / np.where(mass > 0, mass, 1), centres)
        if np.allclose(moved, centres):
            break
        centres = moved
    return centres


def merge(Y, shares, n_components):
    """Merge clusters until as many are left as there are components.

    The pair goes first whose union fits the rows least worse: a bound on the loss in
    log-likelihood (Runnalls, 2007), half of the log-determinants of the variances
    weighted by mass. So a cluster that k-means cut in two is one again, and one that
    it missed at first was found among the surplus.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_features)
        Rows, along axes on which the variances are to be compared.
    shares : ndarray of shape (n_clusters, n_rows)
        Weights of the rows in each cluster; they sum to one.
    n_components : int
        Clusters to keep.

    Returns
    -------
    ndarray of shape (n_components, n_rows)
        Weights of the rows in each of them.
    """
    mass = shares.sum(axis=1)
    first, second = shares @ Y, shares @ Y**2
    pooled = (second - first**2 / mass[:, None]).sum(axis=0)
    pooled = np.maximum(pooled, 1e-6 * pooled.mean()) + np.finfo(float).tiny
    few = 10 / len(Y)  # rows of the pooled variance that every cluster is shrunk by

    def spread(mass, first, second):
        m = np.asarray(mass)[..., None]
        variance = (np.maximum(second - first**2 / m, 0) + few * pooled) / (m + few)
        return mass * np.log(variance).sum(axis=-1)

    alone = spread(mass, first, second)
    groups = [[i] for i in range(len(mass))]

    def cost(i):
        union = spread(mass + mass[i], first + first[i], second + second[i])
        return union - alone - alone[i]

    costs = np.array([cost(i) for i in range(len(mass))])
    np.fill_diagonal(costs, np.inf)
    while len(groups) > n_components:
        close = costs <= costs.min() + CLOSE * np.abs(costs.min())
        i, j = sorted(np.unravel_index(np.argmax(close), costs.shape))
        groups[i] += groups.pop(j)
        mass[i], first[i], second[i] = (a[i] + a[j] for a in (mass, first, second))
        mass, first, second = (np.delete(a, j, axis=0) for a in (mass, first, second))
        alone = np.delete(alone, j)
        alone[i] = spread(mass[i], first[i], second[i])
        costs = np.delete(np.delete(costs, j, axis=0), j, axis=1)
        costs[i] = costs[:, i] = cost(i)
        costs[i, i] = np.inf
    return np.stack([shares[group].sum(axis=0) for group in groups])


def first_components(Y, w, order, n_components, init_params, covariance_type, rng):
    """Share the rows of :func:`represent` among components.

    Returns
    -------
    shares : ndarray of shape (n_components, n_rows)
        Weights of the rows in each component; they sum to one.
    centres : ndarray of shape (n_components, n_features) or None
        Centres, where they are not the means of the shares.
    """
    if init_params == "k-means++":
        centres = kmeans_plus_plus(Y, w, n_components, order, rng)
        alike = np.full((len(centres), 1), 1 / len(centres))
        return alike * (w / w.sum()), centres
    surplus = SURPLUS if n_components > 1 else 1
    centres = kmeans_plus_plus(Y, w, surplus * n_components, order, rng)
    centres = lloyd(Y, w, centres)
    share = (nearest(Y, centres)[None, :] == np.arange(len(centres))[:, None]) * w
    share = share[share.any(axis=1)] / w.sum()
    along = Y
    if covariance_type != "diag":
        centred, axes = principal_axes(Y, w)
        along = centred @ axes
    return merge(along, share, n_components), None
