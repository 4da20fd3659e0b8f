"""Fitted attributes of NaiveBayesProbe, computed when they are asked for.

Small batches of ``partial_fit`` stay cheap because nothing is computed before.
"""

import numpy as np
from sklearn.utils.validation import check_is_fitted


class NaiveBayesAttributes:
    """Read ``_model``, a NaiveBayesModel."""

    @property
    def _fitted(self):
        check_is_fitted(self)
        return self._model

    @property
    def sufficient_statistics_(self):
        """The sums, which can be saved and added."""
        return self._fitted.statistics

    @property
    def class_count_(self):
        """Sum of the weights of each class."""
        return self._fitted.statistics.count

    @property
    def class_prior_(self):
        """Prior probability of each class."""
        return np.exp(self._fitted.densities.log_prior)

    @property
    def theta_(self):
        """Mean of each class."""
        densities = self._fitted.densities
        return densities.pivot + densities.offsets

    @property
    def var_(self):
        """Variances as they are used."""
        return self._fitted.densities.variances

    @property
    def epsilon_(self):
        """What was added to the variances."""
        return self._fitted.densities.epsilon

    @property
    def var_shrinkage_(self):
        """How far the variances were drawn to what is common."""
        return self._fitted.densities.shrinkage

    @property
    def coef_(self):
        """Weights of the decision function."""
        return self.to_linear()[0]

    @property
    def intercept_(self):
        """Intercepts of the decision function."""
        return self.to_linear()[1]

    def to_linear(self):
        """Return the decision function as weights and intercepts.

        Returns
        -------
        coef : ndarray of shape (1, n_features) or (n_classes, n_features)
            One row for two classes.
        intercept : ndarray of shape (1,) or (n_classes,)
            So that ``X @ coef.T + intercept`` is the decision function.
        """
        if self._fitted.statistics.per_class:
            raise AttributeError(
                "covariance='class' gives a quadratic decision function, which has no "
                "coefficients; use covariance='shared'."
            )
        coef, intercept = self._fitted.form.decision()
        return coef / self.temperature_, intercept / self.temperature_
