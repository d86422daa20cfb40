"""How much compute an adaptive study saves: its power beside that of the whole grid.

On each surface the whole grid with three seeds per cell is simulated, and an adaptive study of the
same candidates that may spend `SHARE` of its training FLOPs. Power is the share of studies that
reach the verdict which the surface itself makes true.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.rules.evidence import Evidence
from analysis.rules.preregistration import load_rules
from analysis.study.study_cells import StudyCells
from calibration.adaptive import Adaptive, verdicts
from calibration.case import Rows
from calibration.surfaces import EPOCHS, Surface

RULES = ("R1-long", "R1-short", "R1-interaction")
SHARE, SEEDS, MOST = 0.4, 3, 12


def compared(surface: Surface, number: int, studies: int) -> list[dict[str, str]]:
    """For each rule that the surface decides: the power of both, and what adaptive studies spent.

    `spent` is the median share of the whole grid's training FLOPs.
    """
    prereg = load_rules(None, {})
    exact = replace(surface, sd=1e-6).rows(np.random.default_rng(0), 2)
    truth = {name: v.value for name, v in verdicts(_study(exact), RULES).items() if v.decided}
    candidates = surface.rows(np.random.default_rng(1), MOST)
    whole = sum(row["train_flops"] for row in candidates if row["seed"] < SEEDS)
    pilot = {e: surface.pilot(e) for e in EPOCHS}
    adaptive = Adaptive(candidates, prereg, pilot, SHARE * whole, tuple(truth))
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
            "surface": str(number),
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
    count = len({row["surface"] for row in rows})
    lines = [
        "\n## What an adaptive study saves\n",
        f"The whole grid of 4 depths, 4 widths and 2 training lengths with {SEEDS} seeds, and an",
        f"adaptive study of the same cells that may spend {100 * SHARE:g} % of its training FLOPs,",
        f"on {count} surfaces drawn from a fit to the paper's Figures 2 and 3. Power is the share",
        "of studies that reach the verdict which the surface makes true, in percent.\n",
        "| rule | surfaces | whole grid | adaptive | difference, median | worst | spent, median |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for rule in RULES:
        if own := [row for row in rows if row["rule"] == rule]:
            full, part, spent = (
                np.array([100 * float(row[name]) for row in own])
                for name in ("power_full", "power_adaptive", "spent")
            )
            gained = part - full
            lines.append(
                f"| {rule} | {len(own)} | {np.median(full):.0f} | {np.median(part):.0f} | "
                f"{np.median(gained):+.0f} | {gained.min():+.0f} | {np.median(spent):.0f} % |"
            )
    return lines
