"""Other packages' bandits behind one door: choose for a batch, learn from a batch.

Each has the settings that its own documentation recommends, or that we found best on
sets which are not reported.
"""

import numpy as np

from sklearn_ext.bandits._ridge._feature_map import Waves


class Ours:
    """`RidgeBandit`, which also returns propensities."""

    def __init__(self, d, K, seed, **params):
        from sklearn_ext.bandits import RidgeBandit

        self.bandit = RidgeBandit(np.arange(K), random_state=seed, **params)
        self.rng = np.random.RandomState(seed)

    def choose(self, X):
        """Return positions of actions."""
        return self.bandit.decide(X, random_state=self.rng).action

    def learn(self, X, at, reward):
        """Learn from what was done."""
        self.bandit.partial_fit(X, at, reward=reward)


class OurModels:
    """`RegressorBandit` or `NeuralBandit`."""

    def __init__(self, d, K, seed, name, **params):
        import sklearn_ext.bandits as family

        make = getattr(family, name)
        self.bandit = make(actions=np.arange(K), random_state=seed, **params)
        self.rng = np.random.RandomState(seed)

    choose, learn = Ours.choose, Ours.learn


class OnOurWaves:
    """A peer that is given the features which `RidgeBandit` of this seed has."""

    def __init__(self, d, K, seed, make, n_components=100):
        self.peer, self.map = make(d + n_components, K, seed), None
        self.n_components, self.seed = n_components, seed

    def choose(self, X):
        """Return positions of actions; the map is drawn for the first batch."""
        if self.map is None:
            seed = np.random.RandomState(self.seed).randint(2**31 - 1)
            rng = np.random.RandomState(seed)
            self.map = Waves.of(X, np.ones(len(X)), self.n_components, rng)
        return self.peer.choose(self.map(X))

    def learn(self, X, at, reward):
        """Learn from what was done."""
        self.peer.learn(self.map(X), at, reward)


class WithOnes:
    """A peer that has no intercept, given a column of ones."""

    def __init__(self, d, K, seed, make):
        self.peer = make(d + 1, K, seed)

    def choose(self, X):
        """Return positions of actions."""
        return self.peer.choose(_with_one(X))

    def learn(self, X, at, reward):
        """Learn from what was done."""
        self.peer.learn(_with_one(X), at, reward)


class ContextualBandits:
    """Its LinUCB, alpha 0.1."""

    def __init__(self, d, K, seed, alpha=0.1):
        from contextualbandits.online import LinUCB

        self.model, self.K = LinUCB(K, alpha=alpha, random_state=seed + 1), K
        self.rng, self.fitted = np.random.default_rng(seed), False

    def choose(self, X):
        """Return positions of actions; at first, at random."""
        if not self.fitted:
            return self.rng.integers(0, self.K, len(X))
        return np.asarray(self.model.predict(X)).astype(int)

    def learn(self, X, at, reward):
        """Learn from what was done."""
        self.model.partial_fit(X, at, reward)
        self.fitted = True


class Mabwiser:
    """Its LinUCB or LinTS, alpha 0.1."""

    def __init__(self, d, K, seed, policy="LinUCB"):
        from mabwiser.mab import MAB, LearningPolicy

        rule = getattr(LearningPolicy, policy)(alpha=0.1)
        self.model, self.K = MAB(list(range(K)), rule, seed=seed), K
        self.rng, self.fitted = np.random.default_rng(seed), False

    def choose(self, X):
        """Return positions of actions; at first, at random."""
        if not self.fitted:
            return self.rng.integers(0, self.K, len(X))
        return np.atleast_1d(self.model.predict(X))

    def learn(self, X, at, reward):
        """Learn from what was done."""
        learn = self.model.partial_fit if self.fitted else self.model.fit
        learn(decisions=at, rewards=reward, contexts=X)
        self.fitted = True


class VowpalWabbit:
    """Square-gap exploration with action-dependent features; propensities come free."""

    def __init__(self, d, K, seed, quadratic=False):
        from vowpalwabbit import Workspace

        extra = "-q xx -q xa --cubic xxa --gamma_scale 100" if quadratic else "-q xa"
        self.model = Workspace(
            f"--cb_explore_adf --squarecb {extra} --quiet --random_seed {seed + 1}"
        )
        self.rng, self.K = np.random.default_rng(seed), K

    def _rows(self, x, at=None, cost=0.0, p=1.0):
        cells = " ".join(f"{j}:{v:.6g}" for j, v in enumerate(x))
        head = f"shared |x {cells}"
        labels = [f"0:{cost:.6g}:{p:.6g} " if k == at else "" for k in range(self.K)]
        return [head, *(f"{label}|a {k}" for k, label in enumerate(labels))]

    def choose(self, X):
        """Return positions of actions."""
        at, self.p = np.empty(len(X), dtype=int), np.empty(len(X))
        for i, x in enumerate(X):
            p = np.asarray(self.model.predict(self._rows(x)))
            at[i] = self.rng.choice(self.K, p=p / p.sum())
            self.p[i] = p[at[i]]
        return at

    def learn(self, X, at, reward):
        """Learn from what was done."""
        for x, k, r, p in zip(X, at, reward, self.p, strict=True):
            self.model.learn(self._rows(x, k, 1 - r, p))


class River:
    """Its LinUCBDisjoint, alpha 0.3."""

    def __init__(self, d, K, seed):
        from river import bandit

        self.model = bandit.LinUCBDisjoint(alpha=0.3, seed=seed)
        self.arms = list(range(K))

    def choose(self, X):
        """Return positions of actions."""
        rows = (dict(enumerate(x.tolist())) for x in X)
        return np.array([self.model.pull(self.arms, context=x) for x in rows])

    def learn(self, X, at, reward):
        """Learn from what was done."""
        for x, k, r in zip(X, at.tolist(), reward.tolist(), strict=True):
            self.model.update(k, dict(enumerate(x.tolist())), r)


class BayesianBandits:
    """Normal regressions with upper confidence bounds."""

    def __init__(self, d, K, seed):
        import bayesianbandits as bb

        arms = [
            bb.Arm(k, learner=bb.NormalRegressor(alpha=1.0, beta=10.0))
            for k in range(K)
        ]
        policy = bb.UpperConfidenceBound(alpha=0.84)
        self.model = bb.ContextualAgent(arms, policy, random_seed=seed)

    def choose(self, X):
        """Return positions of actions."""
        return np.array(self.model.pull(_with_one(X)))

    def learn(self, X, at, reward):
        """Learn from what was done."""
        X = _with_one(X)
        for k in np.unique(at):
            rows = at == k
            self.model.select_for_update(k).update(X[rows], reward[rows])


class OpenBanditPipeline:
    """Its LinUCB, epsilon 0.1."""

    def __init__(self, d, K, seed):
        from obp.policy import LinUCB

        self.model = LinUCB(dim=d + 1, n_actions=K, epsilon=0.1, random_state=seed)

    def choose(self, X):
        """Return positions of actions."""
        rows = _with_one(X)[:, None]
        return np.array([int(self.model.select_action(x)[0]) for x in rows])

    def learn(self, X, at, reward):
        """Learn from what was done."""
        for x, k, r in zip(_with_one(X)[:, None], at, reward, strict=True):
            self.model.update_params(action=int(k), reward=float(r), context=x)


def _with_one(X):
    return np.column_stack([np.ones(len(X)), X])


def loss(contestant, problem, batch_size=50):
    """Return the mean regret of a contestant over a problem."""
    n, total = len(problem), 0.0
    for start in range(0, n, batch_size):
        rows = slice(start, start + batch_size)
        X, rewards = problem.X[rows], problem.rewards[rows]
        at = np.asarray(contestant.choose(X)).astype(int)
        reward = rewards[np.arange(len(X)), at]
        contestant.learn(X, at, reward)
        total += (rewards.max(axis=1) - reward).sum()
    return total / n
