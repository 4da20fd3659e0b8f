"""The Rashomon curve along nested spaces, and its elbow."""

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch


def rashomon_elbow(risk, log_ratio):
    """Place where the risk has fallen and the ratio has not yet.

    Both are scaled to [0, 1]; the elbow has the largest sum of one minus risk and log
    ratio. Nothing is assumed monotone.

    Parameters
    ----------
    risk : array-like of shape (n_spaces,)
        Smallest training risk of each space, the simplest space first.
    log_ratio : array-like of shape (n_spaces,)
        Logarithm of each Rashomon ratio.

    Returns
    -------
    int
        Place of the elbow; ties go to the simpler space.

    See Also
    --------
    rashomon_curve : Computes both.

    Examples
    --------
    >>> from sklearn_ext.rashomon import rashomon_elbow
    >>> rashomon_elbow([0.4, 0.2, 0.19, 0.18], [-1.0, -1.2, -4.0, -9.0])
    1
    """
    if np.shape(risk) != np.shape(log_ratio) or np.size(risk) == 0:
        raise ValueError(
            "risk and log_ratio must have equal lengths of at least one, got shapes "
            f"{np.shape(risk)} and {np.shape(log_ratio)}."
        )
    score = (1 - _unit(risk)) + _unit(log_ratio)
    return int(np.argmax(score >= score.max() - 1e-12))


def _unit(values):
    values = np.asarray(values, dtype=float)
    finite = values[np.isfinite(values)]
    low = finite.min() if len(finite) else 0.0
    width = np.ptp(finite) if len(finite) else 0.0
    return (np.maximum(values, low) - low) / (width or 1.0)


def rashomon_curve(
    estimator, X, y, *, param_name="max_depth", param_range, theta=0.05, cv=None
):
    """Compute risk and Rashomon ratio along a hierarchy of spaces.

    Parameters
    ----------
    estimator : estimator
        An estimator with ``log_ratio_`` and ``min_loss_``, such as
        :class:`RashomonTreeClassifier`.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Target.
    param_name : str, default="max_depth"
        Parameter that makes the space larger.
    param_range : array-like of shape (n_spaces,)
        Its values, the simplest space first.
    theta : float, default=0.05
        Slack of every set.
    cv : int, splitter or None, default=None
        Cross-validation of the test risk; None skips it.

    Returns
    -------
    Bunch
        ``param_name``, ``param``, ``risk``, ``test_risk`` (None without ``cv``),
        ``log_ratio``, ``interval`` of shape (n_spaces, 2), and ``elbow``, the place of
        the corner.

    See Also
    --------
    RashomonCurveDisplay : Draws it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.rashomon import RashomonTreeClassifier, rashomon_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> curve = rashomon_curve(RashomonTreeClassifier(), X, y, param_range=[0, 1, 2])
    >>> curve.risk.round(2).tolist(), curve.elbow
    ([0.67, 0.33, 0.05], 1)
    """
    if len(param_range) == 0:
        raise ValueError("param_range must hold at least one value, got none.")
    if "theta" not in estimator.get_params(deep=False):
        advice = ""
        if isinstance(estimator, Pipeline):
            advice = " Give its last step, and pass model[:-1].transform(X) for X."
        raise ValueError(
            "estimator must be one of the Rashomon estimators, which have theta; got "
            f"{type(estimator).__name__}.{advice}"
        )
    risk, log_ratio, interval, test = [], [], [], []
    for value in param_range:
        model = clone(estimator).set_params(**{param_name: value, "theta": theta})
        if cv is not None:
            test.append(1 - cross_val_score(model, X, y, cv=cv).mean())
        model.fit(X, y)
        risk.append(model.min_loss_)
        log_ratio.append(model.log_ratio_)
        interval.append(model.log_ratio_interval_)
    return Bunch(
        param_name=param_name,
        param=list(param_range),
        risk=np.array(risk),
        test_risk=None if cv is None else np.array(test),
        log_ratio=np.array(log_ratio),
        interval=np.array(interval),
        elbow=rashomon_elbow(risk, log_ratio),
    )
