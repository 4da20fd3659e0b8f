"""What is asked beside a classifier's own score: its features, row by row.

A row's features of correctness are all about the predicted class: the classifier's own
score, which class it is, how many of the nearest rows carry it and how near they are,
what a second classifier thinks of it, and what becomes of it in corrupted copies.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import expit, logit, softmax, xlogy
from sklearn.utils import check_array

from sklearn_ext._numerics._equal_rows import EqualRows, as_numbers
from sklearn_ext.calibration._nearest import search_in

LEAST = 1e-4  # probabilities are clipped here before their log-odds are taken
SPARE = 8  # neighbours that are looked at beyond those wanted: ties, and small weights
UNKNOWN = 0.05  # a row that is further away than all but this share is unknown
FARTHEST = 1e9  # standard deviations


def clipped_logit(p):
    """Return log-odds of probabilities that are neither zero nor one."""
    return logit(np.clip(p, LEAST, 1 - LEAST))


def class_chances(model, X, classes):
    """Return a classifier's probabilities in the order of all classes.

    Parameters
    ----------
    model : object
        Fitted, perhaps on rows without some of the classes, whose columns are zero.
    X : array-like
        Rows.
    classes : ndarray of shape (n_classes,)
        All classes, sorted.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities; softmax or logistic function of ``decision_function`` where
        there are none.
    """
    if hasattr(model, "predict_proba"):
        proba = np.asarray(model.predict_proba(X), dtype=np.float64)
    else:
        scores = np.asarray(model.decision_function(X), dtype=np.float64)
        if scores.ndim == 1:
            second = expit(scores)
            proba = np.column_stack([1 - second, second])
        else:
            proba = softmax(scores, axis=1)
    if bad := int((~np.isfinite(proba)).any(axis=1).sum()):
        raise ValueError(
            f"{type(model).__name__} gives {bad} of {len(proba)} rows probabilities "
            "that are no finite numbers; look at the scale of the columns and at its "
            "parameters."
        )
    if np.array_equal(model.classes_, classes):
        return proba
    if not np.isin(model.classes_, classes).all():
        raise ValueError(
            f"{type(model).__name__} knows the classes "
            f"{np.asarray(model.classes_).tolist()}, but y has only "
            f"{np.asarray(classes).tolist()}."
        )
    full = np.zeros((len(proba), len(classes)))
    full[:, np.searchsorted(classes, model.classes_)] = proba
    return full


def own_features(proba, code):
    """Return features of a classifier's own score and class.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Its probabilities.
    code : ndarray of shape (n_samples,)
        The predicted class.

    Returns
    -------
    score, label : ndarray
        Features of the score and of the class; log-odds first. With two classes the
        class is one column and its product with the log-odds.
    """
    n, n_classes = proba.shape
    odds = clipped_logit(proba[np.arange(n), code])
    if n_classes == 2:
        return odds[:, None], np.column_stack([code, code * odds])
    ordered = np.sort(proba.clip(LEAST, 1), axis=1)
    margin = np.log(ordered[:, -1] / ordered[:, -2])
    entropy = -xlogy(proba, proba.clip(1e-300)).sum(axis=1)
    return (
        np.column_stack([odds, margin, entropy]),
        (code[:, None] == np.arange(n_classes)).astype(float),
    )


def own_names(classes):
    """Return the names of `own_features`, by block."""
    if len(classes) == 2:
        is_second = f"is_{classes[1]}"
        return ["log_odds"], [is_second, f"{is_second}:log_odds"]
    return ["log_odds", "margin", "entropy"], [f"is_{label}" for label in classes]


# the vote of the nearest rows


@dataclass(frozen=True)
class NeighborVote:
    """Training rows, each with its class, and how to find the nearest of them.

    Equal rows are one row with their summed weight, and rows at the same distance share
    what is left of the vote, so neither copies nor the order of rows matter.
    """

    search: object  # NearestNeighbors or Cells
    centre: np.ndarray  # (n_features,), subtracted; zeros for sparse rows
    scale: np.ndarray  # (n_features,), distances are in units of it
    code: np.ndarray  # (n_rows,)
    weight: np.ndarray  # (n_rows,), one on average over all distinct rows
    n_neighbors: int
    n_classes: int

    @classmethod
    def of(cls, X, code, weight, *, n_neighbors, n_classes):
        """Keep the distinct rows in an order that depends on their values alone.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Rows.
        code : ndarray of shape (n_samples,)
            Their classes.
        weight : ndarray of shape (n_samples,)
            Their weights.
        n_neighbors : int
            Weight of the rows that vote.
        n_classes : int
            Number of classes.

        Returns
        -------
        NeighborVote
            Ready to vote.
        """
        rows = EqualRows.of(X, code, w=weight)
        X, code = X[rows.first], code[rows.first]
        centre, scale = _units(X, rows.weight)
        search = search_in(_in_units(X, centre, scale))
        return cls(search, centre, scale, code, rows.weight, n_neighbors, n_classes)

    def __call__(self, X):
        """Ask the nearest rows.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        votes : ndarray of shape (n_samples, n_classes)
            Weight of each class; they sum to ``n_neighbors``, or to all there are.
        distance : ndarray of shape (n_samples,)
            Mean distance to the rows that vote.
        """
        k = min(self.n_neighbors + SPARE, len(self.code))
        rows = _in_units(X, self.centre, self.scale)
        distance, near = self.search.kneighbors(rows, k)
        found = np.isfinite(distance)
        share = self._shares(distance, np.where(found, self.weight[near], 0.0))
        votes = np.zeros((len(near), self.n_classes))
        for label in range(self.n_classes):
            votes[:, label] = np.where(self.code[near] == label, share, 0).sum(axis=1)
        distance = (share * np.where(found, distance, 0.0)).sum(axis=1)
        return votes, distance / share.sum(axis=1)

    def _shares(self, distance, weight):
        reached = np.cumsum(weight, axis=1)
        wanted = np.minimum(self.n_neighbors, reached[:, -1])[:, None]
        last = (reached < wanted * (1 - 1e-12)).sum(axis=1)
        radius = distance[np.arange(len(distance)), last][:, None]
        inside = np.where(distance < radius * (1 - 1e-6), weight, 0.0)
        tied = np.where(inside > 0, 0.0, weight) * (distance <= radius * (1 + 1e-6))
        left = wanted - inside.sum(axis=1, keepdims=True)
        return inside + tied * (left / tied.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Familiarity:
    """How far held-out rows were from the rows that voted on them.

    A row that comes from where the training rows come from is as far away as they were:
    its familiarity, the share of them that were no nearer, is uniform.
    """

    distance: np.ndarray  # (n_levels,), ascending
    beyond: np.ndarray  # (n_levels + 1,), weight of the rows at least as far

    @classmethod
    def of(cls, distance, weight):
        """Sort held-out rows by their distance."""
        order = np.argsort(distance, kind="stable")
        beyond = np.cumsum(weight[order][::-1])[::-1]
        return cls(distance[order], np.append(beyond, 0.0))

    def __call__(self, distance):
        """Return the share of rows that were at least as far, the row itself added."""
        # what is equal but for rounding is no nearer
        place = np.searchsorted(self.distance, distance * (1 - 1e-6) - 1e-6)
        return (1 + self.beyond[place]) / (1 + self.beyond[0])


def familiarity_feature(familiarity):
    """Return its logarithm, from the share on below which a row is unknown."""
    return np.log(np.maximum(familiarity, UNKNOWN))


def vote_feature(votes, code):
    """Return the log-odds of the predicted class in a vote.

    Parameters
    ----------
    votes : ndarray of shape (n_samples, n_classes)
        Weight of each class.
    code : ndarray of shape (n_samples,)
        The predicted class.

    Returns
    -------
    ndarray of shape (n_samples,)
        Log-odds, half a vote added to either side.
    """
    mine = votes[np.arange(len(votes)), code]
    return np.log((mine + 0.5) / (votes.sum(axis=1) - mine + 0.5))


def numbers_of(X):
    """Return rows as finite numbers, or say what to pass instead."""
    try:
        return check_array(X, accept_sparse="csr", dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(
            "opinions='neighbors': nearest neighbours need finite values; pass a "
            "pipeline with an imputer or an encoder as the opinion, such as "
            "make_pipeline(encoder, KNeighborsClassifier(20)), or put it before this "
            f"estimator. The rows were refused so: {error}"
        ) from error


def _units(X, weight):
    share = weight / weight.sum()
    mean = X.T @ share
    if sparse.issparse(X):
        variance = X.multiply(X).T @ share - mean**2
        centre = np.zeros(len(mean))  # zeros must stay zeros
    else:
        variance = share @ (X - mean) ** 2
        centre = mean
    scale = np.sqrt(np.maximum(variance, 0))
    largest = np.maximum(abs(mean), np.finfo(float).tiny)
    # a constant column makes no distance
    return centre, np.where(scale > 1e-12 * largest, scale, np.inf)


def _in_units(X, centre, scale):
    if sparse.issparse(X):
        return X.multiply(1 / scale).tocsr()
    # far away is far away: squares must not overflow
    return np.clip((X - centre) / scale, -FARTHEST, FARTHEST)


# corrupted copies of a row


@dataclass(frozen=True)
class Corruption:
    """Copies of rows in which some columns have the values of another row.

    Every row meets the same columns and the same donors, so a row's copies depend on
    nothing but the row.
    """

    donors: np.ndarray  # (n_draws, n_features)
    replaced: np.ndarray  # (n_draws, n_features), bool

    @classmethod
    def of(cls, X, weight, *, n_draws, share, rng):
        """Draw donors and columns.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows to take values from; neither copies nor their order matter.
        weight : ndarray of shape (n_samples,)
            Their weights, to which the chance of a row is proportional.
        n_draws : int
            Copies of a row.
        share : float
            Share of columns that are replaced.
        rng : RandomState
            The generator.

        Returns
        -------
        Corruption
            Ready to copy.
        """
        shape = n_draws, X.shape[1]
        rows = EqualRows.of(as_numbers(X), w=weight)
        reached = np.cumsum(rows.weight)
        drawn = np.searchsorted(reached / reached[-1], rng.random_sample(shape))
        donors = X[rows.first[drawn], np.arange(X.shape[1])]
        return cls(donors, rng.random_sample(shape) < share)

    def __call__(self, X):
        """Return all copies: (n_draws * n_samples, n_features)."""
        copies = np.where(self.replaced[:, None], self.donors[:, None], X)
        return copies.reshape(-1, X.shape[1])


def corruption_features(proba, code):
    """Return what a classifier says about copies of rows.

    Parameters
    ----------
    proba : ndarray of shape (n_draws, n_samples, n_classes)
        Its probabilities for the copies.
    code : ndarray of shape (n_samples,)
        The class predicted for the rows themselves.

    Returns
    -------
    ndarray of shape (n_samples, 3)
        Log-odds of the mean, share of equal predictions, standard deviation.
    """
    mine = np.take_along_axis(proba, code[None, :, None], axis=2)[:, :, 0]
    same = (proba.argmax(axis=2) == code).mean(axis=0)
    return np.column_stack([clipped_logit(mine.mean(axis=0)), same, mine.std(axis=0)])
