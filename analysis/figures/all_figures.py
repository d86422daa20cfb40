"""Which figures a study gets, and their files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from analysis.study.arms import DEPTH_WIDTH
from analysis.figures.drawing import (arm_plots, forecast_plot, forest, frontiers, law_plots, gap_map, regime_plot, return_plot, variant_plot)
from analysis.figures.drawing.labels import plain
from analysis.figures.drawing.published_overlay import published_records
from analysis.figures.drawing.style import ASSUMED, style
from analysis.rules.kind import Judgement
from analysis.figures.law_records import study_law_rows, study_return_rows
from analysis.study.study_cells import StudyCells
from analysis.figures.files import Saved, save
from analysis.study.columns import Record
from analysis.figures.records import arm_records, frontier_records, overfit_records
from analysis.study.columns import ALL_COST_NAMES, COST_NAMES
from analysis.rules.rule import Preregistration
from analysis.descriptions.depth_width_map import regime_map
from analysis.figures.verdict_records import verdict_records
from analysis.rules.phrases import better_arm, percent
from scaling_study.common.errors import InputError

# What a frontier is drawn over: the costs that arms are compared at, memory, and training itself.
FRONTIERS = (*COST_NAMES, "peak_memory_bytes", "train_flops")


@dataclass(frozen=True)
class Gallery:
    """Saves figures to one folder and remembers them in order."""

    directory: Path
    saved: list[Saved]

    def add(self, figure: Figure, records: Sequence[Record], name: str, title: str) -> None:
        self.saved.append(save(figure, records, self.directory, name, title))


def _titles(
    judgements: Sequence[Judgement], described: Sequence[Record], cost: str
) -> dict[int, str]:
    """Each regime with its verdict, where a rule is about it, and the gap in words."""
    said = {
        j.epochs: f" ({plain(j.rule.name, 24)} {j.verdict.value.replace('_', ' ')})"
        for j in judgements
        if j.rule.kind == "arms"
        and j.rule.arms == DEPTH_WIDTH
        and j.epochs is not None
        and j.rule.cost == cost
    }
    return {
        r["epochs"]: f"{r['epochs']} epochs{said.get(r['epochs'], '')}\n"
        f"gap {percent(r['estimate'], r['low'], r['high'])}\n{better_arm(r['low'], r['high'])}"
        for r in described
        if r["cost"] == cost and r["resolution"] is None and r["estimate"] is not None
    }


def all_frontiers(cells: StudyCells) -> dict[str, list[Record]]:
    """Frontier records by cost; empty where a cost was not measured."""
    return {axis: frontier_records(cells, axis) for axis in FRONTIERS}


def figures(
    cells: StudyCells,
    prereg: Preregistration,
    judgements: Sequence[Judgement],
    described: Sequence[Record],
    frontiers: Mapping[str, Sequence[Record]],
    directory: Path,
    published: bool = False,
    forecasts: Sequence[Record] = (),
    steps: Sequence[Record] = (),
) -> list[Saved]:
    """Draw and save every figure that the measurements allow, the paper's points too if asked.

    `described` are the records of `gaps.gaps`, `forecasts` those of `forecasts.forecast_records`,
    `steps` those of `steps.step_records`.
    """
    gallery = Gallery(directory, [])
    with style():
        if steps:
            title = "Step by step: error, and what each row changes, 95 % intervals"
            gallery.add(variant_plot.steps(steps), steps, "steps", title)
        _comparisons(gallery, cells, prereg, judgements, described)
        _frontiers(gallery, frontiers, published)
        _laws(gallery, cells, prereg)
        if forecasts:
            title = "Run time: forecast before launch and measured"
            gallery.add(forecast_plot.forecasts(forecasts), forecasts, "forecast", title)
    return gallery.saved


def _comparisons(
    gallery: Gallery,
    cells: StudyCells,
    prereg: Preregistration,
    judgements: Sequence[Judgement],
    described: Sequence[Record],
) -> None:
    """The claims, both arms, and the gaps between them."""
    level = f"{100 * (1 - prereg.alpha):g} %"
    noise = ASSUMED if all(c.n == 1 for c in cells) else ""
    bars = f"{level} interval{f', {noise}' if noise else ''}"
    axis = prereg.cost if any(c.cost(prereg.cost) for c in cells) else "flops"
    if claims := verdict_records(judgements):
        title = f"Claims with their effects, {level} intervals; grey: asked in another way"
        gallery.add(forest.verdicts(claims, f"{level} interval", noise), claims, "verdicts", title)
    if rows := arm_records(cells, axis):
        title = f"Error of both arms against {ALL_COST_NAMES[axis]}, 95 % intervals"
        drawn = arm_plots.arms(rows, _titles(judgements, described, axis))
        gallery.add(drawn, rows, f"arms_{axis}", title)
    known = [r for r in described if r["estimate"] is not None]
    if means := [r for r in known if r["resolution"] is None]:
        title = f"Gap between the arms by regime and cost, {level} intervals"
        gallery.add(forest.gaps(means, prereg.margin, bars), means, "gaps", title)
    if means:
        title = f"Gap map: by training length, resolution and cost, {level} intervals"
        gallery.add(gap_map.gap_map(known, bars), known, "gap_map", title)
    if rows := overfit_records(cells, axis):
        title = "Over-fitting: validation minus clean training error, 95 % intervals"
        gallery.add(arm_plots.overfit(rows), rows, "train_validation_gap", title)


def _frontiers(
    gallery: Gallery, frontiers_: Mapping[str, Sequence[Record]], published: bool
) -> None:
    for axis, members in frontiers_.items():
        if not members:
            continue
        title = f"Pareto frontier of error and {ALL_COST_NAMES[axis]}"
        if axis == "train_flops":
            drawn, title = frontiers.budget(members), f"{title}, by training length"
        else:
            others = published_records(axis) if published else []
            drawn, members = frontiers.frontier(members, others), [*members, *others]
        gallery.add(drawn, members, f"frontier_{axis}", title)


def _laws(gallery: Gallery, cells: StudyCells, prereg: Preregistration) -> None:
    """Laws of error over FLOPs, returns of resolution and the regime map, where they can be had."""
    if rows := study_law_rows(cells):
        title = "Error over FLOPs with fitted laws, 95 % intervals"
        gallery.add(law_plots.laws(rows), rows, "laws", title)
    if rows := study_return_rows(cells):
        title = "What each step in resolution returns, 95 % intervals over steps"
        gallery.add(return_plot.returns(rows), rows, "resolution_returns", title)
    try:
        found = regime_map(cells.with_logs(prereg.cost), prereg, cells.base())
    except InputError:
        return
    cost = ALL_COST_NAMES[prereg.cost]
    title = f"Where depth beats width, over training length and {cost}"
    gallery.add(regime_plot.regimes(found, cost), found.records, "regime_map", title)
