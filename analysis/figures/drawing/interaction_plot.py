"""Interaction plots: a panel per rule, a line per level, from one value of a setting to another."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.drawing.labels import Label, plain
from analysis.figures.drawing.panels import finish, panels
from analysis.figures.drawing.style import (
    LINES,
    MARKERS,
    PLAIN,
    Look,
    assumed,
    interval_label,
    outcome_axis,
)
from analysis.rules.plain_words import word_of
from analysis.study.columns import Record

# Both lines are drawn this far left and right of the tick, so that bars do not cover each other.
APART = 0.03
LONGEST, LINE = 26, 14


def interactions(records: Sequence[Record], look: Look = PLAIN) -> Figure:
    """Lines that are parallel where the difference of the levels does not depend on the setting.

    `records` are those of `analysis.figures.interaction_records`; the title of a panel has the
    rule's verdict and its effect, the test.
    """
    groups = {name: [*rows] for name, rows in groupby(records, key=itemgetter("rule"))}
    figure, found = panels([*groups], height=2.4)
    names = [(axes, _panel(axes, groups[name], look)) for name, axes in found]
    return finish(figure, names)


def _panel(axes: Axes, rows: Sequence[Record], look: Look) -> list[Label]:
    """One rule's corners; the names of the lines for the place where they end."""
    values, levels = (list(dict.fromkeys(r[key] for r in rows)) for key in ("value", "level"))
    names = []
    for index, level in enumerate(levels):
        color, own = LINES[index], [r for r in rows if r["level"] == level]
        x = [values.index(r["value"]) + APART * (2 * index - 1) for r in own]
        y, low, high = (look.shown(r[f"error{end}"] for r in own) for end in ("", "_low", "_high"))
        bars = [[a - b for a, b in zip(y, low, strict=True)],
                [b - a for a, b in zip(y, high, strict=True)]]  # fmt: skip
        axes.errorbar(
            x, y, yerr=bars, fmt=f"-{MARKERS[index]}", color=color, ms=3.5, capsize=2, lw=1.0,
            mfc="white" if assumed(own) else color,
        )  # fmt: skip
        names.append(Label(x[-1], y[-1], plain(level, LONGEST), color))
    axes.set_xlim(-0.35, 1.75)
    outcome_axis(
        axes,
        interval_label(rows, look.measure.axis),
        look.shown(r["error"] for r in rows),
        look.measure,
    )
    # Beside each other: a longer name is broken.
    axes.set_xticks(range(len(values)), [fill(plain(v, LONGEST), LINE) for v in values])
    axes.set_xlabel(plain(rows[0]["by"], LONGEST))
    axes.grid(False, axis="x")
    effect = look.measure.interval(*(rows[0][name] for name in ("estimate", "low", "high")))
    verdict = word_of(rows[0]["verdict"])
    axes.set_title(f"{plain(rows[0]['rule'], 24)} ({verdict})\n{effect}", loc="left")
    return names
