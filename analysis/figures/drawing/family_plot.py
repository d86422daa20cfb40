"""Error of whole families against what they cost: a panel per cost, a frontier per family."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.drawing import panels
from analysis.figures.drawing.labels import plain
from analysis.figures.drawing.style import (
    LINES,
    MARKERS,
    PLAIN,
    Look,
    interval_label,
    log_x,
    outcome_axis,
)
from analysis.study.columns import ALL_COST_NAMES, Record

LONGEST = 30


def families(records: Sequence[Record], look: Look = PLAIN) -> Figure:
    """Points of each family and its frontier, along which it is compared, for each cost.

    `records` are those of `analysis.figures.family_records`. Frontiers are straight between their
    points on these axes, as the comparison takes them.
    """
    names = list(dict.fromkeys(r["family"] for r in records))
    figure, found = panels.panels(list(dict.fromkeys(r["cost_axis"] for r in records)), height=2.4)
    for cost, axes in found:
        rows = [r for r in records if r["cost_axis"] == cost]
        for index, name in enumerate(names):
            if own := [r for r in rows if r["family"] == name]:
                _family(axes, own, index, look)
        log_x(axes, cost)
        shown = look.shown(r["error"] for r in rows)
        outcome_axis(axes, interval_label(rows, look.measure.axis), shown, look.measure)
        axes.set_title(ALL_COST_NAMES[cost], loc="left")
        if axes is not found[0][1]:
            axes.set_ylabel("")
    panels.legend_below(figure, [_handle(index, name) for index, name in enumerate(names)])
    return panels.finish(figure, [])


def _family(axes: Axes, own: Sequence[Record], index: int, look: Look) -> None:
    line = [r for r in own if r["on_frontier"]]
    axes.plot(
        [r["cost"] for r in line], look.shown(r["error"] for r in line), color=LINES[index % 6]
    )
    panels.points(axes, own, "error", _marker(index), LINES[index % 6], look)


def _marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]


def _handle(index: int, name: str) -> Line2D:
    label = plain(name, LONGEST)
    return Line2D([], [], color=LINES[index % 6], marker=_marker(index), ms=3.5, label=label)
