"""The depth-width map: how likely depth is better, over training length and cost."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from analysis.descriptions.depth_width_map import DepthWidthMap
from analysis.figures.drawing.gap_map import DIVERGING
from analysis.figures.drawing.panels import finish, outer_labels, panels
from analysis.figures.drawing.style import PLAIN, Look, flops_note, log_ticks, set_ticks
from analysis.study.columns import Record
from analysis.study.measure import Measure

LEVELS = np.linspace(0, 1, 21)
# Between the lines of even odds and certainty: the interval of where depth begins to pay.
LINES = {0.025: ":", 0.5: "-", 0.975: ":"}


def depth_width_map(found: DepthWidthMap, cost: str, look: Look = PLAIN) -> Figure:
    """A panel per resolution; hatched is what no studied configuration surrounds.

    `cost` says what is spent. The dot marks where the odds are even at the map's multiple of the
    base's cost, with its 95 % interval.
    """
    figure, drawn = panels(list(found.crossovers), height=2.0)
    for resolution, axes in drawn:
        _map(axes, [r for r in found.records if r["resolution"] == resolution])
        _dot(axes, found, resolution)
        axes.set_title(f"{resolution} px: {_even(found, resolution, look.measure)}", loc="left")
        axes.set_xlabel(f"training length ({look.measure.length})")
        axes.set_ylabel(f"{cost}, multiple of the base's")
    outer_labels(drawn)
    shades = ScalarMappable(Normalize(0, 1), DIVERGING)
    bar = figure.colorbar(shades, ax=[axes for _, axes in drawn], pad=0.02, shrink=0.9)
    bar.set_label("P(depth is the better way to spend)")
    figure.supxlabel(f"{_note(found)}{flops_note([cost])}", fontsize=7)
    return finish(figure, [])


def _note(found: DepthWidthMap) -> str:
    """What the lines mean, and how well the surface predicts."""
    note = (
        "line: even odds, dotted: 0.025 and 0.975, its 95 % interval; hatched: beyond the studied "
        "configurations\nscatter of configurations about the surface "
        f"{100 * found.residual_sd:.1f} %"
    )
    if found.accuracy is not None:
        note += f"; at resolutions left out {100 * found.accuracy:.0f} % of signs right, "
        note += f"Brier score {found.brier:.2f}"
    return note


def _map(axes: Axes, records: Sequence[Record]) -> None:
    """Shades, lines and hatching over epochs and multiples of cost, both on log axes."""
    epochs = sorted({r["epochs"] for r in records})
    costs = sorted({r["multiplier"] for r in records})
    p = np.array([r["p_depth"] for r in records]).reshape(len(epochs), len(costs)).T
    inside = np.array([r["inside"] for r in records]).reshape(p.T.shape).T
    axes.contourf(epochs, costs, p, LEVELS, cmap=DIVERGING, vmin=0, vmax=1)
    for probability, dashes in LINES.items():
        if p.min() < probability < p.max():
            axes.contour(epochs, costs, p, [probability], colors="#222222", linestyles=[dashes],
                         linewidths=1.0 if probability == 0.5 else 0.8)  # fmt: skip
    # From the dearest cost inside upwards; from the bottom where none is.
    edge = [max([c for c, ok in zip(costs, i, strict=True) if ok], default=costs[0])
            for i in inside.T]  # fmt: skip
    axes.fill_between(
        epochs, edge, costs[-1], facecolor="none", edgecolor="#555555", hatch="////", lw=0
    )
    axes.set(xscale="log", yscale="log", xlim=(epochs[0], epochs[-1]), ylim=(costs[0], costs[-1]))
    axes.grid(False)
    set_ticks(axes.xaxis, log_ticks(epochs[0], epochs[-1]), "{x:g}")
    set_ticks(axes.yaxis, log_ticks(costs[0], costs[-1]), "{x:g}×")


def _dot(axes: Axes, found: DepthWidthMap, resolution: int) -> None:
    at = found.crossovers[resolution]
    if at is None:
        return
    left, right = axes.get_xlim()
    low, high = found.intervals[resolution]
    bars = [[at - (low or left)], [(high or right) - at]]
    axes.errorbar(at, found.multiplier, xerr=bars, fmt="o", color="#000000", ms=3.5, capsize=2)


def _even(found: DepthWidthMap, resolution: int, measure: Measure) -> str:
    """Where the odds are even at the map's multiple, in words."""
    at, (low, high) = found.crossovers[resolution], found.intervals[resolution]
    if at is None:
        return f"no even odds\nat {found.multiplier:g}×"
    ends = f"{f'{low:.0f}' if low else 'below'}, {f'{high:.0f}' if high else 'above'}"
    return f"even at {measure.at(round(at))}\n[{ends}] at {found.multiplier:g}×"
