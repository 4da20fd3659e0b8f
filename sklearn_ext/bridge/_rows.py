"""Weighted rows in blocks, and their moments under responsibilities."""

from dataclasses import dataclass
from typing import Any

from sklearn_ext.bridge._frames import array_namespace, features, log_sum_exp

BLOCK = 65_536  # rows whose responsibilities are worked on at a time


@dataclass(frozen=True)
class Rows:
    """One side of the problem: centred rows with weights that sum to one."""

    blocks: tuple  # of (features, weights)
    size: float  # how many rows these are worth, beside the prior's pseudo-rows
    second: Any  # weighted second moment where all components share one scale matrix

    @classmethod
    def of(cls, X, w, covariance_type, *, size=1.0, block=BLOCK):
        """Store rows X, with weights w, for components of a type."""
        xp = array_namespace(X)
        w = w / float(xp.sum(w, dtype=xp.float64))
        n = X.shape[0]
        cuts = [slice(i, min(n, i + block)) for i in range(0, n, block)]
        blocks = tuple((features(X[c, :], covariance_type), w[c]) for c in cuts)
        second = None
        if covariance_type == "tied":
            second = sum(_double((F * u[:, None]).T @ F) for F, u in blocks)
        return cls(blocks, size, second)

    @property
    def dtype(self):
        """Dtype of the rows."""
        return self.blocks[0][0].dtype


@dataclass(frozen=True)
class Moments:
    """Mass, mean and covariance of each component's share of the rows, in float64."""

    mass: Any  # (K,)
    mean: Any  # (K, D)
    spread: Any  # (K, 1), (K, D), (D, D) pooled, or (K, D, D)

    @classmethod
    def from_raw(cls, raw, second, covariance_type):
        """Centre raw moments: masses, sums of stored features, full squares."""
        xp = array_namespace(raw[0])
        mass = raw[0]
        tiny = float(xp.finfo(mass.dtype).smallest_normal)
        safe = xp.clip(mass, tiny, None)[:, None]
        if covariance_type in ("tied", "full"):
            mean = raw[1] / safe
            if covariance_type == "tied":
                return cls(mass, mean, second - (mean * mass[:, None]).T @ mean)
            outer = mean[:, :, None] * mean[:, None, :]
            return cls(mass, mean, raw[2] / safe[:, :, None] - outer)
        n_squares = 1 if covariance_type == "spherical" else raw[1].shape[1] // 2
        mean = raw[1][:, n_squares:] / safe
        squares = 2 * raw[1][:, :n_squares] / safe
        if covariance_type == "spherical":
            spread = squares - xp.sum(mean**2, axis=1, keepdims=True)
            return cls(mass, mean, xp.clip(spread / mean.shape[1], 0.0, None))
        return cls(mass, mean, xp.clip(squares - mean**2, 0.0, None))

    def keep(self, components, covariance_type):
        """Keep some components; a pooled covariance stays as it is."""
        xp = array_namespace(self.mass)
        spread = self.spread
        if covariance_type != "tied":
            spread = xp.take(spread, components, axis=0)
        mass, mean = (
            xp.take(self.mass, components),
            xp.take(self.mean, components, axis=0),
        )
        return Moments(mass, mean, spread)


def expect(scores, rows, covariance_type):
    """Return the weighted mean of log-sum-exp and the moments under the softmax.

    Parameters
    ----------
    scores : iterable of arrays of shape (n_components, n_block)
        Log-scores of each block; they are overwritten.
    rows : Rows
        The blocks.
    covariance_type : str
        Type of the components.

    Returns
    -------
    value : float
        Mean of log sum_k exp(score_k).
    moments : Moments
        Moments of each component's share.
    """
    value, raw = 0.0, None
    for A, (F, w) in zip(scores, rows.blocks, strict=True):
        xp = array_namespace(F)
        lse, share = log_sum_exp(A)
        value += float(xp.sum(w * lse, dtype=xp.float64))
        share *= w
        part = _raw_moments(F, share, covariance_type)
        raw = part if raw is None else [a + b for a, b in zip(raw, part, strict=True)]
    return value, Moments.from_raw(raw, rows.second, covariance_type)


def _raw_moments(F, share, covariance_type):
    xp = array_namespace(F)
    mass = xp.sum(share, axis=1, dtype=xp.float64)
    if covariance_type != "full":
        return [mass, _double(share @ F)]
    # a full covariance may be nearly singular: single precision would not see it
    F, share = _double(F), _double(share)
    outer = [(F * share[k, :, None]).T @ F for k in range(share.shape[0])]
    return [mass, share @ F, xp.stack(outer)]


def _double(a):
    xp = array_namespace(a)
    return xp.astype(a, xp.float64)
