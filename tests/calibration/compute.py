"""How much compute an adaptive study saves: its power beside that of the whole grid.

On each surface the whole grid with three seeds per cell is simulated, and an adaptive study of the
same candidates that may spend a share of its training FLOPs. Power is the share of studies that
reach the verdict which the surface itself makes true.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analysis.rules.evidence import Evidence
from analysis.rules.planned import Planning
from analysis.rules.preregistration import load_rules
from analysis.study.study_cells import StudyCells
from calibration.adaptive import Adaptive, verdicts
from calibration.case import Rows
from calibration.default_grid import star
from calibration.surfaces import surfaces

RULES = ("R1-long", "R1-short", "R1-interaction")
SEEDS, MOST = 3, 12


class Surface(Protocol):
    """A grid with known errors."""

    sd: float

    @property
    def planning(self) -> Planning:
        """What a pilot would say."""

    def exact(self) -> Rows:
        """The whole grid almost without noise."""

    def rows(self, rng: np.random.Generator, seeds: int) -> Rows:
        """The whole grid with so many seeds per cell."""


@dataclass(frozen=True)
class Design:
    """A kind of grid, its surfaces, and the share of its training FLOPs that may be spent."""

    name: str
    share: float
    surfaces: Sequence[Surface]


def designs(count: int) -> list[Design]:
    """The grids of the table, with so many surfaces, the default one with half as many.

    Two seeds of each cell that is compared are the least: of a star with three seeds, 40 % would
    not pay for them.
    """
    return [
        Design("4 depths x 4 widths", 0.4, surfaces(count)),
        Design("the default grid", 1.0, star(count // 2)),
    ]


def compared(design: Design, number: int, studies: int) -> list[dict[str, str]]:
    """For each rule that the surface decides: the power of both, and what adaptive studies spent.

    `spent` is the median share of the whole grid's training FLOPs.
    """
    prereg, surface = load_rules(None, {}), design.surfaces[number]
    truth = {
        name: v.value for name, v in verdicts(_study(surface.exact()), RULES).items() if v.decided
    }
    candidates = surface.rows(np.random.default_rng(1), MOST)
    whole = sum(row["train_flops"] for row in candidates if row["seed"] < SEEDS)
    adaptive = Adaptive(candidates, prereg, surface.planning, design.share * whole, tuple(truth))
    right: Counter[tuple[str, str]] = Counter()
    spent = []
    for study in range(studies):
        drawn = surface.rows(np.random.default_rng([20210316, number, study]), MOST)
        rows, at_look = adaptive.study(drawn)
        spent.append(sum(row["train_flops"] for row in rows) / whole)
        part = Evidence(StudyCells.of(rows, prereg.base), at_look)
        full = _study([row for row in drawn if row["seed"] < SEEDS])
        for kind, found in (("full", full), ("adaptive", part)):
            right.update(
                (kind, name)
                for name, v in verdicts(found, tuple(truth)).items()
                if v.value == truth[name]
            )
    return [
        {
            "grid": design.name,
            "surface": str(number),
            "may_spend": f"{design.share:g}",
            "seed_sd": f"{surface.sd:g}",
            "rule": name,
            "truth": value,
            "power_full": f"{right['full', name] / studies:.3f}",
            "power_adaptive": f"{right['adaptive', name] / studies:.3f}",
            "spent": f"{np.median(spent):.3f}",
        }
        for name, value in truth.items()
    ]


def _study(rows: Rows) -> Evidence:
    prereg = load_rules(None, {})
    return Evidence(StudyCells.of(rows, prereg.base), prereg)


def section(rows: Sequence[dict[str, str]]) -> list[str]:
    """The part of the page about it: medians and worst cases over the surfaces."""
    lines = [
        "\n## What an adaptive study saves\n",
        f"A whole grid with {SEEDS} seeds per cell in two lengths of training, and an adaptive "
        "study of the same",
        "cells, on surfaces of two kinds: 4 depths and 4 widths on surfaces drawn from a fit to "
        "the paper's",
        "Figures 2 and 3, and the five cells of the default grid with effects of -6 to 6 % and "
        "its own noise.",
        "An adaptive study may spend so much of the whole grid's training FLOPs; in the default "
        "grid there is",
        "no cell to leave out, and two seeds of each take two thirds. Power is the share of "
        "studies that reach the",
        "verdict which the surface makes true, in percent. Both come from "
        "`make calibration ARGS='--only adaptive'`.\n",
        "| grid | may spend | rule | surfaces | whole grid | adaptive | difference, median | worst "
        "| spent, median | worst |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for grid in dict.fromkeys(row["grid"] for row in rows):
        for rule in RULES:
            own = [row for row in rows if (row["grid"], row["rule"]) == (grid, rule)]
            lines += [_line(own)] if own else []
    return lines


def _line(own: Sequence[dict[str, str]]) -> str:
    full, part, spent, may = (
        np.array([100 * float(row[name]) for row in own])
        for name in ("power_full", "power_adaptive", "spent", "may_spend")
    )
    gained = part - full
    return (
        f"| {own[0]['grid']} | {may[0]:.0f} % | {own[0]['rule']} | {len(own)} | "
        f"{np.median(full):.0f} | {np.median(part):.0f} | {np.median(gained):+.0f} | "
        f"{gained.min():+.0f} | {np.median(spent):.0f} % | {spent.max():.0f} % |"
    )
