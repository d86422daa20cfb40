"""Pareto frontiers of error and one cost, from `records.frontier_records`, inside `style()`."""

from collections.abc import Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.drawing import panels
from analysis.figures.drawing.labels import Label
from analysis.figures.drawing.published_overlay import overlay, published_handle
from analysis.figures.drawing.style import LINES, PLAIN, Look, interval_label, log_x, outcome_axis
from analysis.figures.records import by_epochs
from analysis.study.columns import Record

GREY = "#444444"
# Names in a panel where the published points squeeze ours.
FEW = 3


def frontier(
    records: Sequence[Record], published: Sequence[Record] = (), look: Look = PLAIN
) -> Figure:
    """Error against cost per regime, the Pareto frontier and its uncertainty."""
    figure, found = panels.per_regime(records, look)
    labels = []
    resolutions = len({r["resolution"] for r in records})
    most = FEW if published else panels.names_in(found)
    for epochs, axes in found:
        cells = [r for r in records if r["epochs"] == epochs]
        axes.plot(*_step(cells, "frontier_error", look), color=GREY, zorder=1.5)
        for kind, alpha in (("sure", 0.18), ("band", 0.35)):
            _band(axes, cells, kind, "#888888", alpha, look)
        for marker, members in panels.by_setting(records).values():
            here = [r for r in members if r["epochs"] == epochs]
            panels.points(axes, here, "error", marker, look=look)
        others = overlay(axes, published)
        log_x(axes, records[0]["cost_axis"])
        shown = look.shown(r["error"] for r in (*cells, *published))
        outcome_axis(axes, _label(records, look), shown, look.measure)
        named = [r for r in cells if r["on_frontier"] or len(cells) <= 7]
        own = [panels.label(r, "error", resolutions, look) for r in panels.spread(named, most)]
        labels.append((axes, [*own, *others]))
    panels.outer_labels(found)
    mean = Line2D([], [], color=GREY, label="frontier of cell means")
    handles: list[Line2D | Patch] = [mean, *panels.setting_handles(records)]
    if any(r["band_low"] is not None for r in records):
        for alpha, where in ((0.5, "pointwise"), (0.2, "all costs at once")):
            handles.append(Patch(color="#888888", alpha=alpha, lw=0, label=f"95 % band, {where}"))
    first = {r["family"]: r for r in reversed(published)}
    paper = map(published_handle, reversed(first.values()))
    panels.legend(figure, records, [*handles, *paper], look)
    return panels.finish(figure, labels)


def _step(cells: Sequence[Record], name: str, look: Look) -> tuple[list[float], list[float]]:
    """Corners of a staircase that keeps each value until the next cost."""
    x, y = [cells[0]["cost"]], [cells[0][name]]
    for r in cells[1:]:
        x += [r["cost"], r["cost"]]
        y += [y[-1], r[name]]
    return x, look.shown(y)


def _band(
    axes: Axes, cells: Sequence[Record], kind: str, color: str, alpha: float, look: Look
) -> None:
    """Shade between the staircases of a band's ends, where there is one."""
    if cells[0]["band_low"] is not None:
        (x, low), (_, high) = (_step(cells, f"{kind}_{end}", look) for end in ("low", "high"))
        axes.fill_between(x, low, high, color=color, alpha=alpha, lw=0)


def _label(records: Sequence[Record], look: Look) -> str:
    barred = any(r["band_low"] is not None for r in records)
    what = "bars and bands" if barred else "bars"
    return interval_label(records, look.measure.axis, what=what)


def budget(records: Sequence[Record], look: Look = PLAIN) -> Figure:
    """Error against the training cost of a run: the frontier of each length of training."""
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    ends = []
    for (epochs, cells), color in zip(by_epochs(records).items(), cycle(LINES), strict=False):
        axes.plot(*_step(cells, "frontier_error", look), color=color)
        _band(axes, cells, "band", color, 0.25, look)
        panels.points(axes, cells, "error", color=color, look=look)
        last = cells[-1]
        (height,) = look.shown([last["frontier_error"]])
        ends.append(Label(last["cost"], height, look.measure.at(epochs), color))
    log_x(axes, records[0]["cost_axis"])
    # To the right there is room for the names of the lines.
    left, right = axes.get_xlim()
    axes.set_xlim(left, right * (right / left) ** 0.18)
    shown = look.shown(r["error"] for r in records)
    outcome_axis(axes, _label(records, look), shown, look.measure)
    return panels.finish(figure, [(axes, ends)])
