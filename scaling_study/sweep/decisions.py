"""What a plan can decide, and whether it compares like with like, by the analysis's own code.

The analysis is imported inside the functions, because only a sweep that starts runs needs it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.format import duration
from scaling_study.models import family
from scaling_study.planning.budget import Budget, SufficientSets, affordable, excess
from scaling_study.planning.plan import Planned
from scaling_study.planning.plan_table import table
from scaling_study.study.result import Result
from scaling_study.tasks import task_of


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
        from analysis.rules import (
            declared_allocation,
            design_analysis,
            plain_words,
            planned,
            preregistration,
        )
        from analysis.study import compared_settings
        from analysis.study.noise_prior import NoisePrior

        self._design, self._words = design_analysis, plain_words
        judged = [row for row in rows if row.cell.judged]
        known = compared_settings.with_comparison_settings(table(judged, grid), grid)
        self._rows = {row["run_id"]: row for row in known}
        self._grid = grid
        self.prereg = preregistration.load_rules(study_dir, grid)
        self.planning = planned.planning_of(grid)
        self.prior = NoisePrior.with_store(results.values())
        self._allocation = declared_allocation.allocation_of(grid, self.prereg)

    def design(self) -> Any:
        """The candidates under the grid's allocation; None without one."""
        from analysis.rules.allocation import Design

        if self._allocation is None:
            return None
        return Design([*self._rows.values()], self.prereg, self.planning, self._allocation)

    def powers(self, part: Sequence[Planned]) -> list[Any]:
        """What each rule can decide with a subset of the plan."""
        rows = [self._rows[row.run.run_id] for row in part if row.cell.judged]
        return self._design.decidable(rows, self.prereg, self.planning, self.prior)

    def describe(self, part: Sequence[Planned]) -> list[str]:
        """For people: what the rules can decide with a subset of the plan."""
        return self._words.planned(self.powers(part), self.prereg, self._grid)

    def details(self, part: Sequence[Planned]) -> list[str]:
        """What each rule can decide, by its name with what that rests on, or why it cannot."""
        return self._design.describe(self.powers(part))

    def score(self, part: Sequence[Planned]) -> tuple[float, ...]:
        """Score of a subset: number of testable rules, then minus the sum of their `mde80`."""
        powers = [power for power in self.powers(part) if power.testable]
        return len(powers), -sum(p.mde80 for p in powers if p.mde80 is not None)

    def sufficient_cells(self) -> SufficientSets:
        """For each rule, alternative sets of cells that are each sufficient to test it."""
        rows = [*self._rows.values()]
        return list(self._design.sufficient_cells(rows, self.prereg, self.planning))

    def tuning(self, rows: Sequence[Planned]) -> list[str]:
        """What runs at other learning rates cost, and whether a rule uses them."""
        more = [row for row in rows if row.cell.lr_factor != 1]
        if not more:
            return []
        flops, every = (sum(r.cost.own_train_flops or 0 for r in part) for part in (more, rows))
        seconds = [row.forecast_s for row in more if row.forecast_s is not None]
        time = f", {duration(sum(seconds))} of run time" if len(seconds) == len(more) else ""
        text = (
            f"grid.tuned: {len(more)} runs at other learning rates, {flops:.3g} training FLOPs "
            f"({100 * flops / max(every, 1):.0f} % of the study's){time}"
        )
        used = any(rule.tuned for rule in self.prereg.rules)
        return [text if used else f"{text}; no rule is `tuned: lr`, so none uses them"]

    def equivalence(self, rows: Sequence[Planned]) -> list[str]:
        """How far seeds may scatter for runs by cosine to be shown to agree with a trunk's."""
        from analysis.rules.trunk_equivalence import largest_sd

        anchors = Counter(row.cell.anchor for row in rows if row.cell.anchor)
        if not anchors:
            return []
        margin, seeds = float(self._grid["one_trunk"]["margin"]), min(anchors.values())
        if seeds < 2:
            return ["grid.one_trunk: anchors of one seed measure no noise; give two seeds or more"]
        measure = self.prereg.rules[0].measure
        most = measure.size(float(f"{largest_sd(margin, seeds, self.prereg.alpha):.2g}"))
        return [
            f"grid.one_trunk: verdicts need that cosine agrees within {measure.size(margin)} at "
            f"{len(anchors)} anchors; with {seeds} seeds each is shown with 80 % power where the "
            f"{measure.gap} scatters by {most} (SD) or less between seeds"
        ]

    def confounders(self, rows: Sequence[Planned]) -> list[str]:
        """Differences between runs that the rules compare, other than the grid's own."""
        from analysis.rules import confounders, planned
        from analysis.study import compared_settings

        compared = [row for row in rows if row.cell.lr_factor == 1 and row.cell.judged]
        records = [self._rows[row.run.run_id] | {"device": row.run.device} for row in compared]
        cells = planned.planned_cells(records, self.planning, self.prereg.base, self.prereg.arms)
        settings = compared_settings.compared(self._grid)
        sides = confounders.sides_of(cells, self.prereg)
        found = confounders.differences(records, settings, sides)
        return [f"not the same in all runs: {line}" for line in found]


def unsuited(rows: Sequence[Planned]) -> list[str]:
    """Recipes of planned runs that their families or tasks do not name as those that suit them."""
    runs = [row.run for row in rows if not row.run.program]
    by_name = {r.model.family: family(r.model.family).recipes for r in runs}
    by_name |= {str(r.task): task_of(r.task).recipes for r in runs}
    pairs = {(name, r.train.recipe) for r in runs for name in (r.model.family, str(r.task))}
    return [
        f"recipe {recipe}: {name} names {', '.join(suited)} as those that suit it"
        for name, recipe in sorted(pairs)
        if (suited := by_name[name]) and recipe not in suited
    ]


def within(rows: list[Planned], budget: Budget, plan: Plan) -> list[Planned]:
    """The best subset within the budget; an InputError without `budget.fit`, or if none fits.

    Nor is there one of a grid whose lengths share trunks.
    """
    if any(row.cell.anchor for row in rows):
        whole = "the anchors of grid.one_trunk are for a whole grid, so give a smaller one"
        raise InputError(f"{excess(rows, budget)}; nothing is started: {whole}")
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
