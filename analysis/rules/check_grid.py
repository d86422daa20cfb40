"""Checks what a grid declares for its analysis, names and values too, before a run is paid for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.rules.declared_allocation import allocation_of
from analysis.rules.declared_interval import TUNED_TRUNKS
from analysis.rules.grid_names import Values, grid_names, listed
from analysis.rules.planned import planning_of
from analysis.rules.preregistration import load_rules
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.study.measure import description_of, measure_of
from scaling_study.common.errors import InputError


def check(study_dir: Path, grid: Mapping[str, Any], values: Values) -> None:
    """Check rules, planning and allocation of `grid`, and the rules that its study has frozen.

    `values` gives all values that the planned cells, and points left out of the plan, have of an
    axis (depth, width, resolution, epochs, lr), of `variant` and `target`, or of a config key.

    Raises:
        InputError: rules, planning or an allocation that make no sense, or that name a setting, a
            level, a rule or a length of training that the grid does not have; or what does not go
            with trunks.
    """
    load_rules(study_dir, grid)
    rules, planning = load_rules(None, grid), planning_of(grid)
    allocation_of(grid, rules)
    measure = measure_of(grid)
    lengths = {float(e) for e in values("epochs")} if planning else set()
    for epochs in planning:
        if epochs not in lengths:
            raise InputError(
                f"grid.planning.{epochs}: the grid has no run of {measure.at(epochs)}; "
                f"it has {listed(lengths)}"
            )
    if grid.get("one_trunk") is not None:
        _check_trunks(grid, rules)
    names = grid_names(grid, values)
    for rule in rules.rules:
        find_kind(rule.kind).check_names(rule, names, f"rules.rules.{rule.name}")


def _check_trunks(grid: Mapping[str, Any], rules: Preregistration) -> None:
    """InputError for what takes lengths of one trunk as independent runs."""
    if description_of(grid).fitted:
        why = "lengths of one trunk are no independent runs to fit a floor to"
        raise InputError(f"outcome.best=fit: {why}; declare it, as in outcome.best=0.1")
    for rule in rules.rules:
        if rule.tuned and not find_kind(rule.kind).one_regime:
            raise InputError(f"rules.rules.{rule.name}.tuned: {TUNED_TRUNKS}")
