"""`python -m analysis.power +grid=NAME`: what a grid can decide, before it is trained.

The planned cost is FLOPs: nothing has been measured yet. The table also says how often simulated
studies would support each rule, on a surface where error depends on FLOPs alone and on one with the
effect that the paper's own numbers show.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis.arms import base_of, pairs_of
from analysis.contrast import Estimand, Gap, PreconditionError, gap_of
from analysis.declared import prereg as prereg_of
from analysis.levels import in_regime, level_gap
from analysis.matching import matches_of
from analysis.noise import Cell, Noise, cells_of, prior_sd
from analysis.rules import Prereg, Rule
from analysis.settings import told_apart
from analysis.simulate import chances
from analysis.verdict import mde80, seeds_needed
from scaling_study.errors import InputError

# Error and seed SD, fractions, by epochs; an SD of None is not known.
Planning = Mapping[int, tuple[float, float | None]]
TYPICAL_ERROR = 0.4
# Gaps at equal step time in the paper's Figure 3 (`python -m analysis.published`), by regime.
PAPER_EFFECTS = {"longest": 0.028, "shortest": -0.014}
NOISE_FACTORS = (0.5, 1.0, 2.0)
SEEDS = (2, 3, 5, 10)


def planning_of(grid: Mapping[str, Any]) -> Planning:
    """What a grid's `planning: {EPOCHS: {error: …, seed_sd: …}}` says a pilot has measured.

    Raises:
        InputError: an entry that is no pair of fractions.
    """
    declared = grid.get("planning") or {}
    try:
        found = {int(e): (float(p["error"]), float(p["seed_sd"])) for e, p in declared.items()}
        if not all(0 < error < 1 and 0 < sd < 1 for error, sd in found.values()):
            raise ValueError("not fractions")
        return found
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(
            f"grid.planning={declared!r}: must be {{EPOCHS: {{error: 0.4, seed_sd: 0.01}}}}"
        ) from None


@dataclass(frozen=True)
class Power:
    """What one rule's test can decide with the planned seeds; all effects are relative errors.

    `mde80` is the least effect in the claimed direction supported with 80 % power; `reason` says
    why there is none. `error` and `seed_sd` are the fractions planned with; `prior` says that the
    seed SD is a prior, not a measurement.
    """

    rule: str
    epochs: int
    error: float
    seed_sd: float
    prior: bool
    margin: float
    alpha: float
    seeds: float = 0.0
    cells: int = 0
    se: float = math.nan
    df: float = math.nan
    mde80: float | None = None
    reason: str = ""

    def seeds_for(self, effect: float) -> int | None:
        """Seeds per cell that support an effect with 80 % power; None if over 1000 or never."""
        if self.mde80 is None or effect <= self.margin:
            return None
        return seeds_needed(self.se, self.seeds, self.cells, effect - self.margin, self.alpha)


def _planned(rows: Sequence[Mapping[str, Any]], error: float) -> list[Cell]:
    """Cells with as many equal errors as there are planned seeds; their one cost is FLOPs."""
    cells = cells_of({**row, "val_error": error} for row in rows)
    return [replace(cell, costs={"flops": cell.costs["flops"]}) for cell in cells]


def _noise(cells: Sequence[Cell], prereg: Prereg, epochs: int, sd: float) -> Noise:
    """What a regime's seeds will say of the noise, if it is `sd`."""
    df = float(sum(c.n - 1 for c in cells if c.epochs == epochs))
    if df == 0 and prereg.seed_sd is None:
        raise PreconditionError("one seed per cell, so the noise between seeds is not measured")
    df = df or math.inf
    if df < prereg.min_df:
        raise PreconditionError(
            f"{df:g} degrees of freedom between seeds; {prereg.min_df:g} are needed"
        )
    keys = [c.config_id for c in cells]
    return Noise("pooled", dict.fromkeys(keys, sd**2), dict.fromkeys(keys, df), "planned")


def _gap(
    cells: Sequence[Cell], prereg: Prereg, rule: Rule, epochs: int, sd: float
) -> tuple[Gap, Sequence[Cell]]:
    """The planned gap (zero, with its SE) and the cells that it is between."""
    if rule.kind == "levels":
        matches = matches_of(in_regime(cells, rule), rule.along, rule.levels)
        members = [c for match in matches for c in (match.first, match.second)]
        noises = {e: _noise(cells, prereg, e, sd) for e in {c.epochs for c in members}}
        return level_gap(matches, noises, Estimand("flops"), prereg.alpha), members
    if len({c.epochs for c in cells}) < 2:
        raise PreconditionError(f"one regime only ({epochs} epochs); long and short need two")
    pairs = pairs_of(cells, base_of(cells, prereg.base, rule.arms), epochs, "flops")
    noise = _noise(cells, prereg, epochs, sd)
    gap = gap_of(pairs, noise, Estimand("flops"), prereg.alpha, prereg.min_overlap)
    return gap, [c for pair in pairs for c in pair.cells]


def _power(
    rows: Sequence[Mapping[str, Any]], prereg: Prereg, rule: Rule, planning: Planning
) -> Power:
    regimes = sorted({int(row["epochs"]) for row in rows})
    epochs = regimes[0 if rule.regime == "shortest" else -1]
    error, measured = planning.get(epochs, (TYPICAL_ERROR, None))
    sd = prior_sd(error, int(rows[0]["n_val"])) if measured is None else measured
    known = (rule.name, epochs, error, sd, measured is None, rule.margin, prereg.alpha)
    cells = _planned(rows, error)
    try:
        gap, members = _gap(cells, prereg, rule, epochs, sd)
    except PreconditionError as reason:
        return Power(*known, reason=str(reason))
    least = mde80(gap.se, gap.df, rule.margin, prereg.alpha)
    count = sum(c.epochs == epochs for c in cells)
    seeds = sum(c.n for c in members) / len(members)
    return Power(*known, seeds=seeds, cells=count, se=gap.se, df=gap.df, mde80=least)


def decidable(rows: Sequence[Mapping[str, Any]], prereg: Prereg, planning: Planning) -> list[Power]:
    """What each rule about two arms or two levels can decide with the planned runs.

    Args:
        rows: one mapping per planned run with config_id, depth, width, resolution, epochs, seed,
            flops and n_val, as `analysis.settings.told_apart` makes them.
        prereg: the rules.
        planning: typical error and seed SD (fractions) by epochs, as a pilot measured them; for
            other epochs the error is 0.4 and the SD the prior sqrt(error / (2 n_val)).

    Raises:
        ValueError: no rows.
    """
    if not rows:
        raise ValueError("no planned runs")
    return [_power(rows, prereg, rule, planning) for rule in _planned_for(prereg)]


def _planned_for(prereg: Prereg) -> list[Rule]:
    return [rule for rule in prereg.rules if rule.kind in ("arms", "levels")]


def describe(powers: Sequence[Power]) -> list[str]:
    """One short line per rule for people."""
    return [_line(power) for power in powers]


def _line(power: Power) -> str:
    head = f"{power.rule} ({power.epochs} epochs)"
    if power.mde80 is None:
        return f"{head}: not testable: {power.reason}"
    df = f"df {power.df:.0f}" if math.isfinite(power.df) else "seed noise not measured"
    source = "prior" if power.prior else "pilot"
    return (
        f"{head}: decides effects of {100 * power.mde80:.1f} % (relative error) with 80 % power; "
        f"margin {100 * power.margin:g} %, SE {100 * power.se:.2f} %, {df}, "
        f"seed SD {100 * power.seed_sd:.1f} pp at {100 * power.error:.0f} % error ({source})"
    )


def table(rows: Sequence[Mapping[str, Any]], prereg: Prereg, planning: Planning) -> list[str]:
    """Share of simulated studies that support each rule, by seeds per cell and seed SD."""
    lines = []
    for power, rule in zip(decidable(rows, prereg, planning), _planned_for(prereg), strict=True):
        lines += ["", _line(power)]
        # The surface that is drawn from says nothing about single settings.
        if power.mde80 is None or rule.kind != "arms":
            continue
        cells = _planned(rows, power.error)
        effect = PAPER_EFFECTS[rule.regime]
        lines.append(
            f"  supported if the gap is {100 * effect:+.1f} % as in the paper / if there is none:"
        )
        lines += [_row(cells, prereg, rule, power, seeds, effect) for seeds in SEEDS]
        needed = power.seeds_for(abs(effect)) or "more than 1000"
        lines.append(f"    {needed} seeds per cell for that effect with 80 % power")
    return lines


def _row(
    cells: Sequence[Cell], prereg: Prereg, rule: Rule, power: Power, seeds: int, effect: float
) -> str:
    parts = []
    for factor in NOISE_FACTORS:
        sd = factor * power.seed_sd
        shares = [
            chances(cells, prereg, rule, power.epochs, effect=e, seed_sd=sd, seeds=seeds).shares
            for e in (effect, 0.0)
        ]
        there, none = (100 * s["supported"] for s in shares)
        parts.append(f"{there:3.0f} % / {none:3.1f} % at SD {100 * sd:.2f} pp")
    return f"    {seeds:2d} seeds: " + ",  ".join(parts)


def main() -> None:
    """The entry point: the grid and the overrides are those of the sweep."""
    # Only here the analysis asks for a plan: everything else in it knows results alone.
    from scaling_study import cli
    from scaling_study.plan import table as plan_table
    from scaling_study.planning.draft import draft
    from scaling_study.settings import setting_of

    def task(settings: dict[str, Any], overrides: list[str]) -> int:
        found, _ = draft(settings, overrides, setting_of(settings), None)
        rows = told_apart(plan_table(found.rows, found.grid), found.grid)
        print("\n".join(table(rows, prereg_of(None, found.grid), planning_of(found.grid)))[1:])
        return 0

    cli.run(task, "sweep")


if __name__ == "__main__":
    main()
