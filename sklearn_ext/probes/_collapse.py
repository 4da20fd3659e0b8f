"""Neural collapse: what a simple model of training predicts, and what features show."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy.optimize import brentq
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import column_or_1d

from sklearn_ext._core._validation import check_level, warn
from sklearn_ext._numerics._classes import Labelled
from sklearn_ext.probes._gaussian._input import labels, on_host, row_weights

FLAT = 1e-12  # share of the largest eigenvalue below which means do not differ
HUGE = 1e300  # stands for infinity where numbers are interpolated
FEWEST = 1 + 1e-9  # rows of a class, with whose weights there is a variance


@dataclass(frozen=True, eq=False)
class CollapseGeometry:
    """What `collapse_geometry` returns: the minimum, class by class.

    Parameters
    ----------
    class_counts : ndarray of shape (n_classes,)
        Rows of each class.
    feature_norms : ndarray of shape (n_classes,)
        Lengths of the class means of the features, which are orthogonal.
    weight_norms : ndarray of shape (n_classes,)
        Length of each class's direction in every layer; of the rows of the last one.
    outputs : ndarray of shape (n_classes,)
        What the net answers for its own class, where the label is one.
    largest_safe_decay : float
        Weight decay from which the smallest class vanishes, at this feature decay.
    """

    class_counts: np.ndarray
    feature_norms: np.ndarray
    weight_norms: np.ndarray
    outputs: np.ndarray
    largest_safe_decay: float

    @property
    def survives(self):
        """Whether each class has features at all."""
        return self.outputs > 0

    def __repr__(self):
        gone = int((~self.survives).sum())
        return (
            f"CollapseGeometry({len(self.outputs)} classes, {gone} vanished; outputs "
            f"{self.outputs.min():.3g} to {self.outputs.max():.3g}; "
            f"largest_safe_decay={self.largest_safe_decay:.3g})"
        )


def collapse_geometry(class_counts, weight_decay, feature_decay, n_layers=1):
    r"""Predict features and weights of a linear net that is trained to the end.

    Minimises over free features ``H`` and layers ``W_l`` without biases

    .. math:: \frac{1}{2N} \|W_M \cdots W_1 H - Y\|^2 +
              \frac{\lambda_w}{2} \sum_l \|W_l\|^2 + \frac{\lambda_h}{2} \|H\|^2

    for one-hot ``Y``. At the minimum all rows of a class have the same features and the
    classes are orthogonal, so that each is a problem of one number ``a``, its length in
    every layer; a class of ``n`` rows has features of length
    ``a sqrt(weight_decay / (feature_decay n))``. Where decay is too strong a class
    vanishes: with one layer where ``n <= N**2 weight_decay feature_decay``, with more
    it jumps to zero before. This is the geometry of this model; nets with nonlinear
    units and biases need not have it.

    Parameters
    ----------
    class_counts : array-like of shape (n_classes,)
        Rows of each class.
    weight_decay : float
        Penalty of the weights.
    feature_decay : float
        Penalty of the features.
    n_layers : int, default=1
        Linear layers behind the features.

    Returns
    -------
    CollapseGeometry
        ``feature_norms``, ``weight_norms``, ``outputs``, ``survives`` and
        ``largest_safe_decay``.

    See Also
    --------
    collapse_diagnostics : What features show.

    References
    ----------
    .. [1] H. Dang, T. Tran, S. Osher, H. Tran-The, N. Ho, T. Nguyen, "Neural Collapse
       in Deep Linear Networks: From Balanced to Imbalanced Data", ICML 2023.

    Examples
    --------
    >>> from sklearn_ext.probes import collapse_geometry
    >>> found = collapse_geometry([60, 30, 6], weight_decay=0.02, feature_decay=0.02)
    >>> print(found.outputs.round(2), round(found.largest_safe_decay, 4))
    [0.75 0.65 0.22] 0.0326
    """
    n = np.asarray(class_counts, dtype=float)
    if n.ndim != 1 or not len(n) or not (np.isfinite(n) & (n > 0)).all():
        raise ValueError(
            "class_counts must hold one positive number of rows for each class, got "
            f"{class_counts!r}."
        )
    for name, value in (
        ("weight_decay", weight_decay),
        ("feature_decay", feature_decay),
    ):
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}.")
    if not _is_whole(n_layers, 1):
        raise ValueError(
            f"n_layers must be a whole number from 1 upwards, got {n_layers!r}."
        )
    ratio, m = np.sqrt(weight_decay / feature_decay), int(n_layers)
    length = np.array([_length(count, n.sum(), weight_decay, ratio, m) for count in n])
    # where a class is as well without: one number of rows for one decay
    shape = ((m - 1) / m) ** ((m - 1) / m) / (n.sum() * m) ** ((m + 1) / m)
    return CollapseGeometry(
        class_counts=n,
        feature_norms=length * ratio / np.sqrt(n),
        weight_norms=length,
        outputs=length ** (m + 1) * ratio / np.sqrt(n),
        largest_safe_decay=float(n.min() * shape / feature_decay ** (1 / m)),
    )


def _length(count, total, decay, ratio, layers):
    """Minimise ``(ratio a**(M+1) - sqrt(n))**2 / 2N + (M+1) decay a**2 / 2``."""
    root = np.sqrt(count)
    if layers == 1:
        return np.sqrt(max(root - total * decay / ratio, 0.0) / ratio)

    def slope(a):
        missing = ratio * a ** (layers + 1) - root
        return missing * ratio * a ** (layers - 1) + total * decay

    def value(a):
        fit = (ratio * a ** (layers + 1) - root) ** 2 / (2 * total)
        return fit + (layers + 1) * decay * a**2 / 2

    lowest = (root * (layers - 1) / (2 * layers * ratio)) ** (1 / (layers + 1))
    if slope(lowest) >= 0:
        return 0.0
    highest = (root / ratio) ** (1 / (layers + 1))
    if slope(highest) <= 0:  # so little decay that rounding hides it
        return highest
    best = brentq(slope, lowest, highest, xtol=1e-15)
    return best if value(best) < value(0.0) else 0.0


def _is_whole(value, least):
    return (
        isinstance(value, Integral) and not isinstance(value, bool) and value >= least
    )


@dataclass(frozen=True, eq=False)
class CollapseDiagnostics:
    """What `collapse_diagnostics` returns.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels.
    class_counts : ndarray of shape (n_classes,)
        Weight of each class.
    nc1 : float
        Scatter within classes by scatter between them, ``tr(S_W S_B^+) / n_classes``.
    cdnv : float
        Class-distance normalised variance: variance by squared distance of two classes,
        both averaged over all pairs, free of the bias of small samples; nan unless two
        classes have a variance.
    cdnv_pairs : ndarray of shape (n_classes, n_classes)
        The same for each pair; inf where two means are no farther apart than chance.
    nc2_etf : float
        Mean deviation of cosines of centred class means from those of a simplex.
    nc2_orthogonal : float
        Mean absolute cosine of class means before they are centred.
    norms : ndarray of shape (n_classes,)
        Lengths of the class means, free of the bias of small samples.
    cosines : ndarray of shape (n_classes, n_classes)
        Cosines of centred class means.
    nc3 : float
        Distance of the normalised weights from the normalised means; nan without them.
    nc4 : float
        Share of rows for which the weights, or without them the labels, name another
        class than the nearest mean.
    intervals : dict
        Bootstrap intervals of nc1, cdnv, nc2_etf, nc2_orthogonal, nc3 and nc4.
    """

    classes: np.ndarray
    class_counts: np.ndarray
    nc1: float
    cdnv: float
    cdnv_pairs: np.ndarray
    nc2_etf: float
    nc2_orthogonal: float
    norms: np.ndarray
    cosines: np.ndarray
    nc3: float
    nc4: float
    intervals: dict

    def __repr__(self):
        values = [f"{name}={getattr(self, name):.3g}" for name in self.intervals]
        return f"CollapseDiagnostics({len(self.classes)} classes; {', '.join(values)})"


def collapse_diagnostics(
    X,
    y,
    coef=None,
    sample_weight=None,
    *,
    intercept=None,
    n_bootstrap=200,
    confidence_level=0.9,
    random_state=None,
):
    """Measure how far features have collapsed to one point a class.

    Four signs of the last phase of training: variability within classes vanishes (NC1,
    and the class-distance normalised variance, CDNV), class means become a simplex or
    orthogonal (NC2), weights become means (NC3), predictions those of the nearest mean
    (NC4). Squared distances of means are too large by the variance of the means; for
    ``cdnv`` and ``norms`` this is taken off. None of these numbers ranks encoders for
    other tasks: see the guide.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Labels of at least two classes.
    coef : array-like of shape (n_classes, n_features), default=None
        Weights of a linear classifier, classes in sorted order; one row for two
        classes.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; whole numbers equal repeated rows.
    intercept : array-like of shape (n_classes,), default=None
        Its intercepts; None for none.
    n_bootstrap : int, default=200
        Tables of rows drawn again within each class; zero gives no intervals.
    confidence_level : float, default=0.9
        Coverage of the intervals.
    random_state : int, RandomState instance or None, default=None
        Source of the draws.

    Returns
    -------
    CollapseDiagnostics
        The numbers and their ``intervals``. A class of one row has no variance: it
        counts for means alone, and its entries of ``cdnv_pairs`` and ``norms`` are nan.

    See Also
    --------
    CollapseDisplay : Draws them.
    collapse_geometry : What a simple model predicts.
    TwoRegimes : Measures what features are worth for labels of your own.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho, "Prevalence of neural collapse during the
       terminal phase of deep learning training", PNAS 2020.
    .. [2] T. Galanti, A. György, M. Hutter, "On the Role of Neural Collapse in Transfer
       Learning", ICLR 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.probes import collapse_diagnostics
    >>> X, y = load_digits(return_X_y=True)
    >>> found = collapse_diagnostics(X, y, random_state=0)
    >>> print(f"{found.cdnv:.2f}", found.intervals["cdnv"].round(2))
    0.63 [0.61 0.65]
    """
    X = check_array(on_host(X), dtype=np.float64)
    check_consistent_length(X, y)
    known, places = labels(column_or_1d(on_host(y), warn=True))
    weights = row_weights(sample_weight, X)
    data = Labelled.of(X, places, weights, user="collapse_diagnostics", alone=True)
    X, codes, weights, classes = data.X, data.y, data.weight, known[data.classes]
    if len(classes) < 2:
        raise ValueError("collapse_diagnostics needs two classes, got one class.")
    check_level(confidence_level)
    if not _is_whole(n_bootstrap, 0):
        raise ValueError(
            f"n_bootstrap must be at least 0, a whole number, got {n_bootstrap!r}."
        )
    decide = _decisions(coef, intercept, X, classes)
    counts = np.bincount(codes, weights)
    if (lonely := counts < FEWEST).any():
        warn(
            f"A class of one row has no variance: {classes[lonely].tolist()} count "
            "for means alone."
        )
    measure = _Measure(X, codes, len(classes), *decide)
    scalars, pairs, norms, cosines = measure(weights)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
    drawn = [measure(_again(codes, weights, rng))[0] for _ in range(n_bootstrap)]
    plain = measure(weights, corrected=False)[0]
    return CollapseDiagnostics(
        classes=classes,
        class_counts=counts,
        **scalars,
        cdnv_pairs=pairs,
        norms=norms,
        cosines=cosines,
        intervals=_intervals(scalars, plain, drawn, confidence_level, counts),
    )


def _decisions(coef, intercept, X, classes):
    """Return weights of all classes and the class that they name for each row."""
    if coef is None:
        if intercept is not None:
            raise ValueError("intercept needs coef, got None.")
        return None, None
    coef = np.atleast_2d(check_array(on_host(coef), ensure_2d=False, dtype=np.float64))
    k, shift = len(classes), np.zeros(len(coef))
    if intercept is not None:
        shift = check_array(on_host(intercept), ensure_2d=False, dtype=np.float64)
        shift = np.atleast_1d(shift)
    if k == 2 and len(coef) == 1:
        coef, shift = np.vstack([-coef, coef]), np.concatenate([-shift, shift])
    if coef.shape != (k, X.shape[1]) or shift.shape != (k,):
        raise ValueError(
            f"coef must have one row for each of the {k} classes and one column for "
            f"each of the {X.shape[1]} features, intercept one number for each class; "
            f"got shapes {coef.shape} and {shift.shape}."
        )
    return coef, (X @ coef.T + shift).argmax(axis=1)


def _again(codes, weights, rng):
    """Draw the rows of each class again, as often as they weigh."""
    drawn = np.zeros(len(codes))
    for c in range(codes.max() + 1):
        rows = np.flatnonzero(codes == c)
        share = weights[rows] / weights[rows].sum()
        drawn[rows] = rng.multinomial(max(round(weights[rows].sum()), 1), share)
    return drawn


class _Measure:
    """All numbers of one table, for any weights of its rows."""

    def __init__(self, X, codes, k, coef, named):
        self.X, self.codes, self.k = X - X.mean(axis=0), codes, k
        self.origin = X.mean(axis=0)
        self.member = np.zeros((k, len(X)))
        self.member[codes, np.arange(len(X))] = 1
        # from means of the classes: collapsed rows keep their digits
        self.centres = self.member @ self.X / self.member.sum(axis=1)[:, None]
        self.around = self.X - self.centres[codes]
        self.square = (self.around**2).sum(axis=1)
        self.named = codes if named is None else named
        size = 0.0 if coef is None else np.linalg.norm(coef)
        self.coef = coef / size if size > 0 else None

    @np.errstate(divide="ignore", invalid="ignore")
    def __call__(self, weights, corrected=True):
        """Return scalars, CDNV of pairs, norms and cosines."""
        n = self.member @ weights
        moved = (self.member * weights) @ self.around / n[:, None]
        means = self.centres + moved
        second = self.member @ (weights * self.square) / n
        spread = np.maximum(second - (moved**2).sum(axis=1), 0.0) * n
        variance = np.where(n < FEWEST, np.nan, spread / (n - corrected))
        noise = variance / n if corrected else np.zeros(self.k)
        pairs = np.triu_indices(self.k, 1)
        gram = means @ means.T
        square = np.diag(gram)
        apart = square[:, None] + square - 2 * gram - noise[:, None] - noise
        within = (variance[:, None] + variance) / 2
        each = np.where(within == 0, 0.0, within / np.maximum(apart, 0.0))
        np.fill_diagonal(each, np.nan)
        total = np.nansum(apart[pairs])
        pooled = np.nansum(within[pairs]) / total if total > 0 else np.inf
        if np.isnan(within[pairs]).all():  # no two classes with a variance
            pooled = np.nan
        whole = means + self.origin
        lengths = (whole**2).sum(axis=1) - noise
        centred = means - means.mean(axis=0)
        around, raw = cosines_of(centred), cosines_of(whole)
        size, nc3 = np.linalg.norm(centred), np.nan
        if self.coef is not None and size > 0:
            nc3 = np.linalg.norm(centred / size - self.coef)
        score = self.X @ means.T - (means**2).sum(axis=1) / 2
        wrong = score.argmax(axis=1) != self.named
        values = {
            "nc1": self._nc1(weights, n, centred, corrected),
            "cdnv": float(pooled),
            "nc2_etf": float(abs(around[pairs] + 1 / (self.k - 1)).mean()),
            "nc2_orthogonal": float(abs(raw[pairs]).mean()),
            "nc3": float(nc3),
            "nc4": float(weights @ wrong / weights.sum()),
        }
        return values, each, np.sqrt(np.maximum(lengths, 0.0)), around

    def _nc1(self, weights, n, centred, corrected):
        values, vectors = np.linalg.eigh(centred @ centred.T / self.k)
        use = values > FLAT * max(values[-1], 0.0)
        if not use.any():
            return np.inf
        axes = centred.T @ vectors[:, use] / np.sqrt(values[use] * self.k)
        at = self.X @ axes
        middle = (self.member * weights) @ at / n[:, None]
        spread = (self.member * weights) @ (at - middle[self.codes]) ** 2
        many = n >= FEWEST
        if not many.any():
            return np.nan
        within = (spread[many] / (n[many] - corrected)[:, None]).mean(axis=0)
        return float((within / values[use]).sum() / self.k)


def cosines_of(means):
    """Cosines of all pairs of rows; nan for a row of zeros."""
    unit = means / np.linalg.norm(means, axis=1, keepdims=True)
    return np.clip(unit @ unit.T, -1, 1)


def _intervals(found, plain, drawn, level, counts):
    """Turn draws into intervals: ratios to what they were drawn from.

    The table itself is the truth of the draws, so that their bias is known: what draws
    are to the uncorrected numbers of the table, the estimate is to the truth. Draws
    from n rows scatter too little by ``sqrt((n - 1) / n)``.
    """
    ends = (1 - level) / 2, (1 + level) / 2
    many = counts[counts >= 2]
    widen = np.sqrt((many / (many - 1)).mean()) if len(many) else 1.0
    intervals = {}
    for name, value in found.items():
        if not drawn or np.isnan(value):
            intervals[name] = np.full(2, np.nan)
            continue
        numbers = np.minimum([draw[name] for draw in drawn], HUGE)  # inf - inf is nan
        low, high = np.quantile(numbers, ends, method="weibull")
        if name == "nc4" or not (low > 0 and plain[name] > 0 and high < HUGE / 2):
            intervals[name] = np.array([low, np.inf if high >= HUGE / 2 else high])
        else:
            ratio = plain[name] / np.array([high, low])
            intervals[name] = value * ratio**widen
    return intervals
