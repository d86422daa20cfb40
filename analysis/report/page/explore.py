"""What Explore offers: every setting that the cells differ in, and what it opens on."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.descriptions.main_effects import varied
from analysis.rules.kind import Judgement
from analysis.rules.registry import find_kind
from analysis.study.cells import Cell
from analysis.study.columns import Level
from analysis.study.compared_settings import declared_variants
from analysis.study.matched_cells import setting_of
from analysis.study.study_cells import StudyCells
from scaling_study.study.axes import plain

# What a grid calls its cells, in the order of its file.
NAMED = ("variant", "target")
# Views of the plot: the frontier over a cost, both arms over a cost, means over a setting.
FRONTIER, ARMS, SETTINGS = "frontier", "arms", "settings"
ONE_PANEL = "none"


def fields(cells: StudyCells, grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The settings that the cells differ in, with their values as text, in order.

    Variants have that of the `grid`, whose rows may each have those before them too.
    """
    declared = [str(name) for _, named in declared_variants(grid) for name in named]
    found: dict[str, tuple[str, Sequence[Level]]] = {
        axis.name: (f"{axis.label} ({axis.unit})" if axis.unit == "px" else axis.label, levels)
        for axis, levels in varied(cells)
    }
    for name in NAMED:
        there = {value for c in cells if (value := getattr(c, name))}
        values = [*(v for v in declared if v in there), *sorted(there - {*declared})]
        if len(values) > 1:
            found[name] = name, values
    return [
        {"name": name, "label": label, "values": [plain(value) for value in values]}
        for name, (label, values) in found.items()
    ]


def values_of(cell: Cell, names: Sequence[str]) -> dict[str, str]:
    """What a cell has on these settings, as text."""
    known = {name: setting_of(cell, name) for name in names}
    return {name: plain(value) for name, value in known.items() if value is not None}


def opening(
    claim: Judgement | None,
    known: Sequence[Mapping[str, Any]],
    costs: Sequence[str],
    curves: Mapping[str, Sequence[Any]],
    cost: str,
) -> dict[str, str]:
    """The view, what is on the horizontal axis, and the panels: what the main claim is about.

    `known` are the `fields`, `costs` those that were measured, `curves` the arms by cost; `cost`
    is that of the study. Without a claim it opens on the first setting that varies.
    """
    names = [field["name"] for field in known]
    if claim is None:
        others = [name for name in names if name != "epochs"]
        over = others[0] if others else cost
    else:
        over = find_kind(claim.rule.kind).over(claim.rule)
    if over in names:
        one = over in (*NAMED, "epochs")  # variants may change the length of training
        return {"view": SETTINGS, "x": over, "panel": ONE_PANEL if one else "epochs"}
    over = over if over in costs else cost
    arms = claim is not None and find_kind(claim.rule.kind).pictures[0].startswith("arms_")
    if arms and curves.get(over):
        return {"view": ARMS, "x": over, "panel": "epochs"}
    return {"view": FRONTIER, "x": over, "panel": "epochs"}


def label_of(cell: Cell, resolutions: int) -> str:
    """A cell's name in short, as the figures write it: d50 w1, or d50 w1 r160."""
    if cell.variant:
        return cell.variant
    name = f"d{cell.depth:g} w{cell.width:g}"
    name = f"{name} r{cell.resolution}" if resolutions > 1 else name
    marks = [axis.short(cell.own_values[axis.name]) for axis in cell.own
             if axis.name in cell.own_values]  # fmt: skip
    return " ".join([name, *marks])
