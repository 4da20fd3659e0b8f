"""Linear models, in the order in which rows pass through the rooms.

``_members``
    checks the rows and classes that ``fit`` and ``predict`` are given, and holds the
    models that are drawn; what estimators of two classes share.
``_sparse_rows``
    rows centred, scaled and with a constant, that stay sparse.
``_ridge``, ``_ellipsoids``
    the estimator of ridge regression; its sums, and the ellipsoid that they define.
``_logistic``
    the estimator of logistic regression.
``_logistic_sets``, ``_logistic_draws``, ``_logistic_ratio``
    its objective with minimum and exact ranges; draws by rays and tempered particles;
    the share of a space of coefficients.
``_classifier``
    the estimator of linear classifiers under the 0-1 loss.
``_halfspaces``, ``_halfspaces_torch``
    errors of directions: on a circle, by plain draws, by splitting; on a device.
"""
