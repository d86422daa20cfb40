"""The declared rules on the paper's tables: Figure 3 on arms, 2 on laws, Table 7 on speed."""

from collections.abc import Mapping
from dataclasses import replace

from analysis.published.laws import judge_laws, judge_speed
from analysis.published.tables import HARDWARE, family, figure_2
from analysis.rules.judge import judge
from analysis.rules.kind import Judgement
from analysis.rules.law import NumberKind
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.stats.decision import holm
from analysis.stats.speedup import Speedup, speedup_of
from analysis.study.table import Table

# What Figure 2 has of costs.
LAW_COST = "flops"


def paper_rules() -> Preregistration:
    """The packaged rules; one run a cell was printed, and the prior says how it scatters."""
    return load_rules(None, {"rules": {"seed_sd": "prior"}})


def speedups() -> dict[str, Speedup]:
    """ResNet-RS over EfficientNet at equal accuracy, by hardware."""
    return {
        hardware: speedup_of(
            family("resnet_rs_family", column, unit), family("efficientnet_family", column, unit)
        )
        for hardware, (column, unit) in HARDWARE.items()
    }


def about_arms(table: Table, rules: Preregistration, cost: str) -> list[Judgement]:
    """The rules that Figure 3 can decide, at this cost, without the others in Holm's correction."""
    arms = tuple(r for r in rules.rules if not isinstance(find_kind(r.kind), NumberKind))
    return judge(table, table.cells(rules.base, rules.arms), replace(rules, rules=arms), cost)


def judged(
    table: Table,
    rules: Preregistration,
    cost: str | None = None,
    fast: Mapping[str, Speedup] | None = None,
) -> list[Judgement]:
    """All rules at the declared cost, or at another, corrected together; laws know FLOPs alone."""
    found = about_arms(table, rules, cost or rules.cost)
    if cost in (None, LAW_COST):
        found += judge_laws(figure_2(), rules)
    found += judge_speed(fast, rules) if fast else []
    corrected = holm({j.rule.name: j.verdict for j in found if j.rule.headline}, rules.alpha)
    return [replace(j, verdict=corrected.get(j.rule.name, j.verdict)) for j in found]
