"""Values of policies: coverage of intervals on logs of bandits that learn, and time."""

import warnings
from itertools import product

import numpy as np
from scipy.special import ndtri

from benchmarks.harness import Comparison, Study
from sklearn_ext.bandits import (
    RidgeBandit,
    make_linear_bandit,
    policy_value,
    policy_value_curve,
)
from sklearn_ext.bandits._values._betting import FRACTIONS

PACKAGES = ("scikit-learn", "numpy", "obp")
ALPHA = 0.05


class WatchedIntervals(Study):
    """Intervals on the logs of bandits, looked at every day."""

    title = "Intervals at 95 % on 500 logs of a bandit that learns, watched"
    note = """Clicks of 30 % in five drawn worlds of five columns and four actions; a
    hundred logs of each, of 2,000 rows, written by `RidgeBandit(feature_map=None)` in
    batches of 50, once at its default and once with `min_probability=0.02`. Values of
    three fixed policies are known, as rows are drawn from the 20,000 of a world: the
    best action of each row, the worst of all actions, and actions drawn at random. *At
    the end* looks once; *some day* looks after each 100 rows, *some row* after each row
    from the 100th. Per cent of the logs in which the value is outside, five being
    allowed. obp's is the bootstrap of `InverseProbabilityWeighting.estimate_interval`
    with 100 resamples, the default of its `OffPolicyEvaluation`; the normal one is its
    limit. The last column divides the mean width at the end by that of the normal
    interval."""
    versions = PACKAGES
    n_rows, first, day, n_logs = 2000, 100, 100, 100
    worlds = range(5)
    logs = {"default": 0.0, "2 % each": 0.02}  # by the lowest probability

    def run(self):
        """Write the logs, and count."""
        found = {}
        for seed in self.worlds:
            world = make_linear_bandit(20_000, 5, 4, rate=0.3, random_state=seed)
            policies = self.policies(world)
            for turn, (label, least) in product(range(self.n_logs), self.logs.items()):
                log = write_log(world, self.n_rows, 1000 * seed + turn, least)
                for name, p in policies.items():
                    truth = (p * world.rewards).sum(axis=1).mean()
                    for kind, outcome in self.judge(log, p[log[0]], truth).items():
                        found.setdefault((label, name, kind), []).append(outcome)
        rows = []
        for label, name, kind in sorted(found, key=lambda key: self.logs[key[0]]):
            *missed, width = np.mean(found[label, name, kind], axis=0)
            shown = ["" if np.isnan(m) else f"{100 * m:.1f}" for m in missed]
            normal = np.mean(found[label, name, "normal"], axis=0)[-1]
            shown += [f"{width:.3f}", f"{width / normal:.2f}"]
            rows.append([label, name, kind, *shown])
        columns = ["log", "policy", "interval", "at the end", "some day", "some row"]
        return {"columns": [*columns, "width", "of the normal width"], "rows": rows}

    def policies(self, world):
        """Return probabilities of actions for the rows of a world."""
        n, K = world.expected.shape
        worst = world.expected.mean(axis=0).argmin()
        return {
            "best": np.eye(K)[world.expected.argmax(axis=1)],
            "worst action": np.tile(np.eye(K)[worst], (n, 1)),
            "at random": np.full((n, K), 1 / K),
        }

    def judge(self, log, p, truth):
        """Return who missed at the end, on some day, at some row, and the width."""
        _, action, reward, propensity = log
        days = np.arange(self.first, self.n_rows + 1, self.day)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The log has an effective sample size")
            curve = policy_value_curve(
                action,
                reward,
                propensity,
                p,
                labels=range(p.shape[1]),
                n_points=self.n_rows // self.day,
            )
        assert np.array_equal(curve.times, days)
        outside = (curve.lower > truth) | (curve.upper < truth)
        terms = p[np.arange(len(p)), action] / propensity * reward
        losses = p[np.arange(len(p)), action] / propensity * (1 - reward)
        fortunes = [
            log_fortunes(x, v) for x, v in ((terms, truth), (losses, 1 - truth))
        ]
        refuted = np.max(fortunes, axis=0) >= np.log(2 / ALPHA)
        assert np.array_equal(refuted[days - 1], outside)  # two ways to say the same
        width = curve.upper[-1] - curve.lower[-1]
        outcomes = {"betting": (outside[-1], outside.any(), refuted[99:].any(), width)}

        mean, half = normal_interval(terms)
        outside = np.abs(mean - truth) > half
        at_days = outside[days - 1].any()
        outcomes["normal"] = (
            outside[-1],
            at_days,
            outside[self.first - 1 :].any(),
            2 * half[-1],
        )
        ends = np.array([bootstrapped(log, p, day) for day in days])
        outside = (ends[:, 0] > truth) | (ends[:, 1] < truth)
        width = ends[-1, 1] - ends[-1, 0]
        outcomes["obp, bootstrap"] = (outside[-1], outside.any(), np.nan, width)
        return outcomes


def write_log(world, n_rows, seed, least, batch_size=50):
    """Return rows drawn from a world, and what a bandit that learns did there."""
    rng = np.random.RandomState(seed)
    rows = rng.randint(len(world), size=n_rows)
    bandit = RidgeBandit(
        world.actions, feature_map=None, min_probability=least, random_state=seed
    )
    action, propensity = np.empty(n_rows, dtype=int), np.empty(n_rows)
    for start in range(0, n_rows, batch_size):
        batch = slice(start, start + batch_size)
        X, at = world.X[rows[batch]], rows[batch]
        made = bandit.decide(X, random_state=rng)
        action[batch], propensity[batch] = made.action, made.propensity
        bandit.partial_fit(X, made.action, reward=world.rewards[at, made.action])
    return rows, action, world.rewards[rows, action], propensity


def log_fortunes(terms, mean):
    """Return after each row what betting against a mean has made of one."""
    factors = 1 + FRACTIONS * (terms[:, None] / mean - 1)
    each = np.cumsum(np.log(factors), axis=0)
    return np.logaddexp.reduce(each, axis=1) - np.log(len(FRACTIONS))


def normal_interval(terms):
    """Return after each row the mean and half the width of the usual interval."""
    n = np.arange(1, len(terms) + 1)
    mean = np.cumsum(terms) / n
    variance = np.maximum(np.cumsum(terms**2) / n - mean**2, 0.0)
    return mean, ndtri(1 - ALPHA / 2) * np.sqrt(variance / n)


def bootstrapped(log, p, n):
    """Return the interval of the Open Bandit Pipeline after some rows."""
    from obp.ope import InverseProbabilityWeighting

    _, action, reward, propensity = (x[:n] for x in log)
    found = InverseProbabilityWeighting().estimate_interval(
        reward=reward,
        action=action,
        pscore=propensity,
        action_dist=p[:n, :, None],
        alpha=ALPHA,
        n_bootstrap_samples=100,
        random_state=n,
    )
    return found["95.0% CI (lower)"], found["95.0% CI (upper)"]


class ValueOfAMillion(Comparison):
    """A value and an interval from a long log."""

    title = "The value of a policy with its interval: 1,000,000 rows, 10 actions"
    note = """The self-normalised value of one target. Our interval is valid at every
    row; obp resamples the log, 100 times by the default of its `OffPolicyEvaluation`,
    1,000 times as percentiles of 2.5 % want (the default of its estimators is 10,000).
    Its table of the target's probabilities is made beforehand. Our target is 0.2
    seconds."""
    versions = PACKAGES
    repeats = 7
    few = {"obp_100": 3, "obp_1000": 0}
    n_rows = 1_000_000

    def setup(self):
        """Draw a log."""
        rng = np.random.default_rng(0)
        n, K = self.n_rows, 10
        p = rng.dirichlet(np.ones(K), size=1000)[rng.integers(0, 1000, n)]
        p = 0.8 * p + 0.02
        at = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
        self.action = np.minimum(at, K - 1)
        self.propensity = p[np.arange(n), self.action]
        self.reward = (rng.random(n) < 0.1 + 0.05 * self.action).astype(float)
        self.target = rng.integers(0, K, n)
        self.table = np.eye(K)[self.target][:, :, None]

    def time_ours(self):
        """Time the value and the interval."""
        found = policy_value(self.action, self.reward, self.propensity, self.target)
        return found.value, found.upper - found.lower

    def time_obp_100(self):
        """Time the value and a hundred resamples."""
        return self._obp(100)

    def time_obp_1000(self):
        """Time the value and a thousand resamples."""
        return self._obp(1000)

    def _obp(self, n_resamples):
        from obp.ope import SelfNormalizedInverseProbabilityWeighting

        estimator = SelfNormalizedInverseProbabilityWeighting()
        log = {
            "reward": self.reward,
            "action": self.action,
            "pscore": self.propensity,
            "action_dist": self.table,
        }
        value = estimator.estimate_policy_value(**log)
        ends = estimator.estimate_interval(
            **log, n_bootstrap_samples=n_resamples, random_state=0
        )
        return value, ends["95.0% CI (upper)"] - ends["95.0% CI (lower)"]

    def quality(self, result):
        """Show both."""
        return {"value": f"{result[0]:.5f}", "width": f"{result[1]:.4f}"}


class ValueOfAHundredThousand(ValueOfAMillion):
    """The same from a log of a tenth of the rows."""

    title = "The same from a log of 100,000 rows"
    note = """As above."""
    repeats = 5
    few = {"obp_1000": 1}
    n_rows = 100_000
    targets = {"obp_1000": 40}
