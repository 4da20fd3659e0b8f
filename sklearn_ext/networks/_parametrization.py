"""How weights start and move, so that one learning rate fits every width and depth."""

import math
from numbers import Integral, Real


def mup_scales(
    hidden_units,
    base_units=64,
    n_layers=2,
    base_layers=2,
    residual=False,
    *,
    n_features=1,
):
    r"""Scale the tensors of a perceptron so that its learning rate keeps its meaning.

    Under Adam an entry of a hidden matrix moves by about its rate, and the moves of the
    n entries that enter a unit add up, since all are correlated with what the layer
    sees. Only rates that fall like ``1 / n`` change every unit, and the output, by an
    amount that does not depend on the width n ("muP"). At ``hidden_units=base_units``
    this is the ordinary parametrisation. For a depth L beyond ``base_layers`` the net
    must be residual, with ``sqrt(base_layers / L)`` in front of each branch.

    ===================  ==========================  ==========  ============
    tensor               std                         rate        decay
    ===================  ==========================  ==========  ============
    ``weight_0``         ``1 / sqrt(n_features)``    1           1
    ``bias_0``           0.5                         1           0
    ``weight_1``, ...    ``sqrt(2 / n)``             n0 / n (b)  n / n0 (1/b)
    ``bias_1``, ...      0                           1 (b)       0
    ``weight_out``       ``sqrt(2 n0) / n``          n0 / n      n / n0
    ``bias_out``         0                           1           0
    ===================  ==========================  ==========  ============

    where ``n0 = base_units`` and the factors b in brackets, ``sqrt(base_layers / L)``,
    hold for a residual net. The decay of AdamW is multiplied by the rate: the factors
    make its product with the rate the same at every width.

    Parameters
    ----------
    hidden_units : int
        Width n of the hidden layers.
    base_units : int, default=64
        Width at which all rates are the rate that is asked for.
    n_layers : int, default=2
        Number of hidden layers, L.
    base_layers : int, default=2
        Depth at which a residual branch has weight one.
    residual : bool, default=False
        Whether hidden layers are added to what enters them.
    n_features : int, default=1
        Number of columns; with the default the deviation of ``weight_0`` is to be
        divided by its square root.

    Returns
    -------
    dict of dict
        For each tensor ``"std"``, the standard deviation of its initial normal weights;
        ``"rate"``, the factor of the learning rate; and ``"decay"``, the factor of the
        weight decay.

    See Also
    --------
    sharpness : What a learning rate is measured against.

    References
    ----------
    G. Yang and E. J. Hu, *Feature Learning in Infinite-Width Neural Networks*, ICML
    2021.

    Examples
    --------
    >>> from sklearn_ext.networks import mup_scales
    >>> mup_scales(256)["weight_1"]["rate"], mup_scales(256)["weight_1"]["decay"]
    (0.25, 4.0)
    """
    counts = {"hidden_units": hidden_units, "n_layers": n_layers}
    for name, count in {**counts, "n_features": n_features}.items():
        if not (isinstance(count, Integral) and count >= 1):
            raise ValueError(f"{name} must be a positive integer, got {count!r}.")
    for name, base in {"base_units": base_units, "base_layers": base_layers}.items():
        if not (isinstance(base, Real) and base > 0):
            raise ValueError(f"{name} must be positive, got {base!r}.")
    share = base_units / hidden_units
    branch = math.sqrt(base_layers / n_layers) if residual else 1.0
    scales = {
        "weight_0": {"std": 1 / math.sqrt(n_features), "rate": 1.0, "decay": 1.0},
        "bias_0": {"std": 0.5, "rate": 1.0, "decay": 0.0},
    }
    for layer in range(1, n_layers):
        scales[f"weight_{layer}"] = {
            "std": math.sqrt(2 / hidden_units),
            "rate": share * branch,
            "decay": 1 / (share * branch),
        }
        scales[f"bias_{layer}"] = {"std": 0.0, "rate": branch, "decay": 0.0}
    scales["weight_out"] = {
        "std": math.sqrt(2 * base_units) / hidden_units,
        "rate": share,
        "decay": 1 / share,
    }
    scales["bias_out"] = {"std": 0.0, "rate": 1.0, "decay": 0.0}
    return scales
