"""The catalogue: what each data set is called, holds and serves for.

The table is ``real_data_catalogue.txt``, one line per set. Its column ``reader`` names
a function of ``real_data_readers`` and the arguments to give it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from benchmarks import real_data_readers

TABLE = Path(__file__).with_suffix(".txt")


@dataclass(frozen=True)
class Entry:
    """One data set: where it comes from and what a correct reading looks like."""

    name: str
    tags: tuple  # families of estimators that it serves
    package: str
    read: Callable
    n: int
    p: int
    target: str | None
    counts: tuple  # rows per class, in the order of the sorted classes
    bags: str | None  # column of natural groups of rows that share a response
    groups: str | None
    hidden: tuple  # further columns that are no features
    note: str


def parse(line):
    """Turn one line of the table into an entry."""
    name, tags, package, reader, n, p, target, counts, bags, groups, hidden, note = (
        cell.strip() for cell in line.split("|")
    )
    function, *arguments = reader.split()
    return Entry(
        name=name,
        tags=tuple(tags.split()),
        package=package,
        read=partial(getattr(real_data_readers, function), *arguments),
        n=int(n),
        p=int(p),
        target=target or None,
        counts=tuple(int(count) for count in counts.split()),
        bags=bags or None,
        groups=groups or None,
        hidden=tuple(hidden.split()),
        note=note,
    )


def closest(name, entries, kind):
    """Return the entry of that name; underscores serve as hyphens.

    Raises
    ------
    ValueError
        If there is none; the message lists close matches.
    """
    by_key = {known.replace("_", "-"): entry for known, entry in entries.items()}
    key = str(name).lower().replace("_", "-")
    if key in by_key:
        return by_key[key]
    close = get_close_matches(key, by_key, n=5, cutoff=0.5)
    close += [known for known in by_key if key in known and known not in close]
    hint = f"did you mean {', '.join(close)}?" if close else f"known: {list(by_key)}."
    raise ValueError(f"Unknown {kind} {name!r}; {hint}")


LINES = TABLE.read_text(encoding="utf-8").splitlines()
ENTRIES = [parse(line) for line in LINES if line and not line.startswith("#")]
CATALOGUE = {entry.name: entry for entry in ENTRIES}
