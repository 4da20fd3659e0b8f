"""Bandits: a labelled table of which only the claims that are made are answered."""

from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext._tour._chapter import Chapter, clock
from sklearn_ext.bandits import (
    ExplorationDisplay,
    RegretDisplay,
    RidgeBandit,
    make_bandit_from_classification,
    simulate,
)

TEXT = (
    "{source}. For each of {n} rows one label is claimed, in batches of fifty, and "
    "only whether it was right comes back. The loss counts every wrong claim, the "
    "first ones included. A policy is learnt from half of each log and judged on the "
    "other half by its propensities; the truth is beside it. A linear classifier that "
    "sees all labels is right in {seeing:.3f}."
)


def chapter(data):
    """Run bandits through a table with hidden labels.

    Parameters
    ----------
    data : module
        The loader of real data.

    Returns
    -------
    Chapter
        What each way of exploring loses, and two figures.
    """
    X, y, source = _table(data)
    problem = make_bandit_from_classification(X, y)
    sight = make_pipeline(StandardScaler(), RidgeClassifierCV())
    seeing = cross_val_score(sight, X, y, cv=3).mean()
    story = Chapter(
        "Decide, and see the reward of that action alone",
        TEXT.format(source=source, n=len(X), seeing=seeing),
        ["policy", "by", "loss", "seconds", "value on the log", "truth"],
    )
    ways = [
        (
            "at random",
            "scikit-learn",
            DummyClassifier(strategy="uniform").fit(X, y),
        ),
        ("inverse gaps", "ours", RidgeBandit(exploration="inverse_gap", width=0.0)),
        ("columns alone", "ours", RidgeBandit(feature_map=None)),
        ("RidgeBandit", "ours", RidgeBandit()),
        ("the same, 2 % each", "ours", RidgeBandit(min_probability=0.02)),
    ]
    runs = {}
    for name, owner, policy in ways:
        with clock() as timer:
            run = simulate(policy, problem, batch_size=50, random_state=0)
        runs[name] = run
        loss = float(run.mean_regret[0])
        story.rows.append([name, owner, loss, timer.seconds, *_judged(run, problem)])
    story.figures = [
        ("Wrong claims, summed.", RegretDisplay.from_runs(runs).figure_),
        (
            "Which labels RidgeBandit claims, over time.",
            ExplorationDisplay.from_run(runs["RidgeBandit"]).figure_,
        ),
    ]
    return story


def _table(data):
    try:
        from benchmarks.real_data_readers import keel

        table = keel("satimage").sample(3000, random_state=0)
        X, y = table.iloc[:, :-1].to_numpy(float), table["class"].to_numpy()
        return X, y.astype(str), "Pixels of a satellite, six covers of the land"
    except data.DatasetUnavailable:
        X, y = load_digits(return_X_y=True)
        return X, y, "Handwritten digits"


def _judged(run, problem):
    """Fit to the first half of a log, judge on the second; and look up the truth."""
    X, half = problem.X[run.row[0]], run.row.shape[1] // 2
    action, reward, propensity = run.action[0], run.reward[0], run.propensity[0]
    bandit = RidgeBandit(problem.actions, random_state=0)
    bandit.fit(X[:half], action[:half], reward=reward[:half])
    judged = {"reward": reward[half:], "propensity": propensity[half:]}
    right = problem.actions[problem.expected[run.row[0]].argmax(axis=1)]
    value = bandit.score(X[half:], action[half:], **judged)
    return value, bandit.score(X[half:], right[half:])
