"""First components: k-means++ whose draws ignore row order and repetition; numpy."""

import numpy as np

STARTING_ROWS = 5000  # represent any number


def principal_order(X, w):
    """Order rows along the first principal axis of their weighted covariance.

    The order depends on the weighted set of rows only, so that draws along it are the
    same however rows are ordered, repeated or weighted.
    """
    X = X - w @ X / w.sum()
    _, axes = np.linalg.eigh((X * w[:, None]).T @ X)
    score = X @ axes[:, -1]
    if w @ score**3 < 0:
        score = -score
    unit = np.abs(score).max() or 1.0
    # ties that only rounding would break are broken by another projection
    other = X @ np.sqrt(np.arange(2.0, 2.0 + X.shape[1]))
    return np.lexsort((other, np.round(score / unit, 12)))


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
    """Return the index of the nearest centre."""
    return np.argmin(np.sum(centres**2, axis=1) / 2 - Y @ centres.T, axis=1)


def lloyd(Y, w, centres, max_iter=10):
    """Improve centres by weighted k-means steps; empty clusters stay where they are."""
    for _ in range(max_iter):
        share = (nearest(Y, centres)[None, :] == np.arange(len(centres))[:, None]) * w
        mass = share.sum(axis=1, keepdims=True)
        moved = np.where(mass > 0, share @ Y / np.where(mass > 0, mass, 1), centres)
        if np.allclose(moved, centres):
            break
        centres = moved
    return centres


def first_components(Y, w, n_components, init_params, rng):
    """Share the rows, or as many as represent them, among components.

    Returns
    -------
    rows : ndarray of shape (n_rows, n_features)
        The rows that are shared.
    shares : ndarray of shape (n_components, n_rows)
        Weights of the rows in each component; they sum to one.
    centres : ndarray of shape (n_components, n_features) or None
        Centres, where they are not the means of the shares.
    """
    order = principal_order(Y, w)
    if len(Y) > STARTING_ROWS:
        Y = Y[systematic(order, w, STARTING_ROWS)]
        w, order = np.ones(len(Y)), np.arange(len(Y))
    centres = kmeans_plus_plus(Y, w, n_components, order, rng)
    if init_params == "k-means++":
        alike = np.full((len(centres), 1), 1 / len(centres))
        return Y, alike * (w / w.sum()), centres
    centres = lloyd(Y, w, centres)
    share = (nearest(Y, centres)[None, :] == np.arange(len(centres))[:, None]) * w
    return Y, share[share.any(axis=1)] / w.sum(), None
