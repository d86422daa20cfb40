"""What each step in resolution returns."""

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from analysis.figures.drawing.labels import Label
from analysis.figures.drawing.panels import finish
from analysis.figures.drawing.style import LINES, PLAIN, Look, flops_note
from analysis.figures.records import by_epochs
from analysis.study.columns import COST, Record

# Between the bars of two training lengths at one step, as a share of the axis.
APART = 0.014
# More ticks than this stand upright.
LEVEL_TICKS = 4


def returns(rows: Sequence[Record], cost: str = "flops", look: Look = PLAIN) -> Figure:
    """Elasticity of each step in resolution, a tick per step and a line per regime.

    `rows` are those of `analysis.figures.law_records.return_rows`. Regimes are drawn side by side
    at a step; a step lies at the geometric mean of its two ends.
    """
    figure = Figure(figsize=(4.6, 3.0), layout="constrained")
    axes = figure.subplots()
    left, right = _axis(axes, rows)
    regimes = by_epochs(rows)
    ends = []
    for index, (epochs, steps) in enumerate(regimes.items()):
        color = LINES[index % len(LINES)]
        shift = (right / left) ** (APART * (index - (len(regimes) - 1) / 2))
        x = [shift * _middle(r) for r in steps]
        _series(axes, x, steps, color)
        ends.append(Label(x[-1], steps[-1]["elasticity"], look.measure.at(epochs), color))
    axes.axhline(0, color="#444444", lw=0.8)
    text = f"−Δln({look.measure.name}) / Δln({COST[cost].title}) of a step"
    axes.set_xlabel(f"step in resolution (px){flops_note([text])}")
    barred = any(r["low"] is not None for r in rows)
    axes.set_ylabel(text + ",\nbars: 95 % interval over steps" * barred)
    return finish(figure, [(axes, ends)])


def _middle(row: Record) -> float:
    return math.sqrt(row["from_px"] * row["to_px"])


def _axis(axes: Axes, rows: Sequence[Record]) -> tuple[float, float]:
    """A tick per step, as 16→24, on a log axis over a factor of two or more; its two ends."""
    steps = {_middle(r): f"{r['from_px']:g}→{r['to_px']:g}" for r in rows}
    low, high = min(steps), max(steps)
    pad = max(1.12, math.sqrt(2 * low / high))
    # To the right there is room for the names of the lines.
    ends = low / pad, high * pad * (high / low) ** 0.12
    axes.set_xscale("log")
    axes.set_xlim(ends)
    upright = 90 if len(steps) > LEVEL_TICKS else 0
    axes.set_xticks(sorted(steps), [steps[at] for at in sorted(steps)], rotation=upright)
    axes.xaxis.set_minor_locator(NullLocator())
    return ends


def _series(axes: Axes, x: Sequence[float], steps: Sequence[Record], color: str) -> None:
    """Points joined in order, with bars where there are any."""
    axes.plot(x, [r["elasticity"] for r in steps], lw=0.9, color=color)
    for known, run in groupby(zip(x, steps, strict=True), lambda pair: pair[1]["low"] is not None):
        at, group = zip(*run, strict=True)
        y = [r["elasticity"] for r in group]
        bars = [(r["elasticity"] - r["low"], r["high"] - r["elasticity"]) for r in group if known]
        yerr = np.transpose(bars) if known else None
        axes.errorbar(at, y, yerr=yerr, fmt="o", ms=3.5, capsize=2, lw=0.9, color=color)
