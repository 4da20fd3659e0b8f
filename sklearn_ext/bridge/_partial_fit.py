"""Learning batch by batch."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext._core._base import fit_context
from sklearn_ext.bridge._domains import two_samples
from sklearn_ext.bridge._preparation import described, how_target_came, plan_of
from sklearn_ext.bridge._sampling import like
from sklearn_ext.bridge._solve import to_numpy, weighted_mean


class PartialFit:
    """Mixin with ``partial_fit``."""

    @fit_context()
    def partial_fit(
        self,
        X,
        y=None,
        *,
        X_target=None,
        sample_domain=None,
        sample_weight=None,
        target_weight=None,
    ):
        """Update the bridge with one more batch of both sides.

        Running moments of every component move towards those of the batch by twice the
        batch's share of all weight seen so far, and are solved as in a pass of ``fit``;
        so early rows fade slowly, and a small batch moves little. The first call makes
        a short fit; after ``fit`` it goes on from there. Weights of all batches are on
        one scale.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows of the batch, or rows of both domains.
        y : object, default=None
            Ignored.
        X_target : array-like of shape (m_samples, n_features) or None, default=None
            Target rows of the batch.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            0 for source rows, 1 for target rows of X.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            What each row of X stands for.
        target_weight : array-like of shape (m_samples,) or None, default=None
            What each row of X_target stands for.

        Returns
        -------
        LightSchrodingerBridge
            The updated estimator.
        """
        first = not hasattr(self, "_stream")
        data = {
            "X_target": X_target,
            "sample_domain": sample_domain,
            "sample_weight": sample_weight,
            "target_weight": target_weight,
        }
        if first:
            short = clone(self).set_params(
                max_iter=3, early_stopping=False, tol=0.0, warm_start=False
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", category=ConvergenceWarning)
                short.fit(X, y, **data)
            learnt = {k: v for k, v in vars(short).items() if k.endswith("_")}
            hidden = ("_plan", "_stream", "_target_came_as")
            vars(self).update(learnt, **{k: getattr(short, k) for k in hidden})
            return self
        came_as = how_target_came(X_target, sample_domain)
        if came_as is None and self._target_came_as is not None:
            raise ValueError(
                "This batch has no target rows, as earlier ones had: pass X_target or "
                "sample_domain."
            )
        source, target = two_samples(self, X, reset=False, **data)
        stream = self._stream
        source, target = source.distinct(), target.distinct()
        sides = [
            side.around(like(to_numpy(mean), side.X))
            for side, mean in zip((source, target), stream.centre, strict=True)
        ]
        options = self._options(self.epsilon_, sides)
        stream, loss = stream.updated(sides, options)
        plan = plan_of(stream.mixture, stream.centre, source.X)
        vars(self).update(described(plan, came_as))
        gaps = (to_numpy(weighted_mean(side)) for side in sides)
        self.loss_ = loss - float(np.dot(*gaps)) / self.epsilon_
        self.loss_curve_ = [*self.loss_curve_, self.loss_]
        self.n_iter_ += 1
        self.n_batches_seen_ += 1
        self._stream = stream
        self._store_source(source, target, go_on=True)
        return self
