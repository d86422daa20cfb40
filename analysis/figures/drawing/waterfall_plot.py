"""Waterfalls: what each of several cumulative steps takes off the outcome, or adds to it."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from operator import itemgetter

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.drawing import style
from analysis.figures.drawing.labels import plain
from analysis.figures.drawing.style import PLAIN, Look, step_color
from analysis.study.columns import Record

# Fewer steps are a comparison, no waterfall.
LEAST_STEPS = 2
# Of a bar, in rows; and of the room beside the outcomes, as a share of their range.
THICKNESS, ROOM = 0.6, 0.3


def cumulative(records: Sequence[Record]) -> list[Record]:
    """The records of `step_records` whose series are variants that add up, in order."""
    found: list[Record] = []
    for _, members in groupby(records, key=itemgetter("series")):
        rows = [*members]
        chained = all(b["after"] == a["name"] for a, b in pairwise(rows))
        if chained and len(rows) > LEAST_STEPS and rows[0]["series"].startswith("variants"):
            found += rows
    return found


def waterfall(records: Sequence[Record], look: Look = PLAIN) -> Figure:
    """A panel a series: its first outcome, then a bar a step from the outcome before to the next.

    A step is green where its interval, which stands beside it, is below zero, orange where it is
    above; `records` are those of `cumulative`.
    """
    groups = [(title, [*rows]) for title, rows in groupby(records, key=itemgetter("series"))]
    lines = sum(len(rows) for _, rows in groups)
    size = style.WIDTH, 0.8 + 0.22 * lines + 0.3 * len(groups)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(
        len(groups), 1, squeeze=False, height_ratios=[len(rows) for _, rows in groups]
    )
    for axes, (title, rows) in zip(grid[:, 0], groups, strict=True):
        _panel(axes, rows, look)
        if len(groups) > 1:
            axes.set_title(plain(title, 80), loc="left")
    grid[-1, 0].set_xlabel(
        style.interval_label(records, look.measure.axis) + "\nbeside a bar: what the step changes"
    )
    return figure


def _panel(axes: Axes, rows: Sequence[Record], look: Look) -> None:
    before = None
    shown = look.shown(r["error"] for r in rows)
    for place, (row, value) in enumerate(zip(rows, shown, strict=True)):
        color = look.color("base") if before is None else step_color(row)
        if before is not None:
            axes.barh(place, value - before, THICKNESS, before, color=color, alpha=0.75)
            axes.plot([before] * 2, [place - 1, place], color="#777777", lw=0.7)
        low, high = row["error_low"], row["error_high"]
        ends = None if low is None else [[value - look.measure.factor * low],
                                         [look.measure.factor * high - value]]  # fmt: skip
        axes.errorbar(value, place, xerr=ends, fmt="o", ms=3, capsize=2, lw=0.9, color="#222222")
        before = value
    left, right = axes.get_xlim()
    beside = right + 0.02 * (right - left)
    for place, row in enumerate(rows):
        if row["step"] is not None:
            text = look.measure.change(row["step"], row["step_low"], row["step_high"])
            axes.text(beside, place, text, va="center", color=step_color(row))
    axes.set_xlim(left, right + ROOM * (right - left))
    axes.set_yticks(range(len(rows)), [plain(r["name"], 40) for r in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(False, axis="y")
