"""Runs the studies of a case through the public functions and counts what they conclude."""

import importlib
import pkgutil
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import beta

from analysis.rules.evidence import Evidence
from analysis.rules.judge import judge
from analysis.rules.looks import study_look
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration, Rule
from analysis.stats.contrast import Estimand, Gap
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table
from calibration import cases
from calibration.case import Case, Counts, Rows

SEED = 20210314
# Limits that issue from a nominal 2.5 % a side and 95 %.
MOST_WRONG, LEAST_COVERAGE = 0.035, 0.93


def all_cases() -> Iterator[Case]:
    """The cases of every module of `cases`, in the order of their names."""
    for module in sorted(pkgutil.iter_modules(cases.__path__), key=lambda found: found.name):
        yield from importlib.import_module(f"{cases.__name__}.{module.name}").CASES


@dataclass(frozen=True)
class Tally:
    """What `studies` studies of a case concluded.

    `wrong_sides` are the verdicts that the truth makes wrong; `covered` of `estimated` intervals
    hold the truth, `width` is their mean.
    """

    studies: int
    supported: int
    refuted: int
    not_testable: int
    estimated: int
    covered: int
    width: float
    wrong_sides: tuple[str, ...]

    @property
    def passes(self) -> bool:
        """Whether neither error is too frequent and coverage is not too low, beyond chance."""
        wrong = (getattr(self, side) for side in self.wrong_sides)
        most = max((upper(n, self.studies) for n in wrong), default=0.0)
        covers = lower(self.covered, self.estimated) >= LEAST_COVERAGE if self.estimated else True
        return most <= MOST_WRONG and covers


def upper(count: int, of: int, level: float = 0.95) -> float:
    """One-sided upper bound of a share (Clopper & Pearson 1934)."""
    return 1.0 if count >= of else float(beta.ppf(level, count + 1, of - count))


def lower(count: int, of: int, level: float = 0.95) -> float:
    """One-sided lower bound of a share (Clopper & Pearson 1934)."""
    return 0.0 if count <= 0 else float(beta.ppf(1 - level, count, of - count + 1))


def run(case: Case, studies: int) -> Tally:
    """Simulate `studies` studies; the same numbers whatever else runs."""
    prereg = load_rules(None, {"rules": dict(case.rules)})
    (rule,) = (r for r in prereg.rules if r.name == case.rule)
    found: Counter[str] = Counter()
    widths = []
    for number in range(studies):
        rng = np.random.default_rng([SEED, zlib.crc32(case.key.encode()), number])
        rows = case.rows(rng)
        if case.trained:
            rows, prereg = case.trained(rows)
        judged = _after_looks if case.stages else _verdict
        value, gap = judged(case, prereg, rule, rows)
        found[value] += 1
        if gap is not None:
            widths.append(gap.high - gap.low)
            found["covered"] += gap.low - 1e-12 <= case.truth <= gap.high + 1e-12
    effect = rule.sign * case.truth
    return Tally(
        studies,
        supported=found["supported"],
        refuted=found["refuted"],
        not_testable=found["not_testable"],
        estimated=len(widths),
        covered=found["covered"],
        width=float(np.mean(widths)) if widths else 0.0,
        wrong_sides=tuple(
            side
            for side, wrong in (
                ("supported", effect <= rule.margin + 1e-12),
                ("refuted", effect >= rule.margin - 1e-12),
            )
            if wrong
        ),
    )


def _after_looks(
    case: Case, prereg: Preregistration, rule: Rule, rows: Rows
) -> tuple[str, Gap | None]:
    """What the first look that decides concludes, else the last one."""
    counts: Counts = dict.fromkeys((row["config_id"] for row in rows), 0)
    plan: Counts | None = None
    value, gap = "not_testable", None
    for stage in case.stages:
        counts = stage(counts, gap)
        plan = plan or counts
        chosen = [row for row in rows if row["seed"] < counts[row["config_id"]]]
        look = study_look(counts, prereg.looks, plan)
        value, gap = _verdict(case, replace(prereg, look=look), rule, chosen)
        if value in ("supported", "refuted"):
            break
    return value, gap


def _verdict(case: Case, prereg: Preregistration, rule: Rule, rows: Rows) -> tuple[str, Gap | None]:
    cells = StudyCells.of(rows, prereg.base)
    if case.family:
        table = Table("calibration", tuple(rows), (), {}, None)
        judged = {j.rule.name: j for j in judge(table, cells, prereg)}[rule.name]
        return judged.verdict.value, judged.gap
    try:
        found = find_kind(rule.kind).estimate(Evidence(cells, prereg), rule, Estimand(rule.cost))
    except PreconditionError:
        return "not_testable", None
    return found.verdict.value, found.gap
