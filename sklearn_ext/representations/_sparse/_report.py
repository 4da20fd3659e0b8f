"""What the features of a sparse autoencoder stand for."""

import numpy as np
from scipy import sparse, special
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils.multiclass import type_of_target

AT_A_TIME = 2**24  # cells of a table of features and words
RARE = 3  # texts that a word occurs in at least


def explained(codes, left, atoms, total):
    """Return what error each feature alone prevents, as a share of the variance.

    Without feature j the rest of row i grows by :math:`z_{ij} d_j`, so the squared
    error by :math:`2 z_{ij} d_j' r_i + z_{ij}^2`.

    Parameters
    ----------
    codes : csr_array of shape (n, m)
        Codes.
    left : ndarray of shape (n, d)
        What they leave of the rows.
    atoms : ndarray of shape (m, d)
        Unit directions.
    total : float
        Squared length of all rows.

    Returns
    -------
    ndarray of shape (m,)
        The shares.
    """
    along = np.einsum("ij,ij->i", codes.T @ left, atoms, dtype=np.float64)
    squares = np.asarray(codes.power(2).sum(axis=0), dtype=np.float64)
    return (2 * along + squares) / total if total > 0 else 0 * along


def top_rows(codes, n_rows):
    """Return the rows with the largest codes of each feature, the largest first."""
    columns = codes.tocsc()
    found = []
    for start, stop in zip(columns.indptr, columns.indptr[1:], strict=False):
        order = np.argsort(-abs(columns.data[start:stop]), kind="stable")[:n_rows]
        found.append(columns.indices[start:stop][order])
    return found


def top_columns(atoms, names, n_columns):
    """Return the columns that weigh most in each atom, with their signs."""
    order = np.argsort(-abs(atoms), axis=1, kind="stable")[:, :n_columns]
    return [
        [f"{'+' if atom[j] >= 0 else '-'}{names[j]}" for j in row if atom[j] != 0]
        for atom, row in zip(atoms, order, strict=True)
    ]


def word_table(words):
    """Return which words are in each text, and the words.

    Parameters
    ----------
    words : sequence of str, or tuple (table, names)
        Texts, whose words are counted, or a table that is not zero where a row has a
        word, a tag, anything, and the names of its columns.

    Returns
    -------
    table : csr_array of shape (n, n_words)
        Ones.
    names : ndarray of str
        The words.
    """
    if isinstance(words, tuple):
        table, names = words
        table = sparse.csr_array(table).astype(bool).astype(np.float64)
    else:
        counter = CountVectorizer(binary=True)
        table = sparse.csr_array(counter.fit_transform(words), dtype=np.float64)
        common = table.sum(axis=0) >= min(RARE, len(words))
        table, names = table[:, common], counter.get_feature_names_out()[common]
    if table.shape[1] != len(names):
        raise ValueError(
            f"words has {table.shape[1]} columns but {len(names)} names for them."
        )
    return table, np.asarray(names, dtype=object)


def top_words(codes, table, names, n_words):
    r"""Return the words in whose rows each feature is most surprisingly active.

    A word in c of n rows has, in those rows, a sum of codes that lies
    :math:`(\sum z - c \bar z) / (s_z \sqrt{c (1 - c / n)})` standard deviations above
    that of rows drawn at random. So a word must be frequent enough to prove something,
    and common words prove nothing.

    Parameters
    ----------
    codes : csr_array of shape (n, m)
        Codes.
    table : csr_array of shape (n, n_words)
        Ones where a row has a word.
    names : ndarray of str
        The words.
    n_words : int
        Most words of a feature.

    Returns
    -------
    list of list of str
        The words, the most surprising first; only those that lie above.
    """
    n, m = codes.shape
    count = np.asarray(table.sum(axis=0), dtype=np.float64)
    mean = np.asarray(codes.sum(axis=0), dtype=np.float64) / n
    variance = np.asarray(codes.power(2).sum(axis=0), dtype=np.float64) / n - mean**2
    spread = np.sqrt(np.maximum(variance, 0))
    chance = np.sqrt(np.maximum(count * (1 - count / n), 0))
    columns, found = codes.tocsc(), []
    step = max(1, AT_A_TIME // max(1, len(names)))
    for start in range(0, m, step):
        at = slice(start, min(start + step, m))
        sums = (columns[:, at].T @ table).toarray() - np.outer(mean[at], count)
        scale = np.outer(spread[at], chance)
        scores = np.divide(sums, scale, out=np.zeros_like(sums), where=scale > 0)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :n_words]
        found += [
            [str(names[j]) for j in row if score[j] > 0]
            for row, score in zip(best, scores, strict=True)
        ]
    return found


def correlations(codes, y):
    """Correlate codes with a target, or with each of its classes.

    Parameters
    ----------
    codes : csr_array of shape (n, m)
        Codes.
    y : array-like of shape (n,)
        Numbers or labels.

    Returns
    -------
    correlation : ndarray of shape (m,)
        With the target; of classes the one that is largest in size.
    p : ndarray of shape (m,)
        Two-sided p values by Student's distribution, adjusted for all that was looked
        at by Benjamini and Hochberg's rule.
    label : ndarray of shape (m,) or None
        The class of that correlation.
    """
    y = np.asarray(y)
    labels = None if type_of_target(y) == "continuous" else np.unique(y)
    table = y[:, None].astype(float) if labels is None else y[:, None] == labels
    if labels is not None and len(labels) == 2:
        table, labels = table[:, 1:], labels[1:]
    n, Y = len(y), table - table.mean(axis=0)
    mean = np.asarray(codes.sum(axis=0), dtype=np.float64) / n
    variance = np.asarray(codes.power(2).sum(axis=0), dtype=np.float64) / n - mean**2
    products = (codes.T @ Y) / n  # Y is centred, so codes need not be
    scale = np.sqrt(np.outer(np.maximum(variance, 0), (Y**2).mean(axis=0)))
    r = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    r = np.clip(r, -1, 1)
    freedom = max(n - 2, 1)
    with np.errstate(divide="ignore"):
        t = abs(r) * np.sqrt(freedom / (1 - r**2))
    p = adjusted((2 * special.stdtr(freedom, -t)).ravel()).reshape(r.shape)
    best = (np.arange(len(r)), abs(r).argmax(axis=1))
    return r[best], p[best], None if labels is None else labels[best[1]]


def adjusted(p):
    """Adjust p values by Benjamini and Hochberg's rule.

    Parameters
    ----------
    p : ndarray of shape (n,)
        P values.

    Returns
    -------
    ndarray of shape (n,)
        Rejecting those below q keeps the expected share of false ones below q.
    """
    order = np.argsort(p)[::-1]
    ranked = p[order] * len(p) / np.arange(len(p), 0, -1)
    result = np.empty_like(p)
    result[order] = np.minimum(np.minimum.accumulate(ranked), 1)
    return result
