"""NaiveBayesProbe and ShrinkageDiscriminantProbe beside scikit-learn."""

import numpy as np
from scipy import sparse
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB

from benchmarks.harness import Comparison
from sklearn_ext.probes import NaiveBayesProbe, ShrinkageDiscriminantProbe


def correlated(n, d, k, seed=0):
    """Features in float32 with noise that they share, as those of networks have."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    X = rng.standard_normal((n, d), dtype=np.float32)
    X += rng.standard_normal((n, 8), dtype=np.float32) @ rng.standard_normal(
        (8, d), dtype=np.float32
    )
    X += rng.standard_normal((k, d), dtype=np.float32)[y]
    return X, y


class _Fit(Comparison):
    n_samples, n_features, n_classes = 50_000, 768, 100
    params: dict = {}

    def setup(self):
        self.X, self.y = correlated(self.n_samples, self.n_features, self.n_classes)

    def time_ours(self):
        return NaiveBayesProbe(**self.params).fit(self.X, self.y)

    def time_GaussianNB(self):
        return GaussianNB().fit(self.X, self.y)

    def quality(self, result):
        return {"accuracy": result.score(self.X[:2000], self.y[:2000])}


class ByHand:
    """The same model in six lines of NumPy, with raw sums in the dtype of the rows."""

    def fit(self, X, y):
        n, count = len(X), np.bincount(y)
        one_hot = sparse.csr_array((np.ones(n, X.dtype), y, np.arange(n + 1))).T
        mean = (one_hot @ X) / count[:, None]
        within = np.einsum("ij,ij->j", X, X) / n - (count / n) @ mean**2
        self.coef = (mean / within).T
        self.intercept = np.log(count / n) - 0.5 * (mean * self.coef.T).sum(axis=1)
        return self

    def score(self, X, y):
        return ((X @ self.coef + self.intercept).argmax(axis=1) == y).mean()


class NaiveBayesFit(_Fit):
    title = "Naive Bayes: fit, n=50,000, d=768, K=100, float32"
    note = """Variances shared by the classes, sums in float64. By hand: one product
        with a sparse indicator and one sum of squares, in float32 and without a pivot,
        so that digits are lost where features lie far from zero."""
    targets = {"GaussianNB": 2}

    def time_by_hand(self):
        return ByHand().fit(self.X, self.y)


class NaiveBayesFitFloat32(NaiveBayesFit):
    title = "The same with precise=False"
    note = "Sums of a batch in float32."
    params = {"precise": False}
    targets = {"GaussianNB": 4}


class NaiveBayesFitClass(_Fit):
    title = "The same with variances by class"
    note = "The model of GaussianNB."
    params = {"covariance": "class"}


class NaiveBayesFitClassFloat32(_Fit):
    title = "The same with variances by class and precise=False"
    params = {"covariance": "class", "precise": False}


class _Predict(_Fit):
    def setup(self):
        super().setup()
        self.ours = NaiveBayesProbe(**self.params).fit(self.X, self.y)
        self.peer = GaussianNB().fit(self.X, self.y)
        self.new = self.X[:10_000]

    def time_ours(self):
        return self.ours.predict(self.new)

    def time_GaussianNB(self):
        return self.peer.predict(self.new)

    def quality(self, result):
        return {"accuracy": (result == self.y[:10_000]).mean()}


class NaiveBayesPredict(_Predict):
    title = "Naive Bayes: predict 10,000 rows, d=768, K=100, float32"
    note = "Variances shared by the classes: one matrix product."
    targets = {"GaussianNB": 30}


class NaiveBayesPredictClass(_Predict):
    title = "The same with variances by class"
    note = "Two matrix products in float64."
    params = {"covariance": "class"}
    targets = {"GaussianNB": 8}


class _Stream(Comparison):
    n_samples, n_features, n_classes, batch = 20_000, 256, 100, 64
    few = {"GaussianNB": 3}

    def setup(self):
        self.X, self.y = correlated(self.n_samples, self.n_features, self.n_classes)
        self.classes = np.arange(self.n_classes)

    def learn(self, model):
        for start in range(0, self.n_samples, self.batch):
            part = slice(start, start + self.batch)
            classes = self.classes if start == 0 else None
            model.partial_fit(self.X[part], self.y[part], classes)
        return model

    def time_ours(self):
        return self.learn(NaiveBayesProbe())

    def time_GaussianNB(self):
        return self.learn(GaussianNB())

    def quality(self, result):
        return {"accuracy": result.score(self.X[:2000], self.y[:2000])}


class NaiveBayesStream10(_Stream):
    title = "Naive Bayes: partial_fit of 20,000 rows, d=256, K=10, 64 rows at a time"
    n_classes = 10
    targets = {"GaussianNB": 10}


class NaiveBayesStream100(_Stream):
    title = "The same with K=100"
    targets = {"GaussianNB": 20}


class NaiveBayesStream1000(_Stream):
    title = "The same with K=1000"
    n_classes = 1000
    targets = {"GaussianNB": 15}


class NaiveBayesStreamLarge10(_Stream):
    title = "The same with K=10, 4096 rows at a time"
    n_classes, batch = 10, 4096
    targets = {"GaussianNB": 1.5}


class NaiveBayesStreamLarge1000(_Stream):
    title = "The same with K=1000, 4096 rows at a time"
    n_classes, batch = 1000, 4096
    targets = {"GaussianNB": 10}


class DiscriminantFit(Comparison):
    title = "Shrunken discriminant: fit, n=20,000, d=384, K=50, float32"
    note = "Both estimate their shrinkage from the rows."
    repeats = 3

    def setup(self):
        self.X, self.y = correlated(20_000, 384, 50)

    def time_ours(self):
        return ShrinkageDiscriminantProbe().fit(self.X, self.y)

    def time_LDA_shrinkage_auto(self):
        return LinearDiscriminantAnalysis("lsqr", shrinkage="auto").fit(self.X, self.y)

    def time_LDA_svd(self):
        return LinearDiscriminantAnalysis("svd").fit(self.X, self.y)

    def quality(self, result):
        return {"accuracy": result.score(self.X[:2000], self.y[:2000])}


class DiscriminantFewRows(DiscriminantFit):
    title = "Shrunken discriminant: few rows, n=200, d=1280, K=10, float32"
    repeats = 5

    def setup(self):
        X, y = correlated(2200, 1280, 10)
        self.X, self.y, self.held = X[:200], y[:200], (X[200:], y[200:])

    def quality(self, result):
        return {"accuracy": result.score(*self.held)}


BENCHMARKS = [
    NaiveBayesFit,
    NaiveBayesFitFloat32,
    NaiveBayesFitClass,
    NaiveBayesFitClassFloat32,
    NaiveBayesPredict,
    NaiveBayesPredictClass,
    NaiveBayesStream10,
    NaiveBayesStream100,
    NaiveBayesStream1000,
    NaiveBayesStreamLarge10,
    NaiveBayesStreamLarge1000,
    DiscriminantFit,
    DiscriminantFewRows,
]
