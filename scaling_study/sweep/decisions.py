"""What a plan can decide, and whether it compares like with like, by the analysis's own code.

The analysis is imported inside the functions, because only a sweep that starts runs needs it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.planning.budget import Budget, SufficientSets, affordable, excess
from scaling_study.planning.draft import Draft
from scaling_study.planning.plan import Planned
from scaling_study.planning.plan_table import table
from scaling_study.study.result import Result


class Plan:
    """A plan as the analysis sees it: rows of a table, by run id, under the study's rules.

    `results` are those of the store, whose replicates say how runs scatter.
    """

    def __init__(
        self,
        rows: Sequence[Planned],
        study_dir: Path,
        grid: Mapping[str, Any],
        results: Mapping[str, Result | None],
    ) -> None:
        from analysis.rules import declared_allocation, design_analysis, planned, preregistration
        from analysis.study import compared_settings
        from analysis.study.noise_prior import NoisePrior

        self._design = design_analysis
        known = compared_settings.with_comparison_settings(table(rows, grid), grid)
        self._rows = {row["run_id"]: row for row in known}
        self._grid = grid
        self.prereg = preregistration.load_rules(study_dir, grid)
        self.planning = planned.planning_of(grid)
        self.prior = NoisePrior.with_store(results.values())
        self._allocation = declared_allocation.allocation_of(grid, self.prereg)

    def allocated(self, found: Draft) -> tuple[Draft, list[str]]:
        """The draft with the runs that the grid's allocation chooses, and lines about it."""
        from analysis.rules.allocation import Design

        if self._allocation is None:
            return found, []
        rows = [*self._rows.values()]
        # By the published prior: one that grew with the study's own runs would move its cells.
        design = Design(rows, self.prereg, self.planning, self._allocation)
        seeds = design.fixed()
        chosen = {row["run_id"] for row in design.chosen(seeds)}
        kept = [row for row in found.rows if row.run.run_id in chosen]
        return replace(found, rows=kept), [*_allocation_lines(design, seeds)]

    def powers(self, part: Sequence[Planned]) -> list[Any]:
        """What each rule can decide with a subset of the plan."""
        rows = [self._rows[row.run.run_id] for row in part]
        return self._design.decidable(rows, self.prereg, self.planning, self.prior)

    def describe(self, part: Sequence[Planned]) -> list[str]:
        """Lines to print: what each rule can decide with a subset of the plan."""
        return self._design.describe(self.powers(part))

    def score(self, part: Sequence[Planned]) -> tuple[float, ...]:
        """Score of a subset: number of testable rules, then minus the sum of their `mde80`."""
        powers = [power for power in self.powers(part) if power.testable]
        return len(powers), -sum(p.mde80 for p in powers if p.mde80 is not None)

    def sufficient_cells(self) -> SufficientSets:
        """For each rule, alternative sets of cells that are each sufficient to test it."""
        rows = [*self._rows.values()]
        return list(self._design.sufficient_cells(rows, self.prereg, self.planning))

    def confounders(self, rows: Sequence[Planned]) -> list[str]:
        """Differences between runs that the rules compare, other than the grid's own."""
        from analysis.rules import confounders, planned
        from analysis.study import compared_settings

        records = [self._rows[row.run.run_id] | {"device": row.run.device} for row in rows]
        cells = planned.planned_cells(records, self.planning, self.prereg.base)
        settings = compared_settings.compared(self._grid)
        sides = confounders.sides_of(cells, self.prereg)
        found = confounders.differences(records, settings, sides)
        return [f"not the same in all runs: {line}" for line in found]


def _allocation_lines(design: Any, seeds: Mapping[str, int]) -> Iterator[str]:
    """What an allocation takes, and how it narrows intervals."""
    flops = sum(row["train_flops"] for row in design.chosen(seeds))
    fewest, most = min(seeds.values()), max(seeds.values())
    yield (
        f"seeds where the rules' weights are: {sum(seeds.values())} of {len(design.rows)} runs, "
        f"{fewest} to {most} per cell, {flops:.3g} training FLOPs"
    )
    n = design.evenly(seeds)
    even = design.half_widths(dict.fromkeys(seeds, n)) if n else {}
    for name, half in design.half_widths(seeds).items():
        rest = f" ({100 * even[name]:.1f} % with {n} in every cell)" if name in even else ""
        yield f"  {name}: intervals of +- {100 * half:.1f} %{rest}"


def within(rows: list[Planned], budget: Budget, plan: Plan) -> list[Planned]:
    """The best subset within the budget; an InputError without `budget.fit`, or if none fits."""
    part = affordable(rows, budget, plan.score, plan.sufficient_cells())
    if not part:
        raise InputError(f"{excess(rows, budget)}; not one run fits")
    costs = costs_in_words(budget.needed(part))
    print(f"what fits: {len(part)} of {len(rows)} runs, {costs} to do, which decide")
    print("\n".join(f"  {line}" for line in plan.describe(part)))
    if not budget.fit:
        raise InputError(
            f"{excess(rows, budget)}; nothing is started. "
            f"budget.fit=true takes the {len(part)} runs that fit"
        )
    return part


def budget_lines(rows: Sequence[Planned], budget: Budget) -> list[str]:
    """What the study has spent of its budget, and whether the remaining runs may exceed it."""
    spent = {name: cost for name, cost in budget.spent(rows).items() if cost}
    lines = [f"already spent by this study: {costs_in_words(spent)}"] if spent else []
    warning = budget.may_exceed(rows) if budget.allows(rows, rows) else ""
    return [*lines, *filter(None, [warning])]


def costs_in_words(costs: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {cost:.4g}" for name, cost in costs.items())
