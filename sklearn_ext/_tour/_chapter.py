"""What a family's chapter returns, and the clock that it measures with."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Chapter:
    """One family's part of the tour.

    Parameters
    ----------
    title : str
        What the chapter answers.
    text : str
        Two or three sentences: the data, the question, what to see in the table.
    columns : list of str
        Header of the table.
    rows : list of list
        Cells; numbers are rounded for print.
    figures : list of tuple
        ``(caption, matplotlib figure)``.
    """

    title: str
    text: str
    columns: list
    rows: list = field(default_factory=list)
    figures: list = field(default_factory=list)


def best(rows, column, least=False):
    """Return label and value of the row with the largest (or least) number."""
    numbers = [row for row in rows if isinstance(row[column], float)]
    row = (min if least else max)(numbers, key=lambda row: row[column])
    return row[0], row[column]


@contextmanager
def clock():
    """Measure wall time: ``with clock() as t: ...``, then ``t.seconds``."""

    class Timer:
        seconds = None

    timer, start = Timer(), time.perf_counter()
    yield timer
    timer.seconds = time.perf_counter() - start
