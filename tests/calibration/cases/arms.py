"""R1 where a design is less regular than the default one."""

from typing import Any

from calibration.case import Case
from calibration.simulator import study

MARGIN = 0.005
DESIGNS: dict[str, dict[str, Any]] = {
    "a shock of each seed shared by all cells": {"shock": 1.0},
    "the arms share a range of 1.6": {"width_costs": (1.0, 1.3, 1.6)},
    "mean of four resolutions": {"resolutions": (16, 20, 24, 28)},
}


def _missing() -> Case:
    """Without its dearest cell the depth arm ends at 1.6 times the base's cost."""
    shape = study(long=1.0)
    made = study(long=MARGIN / shape.mean_gap(shape.regimes[-1], 1.6), missing=(2,))
    return Case("R1-long", "one dear cell missing, 3 seeds", MARGIN, made.rows)


CASES = [
    _missing(),
    *(
        Case("R1-long", f"{name}, 3 seeds", MARGIN, study(long=MARGIN, **design).rows)
        for name, design in DESIGNS.items()
    ),
    Case("R1-short", "all cells alike, normal, 3 seeds", -MARGIN, study(-MARGIN, MARGIN).rows),
]
