"""Names and values in declared rules that the grid does not have, found before a run is paid for.

What a declaration's own form gets wrong is found where it is read (`parse.py`).
"""

from collections.abc import Mapping
from typing import Any

from analysis.rules.grid_names import Values, grid_names, listed
from analysis.rules.pilot import Planning
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from scaling_study.common.errors import InputError


def check(
    prereg: Preregistration, planning: Planning, grid: Mapping[str, Any], values: Values
) -> None:
    """Compare what rules and `planning` name with what the grid has.

    `values` gives all values that the planned cells, and points left out of the plan, have of an
    axis (depth, width, resolution, epochs, lr), of `variant` and `target`, or of a config key.

    Raises:
        InputError: a setting, a level or a length of training that the grid does not have.
    """
    lengths = {float(e) for e in values("epochs")} if planning else set()
    for epochs in planning:
        if epochs not in lengths:
            raise InputError(
                f"grid.planning.{epochs}: the grid has no run of {epochs} epochs; "
                f"it has {listed(lengths)}"
            )
    names = grid_names(grid, values)
    for rule in prereg.rules:
        find_kind(rule.kind).check_names(rule, names, f"rules.rules.{rule.name}")
