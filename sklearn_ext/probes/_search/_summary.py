"""What ProbeSearchCV found, in words."""

from dataclasses import dataclass

from sklearn_ext.probes._rivals import MAJORITY
from sklearn_ext.probes._search._measures import LEVEL, MEASURES


@dataclass(frozen=True, eq=False)
class ProbeSearchSummary:
    """Measures of every head and the recommendation; ``print`` shows them.

    Parameters
    ----------
    results : dict of str to ndarray
        Columns, one row a head and one for the majority class.
    scoring : str
        What decided.
    recommended : str
        The best head, or the majority class.
    level : list of str
        Heads at most two standard errors behind the best.
    """

    results: dict
    scoring: str
    recommended: str
    level: list

    def __str__(self):
        rows = [
            ["head", "error", "log-loss", "calibration", "fit", "predict", "behind"]
        ]
        for i, name in enumerate(self.results["estimator"]):
            numbers = [f"{self.results[column][i]:.3f}" for column in MEASURES]
            gap, error = self.results["behind"][i], self.results["behind_se"][i]
            rows.append([name, *numbers, f"{gap:+.3f} ({error:.3f})"])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = [
            "  ".join(
                [row[0].ljust(widths[0])]
                + [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
            )
            for row in rows
        ]
        head = "held out; seconds a fold; behind the best, with a standard error"
        return "\n".join([head, *table, self._verdict()])

    def _verdict(self):
        if self.recommended == MAJORITY:
            return f"recommended: {MAJORITY}; no head beats it"
        others = [name for name in self.level if name != self.recommended]
        level = f"; level with it: {', '.join(others)}" if others else ""
        gap, error = self.results["behind"][-1], self.results["behind_se"][-1]
        doubt = "" if gap > LEVEL * error else f"; not clearly above the {MAJORITY}"
        return f"recommended: {self.recommended}{level}{doubt}"
