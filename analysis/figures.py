"""Which figures a study gets, and their files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.arms import DEPTH_WIDTH, base_of
from analysis.drawing import forest, maps, plots
from analysis.drawing.overlay import published_records
from analysis.judge import Judgement
from analysis.noise import Cell
from analysis.output import Saved, save
from analysis.records import Record, arm_records, frontier_records, overfit_records
from analysis.rules import ALL_COST_NAMES, COST_NAMES, Prereg
from analysis.scaling.regimes import regime_map
from analysis.words import percent, winner
from scaling_study.errors import InputError


def _titles(
    judgements: Sequence[Judgement], described: Sequence[Record], cost: str
) -> dict[int, str]:
    """The gap at each regime in words, with the verdict where a rule is about it."""
    said = {
        j.epochs: f": {j.rule.name} {j.verdict.value.replace('_', ' ')}"
        for j in judgements
        if j.rule.arms == DEPTH_WIDTH and j.epochs is not None and j.rule.cost == cost
    }
    return {
        r["epochs"]: f"gap {percent(r['estimate'], r['low'], r['high'])}, "
        f"{winner(r['low'], r['high'])}{said.get(r['epochs'], '')}"
        for r in described
        if r["cost"] == cost and r["resolution"] is None and r["estimate"] is not None
    }


def all_frontiers(cells: Sequence[Cell], prereg: Prereg) -> dict[str, list[Record]]:
    """Frontier records by cost; empty where a cost was not measured."""
    base = base_of(cells, prereg.base)
    return {axis: frontier_records(cells, base, axis) for axis in COST_NAMES}


def figures(
    cells: Sequence[Cell],
    prereg: Prereg,
    judgements: Sequence[Judgement],
    described: Sequence[Record],
    frontiers: Mapping[str, Sequence[Record]],
    directory: Path,
    published: bool = False,
) -> list[Saved]:
    """Draw and save every figure that the measurements allow, the paper's points too if asked."""
    base = base_of(cells, prereg.base)
    axis = prereg.cost if any(c.cost(prereg.cost) for c in cells) else "flops"
    saved = []
    with plots.style():
        if rows := arm_records(cells, base, axis):
            title = f"Error of both arms against {ALL_COST_NAMES[axis]}, 95 % intervals"
            drawn = plots.arms(rows, _titles(judgements, described, axis))
            saved.append(save(drawn, rows, directory, f"arms_{axis}", title))
        known = [r for r in described if r["estimate"] is not None and r["resolution"] is None]
        if known:
            level = 100 * (1 - prereg.alpha)
            title = f"Gap between the arms by regime and cost, {level:g} % intervals"
            saved.append(save(forest.gaps(known, prereg.margin), known, directory, "gaps", title))
        for axis_ in ("flops", "step_time_s"):
            if members := frontiers[axis_]:
                title = f"Pareto frontier of error and {COST_NAMES[axis_]}"
                others = published_records(axis_) if published else []
                drawn = plots.frontier(members, others)
                saved.append(save(drawn, members, directory, f"frontier_{axis_}", title))
        if rows := overfit_records(cells, base, axis):
            title = "Over-fitting: validation minus clean training error, 95 % intervals"
            drawn = plots.overfit(rows)
            saved.append(save(drawn, rows, directory, "train_validation_gap", title))
    if drawn_map := _map(cells, prereg, directory):
        saved.append(drawn_map)
    return saved


def _map(cells: Sequence[Cell], prereg: Prereg, directory: Path) -> Saved | None:
    """The regime map, if there are lengths of training and configurations enough for one."""
    known = [c for c in cells if c.cost(prereg.cost) and c.error > 0]
    try:
        found = regime_map(known, prereg, base_of(known, prereg.base))
    except InputError:
        return None
    cost = f"{found.multiplier:g} times the base's {ALL_COST_NAMES[prereg.cost]}"
    title = f"Where depth beats width: {cost}"
    with plots.style():
        drawn = maps.probabilities(found.records, found.crossovers)
        return save(drawn, found.records, directory, "regime_map", title)
