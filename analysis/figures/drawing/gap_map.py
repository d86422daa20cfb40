"""The map of gaps between the arms over training length and resolution."""

from collections.abc import Sequence
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from analysis.figures.drawing.panels import outer_labels, panels
from analysis.figures.drawing.style import COLORS, PLAIN, Look, flops_note
from analysis.study.columns import ALL_COST_NAMES, Record
from analysis.study.measure import Measure

# Room for the line that says what colours and numbers mean (inches), and for the label of colours
# (letters).
NARROWEST, SHORT = 4.6, 16
DIVERGING = LinearSegmentedColormap.from_list("arms", [COLORS["width"], "#FFFFFF", COLORS["depth"]])


def gap_map(records: Sequence[Record], bars: str, look: Look = PLAIN) -> Figure:
    """The gap at every length of training and resolution with its interval, a panel per cost.

    `records` are those of `analysis.descriptions.gaps`; fields without an estimate are grey.
    `bars` says what the intervals are, as in "95 % interval".
    """
    epochs = sorted({r["epochs"] for r in records})
    known = [r for r in records if r["estimate"] is not None]
    sides = sorted({r["resolution"] for r in known if r["resolution"] is not None})
    rows = [*sides, None] if len(sides) > 1 else [None]
    costs = [cost for cost in ALL_COST_NAMES if any(r["cost"] == cost for r in known)]
    measure, (first, second) = look.measure, look.words
    factor = measure.gap_factor
    limit = factor * max(abs(r["estimate"]) for r in known) or 1.0
    wide = max(0.7 + 0.45 * len(epochs), NARROWEST / len(costs))
    figure, found = panels(costs, wide, 0.75 + 0.3 * len(rows))
    for cost, axes in found:
        cells = {(r["epochs"], r["resolution"]): r for r in known if r["cost"] == cost}
        grid = [[cells.get((e, side)) for e in epochs] for side in rows]
        values = [[factor * c["estimate"] if c else float("nan") for c in line] for line in grid]
        axes.set_facecolor("#eeeeee")
        image = axes.imshow(values, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto")
        _write(axes, grid, limit, measure)
        axes.set_xticks(range(len(epochs)), [str(e) for e in epochs])
        axes.set_yticks(range(len(rows)), [f"{side} px" if side else "mean" for side in rows])
        axes.grid(False)
        axes.set_xlabel(f"training length ({measure.length})")
        axes.set_title(f"at equal {ALL_COST_NAMES[cost]}", loc="left")
    outer_labels(found)
    for _, axes in found[1:]:
        axes.set_yticklabels([])
    bar = figure.colorbar(image, ax=[axes for _, axes in found], shrink=0.9, pad=0.02)
    bar.set_label("\n".join(wrap(f"gap in {measure.gap_axis}", SHORT)))
    figure.supxlabel(
        f"blue: {first} better, orange: {second} better; ± half the {bars}, "
        "bold if it excludes zero" + flops_note(axes.get_title("left") for _, axes in found),
        fontsize=7,
    )
    return figure


def _write(
    axes: Axes, grid: Sequence[Sequence[Record | None]], limit: float, measure: Measure
) -> None:
    """Estimate and half interval in each field; bold where the interval excludes zero."""
    for y, line in enumerate(grid):
        for x, cell in enumerate(line):
            if cell is None:
                continue
            half = (cell["high"] - cell["low"]) / 2
            digits, factor = measure.digits(half), measure.gap_factor
            estimate, half = factor * cell["estimate"], factor * half
            axes.text(
                x, y, f"{estimate:+z.{digits}f}\n±{half:.{digits}f}", fontsize=6.5,
                ha="center", va="center",
                weight="bold" if cell["low"] > 0 or cell["high"] < 0 else "normal",
                color="white" if abs(estimate) > 0.75 * limit else "#222222",
            )  # fmt: skip
