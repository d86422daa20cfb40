"""Checks all that a grid declares for its analysis, before anything is paid for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.rules import check_names, pilot, preregistration
from analysis.rules.grid_names import Values


def check(study_dir: Path, grid: Mapping[str, Any], values: Values) -> None:
    """Check the rules and the planning of `grid`, and the rules that its study has frozen.

    `values`: see `check_names.check`.

    Raises:
        InputError: rules or planning that make no sense, or that name what the grid does not have.
    """
    preregistration.load_rules(study_dir, grid)
    rules, planning = preregistration.load_rules(None, grid), pilot.planning_of(grid)
    check_names.check(rules, planning, grid, values)
