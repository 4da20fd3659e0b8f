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
    with 100 resamples, the default of its `OffPolicyEvaluation`, on every tenth log;
    the normal one is its limit. The last column divides the mean width at the end by
    that of the normal interval of the same logs."""
    versions = PACKAGES
    n_rows, first, day, n_logs = 2000, 100, 100, 100
    worlds = range(5)
    logs = {"default": 0.0, "2 % each": 0.02}  # by the lowest probability

    def run(self):
        """Write the logs, and count."""
        found = {}
        for seed in self.worlds:
            for key, outcomes in self.watch(seed).items():
                found.setdefault(key, []).extend(outcomes)
        rows = []
        for label, name, kind in sorted(found, key=lambda key: self.logs[key[0]]):
            *missed, width, normal = np.mean(found[label, name, kind], axis=0)
            shown = ["" if np.isnan(m) else f"{100 * m:.1f}" for m in missed]
            shown += [f"{width:.3f}", f"{width / normal:.2f}"]
            rows.append([label, name, kind, *shown])
        columns = ["log", "policy", "interval", "at the end", "some day", "some row"]
        return {"columns": [*columns, "width", "of the normal width"], "rows": rows}

    def watch(self, seed):
        """Return what became of each policy and interval on the logs of a world."""
        world, found = make_linear_bandit(20_000, 5, 4, rate=0.3, random_state=seed), {}
        policies = self.policies(world)
        for turn, (label, least) in product(range(self.n_logs), self.logs.items()):
            log = write_log(world, self.n_rows, 1000 * seed + turn, least)
            for name, p in policies.items():
                truth = (p * world.rewards).sum(axis=1).mean()
                judged = self.judge(log, p[log[0]], truth, slow=turn % 10 == 0)
                normal = judged["normal"][-1]
                for kind, outcome in judged.items():
                    found.setdefault((label, name, kind), []).append((*outcome, normal))
        return found

    def policies(self, world):
        """Return probabilities of actions for the rows of a world."""
        n, K = world.expected.shape
        worst = world.expected.mean(axis=0).argmin()
        return {
            "best": np.eye(K)[world.expected.argmax(axis=1)],
            "worst action": np.tile(np.eye(K)[worst], (n, 1)),
            "at random": np.full((n, K), 1 / K),
        }

    def judge(self, log, p, truth, slow):
        """Return who missed at the end, on some day, at some row, and the width."""
        _, action, reward, propensity = log
        days = np.arange(self.first, self.n_rows + 1, self.day)
        settings = {"labels": range(p.shape[1])}
        w = p[np.arange(len(p)), action] / propensity
        fortunes = [
            log_fortunes(w * r, v)
            for r, v in ((reward, truth), (1 - reward, 1 - truth))
        ]
        outside = np.max(fortunes, axis=0) >= np.log(2 / ALPHA)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The log has an effective sample size")
            value = policy_value(action, reward, propensity, p, **settings)
            if slow:  # the ends themselves say the same
                curve = policy_value_curve(
                    action, reward, propensity, p, n_points=len(days), **settings
                )
                assert np.array_equal(curve.times, days)
                seen = (curve.lower > truth) | (curve.upper < truth)
                assert np.array_equal(seen, outside[days - 1])
        outcomes = {"betting": self.outcome(outside, days, value.upper - value.lower)}
        mean, half = normal_interval(w * reward)
        outside = np.abs(mean - truth) > half
        outcomes["normal"] = self.outcome(outside, days, 2 * half[-1])
        if slow:
            low, high = np.transpose([bootstrapped(log, p, day) for day in days])
            outside = (low > truth) | (high < truth)
            width = high[-1] - low[-1]
            outcomes["obp, bootstrap"] = outside[-1], outside.any(), np.nan, width
        return outcomes

    def outcome(self, outside, days, width):
        """Return the misses of an interval that is known after each row."""
        some_day = outside[days - 1].any()
        return outside[-1], some_day, outside[self.first - 1 :].any(), width


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
