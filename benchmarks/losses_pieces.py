"""Next word piece of tweets: a real set of thousands of classes."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from benchmarks.real_data import load
from benchmarks.real_data_encoders import minilm_pieces, minilm_spelling

WIDTH = 80  # of the vector of a piece
BEFORE = 3  # pieces that are seen


class Pieces(NamedTuple):
    """Rows of three pieces, and the piece that follows."""

    X: np.ndarray  # (n_samples, 240), float32
    y: np.ndarray  # (n_samples,), pieces
    before: np.ndarray | None = None  # (n_samples, 3), the pieces that are seen


@lru_cache(maxsize=1)
def _stream():
    """Windows of all tweets in the order of time, and vectors of pieces."""
    tweets = load("tweets").data
    order = np.argsort(tweets["created_at"].to_numpy(str), kind="stable")
    ids, table = minilm_pieces(tweets["text"].to_numpy(object)[order])
    windows = [
        np.lib.stride_tricks.sliding_window_view(row, BEFORE + 1)
        for row in map(np.asarray, ids)
        if len(row) > BEFORE
    ]
    return np.concatenate(windows), table


def next_pieces(n_train, n_other=4000, seed=0):
    """Draw rows of earlier tweets to train on, and later ones to choose and test on.

    Vectors of pieces are the input embeddings of MiniLM, reduced to their 80 leading
    principal axes and scaled together to unit variance. Rows to choose settings on and
    rows to test on come from later tweets than those to train on, and have classes that
    are in the training rows.

    Parameters
    ----------
    n_train : int
        Rows to train on.
    n_other : int, default=4000
        Rows to choose on, and rows to test on.
    seed : int, default=0
        Of the draw.

    Returns
    -------
    tuple of three Pieces
        To train, to choose and to test on.
    """
    windows, table = _stream()
    rng = np.random.default_rng(seed)
    ends = (np.array([0, 0.8, 0.9, 1]) * len(windows)).astype(int)
    known, parts = None, []
    for start, end, size in zip(
        ends[:-1], ends[1:], (n_train, n_other, n_other), strict=True
    ):
        rows = windows[start:end]
        if known is not None:
            rows = rows[np.isin(rows[:, -1], known)]
        rows = rows[rng.permutation(len(rows))[:size]]
        known = np.unique(rows[:, -1]) if known is None else known
        parts.append(rows)
    used = np.unique(np.concatenate([rows[:, :BEFORE] for rows in parts[:1]]))
    centred = table - table[used].mean(axis=0)
    axes = np.linalg.svd(centred[used], full_matrices=False)[2][:WIDTH]
    vectors = (centred @ axes.T).astype(np.float32)
    vectors /= vectors[used].std()
    return tuple(
        Pieces(
            vectors[rows[:, :BEFORE]].reshape(len(rows), -1),
            rows[:, -1],
            rows[:, :BEFORE],
        )
        for rows in parts
    )


def spelled(pieces):
    """Return the text of pieces, row by row."""
    return [minilm_spelling(row) for row in np.atleast_2d(pieces)]
