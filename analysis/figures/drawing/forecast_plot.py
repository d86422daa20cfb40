"""Forecast against actual run time."""

import math
from collections.abc import Sequence
from itertools import cycle

from matplotlib.axis import Axis
from matplotlib.figure import Figure

from analysis.figures.drawing.labels import Label
from analysis.figures.drawing.panels import finish
from analysis.figures.drawing.style import LINES, MOST_TICKS, PLAIN, Look, log_ticks, set_ticks
from analysis.figures.records import by_epochs
from analysis.study.columns import Record

UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))
# Round times between a second and a day; outside, those of decades.
ROUND = (*(t * unit for unit in (1.0, 60.0) for t in (1, 2, 5, 10, 20, 30)),
         *(t * 3600.0 for t in (1, 2, 5, 10, 24)))  # fmt: skip


def forecasts(records: Sequence[Record], look: Look = PLAIN) -> Figure:
    """Each run's measured time over what was forecast before it started, by length of training."""
    figure = Figure(figsize=(3.9, 3.6), layout="constrained")
    axes = figure.subplots()
    names = ("forecast_s", "wall_s", "forecast_s_low", "forecast_s_high")
    values = [r[name] for r in records for name in names if r[name]]
    low, high = 0.8 * min(values), 1.25 * max(values)
    axes.plot([low, high], [low, high], color="#444444", lw=1)
    for factor in (0.5, 2.0):
        axes.plot([low, high], [factor * low, factor * high], color="#999999", lw=0.8, ls=":")
    ends = []
    for (epochs, rows), color in zip(by_epochs(records).items(), cycle(LINES), strict=False):
        x, y = [r["forecast_s"] for r in rows], [r["wall_s"] for r in rows]
        axes.errorbar(
            x, y, xerr=_bars(rows), fmt="o", ms=3, color=color, alpha=0.75, mec="none",
            elinewidth=0.7,
        )  # fmt: skip
        top = max(range(len(y)), key=y.__getitem__)
        ends.append(Label(x[top], y[top], look.measure.at(epochs), color))
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    _seconds(axes.xaxis, low, high)
    _seconds(axes.yaxis, low, high)
    barred = any(r["forecast_s_low"] is not None for r in records)
    axes.set_xlabel(f"run time as forecast before launch{', bars: 90 % interval' * barred}")
    axes.set_ylabel("run time as measured\n(line: as forecast, dotted: factor of 2)")
    return finish(figure, [(axes, ends)])


def _bars(rows: Sequence[Record]) -> tuple[list[float], list[float]]:
    """How far the interval reaches below and above each forecast; nothing where there is none."""
    lows = [r["forecast_s"] - (r["forecast_s_low"] or r["forecast_s"]) for r in rows]
    highs = [(r["forecast_s_high"] or r["forecast_s"]) - r["forecast_s"] for r in rows]
    return lows, highs


def _seconds(axis: Axis, low: float, high: float) -> None:
    """Ticks as 6 s, 30 s, 2 min, 1 h: round in the largest unit that they fill."""
    found = [t for t in ROUND if low <= t <= high]
    if len(found) < 3:
        factor, _ = _unit((low * high) ** 0.5)
        found = [factor * t for t in log_ticks(low / factor, high / factor)]
    set_ticks(axis, found[:: math.ceil(len(found) / MOST_TICKS)], lambda x, _: duration(x))


def duration(seconds: float) -> str:
    """A positive time in the largest unit that it fills: 30 s, 2 min, 1.5 h."""
    factor, unit = _unit(seconds)
    return f"{seconds / factor:.3g} {unit}"


def _unit(seconds: float) -> tuple[float, str]:
    """The largest unit that a time fills (in seconds), and its sign."""
    return next((f, u) for f, u in UNITS if seconds >= f * (1 - 1e-9) or u == "ms")
