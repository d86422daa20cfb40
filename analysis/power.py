"""`python -m analysis.power +grid=NAME`: what a grid can decide, before it is trained.

The planned cost is FLOPs: nothing has been measured yet. The table also says how often simulated
studies would support each rule, on a surface where error depends on FLOPs alone and on one with the
effect that the paper's own numbers show.
"""

from typing import Any

from analysis.rules.allocation import Design
from analysis.rules.check_grid import check
from analysis.rules.declared_allocation import allocation_of
from analysis.rules.design_analysis import Power, Rows, decidable, describe, line
from analysis.rules.planned import Planning, planned_cells, planning_of
from analysis.rules.preregistration import load_rules
from analysis.rules.rule import Preregistration, Rule
from analysis.rules.simulate import chances
from analysis.study.compared_settings import with_comparison_settings
from analysis.study.measure import ERROR
from analysis.study.noise_prior import NoisePrior
from analysis.study.study_cells import StudyCells

# Gaps at equal step time in the paper's Figure 3 (`python -m analysis.published`), by regime.
PAPER_EFFECTS = {"longest": 0.028, "shortest": -0.014}
NOISE_FACTORS = (0.5, 1.0, 2.0)
SEEDS = (2, 3, 5, 10)


def table(
    rows: Rows, prereg: Preregistration, planning: Planning, prior: NoisePrior | None = None
) -> list[str]:
    """Share of simulated studies that support each rule, by seeds per cell and seed SD.

    Where `prior` gives the SD, studies have different ones.
    """
    powers = decidable(rows, prereg, planning, prior)
    cells = planned_cells(rows, planning, prereg.base, prereg.arms)
    lines, rest = list[str](), list[Power]()
    for power, rule in zip(powers, prereg.rules, strict=True):
        # The surface that is drawn from says nothing about single settings, and the paper's effects
        # are of error rates.
        if power.mde80 is None or rule.kind != "arms" or rule.measure != ERROR:
            rest.append(power)
            continue
        effect = PAPER_EFFECTS[rule.regime]
        needed = power.seeds_for(abs(effect)) or "more than 1000"
        lines += [
            "",
            line(power),
            f"  supported if the gap is {100 * effect:+.1f} % as in the paper / if there is none:",
            *(_row(cells, prereg, rule, power, seeds, effect) for seeds in SEEDS),
            f"    {needed} seeds per cell for that effect with 80 % power",
        ]
    return [*lines, "", *describe(rest)]


def _row(
    cells: StudyCells, prereg: Preregistration, rule: Rule, power: Power, seeds: int, effect: float
) -> str:
    assert power.epochs is not None
    parts = []
    for factor in (1.0,) if power.spread else NOISE_FACTORS:
        noise = {"seed_sd": factor * power.seed_sd, "spread": power.spread}
        shares = (
            chances(cells, prereg, rule, power.epochs, effect=e, seeds=seeds, **noise)
            for e in (effect, 0.0)
        )
        there, none = (100 * s["supported"] for s in shares)
        sd = f"{100 * noise['seed_sd']:.2f} pp"
        at = f"averaged over the prior's SDs about {sd}" if power.spread else f"at SD {sd}"
        parts.append(f"{there:3.0f} % / {none:3.1f} % {at}")
    return f"    {seeds:2d} seeds: " + ",  ".join(parts)


def main() -> None:
    """The entry point: the grid and the overrides are those of the sweep."""
    # Only here the analysis asks for a plan: everything else in it knows results alone.
    from scaling_study.config import hydra_app
    from scaling_study.config.execution import execution_config_of
    from scaling_study.planning.draft import draft
    from scaling_study.planning.plan_table import table as plan_table

    def task(settings: dict[str, Any], overrides: list[str]) -> int:
        found, _ = draft(settings, overrides, execution_config_of(settings), None, check)
        grid, prereg, planning = found.grid, load_rules(None, found.grid), planning_of(found.grid)
        rows: Rows = with_comparison_settings(plan_table(found.rows, grid), grid)
        if allocation := allocation_of(grid, prereg):
            design = Design(rows, prereg, planning, allocation)
            rows = design.chosen(design.fixed())
        notes = (f"{note}\n" for note in found.pilot_notes)
        prior = NoisePrior.with_store(found.results.values())
        print("".join(notes) + "\n".join(table(rows, prereg, planning, prior))[1:])
        return 0

    hydra_app.run(task, "sweep")


if __name__ == "__main__":
    main()
