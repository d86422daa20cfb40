"""What a plan can decide and whether it compares like with like: the analysis, asked beforehand.

The analysis is imported in the functions: only a sweep that runs needs it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_study.errors import InputError
from scaling_study.plan import Planned, table
from scaling_study.planning.budget import Budget, affordable, over


def decides(rows: Sequence[Planned], study_dir: Path, grid: Mapping[str, Any]) -> list[str]:
    """A line a rule: what effect the plan can decide."""
    from analysis import power

    return power.describe(_powers(rows, study_dir, grid))


def _powers(rows: Sequence[Planned], study_dir: Path, grid: Mapping[str, Any]) -> list[Any]:
    from analysis import declared, power, settings

    planned = settings.told_apart(table(rows, grid), grid)
    known = declared.prereg(study_dir, grid)
    return power.decidable(planned, known, power.planning_of(grid))


def unfair(rows: Sequence[Planned], grid: Mapping[str, Any]) -> list[str]:
    """What differs between runs that the rules compare, beside what the grid compares."""
    from analysis import fairness, settings

    records = [
        r | {"device": row.run.device} for r, row in zip(table(rows, grid), rows, strict=True)
    ]
    found = fairness.differences(records, settings.compared(grid))
    return [f"not the same in all runs: {line}" for line in found]


def within(
    rows: list[Planned], budget: Budget, study_dir: Path, grid: Mapping[str, Any]
) -> list[Planned]:
    """The part of the plan that the budget pays for and that decides most rules, if it is taken.

    Raises:
        InputError: it is not to be taken, or nothing fits.
    """

    def worth(part: Sequence[Planned]) -> tuple[float, ...]:
        effects = [p.mde80 for p in _powers(part, study_dir, grid) if p.mde80 is not None]
        return len(effects), -sum(effects)

    part = affordable(rows, budget, worth)
    if not part:
        raise InputError(f"{over(rows, budget)}; not one run fits")
    print(f"what fits: {len(part)} of {len(rows)} runs, {_said(budget.spent(part))}, which decide")
    print("\n".join(f"  {line}" for line in decides(part, study_dir, grid)))
    if not budget.fit:
        raise InputError(
            f"{over(rows, budget)}; nothing is started. "
            f"budget.fit=true takes the {len(part)} runs that fit"
        )
    return part


def _said(spent: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {cost:.4g}" for name, cost in spent.items())
