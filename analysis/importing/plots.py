"""Figures of foreign tables: error against one cost. Records hold fractions; axes show percent."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.drawing.labels import Label
from analysis.figures.drawing.panels import finish, spread
from analysis.figures.drawing.published_overlay import dots, overlay
from analysis.figures.drawing.style import COLORS, log_x, outcome_axis
from analysis.study.columns import COSTS, Record

LABELS = {cost.name: cost.label for cost in COSTS} | {"image_time_s": "time per image"}
NAMED = 14


def _colors(records: Sequence[Record]) -> Mapping[str | None, str]:
    families = sorted({r["family"] for r in records if r["family"] is not None})
    return dict(zip(families, (COLORS["depth"], COLORS["width"]), strict=False)) | {None: "#999999"}


def _cloud(axes: Axes, rows: Sequence[Record], color: str, name: str) -> None:
    """Points, and straight lines between those of a family's own frontier."""
    few = len(rows) <= 60
    dots(axes, rows, s=16 if few else 5, alpha=1 if few else 0.5, color=color, label=name)
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
    figure = Figure(figsize=(5.4, 4.0), layout="constrained")
    axes = figure.subplots()
    colors = _colors(records)
    for family, color in colors.items():
        if rows := [r for r in records if r["family"] == family]:
            _cloud(axes, rows, color, family or "other models")
    best = [100 * r["frontier_error"] for r in records]
    costs = [r["cost"] for r in records]
    axes.step(costs, best, where="post", color="#444444", lw=1.0, label="frontier of all", zorder=1)
    others = overlay(axes, published)
    axis = records[0]["cost_axis"]
    log_x(axes, "step_time_s" if axis.endswith("_s") else "flops")
    axes.set_xlabel(str(LABELS.get(axis, axis)))
    values = [100 * r["error"] for r in (*records, *published) if r["error"] > 0]
    outcome_axis(axes, "validation error (%)", values)
    figure.legend(loc="outside lower center", ncols=2)
    front = spread([r for r in records if r["on_frontier"]], NAMED)
    own = [Label(r["cost"], 100 * r["error"], r["name"], colors[r["family"]]) for r in front]
    return finish(figure, [(axes, [*own, *others])])
