"""How every figure looks: one style, readable log ticks, labels that do not cover each other."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import Bbox

# Okabe & Ito 2008, distinguishable with all common kinds of colour blindness.
COLORS = {"depth": "#0072B2", "width": "#D55E00", "base": "#000000", "neither": "#999999"}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
STYLE: dict[Any, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "svg.hashsalt": "scaling_study",
}
AXIS_LABELS = {
    "flops": "forward FLOPs per image (2 × multiply-adds)",
    "step_time_s": "measured time per training step",
    "params": "trainable parameters",
}
_SUBDIVISIONS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))


def log_ticks(low: float, high: float) -> list[float]:
    """Three ticks or more of few digits between two positive values, dense enough to read."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in _SUBDIVISIONS:
        ticks = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(ticks) >= 3:
            return ticks
    step = 10 ** math.floor(math.log10((high - low) / 2))
    step *= max(1, round((high - low) / (4 * step)))
    return [float(i * step) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def log_x(axes: Axes, column: str) -> None:
    """A log cost axis with its unit, ticks as in 20 M or 5 ms."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(log_ticks(*axes.get_xlim())))
    axes.xaxis.set_minor_locator(NullLocator())
    unit = "s" if column == "step_time_s" else ""
    axes.xaxis.set_major_formatter(EngFormatter(unit=unit, places=None))
    axes.set_xlabel(AXIS_LABELS[column])


def log_y_percent(axes: Axes, label: str) -> None:
    """A log axis of percentages; values are in percent."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator(log_ticks(*axes.get_ylim())))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylabel(label)


class Label(NamedTuple):
    """A text that belongs to a point, in data coordinates."""

    x: float
    y: float
    text: str
    color: str


def _around(x: float, y: float, half_x: float, half_y: float) -> Bbox:
    return Bbox.from_extents(x - half_x, y - half_y, x + half_x, y + half_y)


def _area(a: Bbox, b: Bbox) -> float:
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return width * height if width > 0 and height > 0 else 0.0


def _obstacles(axes: Axes) -> list[Bbox]:
    """Small boxes along everything drawn as a line: curves, markers, error bars."""
    boxes = []
    segments = [np.asarray(line.get_xydata()) for line in axes.lines]
    for collection in axes.collections:
        if hasattr(collection, "get_segments"):
            segments += [np.asarray(s) for s in collection.get_segments()]
    for segment in segments:
        points = axes.transData.transform(segment)
        for start, end in pairwise(points):
            for share in np.linspace(0, 1, 2 + int(np.hypot(*(end - start)) // 8)):
                x, y = start + share * (end - start)
                boxes.append(_around(x, y, 3, 3))
        boxes += [_around(x, y, 6, 6) for x, y in points]
    return boxes


def place_labels(axes: Axes, labels: Sequence[Label]) -> None:
    """Write each label near its point where it covers least; a thin line joins those further off.

    Call it last, when layout, limits and everything else are final.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    taken = _obstacles(axes)
    inside = axes.get_window_extent(renderer)
    for label in labels:
        text = axes.annotate(
            label.text, (label.x, label.y), xytext=(0, 0), textcoords="offset pixels",
            fontsize=7, color=label.color, ha="center", va="center", annotation_clip=False,
        )  # fmt: skip
        extent = text.get_window_extent(renderer)
        half_x, half_y = extent.width / 2 + 2, extent.height / 2 + 1
        x, y = axes.transData.transform((label.x, label.y))
        best, cost = (0.0, 0.0), math.inf
        for gap in (9.0, 20.0, 34.0, 52.0):
            for turn in (1, -1, 2, -2, 0, 4, 3, -3):
                angle = turn * math.pi / 4
                dx = math.cos(angle) * (half_x + gap)
                dy = math.sin(angle) * (half_y + gap)
                box = _around(x + dx, y + dy, half_x, half_y)
                covered = sum(_area(box, other) for other in taken)
                outside = 4 * half_x * half_y - _area(box, inside)
                if (total := covered + outside + gap) < cost:
                    best, cost, chosen = (dx, dy), total, (box, gap)
        text.set_position(best)
        box, gap = chosen
        taken.append(box)
        if gap > 9:
            _leader(axes, label, (x, y), box)


def _leader(axes: Axes, label: Label, point: tuple[float, float], box: Bbox) -> None:
    end = np.clip(point[0], box.x0, box.x1), np.clip(point[1], box.y0, box.y1)
    (x, y) = axes.transData.inverted().transform(end)
    axes.plot([label.x, x], [label.y, y], color=label.color, lw=0.5, alpha=0.6, zorder=1)
