"""Estimates with intervals on rows: gaps between the arms, and speed-ups."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.drawing.labels import HALO, plain
from analysis.figures.drawing.style import (
    COLORS,
    PLAIN,
    VERDICTS,
    WIDTH,
    Look,
    flops_note,
    log_ticks,
    set_ticks,
)
from analysis.rules.plain_words import word_of
from analysis.study.columns import ALL_COST_NAMES, Record
from analysis.study.measure import Measure, with_unit


def _bar(axes: Axes, r: Record, y: float, factor: float = 1.0, **look: Any) -> None:
    """A record's estimate with its interval, `factor` times, at a height."""
    value, low, high = (factor * r[name] for name in ("estimate", "low", "high"))
    axes.errorbar(value, y, xerr=[[value - low], [high - value]], fmt="o", **look)


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(False, axis="y")


def gaps(records: Sequence[Record], margin: float, bars: str, look: Look = PLAIN) -> Figure:
    """Gap between the arms per cost and regime, with the margin that counts.

    `bars` says what these are, as in "95 % interval".
    """
    measure, (first, second) = look.measure, look.words
    labels = [f"{measure.at(r['epochs'])}, equal {ALL_COST_NAMES[r['cost']]}" for r in records]
    figure = Figure(figsize=(5.6, 1.0 + 0.21 * len(labels)), layout="constrained")
    axes = figure.subplots()
    wide = measure.gap_factor * margin
    axes.axvspan(-wide, wide, color="#dddddd", lw=0)
    axes.axvline(0, color="#444444", lw=0.8)
    for row, r in enumerate(records):
        better = look.arms[0] if r["low"] > 0 else look.arms[1] if r["high"] < 0 else "base"
        _bar(axes, r, row, measure.gap_factor, color=look.color(better), ms=4, capsize=2)
    _rows(axes, labels)
    axes.set_xlabel(
        with_unit(
            f"{measure.gap} of the {second} arm minus the {first} arm", measure.gap_unit.strip()
        )
        + f"\nbars: {bars}\n← {second} better    grey: margin of {measure.size(margin)}    "
        f"{first} better →"
        f"{flops_note(labels)}"
    )
    return figure


def speedups(records: Sequence[Record]) -> Figure:
    """Cost ratio at equal accuracy per model and on average, a panel per hardware."""
    names = list(dict.fromkeys(r["hardware"] for r in records))
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), sharey=True), names, strict=True):
        rows = [r for r in records if r["hardware"] == name and r["estimate"] is not None]
        axes.axvline(1, color="#444444", lw=0.8)
        axes.set_xscale("log")
        for row, r in enumerate(rows):
            color = COLORS["base" if r["model"] == "mean" else "depth"]
            _bar(axes, r, row, color=color, ms=4, capsize=2)
        _rows(axes, [r["model"] for r in rows])
        set_ticks(axes.xaxis, [1.0, *log_ticks(1.2, axes.get_xlim()[1])], "{x:g}×")
        axes.set_title(plain(name), loc="left")
        axes.set_xlabel(
            "EfficientNet time / ResNet-RS time\nat equal accuracy (> 1: ResNet-RS faster),\n"
            "bars: 95 % interval"
        )
    return figure


def _units(measure: Measure) -> dict[str, str]:
    """The label of the axis of effects in each unit."""
    lost = measure.difference_unit.replace("pp", "percentage points")
    return {
        "percent": measure.gap_axis,
        "pp": with_unit(f"{measure.name} lost", lost),
        "number": "effect, as named above its bar",
    }


# Heights of a claim with its words, and of each other way to ask it, in rows and inches.
CLAIM, OTHER, ROW = 1.0, 0.42, 0.36


def verdicts(records: Sequence[Record], bars: str, noise: str = "", look: Look = PLAIN) -> Figure:
    """Every tested claim: effect, interval and margin, beneath it in grey the same asked otherwise.

    `records` are those of `verdict_records.drawn`, a panel per unit. `bars` says what the bars
    are, as in "95 % interval", and `noise` what those about error rest on where seeds did not
    measure it; intervals of laws rest on how configurations scatter.
    """
    names = _units(look.measure)
    groups = {u: rows for u in names if (rows := [r for r in records if r["unit"] == u])}
    heights = [sum(map(_height, rows)) for rows in groups.values()]
    size = WIDTH, sum(0.6 + ROW * height for height in heights)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(groups), 1, squeeze=False, height_ratios=[h + 0.4 for h in heights])
    for (unit, rows), axes in zip(groups.items(), grid[:, 0], strict=True):
        _claims(axes, rows)
        rest = f", {noise}" if noise and unit != "number" else ""
        axes.set_xlabel(f"{names[unit]}; bars: {bars}{rest}; |: margin")
    variants = [r["variant"] for r in records]
    axes.set_xlabel(axes.get_xlabel() + flops_note([r["about"] for r in records] + variants))
    return figure


def _height(r: Record) -> float:
    return CLAIM if r["variant"] == "declared" else OTHER


def _claims(axes: Axes, records: Sequence[Record]) -> None:
    """A row for each claim, in the colour of its verdict, and one for each other way to ask it."""
    axes.axvline(0, color="#444444", lw=0.8)
    places, bottom = list[float](), 0.0
    for r in records:
        bottom += _height(r)
        places.append(bottom - OTHER / 2)
    for r, y in zip(records, places, strict=True):
        if r["variant"] != "declared":
            _bar(axes, r, y, color="#8a8a8a", ms=2, lw=0.8, zorder=2)
            continue
        _bar(axes, r, y, color=VERDICTS[r["verdict"]], ms=4, lw=1.5, capsize=2.5, zorder=3)
        axes.plot(r["margin"], y, "|", color="#444444", ms=10, mew=1)
        axes.text(
            0.01, y - OTHER / 2, plain(r["about"]), transform=axes.get_yaxis_transform(),
            fontsize=6.5, color="#666666", va="bottom", path_effects=HALO,
        )  # fmt: skip
    axes.set_yticks(places, [_name(r) for r in records])
    for tick, r in zip(axes.get_yticklabels(), records, strict=True):
        claim = r["variant"] == "declared"
        tick.set_color(VERDICTS[r["verdict"]] if claim else "#666666")
        tick.set_fontsize(7 if claim else 6.5)
    axes.set_ylim(bottom + OTHER / 4, 0)
    axes.grid(False, axis="y")


def _name(r: Record) -> str:
    """What stands beside a row: the claim's code and verdict, or how else it was asked."""
    if r["variant"] != "declared":
        return plain(r["variant"], 40)
    return f"{plain(r['rule'], 24)}: {word_of(r['verdict'])}"
