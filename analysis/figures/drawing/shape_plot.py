"""Error over cost with every shape in colour: which widths and depths lie off the law."""

from collections.abc import Sequence
from operator import itemgetter

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.drawing.labels import Label
from analysis.figures.drawing.panels import finish, outer_labels, panels
from analysis.figures.drawing.style import PLAIN, Look, log_x, outcome_axis
from analysis.stats.pareto import on_frontier
from analysis.study.columns import Record

AXES = ("width", "depth")
GREY = "#777777"
RGBA = tuple[float, float, float, float]
# Shapes furthest above the law that are named, and the least distance that is worth a name.
NAMED, FAR = 4, 0.05


def shapes(rows: Sequence[Record], cost: str = "flops", look: Look = PLAIN) -> Figure:
    """Cells of one regime, coloured by width on the left and by depth on the right.

    A line joins the frontier of each resolution; the shapes furthest above the law, a dashed line,
    are named. `rows` are those of `analysis.figures.law_records.shape_rows`.
    """
    figure, found = panels(AXES, width=3.4, height=2.6)
    labels = []
    for axis, axes in found:
        _points(axes, rows, axis, look)
        named = _resolutions(axes, rows, look)
        law = sorted(rows, key=itemgetter("cost"))
        y = look.shown(r["law"] for r in law)
        axes.plot([r["cost"] for r in law], y, "--", color=GREY, lw=0.9)
        log_x(axes, cost)
        outcome_axis(axes, look.measure.axis, look.shown(r["error"] for r in rows), look.measure)
        axes.set_title(f"coloured by {axis}", loc="left")
        labels.append((axes, [*named, *_furthest(rows, look)]))
    outer_labels(found)
    return finish(figure, labels)


def _colors(cells: Sequence[Record], axis: str) -> dict[float, RGBA]:
    """A colour of one scale for each value of an axis, the darkest for the least."""
    values = sorted({r[axis] for r in cells})
    scale = colormaps["viridis"]
    return {v: scale(0.9 * i / max(1, len(values) - 1)) for i, v in enumerate(values)}


def _points(axes: Axes, cells: Sequence[Record], axis: str, look: Look) -> None:
    colors = _colors(cells, axis)
    for value, color in colors.items():
        own = [r for r in cells if r[axis] == value]
        y = look.shown(r["error"] for r in own)
        axes.plot([r["cost"] for r in own], y, "o", ms=3, mew=0, color=color, alpha=0.9)
    handles = [
        Line2D([], [], color=color, marker="o", ls="", ms=3.5, label=f"{value:g}")
        for value, color in colors.items()
    ]
    axes.legend(handles=handles, title=axis, loc="lower left", fontsize=6.5, title_fontsize=6.5)


def _resolutions(axes: Axes, cells: Sequence[Record], look: Look) -> list[Label]:
    """A line along the frontier of each resolution; its name for the end that costs most."""
    named = []
    for side in sorted({r["resolution"] for r in cells}):
        own = [r for r in cells if r["resolution"] == side]
        member = on_frontier(*(np.array([r[k] for r in own]) for k in ("cost", "error")))
        line = sorted((r for r, m in zip(own, member, strict=True) if m), key=lambda r: r["cost"])
        y = look.shown(r["error"] for r in line)
        axes.plot([r["cost"] for r in line], y, color=GREY, lw=0.7, zorder=1)
        named.append(Label(line[-1]["cost"], y[-1], f"{side:g} px", GREY))
    return named


def _furthest(cells: Sequence[Record], look: Look) -> list[Label]:
    """Names of the shapes furthest above the law."""
    furthest = sorted(cells, key=itemgetter("off"), reverse=True)[:NAMED]
    return [
        Label(
            r["cost"],
            look.measure.factor * r["error"],
            f"d{r['depth']:g} w{r['width']:g} r{r['resolution']:g}",
            "#222222",
        )
        for r in furthest
        if r["off"] > FAR
    ]
