"""Finished studies replayed: what the adaptive rule would have trained of them, and concluded.

In each replay the rule sees the runs that it asks for and no others. The yardstick is what the
whole grid concludes from its own seeds in the same replay.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from analysis.rules.evidence import Evidence
from analysis.rules.preregistration import load_rules
from analysis.stats.decision import Verdict
from analysis.study.study_cells import StudyCells
from calibration.adaptive import Adaptive, verdicts
from calibration.finished import Finished

RULES = ("R1-long", "R1-short", "R1-interaction", "R4")


def replayed(study: Finished, rule: str, replays: int) -> dict[str, str]:
    """How an adaptive study for one rule compares with the whole grid, over so many replays.

    `agree`, `only_grid` (the grid alone decides), `only_adaptive` and `contradict` (they decide
    the opposite) are counts; `spent` is the median share of the grid's training FLOPs, `most` the
    greatest.
    """
    prereg = load_rules(None, {"rules": dict(study.rules)})
    candidates = study.rows(np.random.default_rng(0))
    whole = sum(row["train_flops"] for row in candidates if row["seed"] < study.seeds)
    adaptive = Adaptive(candidates, prereg, study.planning, study.share * whole, (rule,))
    found, grid, spent = Counter[str](), Counter[str](), []
    for number in range(replays):
        drawn = study.rows(np.random.default_rng([20210317, number]))
        every = [row for row in drawn if row["seed"] < study.seeds]
        full = verdicts(Evidence(StudyCells.of(every, prereg.base), prereg), (rule,))[rule]
        rows, at_look = adaptive.study(drawn)
        part = verdicts(Evidence(StudyCells.of(rows, prereg.base), at_look), (rule,))[rule]
        found[_comparison(full, part)] += 1
        grid[full.value] += 1
        spent.append(sum(row["train_flops"] for row in rows) / whole)
    return {
        **{"study": study.name, "rule": rule, "replays": str(replays)},
        **{"seeds": str(study.seeds), "may_spend": f"{study.share:g}"},
        "grid": grid.most_common(1)[0][0],
        **{name: str(found[name]) for name in COMPARISONS},
        **{"spent": f"{np.median(spent):.3f}", "most": f"{max(spent):.3f}"},
    }


COMPARISONS = ("agree", "only_grid", "only_adaptive", "contradict")


def _comparison(full: Verdict, part: Verdict) -> str:
    if full.value == part.value:
        return "agree"
    if full.decided and part.decided:
        return "contradict"
    if full.decided or part.decided:
        return "only_grid" if full.decided else "only_adaptive"
    return "agree"  # neither decides, whether testable or not


def section(rows: Sequence[dict[str, str]]) -> list[str]:
    """The part of the page about it, with medians and worst cases."""
    lines = [
        "\n### Finished studies, replayed\n",
        "What the same rule would have trained of finished studies "
        "([finished.py](../tests/calibration/finished.py)), in",
        f"{', '.join(sorted({row['replays'] for row in rows}))} replays each, for one rule at a "
        "time: it sees the runs that it asks for and no others.",
        "Replicates of published runs are drawn around them, with the scatter that repeated "
        "trainings show;",
        "of this project's own studies the runs themselves are revealed, in any order of seeds. "
        "*Agree* is the",
        "share of replays in which it says what the whole grid says in the same replay, in "
        "percent; where they",
        "do not agree, one of them is inconclusive, except in *opposite*. In a grid of two arms "
        "alone nothing can",
        "be left out, and two seeds of each cell are the least: of three seeds little is left to "
        "save, and where",
        "they decide narrowly, what looking in between costs can leave the adaptive study "
        "undecided.\n",
        "| study | seeds | may spend | rule | the grid says | agree | only grid decides | only "
        "adaptive | opposite | spent, median | worst |",
        "|---|--:|--:|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        shares = (100 * int(row[name]) / int(row["replays"]) for name in COMPARISONS)
        costs = (f"{100 * float(row[name]):.0f} %" for name in ("may_spend", "spent", "most"))
        may, spent, most = costs
        cells = [row["study"], row["seeds"], may, row["rule"], row["grid"]]
        cells += [*(f"{share:.0f}" for share in shares), spent, most]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
