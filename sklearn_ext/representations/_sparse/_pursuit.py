"""Few atoms for each row: pursuit, how many each row may have, and their coefficients.

Rows are worked on in blocks that fit the cache. What belongs to the steps of a row is
held with steps along the first axis and rows along the second, so that what is done to
all rows at a step is done to neighbours in memory.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import rounding

SWEEPS = 6  # of the refit while a dictionary is learnt
MANY_SWEEPS = 300  # at most, when rows are transformed
CLOSE = 100.0  # roundings of the largest coefficient: a change that ends the sweeps
CELLS = 2**17  # of Gram matrices of supports, refitted at a time
LENGTHS = (2, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)  # of supports refitted together


@dataclass(frozen=True)
class Rule:
    """How atoms are taken.

    Attributes
    ----------
    depth : int
        Atoms of a row at most.
    price : float or ndarray of shape (m,)
        What the next atom must save of the squared error; one for all, or each its own.
    positive : bool
        Whether coefficients are non-negative.
    orthogonal : bool
        Whether all coefficients of a row are fitted anew after each step.
    """

    depth: int
    price: object = 0.0
    positive: bool = True
    orthogonal: bool = False


@dataclass(frozen=True)
class Choice:
    """What n rows took, step by step.

    Attributes
    ----------
    atoms : ndarray of shape (depth, n)
        Atoms in the order in which they were taken; beyond a row's last step anything.
    products : ndarray of shape (depth, n)
        Products of the rows with these atoms.
    coefs : ndarray of shape (depth, n)
        Coefficients as the pursuit left them; zero beyond a row's last step.
    gains : ndarray of shape (depth, n)
        What each step saved of the squared error; under one price for all, never more
        than the step before it. Where atoms have prices of their own, what the row
        would have paid for this one, before it took another. Zero beyond a row's last
        step.
    count : ndarray of shape (n,)
        Steps of each row.
    """

    atoms: np.ndarray
    products: np.ndarray
    coefs: np.ndarray
    gains: np.ndarray
    count: np.ndarray

    @classmethod
    def join(cls, parts):
        """Put the rows of several blocks side by side."""
        depth = max(len(part.atoms) for part in parts)
        parts = [part.padded(depth) for part in parts]
        tables = zip(
            *((p.atoms, p.products, p.coefs, p.gains) for p in parts), strict=True
        )
        joined = (np.concatenate(table, axis=1) for table in tables)
        return cls(*joined, np.concatenate([p.count for p in parts]))

    def padded(self, depth):
        """Add empty steps."""
        if depth == len(self.atoms):
            return self
        missing = ((0, depth - len(self.atoms)), (0, 0))
        tables = self.atoms, self.products, self.coefs, self.gains
        return Choice(*(np.pad(table, missing) for table in tables), self.count)

    def cut(self, count):
        """Keep the first ``count`` steps of each row."""
        count = np.minimum(self.count, count)
        depth = int(count.max(initial=0))
        kept = np.arange(depth)[:, None] < count
        coefs, gains = (np.where(kept, a[:depth], 0) for a in (self.coefs, self.gains))
        return Choice(self.atoms[:depth], self.products[:depth], coefs, gains, count)


def pursue(products, squares, gram, rule, work=None):
    r"""Take atoms for each row, one at a time, while they are worth their price.

    A step takes the atom that saves most, net of its price. By matching pursuit an atom
    of unit length saves the square of its product with what is left of the row, and
    what is left then loses that multiple of the atom, which in products is a row of the
    Gram matrix: after one product of all rows with all atoms, nothing of the length of
    a row is touched again. An atom is taken once.

    Parameters
    ----------
    products : ndarray of shape (n, m)
        Products of rows and atoms.
    squares : ndarray of shape (n,)
        Squared lengths of the rows; what is lost to rounding is not pursued.
    gram : ndarray of shape (m, m)
        Products of atoms of unit length.
    rule : Rule
        How atoms are taken.
    work : ndarray of shape (2, at least n, m), default=None
        Room to work in.

    Returns
    -------
    Choice
        Atoms of each row.
    """
    n, m = products.shape
    depth = min(rule.depth, m)
    atoms = np.zeros((depth, n), dtype=np.intp)
    taken, coefs, gains = np.zeros((3, depth, n), dtype=products.dtype)
    count, floor = np.zeros(n, dtype=np.intp), squares * (32 * rounding(products)) ** 2
    left, scratch = np.empty((2, n, m), products.dtype) if work is None else work
    left = left[:n]
    left[...] = products
    rows, limit, saved = np.arange(n), np.full(n, np.inf), np.zeros(n)
    own_prices, paid = np.ndim(rule.price) > 0, True
    for step in range(depth):
        here, work = np.arange(len(rows)), scratch[: len(rows)]
        best = _best(left, rule, work)
        move = left[here, best]
        gain = move.astype(np.float64) ** 2
        go = gain > floor[rows]
        if own_prices:
            work[here, best] = 0
            other = work.max(axis=1)  # what the second best would be worth
        if rule.orthogonal:  # whose last step was worth its price
            go &= paid
        else:
            go &= gain >= (rule.price[best] if own_prices else rule.price)
        if rule.positive:
            go &= move > 0
        if not go.all():
            rows, best, move, gain = rows[go], best[go], move[go], gain[go]
            left, work, here = left[go], scratch[: len(rows)], np.arange(len(rows))
            limit, saved = limit[go], saved[go]
            other = other[go] if own_prices else None
        if not len(rows):
            break
        atoms[step, rows], taken[step, rows] = best, products[rows, best]
        if rule.orthogonal:
            move, gain = _refit_step(step, rows, atoms, taken, coefs, gram, rule)
            gain, saved = gain - saved, gain
            paid = gain >= (rule.price[best] if own_prices else rule.price)
            for s in range(step + 1):
                np.take(gram, atoms[s, rows], axis=0, out=work, mode="clip")
                work *= move[s][:, None]
                left -= work
        else:
            coefs[step, rows] = move
            np.take(gram, best, axis=0, out=work, mode="clip")
            work *= move[:, None]
            left -= work
        _mask(left, here, atoms[: step + 1, rows], rule)
        if own_prices:
            limit = np.maximum(gain - other, np.minimum(gain, rule.price[best]))
        else:
            limit = np.minimum(limit, gain)
        gains[step, rows] = limit
        count[rows] = step + 1
    choice = Choice(atoms, taken, coefs, gains, count)
    if rule.orthogonal:  # what a step saves is known after it
        worth = gains >= (rule.price[atoms] if own_prices else rule.price)
        worth &= gains > floor
        choice = choice.cut(np.logical_and.accumulate(worth, axis=0).sum(axis=0))
    return choice


def _best(left, rule, work):
    """Return the atom of each row that saves most, net of its price."""
    if np.ndim(rule.price) > 0:
        np.maximum(left, 0, out=work) if rule.positive else np.copyto(work, left)
        np.square(work, out=work)
        work -= rule.price.astype(work.dtype, copy=False)
        return work.argmax(axis=1)
    return (left if rule.positive else np.abs(left, out=work)).argmax(axis=1)


def _mask(left, here, atoms, rule):
    """Let no row take an atom again."""
    if rule.positive:
        left[here, atoms[-1]] = -np.inf
    else:
        left[here, atoms] = 0


def _refit_step(step, rows, atoms, taken, coefs, gram, rule):
    """Fit all coefficients so far; return their moves and what they save."""
    support, b = atoms[: step + 1, rows], taken[: step + 1, rows]
    before = coefs[: step + 1, rows]
    blocks = gram[support[:, None], support[None]]
    after = _descend(blocks, b, before, [len(rows)] * (step + 1), rule.positive, 4)
    coefs[: step + 1, rows] = after
    return after - before, _saved(blocks, b, after)


def refit(choice, gram, positive, sweeps=SWEEPS):
    """Fit the coefficients of each row by least squares on its atoms.

    Coordinate descent on the Gram matrices of the supports, for many rows at a time:
    rows of like length are worked on together, none beyond its own length.

    Parameters
    ----------
    choice : Choice
        Atoms of each row.
    gram : ndarray of shape (m, m)
        Products of atoms of unit length.
    positive : bool
        Whether coefficients are non-negative.
    sweeps : int
        Rounds through the coordinates at most.

    Returns
    -------
    coefs : ndarray of shape (depth, n)
        Coefficients.
    saved : ndarray of shape (n,)
        What they save of the squared length of each row.
    """
    coefs, saved = choice.coefs.copy(), np.zeros(len(choice.count))
    for at, blocks, until in _supports(choice, gram):
        b = choice.products[at]
        coefs[at] = c = _descend(blocks, b, choice.coefs[at], until, positive, sweeps)
        saved[at[1]] = _saved(blocks, b, c)
    return coefs, saved


def saved_by(choice, gram, coefs):
    """Return what coefficients save of the squared length of each row, (n,)."""
    saved = np.zeros(len(choice.count))
    for at, blocks, _ in _supports(choice, gram):
        saved[at[1]] = _saved(blocks, choice.products[at], coefs[at])
    return saved


def _supports(choice, gram):
    """Yield rows of like length, Gram matrices of their atoms, how many have a step."""
    order = np.argsort(-choice.count, kind="stable")
    lengths = choice.count[order]
    start = 0
    while start < len(order) and lengths[start] > 0:
        longest = int(lengths[start])
        shorter = max((edge for edge in LENGTHS if edge < longest), default=0)
        stop = min(
            int(np.searchsorted(-lengths, -shorter)),
            start + max(1, CELLS // longest**2),
        )
        at = np.ix_(range(longest), order[start:stop])
        support = choice.atoms[at]
        until = np.searchsorted(-lengths[start:stop], -np.arange(longest))
        yield at, gram[support[:, None], support[None]], until
        start = stop


def _descend(blocks, b, coefs, until, positive, sweeps):
    """Sweep through coordinates; step t is one of the first ``until[t]`` rows."""
    c, close = coefs.copy(), CLOSE * rounding(coefs)
    for _ in range(sweeps):
        largest = 0.0
        for t, n in enumerate(until):
            new = b[t, :n] - np.einsum("sn,sn->n", blocks[t, :, :n], c[:, :n])
            new += c[t, :n]
            if positive:
                np.maximum(new, 0, out=new)
            if sweeps > SWEEPS:
                largest = max(largest, abs(new - c[t, :n]).max(initial=0))
            c[t, :n] = new
        if sweeps > SWEEPS and largest <= close * abs(c).max(initial=0):
            break
    return c


def _saved(blocks, b, c):
    """Return 2 b'c - c'Gc of each row."""
    fitted = np.einsum("stn,tn->sn", blocks, c)
    return np.einsum("sn,sn->n", 2 * b - fitted, c, dtype=np.float64)


def as_sparse(choice, coefs, m):
    """Write codes as a sparse array in compressed rows.

    Parameters
    ----------
    choice : Choice
        Atoms of each row.
    coefs : ndarray of shape (depth, n)
        Their coefficients; zeros are left out.
    m : int
        Number of atoms.

    Returns
    -------
    scipy.sparse.csr_array of shape (n, m)
        The codes.
    """
    kept = (coefs != 0) & (np.arange(len(coefs))[:, None] < choice.count)
    kept = kept.T
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    atoms = choice.atoms.T[kept]
    codes = sparse.csr_array(
        (coefs.T[kept], atoms.astype(np.int32), indptr.astype(np.int32)),
        shape=(len(kept), m),
    )
    codes.sort_indices()
    return codes
