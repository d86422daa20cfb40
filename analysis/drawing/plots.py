"""From records to figures; nothing here computes a result.

All functions take the records of `analysis.records` (fractions) and draw percentages, with 95 %
intervals as error bars. They are drawn inside `style()`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.drawing.labels import Label, place_labels
from analysis.drawing.overlay import overlay, published_handle
from analysis.drawing.style import COLORS, MARKERS, STYLE, log_x, log_y_percent
from analysis.records import Record

NAMES = {
    "base": "base (in both arms)",
    "depth": "depth arm",
    "width": "width arm",
    "neither": "other cells",
}


def style() -> AbstractContextManager[None]:
    """The style of all figures, as a context to make and to save them in."""
    return mpl.rc_context(STYLE)


def _panels(records: Sequence[Record]) -> tuple[Figure, list[tuple[int, Axes]]]:
    """A panel per regime."""
    regimes = sorted({r["epochs"] for r in records})
    figure = Figure(figsize=(0.6 + 4.6 * len(regimes), 4.4), layout="constrained")
    grid = figure.subplots(1, len(regimes), squeeze=False)
    panels = list(zip(regimes, grid[0], strict=True))
    for epochs, axes in panels:
        axes.set_title(f"{epochs} epochs", loc="left")
    return figure, panels


def _name(record: Record, resolutions: int) -> str:
    name = f"d{record['depth']} w{record['width']:g}"
    return f"{name} r{record['resolution']}" if resolutions > 1 else name


def _point(axes: Axes, record: Record, value: str, marker: str = "o") -> None:
    y, low, high = (record[f"{value}{end}"] for end in ("", "_low", "_high"))
    bars = None if low is None else [[100 * (y - low)], [100 * (high - y)]]
    color = COLORS["base"] if record["is_base"] else COLORS[record["arm"]]
    axes.errorbar(
        record["cost"], 100 * y, yerr=bars, fmt=marker, ms=4.5, color=color, capsize=2, lw=1.1
    )  # fmt: skip


def _label(record: Record, value: str, resolutions: int) -> Label:
    color = COLORS["base" if record["is_base"] else record["arm"]]
    return Label(record["cost"], 100 * record[value], _name(record, resolutions), color)


def _legend(figure: Figure, records: Sequence[Record], extra: Sequence[Line2D | Patch]) -> None:
    arms = [a for a in NAMES if any(r["arm"] == a for r in records)]
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=COLORS[a], marker="o", ms=4.5, ls="", label=NAMES[a]) for a in arms
    ]
    if any(r.get("error_low", r.get("gap_low")) is not None for r in records):
        label = "bars: 95 % interval of the mean"
        handles.append(Line2D([], [], color="#444444", marker="|", ms=9, ls="", label=label))
    handles += extra
    columns = min(len(handles), 5 * len(figure.axes) // 2)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _finish(figure: Figure, labels: Sequence[tuple[Axes, Sequence[Label]]]) -> Figure:
    """Fix the layout, then write the labels where they cover nothing."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes, texts in labels:
        place_labels(axes, texts)
    return figure


def _step(xs: Sequence[float], ys: Sequence[float]) -> tuple[list[float], list[float]]:
    """Corners of a staircase that keeps each value until the next cost."""
    x, y = [xs[0]], [100 * ys[0]]
    for cost, error in zip(xs[1:], ys[1:], strict=True):
        x += [cost, cost]
        y += [y[-1], 100 * error]
    return x, y


def frontier(records: Sequence[Record], published: Sequence[Record] = ()) -> Figure:
    """Error against cost per regime, the Pareto frontier and its uncertainty."""
    figure, panels = _panels(records)
    labels = []
    resolutions = len({r["resolution"] for r in records})
    axis = records[0]["cost_axis"]
    for epochs, axes in panels:
        cells = [r for r in records if r["epochs"] == epochs]
        costs = [r["cost"] for r in cells]
        axes.plot(*_step(costs, [r["frontier_error"] for r in cells]), color="#444444", zorder=1.5)
        if cells[0]["band_low"] is not None:
            for kind, alpha in (("sure", 0.18), ("band", 0.35)):
                x, low = _step(costs, [r[f"{kind}_low"] for r in cells])
                _, high = _step(costs, [r[f"{kind}_high"] for r in cells])
                axes.fill_between(x, low, high, color="#888888", alpha=alpha, lw=0)
        for record in cells:
            _point(axes, record, "error")
        overlay(axes, published)
        log_x(axes, axis)
        values = [100 * r["error"] for r in (*cells, *published)]
        log_y_percent(axes, "validation error (%)", values)
        labels.append((axes, _frontier_labels(cells, resolutions)))
    others = dict.fromkeys(r["family"] for r in published)
    _legend(
        figure,
        records,
        [
            Line2D([], [], color="#444444", label="Pareto frontier of cell means"),
            Patch(color="#888888", alpha=0.45, lw=0, label="95 % percentile band"),
            Patch(color="#888888", alpha=0.18, lw=0, label="band of at least 95 %"),
            *(published_handle(family) for family in others),
        ],
    )
    return _finish(figure, labels)


def _frontier_labels(cells: Sequence[Record], resolutions: int) -> list[Label]:
    """All cells by name if there are few, else those on the frontier."""
    named = [r for r in cells if r["on_frontier"] or len(cells) <= 12]
    return [_label(r, "error", resolutions) for r in named]


def arms(records: Sequence[Record], titles: dict[int, str]) -> Figure:
    """Both arms per regime with the curves that are compared; `titles` has a line per regime."""
    figure, panels = _panels(records)
    resolutions = sorted({r["resolution"] for r in records})
    labels = []
    for epochs, axes in panels:
        here = [r for r in records if r["epochs"] == epochs]
        named: dict[str, Label] = {}
        for index, resolution in enumerate(resolutions):
            marker = MARKERS[index % len(MARKERS)]
            for arm in ("depth", "width"):
                rows = [r for r in here if (r["arm"], r["resolution"]) == (arm, resolution)]
                curve = [r for r in rows if r["kind"] == "curve"]
                axes.plot(
                    [r["cost"] for r in curve], [100 * r["error"] for r in curve], color=COLORS[arm]
                )  # fmt: skip
                for record in (r for r in rows if r["kind"] == "cell"):
                    _point(axes, record, "error", marker)
                    color = COLORS["base"] if record["is_base"] else COLORS[arm]
                    text = _name(record, len(resolutions))
                    if len(resolutions) == 1 or record["is_base"]:
                        short = f"{resolution} px" if len(resolutions) > 1 else text
                        named[text] = Label(record["cost"], 100 * record["error"], short, color)
        axes.set_title(f"{epochs} epochs\n{titles.get(epochs, '')}", loc="left")
        log_x(axes, records[0]["cost_axis"])
        log_y_percent(axes, "validation error (%)", [100 * r["error"] for r in here])
        labels.append((axes, list(named.values())))
    _legend(figure, [*records, {"arm": "base"}], [])
    return _finish(figure, labels)


def overfit(records: Sequence[Record]) -> Figure:
    """Validation minus training error against cost per regime."""
    figure, panels = _panels(records)
    resolutions = len({r["resolution"] for r in records})
    labels = []
    for epochs, axes in panels:
        cells = [r for r in records if r["epochs"] == epochs]
        for record in cells:
            _point(axes, record, "gap")
        axes.axhline(0, color="#444444", lw=0.8)
        log_x(axes, records[0]["cost_axis"])
        axes.set_ylabel("validation minus training error (pp)")
        few = cells if len(cells) <= 12 else []
        labels.append((axes, [_label(r, "gap", resolutions) for r in few]))
    _legend(figure, records, [])
    return _finish(figure, labels)
