"""The law of a numeric target beside what else gives one: tables of what was kept.

Fits are made by ``benchmarks/networks_noprop.py``, and kept there.
"""

from statistics import mean, median

from benchmarks.harness import Study
from benchmarks.networks_noprop import (
    CHOICE,
    ELSEWHERE,
    EVIDENCE,
    METHODS,
    N_SPLITS,
    main,
    stored,
)

QUICK = tuple(name for name in METHODS if name not in ELSEWHERE)


def figures(kept, method, name):
    """Return what was measured on the splits of a table; empty where one misses."""
    found = kept.get(name, {}).get(method, {})
    found = [found.get(str(seed)) for seed in range(N_SPLITS)]
    return [] if None in found else found


def common(kept, method, names=EVIDENCE):
    """Return pairs of our figures and a method's, on splits that both have."""
    return {
        name: list(zip(figures(kept, "ours", name), theirs, strict=False))
        for name in names
        if (theirs := figures(kept, method, name)) and figures(kept, "ours", name)
    }


class _Laws(Study):
    note = ""
    names = EVIDENCE
    methods = QUICK
    value = "crps"

    def run(self):
        for method in QUICK:
            main(method)
        kept, rows = stored(), []
        for name in self.names:
            found = [figures(kept, method, name) for method in self.methods]
            if all(found):
                rows.append([name, *(self._cell(splits) for splits in found)])
        return {"columns": ["table", *self.methods], "rows": rows}

    def _cell(self, found):
        return f"{mean(split[self.value] for split in found):.3f}"


class LawSummary(_Laws):
    title = "The law of a numeric target on tables that chose nothing"
    note = """Score: continuous ranked probability score, twice the mean pinball loss at
    the levels .05, .15, ..., .95, in standard deviations of the training targets; means
    over tables, less is better. Ours: our score on the same splits. Ahead: tables on
    which we are ahead of the method, of all. Range: share of test targets between its
    quantiles .05 and .95, where .9 is right. Seconds: CPU seconds of a fit with its
    predictions, median, one thread. At most 1,500 training rows, 1,000 test rows; the
    same columns for everybody, categories as indicators, everybody at its defaults.
    Peers: quantile-forest 1.4.2, NGBoost 0.5.11. One split a table."""

    def run(self):
        for method in QUICK:
            main(method)
        kept = stored()
        names = [name for name in METHODS if name != "MAPIE CQR"]
        rows = [self._summary(name, common(kept, name)) for name in names]
        columns = ["", "tables", "score", "ours", "ahead", "range", "seconds"]
        return {"columns": columns, "rows": rows}

    @staticmethod
    def _summary(method, pairs):
        def scores(which):
            return [mean(p[which]["crps"] for p in found) for found in pairs.values()]

        ours, theirs = scores(0), scores(1)
        ahead = sum(a < b for a, b in zip(ours, theirs, strict=True))
        held = mean(p[1]["range"] for found in pairs.values() for p in found)
        seconds = median(p[1]["seconds"] for found in pairs.values() for p in found)
        return [
            method,
            len(pairs),
            f"{mean(theirs):.3f}",
            f"{mean(ours):.3f}",
            "" if method == "ours" else ahead,
            f"{held:.3f}",
            f"{seconds:.1f}",
        ]


class LawScores(_Laws):
    title = "Scores of laws, table by table"
    note = """One split each. Differences under .005 are noise."""


class LawScoresOfChoice(_Laws):
    title = "Scores of laws, tables on which our defaults were chosen"
    note = "One split; no evidence for other tables."
    names = CHOICE


class LawRanges(_Laws):
    title = "Share of test targets between the quantiles .05 and .95, not calibrated"
    note = "The nearer to .9, the better, where the score is as good."
    value = "range"


class LawIntervals(_Laws):
    title = (
        "Calibrated intervals for 90 %: share of test targets inside, and mean width"
    )
    methods = "ours", "ours over trees", "MAPIE CQR"
    note = """Widths in standard deviations of the training targets.
    MAPIE 1.6.0 calibrates two boosted quantiles on a quarter of the training rows."""

    def _cell(self, found):
        return "{interval:.3f}, {interval width:.2f} wide".format(**found[0])


BENCHMARKS = [LawSummary, LawScores, LawScoresOfChoice, LawRanges, LawIntervals]
