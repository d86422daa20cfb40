"""Which figures a study gets: the list, in the order of the report."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from analysis.descriptions.depth_width_map import DepthWidthMap, depth_width_map
from analysis.descriptions.findings import Findings
from analysis.descriptions.forecasts import run_time_records
from analysis.descriptions.learning_curves import curve_records
from analysis.figures.drawing import (
    arm_plots,
    curve_plots,
    depth_width_plot,
    effects_plot,
    family_plot,
    forecast_plot,
    forest,
    frontiers,
    gap_map,
    interaction_plot,
    law_plots,
    return_plot,
    shape_plot,
    variant_plot,
    waterfall_plot,
)
from analysis.figures.drawing.published_overlay import published_records
from analysis.figures.drawing.style import ASSUMED, Look, style
from analysis.figures.family_records import family_records
from analysis.figures.figure import StudyFigure, confidence, law_cost
from analysis.figures.files import Saved
from analysis.figures.interaction_records import interaction_records
from analysis.figures.law_records import study_law_rows, study_return_rows, study_shape_rows
from analysis.figures.records import arm_records, frontier_records, overfit_records
from analysis.figures.verdict_records import drawn, verdict_records
from analysis.rules.phrases import arm_names, better_arm
from analysis.study.arms import DEPTH_WIDTH
from analysis.study.columns import ALL_COST_NAMES, COSTS, Record
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

FRONTIERS = tuple(cost.name for cost in COSTS if cost.frontier)


def all_frontiers(cells: StudyCells) -> dict[str, list[Record]]:
    """Frontier records by cost; empty where a cost was not measured."""
    return {axis: frontier_records(cells, axis) for axis in FRONTIERS}


def _noise(found: Findings) -> str:
    return ASSUMED if all(c.n == 1 for c in found.cells) else ""


def _bars(found: Findings) -> str:
    return ", ".join(filter(None, (f"{confidence(found)} interval", _noise(found))))


def _compared_cost(found: Findings) -> str:
    cost = found.prereg.cost
    return cost if any(c.cost(cost) for c in found.cells) else found.cells.known_cost("flops")


def _look(found: Findings) -> Look:
    """What the study's figures show; a rule about its arms knows what these are called."""
    arms = found.prereg.arms
    words = [arm_names(j.rule) for j in found.judgements if j.rule.arms == arms]
    return Look(found.cells.measure, arms, words[0] if words else arms)


def _mean_gaps(found: Findings) -> list[Record]:
    return [r for r in _gaps(found) if r["resolution"] is None]


def _gaps(found: Findings) -> list[Record]:
    return [r for r in found.summary["gaps"] if r["estimate"] is not None]


def _panel_titles(found: Findings, cost: str) -> dict[int, str]:
    """Each regime with the gap in words."""
    measure, words = found.cells.measure, _look(found).words
    return {
        r["epochs"]: f"{measure.at(r['epochs'])}\n"
        f"gap {measure.interval(r['estimate'], r['low'], r['high'])}\n"
        f"{better_arm(r['low'], r['high'], words)}"
        for r in _mean_gaps(found)
        if r["cost"] == cost
    }


def _curves(found: Findings) -> list[Record]:
    folder = found.request.study_dir
    if folder is None:
        return []
    return curve_records(found.cells, found.table.rows, folder.parent / "runs")


def _arms(cost: str) -> StudyFigure:
    return StudyFigure(
        f"arms_{cost}",
        f"{{Outcome}} of both arms against {ALL_COST_NAMES[cost]}, 95 % intervals",
        lambda found: arm_records(found.cells, cost) if cost == _compared_cost(found) else [],
        lambda rows, found: arm_plots.arms(rows, _panel_titles(found, cost), _look(found)),
    )


def _frontier(cost: str) -> StudyFigure:
    def data(found: Findings) -> list[Record]:
        members = list(found.frontiers[cost])
        overlaid = found.request.published and members and found.cells.measure.log
        return members + published_records(cost) if overlaid else members

    def draw(rows: Sequence[Record], found: Findings) -> Figure:
        own = [r for r in rows if "config_id" in r]
        published = [r for r in rows if "config_id" not in r]
        return frontiers.frontier(own, published, _look(found))

    name, title = f"frontier_{cost}", f"Pareto frontier of {{outcome}} and {ALL_COST_NAMES[cost]}"
    if cost == "train_flops":
        title += ", by training length"
        return StudyFigure(
            name, title, data, lambda rows, found: frontiers.budget(rows, _look(found))
        )
    return StudyFigure(name, title, data, draw)


def _map(found: Findings) -> DepthWidthMap | None:
    known = found.cells.with_logs(found.prereg.cost)
    try:
        return depth_width_map(known, found.prereg, found.cells.base())
    except InputError:
        return None


FIGURES: tuple[StudyFigure, ...] = (
    StudyFigure(
        "steps",
        "Step by step: {outcome}, and what each row changes, 95 % intervals",
        lambda found: found.summary["steps"],
        lambda rows, found: variant_plot.steps(rows, _look(found)),
    ),
    StudyFigure(
        "waterfall",
        "What each method adds to those before it: {outcome}, 95 % intervals",
        lambda found: waterfall_plot.cumulative(found.summary["steps"]),
        lambda rows, found: waterfall_plot.waterfall(rows, _look(found)),
    ),
    StudyFigure(
        "verdicts",
        "Claims with their effects, {confidence} intervals; grey: the same asked in another way",
        lambda found: drawn(verdict_records(found.judgements)),
        lambda rows, found: forest.verdicts(
            rows, f"{confidence(found)} interval", _noise(found), _look(found)
        ),
    ),
    StudyFigure(
        "interactions",
        "Does the difference of two levels depend on another setting? Mean {outcome}, 95 % "
        "intervals; the interaction in {confidence} intervals",
        lambda found: interaction_records(found.cells, found.prereg, found.judgements),
        lambda rows, found: interaction_plot.interactions(rows, _look(found)),
    ),
    StudyFigure(
        "families",
        "{Outcome} of families against the costs at which they are compared, 95 % intervals",
        lambda found: family_records(found.cells, found.judgements),
        lambda rows, found: family_plot.families(rows, _look(found)),
    ),
    StudyFigure(
        "main_effects",
        "What each level of an axis changes, all else equal, {confidence} intervals",
        lambda found: [r for r in found.summary["main_effects"] if r["estimate"] is not None],
        lambda rows, found: effects_plot.main_effects(rows, _bars(found), _look(found)),
    ),
    *map(_arms, ALL_COST_NAMES),
    StudyFigure(
        "gaps",
        "Gap between the arms by regime and cost, {confidence} intervals",
        _mean_gaps,
        lambda rows, found: forest.gaps(rows, found.prereg.margin, _bars(found), _look(found)),
    ),
    StudyFigure(
        "gap_map",
        "Gap map: by training length, resolution and cost, {confidence} intervals",
        lambda found: _gaps(found) if _mean_gaps(found) else [],
        lambda rows, found: gap_map.gap_map(rows, _bars(found), _look(found)),
    ),
    StudyFigure(
        "train_validation_gap",
        "Over-fitting: validation minus clean training error, 95 % intervals",
        lambda found: overfit_records(found.cells, _compared_cost(found)),
        lambda rows, found: arm_plots.overfit(rows, _look(found)),
    ),
    StudyFigure(
        "learning_curves",
        "Learning curves: error while training, means over seeds",
        _curves,
        lambda rows, found: curve_plots.learning_curves(rows, _look(found)),
    ),
    StudyFigure(
        "overfitting_curves",
        "Over-fitting while training: validation minus training error of averaged weights",
        lambda found: [r for r in _curves(found) if "gap" in r],
        lambda rows, found: curve_plots.overfitting_curves(rows, _look(found)),
    ),
    *map(_frontier, FRONTIERS),
    StudyFigure(
        "laws",
        "{Outcome} over {law_cost} with fitted laws, 95 % intervals",
        lambda found: study_law_rows(found.cells, law_cost(found.cells, found.prereg)),
        lambda rows, found: law_plots.laws(rows, law_cost(found.cells, found.prereg), _look(found)),
    ),
    StudyFigure(
        "law_shapes",
        "{Outcome} over {law_cost} by shape: frontier of each resolution, law (dashed)",
        lambda found: study_shape_rows(found.cells, law_cost(found.cells, found.prereg)),
        lambda rows, found: shape_plot.shapes(
            rows, law_cost(found.cells, found.prereg), _look(found)
        ),
    ),
    StudyFigure(
        "resolution_returns",
        "What each step in resolution returns, 95 % intervals over steps",
        lambda found: study_return_rows(found.cells, law_cost(found.cells, found.prereg)),
        lambda rows, found: return_plot.returns(
            rows, law_cost(found.cells, found.prereg), _look(found)
        ),
    ),
    StudyFigure(
        "regime_map",
        "Where depth beats width, over training length and {cost}",
        lambda found: _map(found) if found.prereg.arms == DEPTH_WIDTH else None,
        lambda found_map, found: depth_width_plot.depth_width_map(
            found_map, ALL_COST_NAMES[found.prereg.cost], _look(found)
        ),
        lambda found_map: found_map.records,
    ),
    StudyFigure(
        "forecast",
        "Run time: forecast before launch and measured",
        lambda found: run_time_records(found.table.rows, found.forecasts),
        lambda rows, found: forecast_plot.forecasts(rows, _look(found)),
    ),
)


def figures(found: Findings, directory: Path) -> list[Saved]:
    """Draw and save every figure that the measurements allow."""
    with style():
        return [saved for figure in FIGURES if (saved := figure.save(found, directory))]
