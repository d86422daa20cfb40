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


def verdicts(records: Sequence[Record], bars: str, noise: str = "", look: Look = PLAIN) -> Figure:
    """Every tested claim: effect, interval and margin, with sensitivities beneath in grey.

    `records` are those of `verdict_records`, a panel per unit. `bars` says what the bars are, as
    in "95 % interval", and `noise` what those about error rest on where seeds did not measure it;
    intervals of laws rest on how configurations scatter.
    """
    names = _units(look.measure)
    units = [unit for unit in names if any(r["unit"] == unit for r in records)]
    counts = [len(_labels(records, unit)) for unit in units]
    figure = Figure(figsize=(WIDTH, 0.4 + sum(0.5 + 0.4 * n for n in counts)), layout="constrained")
    grid = figure.subplots(len(units), 1, squeeze=False, height_ratios=[n + 0.8 for n in counts])
    for unit, axes in zip(units, grid[:, 0], strict=True):
        _claims(axes, [r for r in records if r["unit"] == unit], _labels(records, unit))
        rest = f", {noise}" if noise and unit != "number" else ""
        axes.set_xlabel(f"{names[unit]}; bars: {bars}{rest}; |: margin")
    variants = [r["variant"] for r in records]
    axes.set_xlabel(axes.get_xlabel() + flops_note([r["about"] for r in records] + variants))
    return figure


def _labels(records: Sequence[Record], unit: str) -> list[str]:
    return list(dict.fromkeys(r["rule"] for r in records if r["unit"] == unit))


def _claims(axes: Axes, records: Sequence[Record], rules: Sequence[str]) -> None:
    axes.axvline(0, color="#444444", lw=0.8)
    heads = []
    for row, rule in enumerate(rules):
        own = [r for r in records if r["rule"] == rule]
        for place, r in enumerate(own):
            if r["variant"] != "declared":
                y = row + 0.16 + 0.3 * place / len(own)
                _bar(axes, r, y, color="#aaaaaa", ms=1.6, lw=0.8, zorder=2)
                continue
            color = VERDICTS[r["verdict"]]
            _bar(axes, r, row, color=color, ms=4, lw=1.5, capsize=2.5, zorder=3)
            axes.plot(r["margin"], row, "|", color="#444444", ms=10, mew=1)
            axes.text(
                0.01, row - 0.2, plain(r["about"]), transform=axes.get_yaxis_transform(),
                fontsize=6.5, color="#666666", va="bottom", path_effects=HALO,
            )  # fmt: skip
            heads.append((rule, r["verdict"]))
    axes.set_yticks(
        range(len(heads)), [f"{plain(rule, 24)}\n{v.replace('_', ' ')}" for rule, v in heads]
    )
    for tick, (_, value) in zip(axes.get_yticklabels(), heads, strict=True):
        tick.set_color(VERDICTS[value])
    axes.set_ylim(len(heads) - 0.35, -0.6)
    axes.grid(False, axis="y")
