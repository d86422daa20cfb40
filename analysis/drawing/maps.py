"""Maps over training length and resolution: how likely depth is better, and by how much."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from analysis.drawing.labels import Label
from analysis.drawing.panels import finish, outer_labels, panels
from analysis.drawing.style import COLORS, LINES, log_plain
from analysis.records import Record
from analysis.rules import COST_NAMES

DIVERGING = LinearSegmentedColormap.from_list("arms", [COLORS["width"], "#FFFFFF", COLORS["depth"]])


def probabilities(
    records: Sequence[Record], crossovers: Mapping[int, float | None], cost: str
) -> Figure:
    """One line per resolution over training length, named where it passes one half.

    `cost` says in words what is spent.
    """
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0.5, color="#444444", lw=0.8)
    labels = []
    for index, (resolution, crossover) in enumerate(crossovers.items()):
        line = [r for r in records if r["resolution"] == resolution]
        color = LINES[index % len(LINES)]
        axes.plot([r["epochs"] for r in line], [r["p_depth"] for r in line], color=color)
        if crossover:
            axes.plot(crossover, 0.5, "o", color=color, ms=5)
            text = f"{resolution} px: even\nat {crossover:.0f} epochs"
            labels.append(Label(crossover, 0.5, text, color))
        else:
            labels.append(Label(line[-1]["epochs"], line[-1]["p_depth"], f"{resolution} px", color))
    axes.set_xscale("log")
    log_plain(axes.xaxis, *axes.get_xlim())
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("training length (epochs)")
    axes.set_ylabel(f"P(depth is the better way to spend\n{cost})")
    return finish(figure, [(axes, labels)])


def gap_map(records: Sequence[Record]) -> Figure:
    """The gap at every length of training and resolution with its interval, a panel per cost.

    `records` are those of `analysis.gaps.gaps`; what could not be measured stays grey.
    """
    epochs = sorted({r["epochs"] for r in records})
    known = [r for r in records if r["estimate"] is not None]
    sides = sorted({r["resolution"] for r in known if r["resolution"] is not None})
    rows = [*sides, None] if len(sides) > 1 else [None]
    costs = [cost for cost in COST_NAMES if any(r["cost"] == cost for r in known)]
    limit = 100 * max(abs(r["estimate"]) for r in known) or 1.0
    figure, found = panels(costs, 0.9 + 0.75 * len(epochs), 1.1 + 0.5 * len(rows))
    for cost, axes in found:
        cells = {(r["epochs"], r["resolution"]): r for r in known if r["cost"] == cost}
        grid = [[cells.get((e, side)) for e in epochs] for side in rows]
        values = [[100 * c["estimate"] if c else float("nan") for c in line] for line in grid]
        axes.set_facecolor("#eeeeee")
        image = axes.imshow(values, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto")
        _write(axes, grid, limit)
        axes.set_xticks(range(len(epochs)), [str(e) for e in epochs])
        axes.set_yticks(range(len(rows)), [f"{side} px" if side else "mean" for side in rows])
        axes.grid(False)
        axes.set_xlabel("training length (epochs)")
        axes.set_title(f"at equal {COST_NAMES[cost]}", loc="left")
    outer_labels(found)
    for _, axes in found[1:]:
        axes.set_yticklabels([])
    bar = figure.colorbar(image, ax=[axes for _, axes in found], shrink=0.9, pad=0.02)
    bar.set_label("gap in relative error (%)")
    figure.supxlabel(
        "blue: depth better, orange: width better; ± half the interval, bold if it excludes zero",
        fontsize=8,
    )
    return figure


def _write(axes: Axes, grid: Sequence[Sequence[Record | None]], limit: float) -> None:
    """Estimate and half interval in each field; bold where the interval excludes zero."""
    for y, line in enumerate(grid):
        for x, cell in enumerate(line):
            if cell is None:
                continue
            estimate, half = 100 * cell["estimate"], 50 * (cell["high"] - cell["low"])
            sure = cell["low"] > 0 or cell["high"] < 0
            axes.text(
                x, y, f"{estimate:+z.1f}\n±{half:.1f}", ha="center", va="center", fontsize=7.5,
                weight="bold" if sure else "normal",
                color="white" if abs(estimate) > 0.75 * limit else "#222222",
            )  # fmt: skip
