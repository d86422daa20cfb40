"""The cells of a series in order: their errors, and what each changes."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.drawing import style
from analysis.figures.drawing.labels import plain
from analysis.figures.drawing.style import PLAIN, Look, step_color
from analysis.study.columns import Record


def steps(records: Sequence[Record], look: Look = PLAIN) -> Figure:
    """A row a cell under its series: error on the left, the step from the row before on the right.

    Steps are green where the whole interval is below zero, orange where it is above.
    """
    # A line per record, each series under its title.
    places: list[Record | None] = []
    labels: list[str] = []
    for series, members in groupby(records, key=itemgetter("series")):
        rows = list(members)
        places += [None, *rows]
        labels += [f"{plain(series, 60)}:", *(plain(r["name"], 40) for r in rows)]
    figure = Figure(figsize=(style.WIDTH, 0.9 + 0.2 * len(labels)), layout="constrained")
    errors, changes = figure.subplots(1, 2, sharey=True)
    for row, record in enumerate(places):
        if record:
            _point(errors, record, "error", row, look.color("base"), look)
        if record and record["step"] is not None:
            _point(changes, record, "step", row, step_color(record), look)
    changes.axvline(0, color="#444444", lw=0.8)
    errors.set_yticks(range(len(labels)), labels)
    errors.set_ylim(len(labels) - 0.5, -0.5)
    for axes in (errors, changes):
        axes.grid(False, axis="y")
    errors.set_xlabel(style.interval_label(records, look.measure.axis) + style.flops_note(labels))
    unit = f" {look.measure.difference_axis}".rstrip()
    changes.set_xlabel(f"change from the row it is compared with{unit}\n← better    worse →")
    return figure


def _point(axes: Axes, record: Record, name: str, row: int, color: str, look: Look) -> None:
    value, low, high = (record[f"{name}{end}"] for end in ("", "_low", "_high"))
    bars = None if low is None else [look.shown([value - low]), look.shown([high - value])]
    axes.errorbar(
        look.measure.factor * value, row, xerr=bars, fmt="o", ms=3.5, color=color, capsize=2,
        lw=0.9,
        mfc="white" if style.assumed([record]) else color,
    )  # fmt: skip
