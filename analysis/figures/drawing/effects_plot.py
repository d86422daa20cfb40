"""Main effects: what each level of an axis does against its first one."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from analysis.figures.drawing.labels import plain as plain_text
from analysis.figures.drawing.panels import finish, panels
from analysis.figures.drawing.style import PLAIN, VERDICTS, Look
from analysis.study.columns import Record
from scaling_study.study.axes import plain

MOST_LEVEL_TICKS = 5


def main_effects(records: Sequence[Record], bars: str, look: Look = PLAIN) -> Figure:
    """A panel per axis: the change at each level, with its interval; green is better.

    `records` are those of `analysis.descriptions.main_effects`; `bars` says what these are.
    """
    factor = look.measure.gap_factor
    figure, found = panels(list(dict.fromkeys(r["axis"] for r in records)), height=1.8)
    for name, axes in found:
        rows = [r for r in records if r["axis"] == name]
        axes.axhline(0, color="#444444", lw=0.8)
        axes.plot(0, 0, "o", color="#000000", ms=3.5)
        for at, r in enumerate(rows, 1):
            value = factor * r["estimate"]
            ends = None if r["low"] is None else [factor * r["low"], factor * r["high"]]
            yerr = None if ends is None else [[value - ends[0]], [ends[1] - value]]
            axes.errorbar(at, value, yerr=yerr, fmt="o", ms=3.5, capsize=2, lw=0.9, color=_color(r))
        labels = [plain(rows[0]["reference"]), *(plain(r["level"]) for r in rows)]
        turned = 90 if len(labels) > MOST_LEVEL_TICKS else 0
        axes.set_xticks(range(len(labels)), [plain_text(t, 16) for t in labels], rotation=turned)
        axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_title(plain_text(str(rows[0]["label"]), 30), loc="left")
    barred = any(r["low"] is not None for r in records)
    figure.supylabel(look.measure.gap_axis, fontsize=7)
    note = "change against the first level, all else equal; below zero is better"
    figure.supxlabel(note + f"\nbars: {bars}" * barred, fontsize=7)
    return finish(figure, [])


def _color(record: Record) -> str:
    if record["low"] is None or record["low"] <= 0 <= record["high"]:
        return "#777777"
    return VERDICTS["supported" if record["high"] < 0 else "refuted"]
