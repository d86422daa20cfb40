"""Error over cost with fitted laws, and what each step in resolution returns."""

import math
from collections.abc import Container, Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.drawing.labels import Label
from analysis.drawing.panels import finish, outer_labels, per_regime, room_for_ends
from analysis.drawing.style import (
    ERROR,
    ERROR_BARS,
    LINES,
    MARKERS,
    log_plain,
    log_x,
    log_y_percent,
)
from analysis.records import Record, by_epochs

LAWS = {
    "pl": ("power law", "#B07C00"),
    "spl": ("with a floor", "#0072B2"),
    "seg": ("with a break", "#009E73"),
}
GREY = "#777777"


def laws(rows: Sequence[Record]) -> Figure:
    """Configurations, a marker per resolution, fitted laws, floor and break, a panel per regime.

    `rows` are those of `analysis.law_records.law_rows`.
    """
    figure, found = per_regime(rows)
    cells = [r for r in rows if r["kind"] == "cell"]
    sides = sorted({r["resolution"] for r in cells})
    barred = any(r["error_low"] is not None for r in cells)
    labels = []
    for epochs, axes in found:
        here = [r for r in rows if r["epochs"] == epochs]
        own = [r for r in here if r["kind"] == "cell"]
        for index, side in enumerate(sides):
            _cells(axes, [r for r in own if r["resolution"] == side], MARKERS[index % len(MARKERS)])
        named = [_curve(axes, [r for r in here if r["kind"] == form], form) for form in LAWS]
        log_x(axes, "flops")
        values = [100 * r["error"] for r in own]
        log_y_percent(axes, ERROR_BARS if barred else ERROR, values)
        named += [_landmark(axes, r) for r in here if r["kind"] in ("floor", "break")]
        labels.append((axes, [label for label in named if label]))
    outer_labels(found)
    _legend(figure, sides if len(sides) > 1 else [], {r["kind"] for r in rows})
    return finish(figure, labels)


def _legend(figure: Figure, sides: Sequence[float], kinds: Container[str]) -> None:
    """Which marker is which resolution, and what the shaded stripes are."""
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=GREY, marker=MARKERS[i % len(MARKERS)], ls="", ms=4, label=f"{s:g} px")
        for i, s in enumerate(sides)
    ]
    for kind, form in (("floor", "spl"), ("break", "seg")):
        if kind in kinds:
            color = LAWS[form][1]
            handles.append(Patch(color=color, alpha=0.15, lw=0, label=f"{kind}, 95 % interval"))
    if handles:
        columns = max(2, min(len(handles), int(figure.get_figwidth() / 1.9)))
        figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _cells(axes: Axes, rows: Sequence[Record], marker: str) -> None:
    x, y = [r["cost"] for r in rows], [100 * r["error"] for r in rows]
    known = bool(rows) and rows[0]["error_low"] is not None
    bars = [
        [100 * (r["error"] - r["error_low"]) for r in rows],
        [100 * (r["error_high"] - r["error"]) for r in rows],
    ] if known else None  # fmt: skip
    axes.errorbar(x, y, yerr=bars, fmt=marker, ms=3.8, color=GREY, alpha=0.75, lw=0.8)


def _curve(axes: Axes, rows: Sequence[Record], form: str) -> Label | None:
    """Draw a law; its name goes to the end where the laws are furthest apart."""
    if not rows:
        return None
    text, color = LAWS[form]
    axes.plot([r["cost"] for r in rows], [100 * r["error"] for r in rows], color=color)
    end = rows[0] if form == "pl" else rows[-1]
    return Label(end["cost"], 100 * end["error"], text, color)


def _landmark(axes: Axes, row: Record) -> Label | None:
    """A line at the floor or the break with its 95 % band; nothing outside the axes."""
    color = LAWS["spl" if row["kind"] == "floor" else "seg"][1]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    if row["kind"] == "floor":
        value, low, high = (100 * row[f"error{end}"] for end in ("", "_low", "_high"))
        if value < 0.7 * bottom:
            return None  # far below everything measured: a line there would squeeze the points
        log_y_percent(axes, axes.get_ylabel(), [value, top / 1.5])
        axes.axhspan(max(low, axes.get_ylim()[0]), high, color=color, alpha=0.1, lw=0)
        axes.axhline(value, color=color, lw=1, ls=(0, (4, 3)))
        at = math.exp(0.85 * math.log(left) + 0.15 * math.log(right))
        return Label(at, value, f"floor {value:.1f} %", color)
    ends = max(row["cost_low"], left), min(row["cost_high"], right)
    axes.axvspan(*ends, color=color, alpha=0.1, lw=0)
    axes.axvline(row["cost"], color=color, lw=1, ls=(0, (4, 3)))
    axes.set_xlim(left, right)
    return Label(row["cost"], 0.97 * top, "break", color)


def returns(rows: Sequence[Record]) -> Figure:
    """Elasticity of each step in resolution against where the step lies, a line per regime."""
    figure = Figure(figsize=(6.2, 4.0), layout="constrained")
    axes = figure.subplots()
    ends = []
    for index, (epochs, steps) in enumerate(by_epochs(rows).items()):
        color = LINES[index % len(LINES)]
        shift = 1 + 0.012 * index  # bars of several regimes side by side
        for known, run in groupby(steps, key=lambda r: r["low"] is not None):
            group = list(run)
            x = [shift * math.sqrt(r["from_px"] * r["to_px"]) for r in group]
            y = [r["elasticity"] for r in group]
            bars = [
                [r["elasticity"] - r["low"] for r in group],
                [r["high"] - r["elasticity"] for r in group],
            ] if known else None  # fmt: skip
            axes.errorbar(x, y, yerr=bars, fmt="o-", ms=4.5, color=color, capsize=2, lw=1.1)
        ends.append(Label(x[-1], y[-1], f"{epochs} epochs", color))
    last = max(end.x for end in ends)
    axes.axhline(0, color="#444444", lw=0.8)
    axes.set_xscale("log")
    room_for_ends(axes)
    log_plain(axes.xaxis, *axes.get_xlim())
    axes.set_xlabel("resolution, geometric mean of a step's two ends (px)")
    axes.set_ylabel(
        "−Δln(error) / Δln(FLOPs) of a step in resolution,\nbars: 95 % interval over steps"
    )
    return finish(figure, [(axes, [end._replace(x=last) for end in ends])])
