"""Names of points in a figure, written where they cover least."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.patheffects import withStroke

# Boxes are rows of left, bottom, right and top in pixels.
Boxes = npt.NDArray[np.float64]
# Distances of a name from its point to try, and half the size of a marker, in points.
GAPS = (4.0, 9.0, 15.0, 23.0, 34.0)
MARK = 2.7
# What lies off the page cannot be read at all.
CUT = 50.0
# What a label covers shows between its letters no more.
HALO = [withStroke(linewidth=2, foreground="white", alpha=0.8)]
TURNS = (1, -1, 2, -2, 0, 4, 3, -3)


class Label(NamedTuple):
    """A text that belongs to a point, in data coordinates."""

    x: float
    y: float
    text: str
    color: str


def plain(text: str, most: int = 100) -> str:
    """A text from outside in one line of at most `most` characters.

    What cannot be printed becomes a space: SVG is XML, which forbids most control characters.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def ink(color: str) -> tuple[float, float, float]:
    """The colour, darkened until small text can be read on white (WCAG: a contrast of 4.5)."""
    rgb = np.array(to_rgb(color))
    while 1.05 / (_luminance(rgb) + 0.05) < 4.5:
        rgb *= 0.95
    red, green, blue = rgb.tolist()
    return red, green, blue


def _luminance(rgb: npt.NDArray[np.float64]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _around(points: Boxes, half_x: float, half_y: float) -> Boxes:
    half = np.array([half_x, half_y])
    return np.hstack([points - half, points + half])


def _covered(boxes: Boxes, others: Boxes) -> Boxes:
    """Area of each box that others cover, overlaps counted each time."""
    upper = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    lower = np.maximum(boxes[:, None, :2], others[None, :, :2])
    return np.asarray(np.prod(np.clip(upper - lower, 0, None), axis=2).sum(axis=1))


def _obstacles(axes: Axes) -> Boxes:
    """Small boxes along everything drawn as a line: curves, markers, error bars."""
    # A line has a transform of its own where it spans the axes.
    paths = [line.get_transform().transform(line.get_xydata()) for line in axes.lines]
    for collection in axes.collections:
        if hasattr(collection, "get_segments"):
            paths += [axes.transData.transform(s) for s in collection.get_segments()]
    boxes = [np.zeros((0, 4))]
    figure = axes.get_figure(root=True)
    assert figure is not None
    mark = MARK * figure.dpi / 72
    for points in paths:
        boxes.append(_around(points, mark, mark))
        for start, end in pairwise(points):
            shares = np.linspace(0, 1, 2 + int(math.dist(start, end) // 8))[:, None]
            boxes.append(_around(start + shares * (end - start), mark / 2, mark / 2))
    return np.concatenate(boxes)


def _candidates(point: Boxes, half_x: float, half_y: float, scale: float) -> tuple[Boxes, Boxes]:
    """Distances from the point and boxes to try, nearest first; `scale` is pixels per point."""
    gaps = np.repeat(scale * np.array(GAPS), len(TURNS))
    angles = np.tile(TURNS, len(GAPS)) * math.pi / 4
    shifts = np.column_stack([np.cos(angles) * (half_x + gaps), np.sin(angles) * (half_y + gaps)])
    return gaps, _around(point + shifts, half_x, half_y)


def place_labels(axes: Axes, labels: Sequence[Label]) -> None:
    """Write each label near its point where it covers least; a thin line joins those further off.

    Call it last, when layout, limits and everything else are final.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    scale = figure.dpi / 72
    taken, written = _obstacles(axes), np.zeros((0, 4))
    inside = np.array([axes.get_window_extent(renderer).extents])
    page = np.array([figure.bbox.padded(-2).extents])
    for label in labels:
        text = axes.annotate(
            plain(label.text), (label.x, label.y), xytext=(0, 0), textcoords="offset points",
            fontsize=6.5, color=ink(label.color), ha="center", va="center", annotation_clip=False,
            path_effects=HALO,
        )  # fmt: skip
        extent = text.get_window_extent(renderer)
        half_x, half_y = extent.width / 2 + 2, extent.height / 2 + 1
        point = axes.transData.transform((label.x, label.y))
        gaps, boxes = _candidates(point, half_x, half_y, scale)
        area = 4 * half_x * half_y
        outside = area - _covered(boxes, inside)
        cut = area - _covered(boxes, page)
        reach = np.array([3 * half_x, 3 * half_y]) + scale * GAPS[-1]
        near = (np.abs((taken[:, :2] + taken[:, 2:]) / 2 - point) < reach).all(axis=1)
        # Two texts on each other cannot be read; a text on a line can.
        covered = _covered(boxes, taken[near]) + 25 * _covered(boxes, written)
        best = int(np.argmin(covered + 5 * outside + CUT * cut + gaps))
        box = boxes[best]
        # In points, because vector files are written at another number of pixels per inch.
        text.set_position(tuple(((box[:2] + box[2:]) / 2 - point) / scale))
        written = np.vstack([written, box])
        if gaps[best] > scale * GAPS[0]:
            x, y = axes.transData.inverted().transform(np.clip(point, box[:2], box[2:]))
            axes.plot([label.x, x], [label.y, y], color=label.color, lw=0.5, alpha=0.6, zorder=1)
