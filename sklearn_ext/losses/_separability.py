"""Are classes linearly separable, and by what margin? A bracket that proves itself."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.optimize import nnls
from sklearn.utils import check_X_y
from sklearn.utils.multiclass import check_classification_targets

from sklearn_ext._core._validation import FLOATS
from sklearn_ext._numerics._lbfgs import Stopping, minimise

STEP, STAGES = 4.0, 30  # of the smoothing, and how often it is divided
NEGLIGIBLE = 1e-2  # part of tol below which a margin counts as none
INNER = 500  # iterations a stage
CLOSEST, EXCHANGES = 300, 4  # pairs that are solved exactly, and how often they change
MASS = 100.0  # weight of the balance of classes among them
ROUNDING = 1e-10  # of margins, where rows have mean length one


@dataclass(frozen=True)
class Separability:
    """What is proved of the largest margin between classes.

    For two classes the margin is the distance of the closest row to the separating
    hyperplane; for more, the least ``(z_y - z_k) / |W|`` over rows and rivals, with the
    Frobenius norm.

    Parameters
    ----------
    separable : bool or None
        True where the coefficients separate all rows, False where no margin above
        ``margin_upper`` exists and that is negligible, None where neither is proved.
    margin_lower : float
        Margin of the coefficients; negative if some row is on the wrong side.
    margin_upper : float
        No linear model has a larger margin.
    coef : ndarray of shape (1 or n_classes, n_features)
        The best coefficients found.
    intercept : ndarray of shape (1 or n_classes,)
        Their intercepts.
    n_passes : int
        Passes over the rows.

    See Also
    --------
    separability : Computes it.

    Examples
    --------
    >>> from sklearn_ext.losses import separability
    >>> separability([[0.0], [1.0], [3.0]], [0, 0, 1]).separable
    True
    """

    separable: bool | None
    margin_lower: float
    margin_upper: float
    coef: np.ndarray
    intercept: np.ndarray
    n_passes: int


def separability(X, y, *, fit_intercept=True, tol=1e-2, max_iter=5000):
    """Bracket the largest margin by which a linear model separates the classes.

    Any coefficients give a lower bound, their own margin; any weights q of the pairs of
    a row and a rival class give an upper one, the length of the weighted sum of the
    differences. Both come from minimising the log-sum-exp of negative margins with a
    penalty that is divided by four again and again; once a plane separates the rows,
    the nearest points of the hulls of the closest ones are found exactly, by least
    squares with nonnegative weights. So an answer is a proof, either way: if logistic
    regression does not converge, ask here whether it can.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows; margins are in their units.
    y : array-like of shape (n_samples,)
        Labels.
    fit_intercept : bool, default=True
        Whether separating planes may miss the origin.
    tol : float, default=1e-2
        Stop when the bracket is this narrow, relative to its upper end, or when the
        upper end is a hundredth of this part of the mean length of differences: then
        the classes count as inseparable.
    max_iter : int, default=5000
        Passes over the rows at most.

    Returns
    -------
    Separability
        The bracket and the best coefficients.

    See Also
    --------
    CompSumClassifier : Warns when its optimum is at infinity.

    References
    ----------
    .. [1] A. Tyurin, "From Logistic Regression to the Perceptron Algorithm: Exploring
       Gradient Descent with Large Step Sizes", 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.losses import separability
    >>> X, y = load_iris(return_X_y=True)
    >>> separability(X, y == 0).separable, separability(X, y == 1).separable
    (True, False)
    """
    X, y = check_X_y(X, y, accept_sparse="csr", dtype=FLOATS)
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"separability needs two classes, got one: {classes}.")
    if not tol > 0 or max_iter < 1:
        raise ValueError(f"tol and max_iter must be positive, got {tol}, {max_iter}.")
    pairs = _Pairs.of(X.astype(np.float64), codes, len(classes), fit_intercept)
    found = _bracket(pairs, tol, max_iter)
    factor = pairs.scale / (np.sqrt(2) if len(classes) == 2 else 1.0)
    W, b = found.W / pairs.scale, found.b
    b = b - W @ pairs.mean
    if len(classes) == 2:
        W, b = W[1:] - W[:1], b[1:] - b[:1]
    separable = True if found.lower > ROUNDING else None
    if separable is None and found.upper <= NEGLIGIBLE * tol * pairs.length:
        separable = False
    ends = found.lower * factor, found.upper * factor
    return Separability(separable, *map(float, ends), W, b, found.n_passes)


@dataclass(frozen=True)
class _Pairs:
    """Rows with their classes: the differences of scores of all rivals."""

    X: np.ndarray  # (n, d), centred if dense, of mean length one
    y: np.ndarray
    n_classes: int
    fit_intercept: bool
    mean: np.ndarray
    scale: float
    length: float  # mean length of the differences

    @classmethod
    def of(cls, X, y, n_classes, fit_intercept):
        mean = np.zeros(X.shape[1])
        if fit_intercept and not sparse.issparse(X):
            mean = X.mean(axis=0)
            X = X - mean
        square = X.multiply(X).sum(axis=1) if sparse.issparse(X) else (X * X).sum(1)
        scale = float(np.sqrt(np.mean(square))) or 1.0
        options = n_classes, fit_intercept, mean, scale, float(np.sqrt(2.0))
        return cls(X / scale, y, *options)

    def split(self, theta):
        K = self.n_classes
        return theta[:-K].reshape(K, -1), theta[-K:]

    def rivals(self, W, b):
        """Scores of rivals less that of the label, (n, K); minus infinity for it."""
        Z = np.asarray(self.X @ W.T) + b
        at = np.arange(len(self.y)), self.y
        Z -= Z[at][:, None]
        Z[at] = -np.inf
        return Z

    def slope(self, Q):
        """Gradient by W of the rivals' scores, weighted by Q."""
        R = Q.copy()
        R[np.arange(len(self.y)), self.y] = -Q.sum(axis=1)
        return np.asarray((self.X.T @ R).T), R.sum(axis=0)


class _Soft(NamedTuple):
    value: float
    gradient: np.ndarray


class _Found(NamedTuple):
    lower: float
    upper: float
    W: np.ndarray
    b: np.ndarray
    n_passes: int


def _bracket(pairs, tol, max_iter):
    """Sharpen the smoothed margin, and keep the best of both bounds."""
    K, d = pairs.n_classes, pairs.X.shape[1]
    theta, lam, used = np.zeros(K * d + K), 1.0, 0
    lower, upper, best = -np.inf, np.inf, theta
    ceiling = 2 * max(float(abs(pairs.X).max()) * np.sqrt(d), 1.0)
    for _ in range(STAGES):
        offset = min(upper, ceiling) ** 2 / (2 * lam) + 1e-3  # values stay positive

        def soft(theta, lam=lam, offset=offset):
            return _soft(pairs, theta, lam, offset)

        minimum = minimise(
            soft,
            theta,
            lambda vector, now, lam=lam: vector / lam,
            lambda theta, now: np.inf,
            Stopping(1e-9, min(INNER, max_iter - used)),
            memory=20,
            noise=2.3e-16,
        )
        theta, used = minimum.theta, used + minimum.n_evaluations
        W, b = pairs.split(theta)
        b, Q = _balance(pairs, W, b)
        G, mass = pairs.slope(Q)
        if not pairs.fit_intercept or abs(mass).max() < 1e-10:
            upper = min(upper, float(np.linalg.norm(G)))
        b = _centred(pairs, W, b)
        margin = _margin(pairs, W, b)
        if margin > lower:
            lower, best = margin, np.concatenate([W.ravel(), b])
        if ROUNDING < lower < (1 - tol) * upper:
            ends, exact = _nearest(pairs, *pairs.split(best))
            upper = min(upper, ends[1])
            if ends[0] > lower:
                lower, best = ends[0], exact
        if upper - lower <= tol * upper or upper <= NEGLIGIBLE * tol * pairs.length:
            break
        if used >= max_iter:
            break
        theta = np.concatenate([W.ravel(), b])
        lam /= STEP
    return _Found(lower, upper, *pairs.split(best), used)


def _soft(pairs, theta, lam, offset):
    """Log-sum-exp of the rivals' scores with its penalty, and the gradient."""
    W, b = pairs.split(theta)
    Z = pairs.rivals(W, b)
    top = Z.max()
    Q = np.exp(Z - top)
    total = Q.sum()
    G, mass = pairs.slope(Q / total)
    value = top + np.log(total) + 0.5 * lam * float((W * W).sum()) + offset
    mass = mass if pairs.fit_intercept else 0 * mass
    return _Soft(float(value), np.concatenate([(G + lam * W).ravel(), mass]))


def _margin(pairs, W, b):
    size = float(np.linalg.norm(W)) or 1.0
    return -float(pairs.rivals(W, b).max()) / size


def _nearest(pairs, W, b):
    """Solve the pairs of least margin exactly; return both ends, and coefficients.

    The largest margin is the distance of nearest points of convex hulls: the shortest
    weighted sum of differences over weights that sum to one and balance the classes.
    """
    K, d = pairs.n_classes, pairs.X.shape[1]
    lower, upper, best, kept = -np.inf, np.inf, None, np.empty(0, dtype=np.intp)
    for _ in range(EXCHANGES):
        Z = pairs.rivals(W, b).ravel()
        worst = np.argsort(-Z, kind="stable")[: CLOSEST // EXCHANGES]
        kept = np.union1d(kept, worst[np.isfinite(Z[worst])])
        row, rival = np.divmod(kept, K)
        X = pairs.X[row]
        X = X.toarray() if sparse.issparse(X) else X
        if pairs.fit_intercept:
            X = np.column_stack([X, np.full(len(kept), MASS)])
        A, at = np.zeros((len(kept), K, X.shape[1])), np.arange(len(kept))
        A[at, pairs.y[row]] = X
        A[at, rival] = -X
        try:
            q = _shortest(A.reshape(len(kept), -1))
        except RuntimeError:  # too many pairs are tied: the bracket is what it was
            break
        Q = np.zeros((len(pairs.y), K))
        Q[row, rival] = q
        G, mass = pairs.slope(_balanced(pairs, Q)[1])
        if not pairs.fit_intercept or abs(mass).max() < 1e-10:
            upper = min(upper, float(np.linalg.norm(G)))
        V = np.tensordot(q, A, 1)
        W, b = V[:, :d], MASS * V[:, d] if pairs.fit_intercept else np.zeros(K)
        b = _centred(pairs, W, b)
        if (margin := _margin(pairs, W, b)) > lower:
            lower, best = margin, np.concatenate([W.ravel(), b])
    return (lower, upper), best


def _shortest(A):
    """Weights of sum one whose combination of rows is shortest."""
    length = np.sqrt(np.mean(np.einsum("ij,ij->i", A, A)))
    R = linalg.qr(A.T, mode="r")[0][: len(A)]
    target = np.append(np.zeros(len(R)), length)
    M = np.vstack([R, np.full(len(A), length)])
    q = nnls(M, target)[0]
    support = q > 0  # which older solvers find, with weights to fewer digits
    exact = linalg.lstsq(M[:, support], target)[0]
    if (exact > 0).all():
        q[support] = exact
    return q / q.sum()


def _balance(pairs, W, b):
    """Shift intercepts until every class gains as much weight as it gives."""
    Z = pairs.rivals(W, b)
    Q = np.exp(Z - Z.max())
    shift, Q = _balanced(pairs, Q / Q.sum())
    return b + shift, Q


def _balanced(pairs, Q):
    """Balance weights from label to rival by a diagonal similarity, as Osborne did."""
    if not pairs.fit_intercept:
        return np.zeros(pairs.n_classes), Q
    M = np.array([np.bincount(pairs.y, q, pairs.n_classes) for q in Q.T]).T
    shift = np.zeros(len(M))
    for _ in range(200):
        for k in range(len(M)):
            gives, gains = M[k].sum(), M[:, k].sum()
            if gives <= 0 or gains <= 0:
                continue
            step = 0.5 * np.log(gives / gains)
            shift[k] += step
            M[k] *= np.exp(-step)
            M[:, k] *= np.exp(step)
        if abs(M.sum(axis=0) - M.sum(axis=1)).max() < 1e-13 * M.sum():
            break
    Q = Q * np.exp(shift - shift[pairs.y][:, None])
    return shift, Q / Q.sum()


def _centred(pairs, W, b):
    """For two classes put the plane halfway between the closest rows of both."""
    if pairs.n_classes != 2 or not pairs.fit_intercept:
        return b
    Z = pairs.rivals(W, b)
    worst = [Z[pairs.y == 0, 1].max(), Z[pairs.y == 1, 0].max()]
    return b - np.array([0, 0.5 * (worst[0] - worst[1])])
