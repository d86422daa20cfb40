"""The regime map as a picture: probability that depth is the better way to spend, by epochs."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analysis.drawing.style import MARKERS, log_ticks
from analysis.records import Record

# Okabe & Ito's colours that no arm uses, light to dark with resolution.
LINES = ("#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#000000", "#999999")


def probabilities(records: Sequence[Record], crossovers: Mapping[int, float | None]) -> Figure:
    """One line per resolution over training length, marked where it passes one half."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    for index, (resolution, crossover) in enumerate(crossovers.items()):
        line = [r for r in records if r["resolution"] == resolution]
        color = LINES[index % len(LINES)]
        marker = MARKERS[index % len(MARKERS)]
        label = f"{resolution} px" + (f", even at {crossover:.0f} epochs" if crossover else "")
        axes.plot([r["epochs"] for r in line], [r["p_depth"] for r in line], color=color)
        axes.plot(crossover or [], 0.5 if crossover else [], marker, color=color, ms=6, label=label)
    axes.axhline(0.5, color="#444444", lw=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(log_ticks(*axes.get_xlim())))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("training length (epochs)")
    axes.set_ylabel("P(depth is the better way to spend)")
    axes.legend(loc="lower right")
    return figure
