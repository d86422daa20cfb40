"""Forest plot of a summary: the effect in each study, their mean, and what a new data set has."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.drawing.labels import plain
from analysis.figures.drawing.style import COLORS, WIDTH
from analysis.study.columns import Record
from analysis.study.measure import with_unit

# How each kind of row is drawn.
LOOKS: dict[str, dict[str, Any]] = {
    "study": {"color": "#444444", "fmt": "s", "ms": 3.5},
    "data set": {"color": "#999999", "fmt": "D", "ms": 4},
    "mean": {"color": COLORS["depth"], "fmt": "D", "ms": 5},
    "new data set": {"color": COLORS["width"]},
}
# Intervals of the mean and of a new data set end where they would squeeze those of studies into
# less than this share of the axis.
LEAST_SHARE = 0.25
# Characters of a line below a panel.
LINE = 80


def forest(records: Sequence[Record]) -> Figure:
    """A panel per rule, with the records of `analysis.meta_analysis.records`."""
    rules = list(dict.fromkeys(r["rule"] for r in records))
    own = [[r for r in records if r["rule"] == rule] for rule in rules]
    height = sum(1.0 + 0.19 * len(rows) for rows in own)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    ratios = [len(rows) + 1.5 for rows in own]
    grid = figure.subplots(len(rules), 1, squeeze=False, height_ratios=ratios)
    for axes, rows in zip(grid[:, 0], own, strict=True):
        _panel(axes, rows)
    return figure


def _panel(axes: Axes, rows: Sequence[Record]) -> None:
    axes.axvline(0, color="#444444", lw=0.8)
    low, high = _limits(rows)
    for y, r in enumerate(rows):
        look = LOOKS[r["row"]]
        _arrows(axes, r, y, low, high)
        if r["estimate"] is None:
            axes.plot([r["low"], r["high"]], [y, y], color=look["color"], lw=4, alpha=0.6)
            continue
        value = r["estimate"]
        axes.errorbar(
            value, y, xerr=[[value - r["low"]], [r["high"] - value]], capsize=2, lw=1.1, **look
        )
    axes.set_xlim(low, high)
    axes.set_yticks(range(len(rows)), [plain(r["label"], 54) for r in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(False, axis="y")
    first = rows[0]
    axes.set_title(plain(first["rule"], 60), loc="left")
    text = with_unit(plain(first["about"], 160), first["unit"])
    axes.set_xlabel(fill(f"{text}; bars: 95 % interval", LINE))


def _limits(rows: Sequence[Record]) -> tuple[float, float]:
    """What an axis shows: all intervals of studies, and what fits of the others."""
    known = [r for r in rows if r["row"] in ("study", "data set")]
    low, high = min(0.0, *(r["low"] for r in known)), max(0.0, *(r["high"] for r in known))
    room = (high - low) * (1 / LEAST_SHARE - 1) / 2
    ends = [end for r in rows for end in (r["low"], r["high"])]
    low, high = max(min(ends), low - room), min(max(ends), high + room)
    margin = 0.04 * (high - low)
    return min(low, 0.0) - margin, max(high, 0.0) + margin


def _arrows(axes: Axes, r: Record, y: int, low: float, high: float) -> None:
    """Where an interval goes on beyond the axis."""
    ends = ((low, "<", r["low"] < low), (high, ">", r["high"] > high))
    for end, mark, beyond in ends:
        if beyond:
            axes.plot(end, y, mark, color=LOOKS[r["row"]]["color"], ms=6, clip_on=False)
