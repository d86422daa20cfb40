"""Figures of foreign tables: error against one cost, frontiers, published points laid over them.

Nothing here computes a result. Records hold fractions; axes show percent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from analysis.drawing.labels import Label, place_labels
from analysis.drawing.style import AXIS_LABELS, COLORS, log_x, log_y_percent
from analysis.published_tables import read
from analysis.records import Record

LABELS = AXIS_LABELS | {"image_time_s": "time per image", "train_flops": "training FLOPs"}
PUBLISHED = {"ResNet-RS": "resnet_rs_family", "EfficientNet": "efficientnet_family"}
COLUMNS = {"flops": ("flops_B_paper", 1e9), "params": ("params_M", 1e6)}
MARKS = {"ResNet-RS": "D", "EfficientNet": "s"}
NAMED = 14
GREY = "#777777"


def published_records(cost: str) -> list[Record]:
    """ResNet-RS and EfficientNet of Bello et al. 2021, Table 7; empty for other costs than
    `flops` (2 x multiply-adds) and `params`."""
    if cost not in COLUMNS:
        return []
    column, scale = COLUMNS[cost]
    return [
        {
            "model": f"{row['model']}@{row['image_res_px']}",
            "family": family,
            "cost_axis": cost,
            "cost": scale * float(row[column]),
            "error": 1 - float(row["top1_pct_paper_table7"]) / 100,
        }
        for family, name in PUBLISHED.items()
        for row in read(name)
    ]


def overlay(axes: Axes, records: Sequence[Record]) -> list[Label]:
    """Draw points that others published as hollow marks with a legend entry per family.

    Records need `cost`, `error` (fraction), `model` and `family`; the axes show the same cost and
    percent. Call it before the limits are final; the labels are for `place_labels` after that.
    """
    for family in dict.fromkeys(r["family"] for r in records):
        rows = [r for r in records if r["family"] == family]
        look = {"s": 22, "lw": 0.9, "facecolors": "none", "edgecolors": GREY, "zorder": 2.5}
        mark = MARKS.get(family, "P")
        _dots(axes, rows, marker=mark, label=f"{family} (published)", **look)
    return [Label(r["cost"], 100 * r["error"], r["model"], GREY) for r in records]


def _colors(records: Sequence[Record]) -> Mapping[str | None, str]:
    families = sorted({r["family"] for r in records if r["family"] is not None})
    return dict(zip(families, (COLORS["depth"], COLORS["width"]), strict=False)) | {None: "#999999"}


def _dots(axes: Axes, rows: Sequence[Record], **look: Any) -> None:
    """Points, with an invisible segment each, because labels keep clear of those only."""
    points = [(r["cost"], 100 * r["error"]) for r in rows]
    axes.scatter(*zip(*points, strict=True), **look)
    axes.add_collection(LineCollection([[p, p] for p in points], alpha=0))


def _cloud(axes: Axes, rows: Sequence[Record], color: str, name: str) -> None:
    """Points, and straight lines between those of a family's own frontier."""
    few = len(rows) <= 60
    _dots(axes, rows, s=16 if few else 5, alpha=1 if few else 0.5, color=color, label=name)
    for r in rows if few else ():
        if r["error_low"] is not None:
            ends = [100 * r["error_low"], 100 * r["error_high"]]
            axes.plot([r["cost"]] * 2, ends, color=color, lw=1.0)
    front = [r for r in rows if r["on_family_frontier"] and r["family"] is not None]
    axes.plot([r["cost"] for r in front], [100 * r["error"] for r in front], color=color, lw=1.2)


def frontier(records: Sequence[Record], published: Sequence[Record] = ()) -> Figure:
    """Error against cost with the frontier of all points and of each family, cheapest first.

    `records` are those of `analysis.importers`.
    """
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    for family, color in _colors(records).items():
        if rows := [r for r in records if r["family"] == family]:
            _cloud(axes, rows, color, family or "other models")
    best = [100 * r["frontier_error"] for r in records]
    costs = [r["cost"] for r in records]
    axes.step(costs, best, where="post", color="#444444", lw=1.0, label="frontier of all", zorder=1)
    overlay(axes, published)
    axis = records[0]["cost_axis"]
    log_x(axes, "step_time_s" if axis.endswith("_s") else "flops")
    axes.set_xlabel(str(LABELS.get(axis, axis)))
    values = [100 * r["error"] for r in (*records, *published) if r["error"] > 0]
    log_y_percent(axes, "validation error (%)", values)
    figure.legend(loc="outside lower center", ncols=3)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    place_labels(axes, _labels(records))
    return figure


def _labels(records: Sequence[Record]) -> list[Label]:
    """Names along the frontier; of many, some that are evenly spread."""
    front = [r for r in records if r["on_frontier"]]
    chosen = np.unique(np.linspace(0, len(front) - 1, min(len(front), NAMED)).round().astype(int))
    colors = _colors(records)
    return [
        Label(r["cost"], 100 * r["error"], r["name"], colors[r["family"]])
        for r in (front[i] for i in chosen)
    ]
