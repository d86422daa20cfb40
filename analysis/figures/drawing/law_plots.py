"""Error over cost with fitted laws, and what each step in resolution returns."""

import math
from collections.abc import Container, Sequence
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.drawing.labels import Label
from analysis.figures.drawing.panels import finish, legend_below, outer_labels, per_regime, points
from analysis.figures.drawing.style import (
    MARKERS,
    PLAIN,
    Look,
    interval_label,
    log_x,
    outcome_axis,
)
from analysis.study.columns import Record

# Dashes leave gaps, so that laws that agree all stay visible; the plain law lies underneath.
LAWS: dict[str, tuple[str, str, Any]] = {
    "pl": ("power law", "#B07C00", "-"),
    "spl": ("with a floor", "#0072B2", (0, (4, 3))),
    "seg": ("with a break", "#009E73", (0, (1.5, 1.5))),
}
GREY = "#777777"
# Bars, laws and a floor down to this share of the least error fit in: more would squeeze points.
REACH = 0.7
# Ends of an interval that are as near as this, relative to them, are one number.
EXACT = 1e-5


def laws(rows: Sequence[Record], cost: str = "flops", look: Look = PLAIN) -> Figure:
    """Configurations, a marker per resolution, fitted laws, floor and break, a panel per regime.

    `rows` are those of `analysis.figures.law_records.law_rows`.
    """
    figure, found = per_regime(rows, look)
    cells = [r for r in rows if r["kind"] == "cell"]
    sides = sorted({r["resolution"] for r in cells})
    labels = []
    for epochs, axes in found:
        here = [r for r in rows if r["epochs"] == epochs]
        own = [r for r in here if r["kind"] == "cell"]
        for side, mark in zip(sides, cycle(MARKERS), strict=False):
            points(axes, [r for r in own if r["resolution"] == side], "error", mark, GREY, look)
        curves = {form: [r for r in here if r["kind"] == form] for form in LAWS}
        named = [_curve(axes, curve, form, look) for form, curve in curves.items()]
        log_x(axes, cost)
        errors = [r["error"] for r in own]
        others = [r["error"] for r in here if r["kind"] in ("floor", *LAWS)]
        others += [r["error_low"] for r in own if r["error_low"] is not None]
        near = [e for e in others if e >= REACH * min(errors)]
        axes.set_ylim(0.97 * look.measure.factor * min([*errors, *near]), axes.get_ylim()[1])
        label = interval_label(cells, look.measure.axis)
        outcome_axis(axes, label, look.shown(errors), look.measure)
        named += [_floor(axes, r, look) for r in here if r["kind"] == "floor"]
        named += [_break(axes, r) for r in here if r["kind"] == "break"]
        labels.append((axes, [label for label in named if label]))
    outer_labels(found)
    _legend(figure, sides if len(sides) > 1 else [], {r["kind"] for r in rows})
    return finish(figure, labels)


def _legend(figure: Figure, sides: Sequence[float], kinds: Container[str]) -> None:
    """Which marker is which resolution, and what is shaded."""
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=GREY, marker=mark, ls="", ms=3, label=f"{side:g} px")
        for side, mark in zip(sides, cycle(MARKERS), strict=False)
    ]
    handles.append(Patch(color=GREY, alpha=0.3, lw=0, label="law, 95 % band"))
    for kind, form in (("floor", "spl"), ("break", "seg")):
        if kind in kinds:
            color = LAWS[form][1]
            handles.append(Patch(color=color, alpha=0.15, lw=0, label=f"{kind}, 95 % interval"))
    legend_below(figure, handles)


def _curve(axes: Axes, rows: Sequence[Record], form: str, look: Look) -> Label | None:
    """Draw a law and its band; its name goes to the end where the laws are furthest apart."""
    if not rows:
        return None
    text, color, dashes = LAWS[form]
    x = [r["cost"] for r in rows]
    axes.plot(x, look.shown(r["error"] for r in rows), color=color, ls=dashes)
    low, high = (look.shown(r[f"error_{end}"] for r in rows) for end in ("low", "high"))
    axes.fill_between(x, low, high, color=color, alpha=0.1, lw=0)
    end = rows[0] if form == "pl" else rows[-1]
    return Label(end["cost"], look.measure.factor * end["error"], text, color)


def _floor(axes: Axes, row: Record, look: Look) -> Label | None:
    """A line at the floor with its 95 % band; none off the axis."""
    color = LAWS["spl"][1]
    value, low, high = look.shown(row[f"error{end}"] for end in ("", "_low", "_high"))
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    if value <= bottom:
        return None
    axes.axhspan(max(low, bottom), min(high, top), color=color, alpha=0.1, lw=0)
    axes.axhline(value, color=color, lw=0.8, ls=":")
    at = math.exp(0.75 * math.log(left) + 0.25 * math.log(right))
    return Label(at, value, f"floor {_height(value, look)}{_end(value, low, high)}", color)


def _end(value: float, low: float, high: float) -> str:
    """What to say of an estimate that is no better than an end of its own interval."""
    if math.isclose(low, high, rel_tol=EXACT):
        return ", without scatter"
    return "" if low < value < high else ", an end of its interval"


def _height(value: float, look: Look) -> str:
    """An outcome in the unit of its axis, in words."""
    percent = look.measure.unit == "%"
    return f"{value:.1f} %" if percent else f"{value:.4g} {look.measure.unit}".rstrip()


def _break(axes: Axes, row: Record) -> Label:
    """A line at the break with its 95 % band, both cut off at the axes' ends."""
    color = LAWS["seg"][1]
    (left, right), (_, top) = axes.get_xlim(), axes.get_ylim()
    axes.axvspan(max(row["cost_low"], left), min(row["cost_high"], right), color=color, alpha=0.1,
                 lw=0)  # fmt: skip
    axes.axvline(row["cost"], color=color, lw=0.8, ls=":")
    axes.set_xlim(left, right)
    end = _end(row["cost"], row["cost_low"], row["cost_high"])
    return Label(row["cost"], 0.97 * top, f"break{end}", color)
