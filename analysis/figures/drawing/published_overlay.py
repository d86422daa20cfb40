"""Points that others published, laid over a figure."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from analysis.figures.drawing.labels import Label
from analysis.paper.tables import read
from analysis.study.columns import Record

PUBLISHED = {"ResNet-RS": "resnet_rs_family", "EfficientNet": "efficientnet_family"}
COLUMNS = {"flops": ("flops_B_paper", 1e9), "params": ("params_M", 1e6)}
MARKS = {"ResNet-RS": "D", "EfficientNet": "s"}
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
            "source": "ImageNet (Bello et al. 2021, Table 7)",
            "cost_axis": cost,
            "cost": scale * float(row[column]),
            "error": 1 - float(row["top1_pct_paper_table7"]) / 100,
        }
        for family, name in PUBLISHED.items()
        for row in read(name)
    ]


def overlay(axes: Axes, records: Sequence[Record]) -> list[Label]:
    """Draw points that others published as hollow marks with a legend entry per family.

    Records need `cost`, `error` (fraction), `model`, `family` and `source`; the axes show the same
    cost and percent. Call it before the limits are final; the labels, of both ends of each family,
    are for `place_labels` after that.
    """
    labels = []
    for family in dict.fromkeys(r["family"] for r in records):
        rows = [r for r in records if r["family"] == family]
        look = {"s": 11, "lw": 0.7, "facecolors": "none", "edgecolors": GREY, "zorder": 2.5}
        dots(axes, rows, marker=MARKS.get(family, "P"), label=published_name(rows[0]), **look)
        ends = [min(rows, key=lambda r: r["cost"]), max(rows, key=lambda r: r["cost"])]
        labels += [Label(r["cost"], 100 * r["error"], short(r["model"]), GREY) for r in ends]
    return labels


def short(model: str) -> str:
    """RS-50@160 and B0@224, as the paper calls them."""
    return model.removeprefix("EfficientNet-").removeprefix("ResNet-")


def published_name(record: Record) -> str:
    """The family of a published point, on what it was measured, and who published it."""
    return f"{record['family']} on {record['source']}"


def dots(axes: Axes, rows: Sequence[Record], **look: Any) -> None:
    """Points, with an invisible segment each, because labels keep clear of those only."""
    points = [(r["cost"], 100 * r["error"]) for r in rows]
    axes.scatter(*zip(*points, strict=True), **look)
    axes.add_collection(LineCollection([[p, p] for p in points], alpha=0))


def published_handle(record: Record) -> Line2D:
    """The legend entry of the family of a published point."""
    return Line2D(
        [], [], ls="", marker=MARKS.get(record["family"], "P"), ms=3.5, mfc="none", mec=GREY,
        mew=0.7, label=published_name(record),
    )  # fmt: skip
