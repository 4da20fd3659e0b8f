"""The model of correctness: logistic regression on a few standardised features."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from sklearn_ext._numerics._logistic import prepare, solve


@dataclass(frozen=True)
class CorrectnessModel:
    """Log-odds of being right, linear in features of the row's prediction."""

    coef: np.ndarray  # (n_model_features,), of standardised features
    intercept: float
    mean: np.ndarray  # (n_model_features,)
    scale: np.ndarray  # (n_model_features,)

    @classmethod
    def of(cls, features, hit, weight, C, rising=None):
        """Fit ridge logistic regression with a free intercept.

        Parameters
        ----------
        features : ndarray of shape (n_samples, n_model_features)
            Features of rows that the classifier has not seen.
        hit : ndarray of shape (n_samples,), dtype bool
            Whether it was right.
        weight : ndarray of shape (n_samples,)
            Weights, of mean one over distinct rows.
        C : float
            Inverse penalty.
        rising : int or None, default=None
            A feature that must not lower the confidence when it grows.

        Returns
        -------
        CorrectnessModel
            The model; constant where all rows or none were right.
        """
        total, right = weight.sum(), weight @ hit
        mean = weight @ features / total
        scale = np.sqrt(weight @ (features - mean) ** 2 / total)
        scale = np.where(scale > 1e-9 * np.maximum(1, abs(mean)), scale, 1.0)
        if hit.all() or not hit.any():
            odds = float(logit((right + 0.5) / (total + 1)))
            return cls(np.zeros(features.shape[1]), odds, mean, scale)
        problem = prepare((features - mean) / scale, hit.astype(np.intp), weight, 2)
        found = solve(problem, C, tol=1e-14)
        if rising is not None and found.coef[0][rising] < 0:  # then it is best at zero
            kept = np.arange(features.shape[1]) != rising
            model = cls.of(features[:, kept], hit, weight, C)
            coef = np.zeros(len(kept))
            coef[kept] = model.coef
            return cls(coef, model.intercept, mean, scale)
        return cls(found.coef[0], float(found.intercept[0]), mean, scale)

    def contributions(self, features):
        """Return what each feature adds to the log-odds, from the mean row on."""
        return (features - self.mean) / self.scale * self.coef

    def __call__(self, features):
        """Return the probability of being right."""
        return expit(self.intercept + self.contributions(features).sum(axis=1))


@dataclass(frozen=True)
class CorrectnessLoss:
    """Log-loss of correctness out of fold, of ever more evidence."""

    base: float  # the classifier's own probability
    own: float  # its score and class, calibrated
    calibrated: float  # with the opinions


@dataclass(frozen=True)
class DriftReport:
    """How many rows of a batch lie further away than nearly all training rows did.

    Parameters
    ----------
    n_rows : int
        Rows of the batch.
    unknown : float
        Share of them with a familiarity of at most ``expected``.
    low, high : float
        Exact interval of that share.
    expected : float
        Share of unknown rows among rows that come from where the training rows do.
    confidence : float
        Mean confidence of the batch.
    is_drift : bool
        Whether the interval lies above twice the expected share.

    See Also
    --------
    CorrectnessCalibratedClassifier : Returns it from ``drift``.
    """

    n_rows: int
    unknown: float
    low: float
    high: float
    expected: float
    confidence: float
    is_drift: bool


@dataclass(frozen=True)
class HeldOut:
    """What fold models say of rows that they have not seen."""

    rows: np.ndarray  # (n_held,), positions
    fold: np.ndarray  # (n_held,)
    proba: np.ndarray  # (n_held, n_classes)
    code: np.ndarray  # (n_held,), predicted class
    features: np.ndarray  # (n_held, n_model_features), those of the opinions last

    @classmethod
    def joined(cls, parts):
        """Join the folds."""
        fold = [np.full(len(part[0]), k) for k, part in enumerate(parts)]
        rows, *rest = (np.concatenate(column) for column in zip(*parts, strict=True))
        return cls(rows, np.concatenate(fold), *rest)

    def cross_fitted(self, hit, weight, C, rising=None):
        """Return confidences by models of correctness that left the row's fold out."""
        confidence = np.empty(len(self.rows))
        for k in np.unique(self.fold):
            out = self.fold == k
            kept = self.features[~out], hit[~out], weight[~out]
            model = CorrectnessModel.of(*kept, C, rising)
            confidence[out] = model(self.features[out])
        return confidence
