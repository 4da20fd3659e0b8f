"""How fast a head on a pretrained representation learns: the rates, as numbers."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch

from sklearn_ext._core._compat import Interval, validate_params

_POSITIVE = [Interval(Real, 0, None, closed="neither")]


@validate_params(
    {
        "n_unlabeled": [Interval(Integral, 1, None, closed="left")],
        "n_labeled": [Interval(Integral, 1, None, closed="left")],
        "complexity_representation": _POSITIVE,
        "complexity_head": _POSITIVE,
        "complexity_joint": [*_POSITIVE, None],
    },
    prefer_skip_nested_validation=True,
)
def pretraining_rate(
    n_unlabeled,
    n_labeled,
    complexity_representation,
    complexity_head,
    *,
    complexity_joint=None,
):
    r"""Compare the rates of learning with and without unlabelled rows.

    A representation from a class of complexity :math:`C_\Phi` that is learnt from m
    unlabelled rows, and a head of complexity :math:`C_\Psi` on it from n labelled ones,
    have an excess risk of the order

    .. math::

       \sqrt{C_\Phi / m} + \sqrt{C_\Psi / n}
       \quad\text{against}\quad \sqrt{C_{\Phi \circ \Psi} / n}

    for both learnt from the labelled rows alone [1]_. It is an upper rate without its
    constants and logarithms, and assumes that the representation tells what the labels
    depend on. So it says which numbers matter, and forecasts nothing:
    ``gain_`` of :class:`PretrainedClassifier` measures.

    Parameters
    ----------
    n_unlabeled : int
        Unlabelled rows, m.
    n_labeled : int
        Labelled rows, n.
    complexity_representation : float
        Complexity of the representations, :math:`C_\Phi`; of parametric ones about the
        number of their parameters, for instance columns times factors.
    complexity_head : float
        Complexity of the heads, :math:`C_\Psi`; of a linear one about the number of
        features.
    complexity_joint : float or None, default=None
        Complexity of all heads on all representations. None is the sum of both, which
        parametric classes do not exceed.

    Returns
    -------
    Bunch
        ``pretrained``, ``supervised``, and ``ratio``, the first over the second: below
        one where unlabelled rows help.

    See Also
    --------
    sklearn.decomposition.FactorAnalysis : A representation of this kind.

    References
    ----------
    .. [1] J. Ge, S. Tang, J. Fan and C. Jin, "On the provable advantage of unsupervised
       pretraining", ICLR 2024.

    Examples
    --------
    >>> from sklearn_ext.representations import pretraining_rate
    >>> rate = pretraining_rate(15_000, 30, 150, 3)
    >>> round(rate.ratio, 2)
    0.18
    """
    if complexity_joint is None:
        complexity_joint = complexity_representation + complexity_head
    representation = np.sqrt(complexity_representation / n_unlabeled)
    pretrained = float(representation + np.sqrt(complexity_head / n_labeled))
    supervised = float(np.sqrt(complexity_joint / n_labeled))
    return Bunch(
        pretrained=pretrained, supervised=supervised, ratio=pretrained / supervised
    )
