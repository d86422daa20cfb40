"""From a foreign table to a study on disk, which the analysis reads like any other."""

import re
from collections import abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.importing.columns import converted, has
from analysis.importing.declared_study import DeclaredStudy, refuse_selection
from analysis.importing.read_csv import frame_of
from analysis.importing.refusals import (
    refuse_copies,
    refuse_mixed_times,
    refuse_no_noise,
    some,
)
from analysis.importing.units import OURS
from analysis.laws.floor import above_floor
from analysis.rules.preregistration import freeze
from analysis.study.cells import Cell, cells_of
from analysis.study.columns import LR
from analysis.study.compared_settings import with_comparison_settings
from analysis.study.measure import description_of
from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_csv, replace_file
from scaling_study.study.axes import AXES, CELL_AXES, KEYS
from scaling_study.study.result import Result, column_types, write_result

# The setting of runs whose table does not say it.
IMPORTED = "imported"
TEXTS = ("data", "family", "recipe", "precision", "eval_split")
WHOLE = {name for name, kinds in column_types().items() if int in kinds}
# What a table of numbers and texts cannot say.
WITHHELD = {name for name, kinds in column_types().items() if kinds & {bool, abc.Mapping}}
PLAIN = re.compile(r"[^A-Za-z0-9_.-]+")


def to_study(
    rows: Sequence[Mapping[str, str]],
    columns: Mapping[str, str],
    units: Mapping[str, str],
    declared: DeclaredStudy,
    results: Path,
) -> Path:
    """Write RESULTS/NAME and RESULTS/runs; the folder of the study.

    `columns` maps ours to theirs; `outcome` must be one of them, or of the table. Nothing was
    frozen before these runs, so all verdicts are exploratory.

    Raises:
        InputError: what cannot be judged, with the reason; as `columns.converted` does; or rules
            that are none.
    """
    frame = _frame(rows, columns, units, declared)
    own = [key for key in declared.axis_keys if key in frame]
    made = _results(frame, declared)
    refuse_no_noise(made, declared)
    study = results / declared.name
    study.mkdir(parents=True, exist_ok=True)
    (study / "prereg.yaml").unlink(missing_ok=True)  # of an earlier call: nothing is frozen
    grid = declared.grid()
    freeze(study, grid)
    replace_file(study / "grid.yaml", yaml.safe_dump(grid, sort_keys=False))
    plan = [
        [r.run_id, r.epochs, *values]
        for r, values in zip(made, frame[own].to_numpy().tolist(), strict=True)
    ]
    replace_csv(study / "plan.csv", [["run_id", "epochs", *own], *plan])
    for result in made:
        folder = results / "runs" / result.run_id
        folder.mkdir(parents=True, exist_ok=True)
        try:
            write_result(folder, result)
        except ValueError as error:
            raise InputError(f"{result.run_id}: {error}") from None
    return study


def cells_in(
    rows: Sequence[Mapping[str, str]],
    columns: Mapping[str, str],
    units: Mapping[str, str],
    declared: DeclaredStudy,
) -> list[Cell]:
    """The cells of a table, which need no replicates; raises as `to_study` does for the rest."""
    frame = _frame(rows, columns, units, declared)
    made, grid = _results(frame, declared), declared.grid()
    outcome = description_of(grid)
    runs = [
        {**row, **vars(r), "val_error": outcome.minimised(vars(r))}
        for r, row in zip(made, frame.to_dict("records"), strict=True)
    ]
    return cells_of(above_floor(with_comparison_settings(runs, grid), outcome))


def _results(frame: pd.DataFrame, declared: DeclaredStudy) -> list[Result]:
    """The rows as results; InputError for what are no replicates, or no times to compare."""
    made = [_result(row, number, declared) for number, row in enumerate(frame.to_dict("records"))]
    refuse_copies(made)
    refuse_mixed_times(made, declared)
    return made


def _frame(
    rows: Sequence[Mapping[str, str]],
    columns: Mapping[str, str],
    units: Mapping[str, str],
    declared: DeclaredStudy,
) -> pd.DataFrame:
    frame = frame_of(rows)
    names = [*map(str, frame.columns)]
    automatic = OURS.keys() - {"schema", "measures", *columns, *columns.values()}
    own = {name: name for name in OURS if name in automatic and has(frame, name)}
    mapped = own | dict(columns)
    if declared.length is not None:
        if not has(frame, declared.length):
            raise InputError(f"length: {declared.length}: no such column; there are {some(names)}")
        mapped["epochs"] = declared.length
    for needed in ("outcome", declared.cost):
        if needed not in mapped:
            there = some(names)
            raise InputError(f"no column for {needed} ({there}); map one, as in --map {needed}=…")
    refuse_selection(declared, mapped["outcome"])
    ours = _with_own_axes(converted(frame, mapped, units), frame, mapped, declared)
    kept = ours.dropna(subset=["outcome", declared.cost]).reset_index(drop=True)
    if kept.empty:
        raise InputError(f"no row has both outcome and {declared.cost}")
    return pd.DataFrame(kept)


def _with_own_axes(
    ours: pd.DataFrame,
    frame: pd.DataFrame,
    mapped: Mapping[str, str],
    declared: DeclaredStudy,
) -> pd.DataFrame:
    """A column for each of the study's own axes; the learning rate has one of ours."""
    found = {}
    for key, named in declared.axis_keys.items():
        column = mapped.get(named, named)
        if not has(frame, column):
            names = some(frame.columns)
            raise InputError(f"axes: {column}: no such column; there are {names}")
        known = next((ours for ours in KEYS if mapped.get(ours) == column), None)
        if known is not None:
            raise InputError(f"axes: {column} is the axis {known} already")
        if key != LR.key:
            found[key] = [_level(text) for text in frame[column].astype(str)]
        elif LR.name not in ours:
            ours = ours.assign(**converted(frame, {LR.name: column}, {}))
    return ours.assign(**found)


def _level(text: str) -> str:
    """A level of an axis as it is written everywhere: 8 for 8.0 as well."""
    try:
        number = float(text)
    except ValueError:
        return text.strip() or "none"
    return str(int(number)) if number.is_integer() else repr(number)


def _whole(values: Mapping[Any, Any], number: int, length: str | None) -> dict[str, int]:
    """The columns that hold whole numbers, and the axes; InputError for a fraction on an axis."""
    for axis in AXES:
        value = values.get(axis.name, 1)
        if axis.kind is int and value != round(value):
            name = length if axis.name == "epochs" and length else axis.name
            raise InputError(
                f"row {number + 1}: {name}={value:g} is no whole number; give it in a smaller "
                "unit, as in millions of tokens in place of billions"
            )
    return {name: round(values[name]) for name in WHOLE if name in values}


def _result(row: Mapping[Any, Any], number: int, declared: DeclaredStudy) -> Result:
    """One row as a result; axes that the table lacks are 1, other things blank.

    Runs that differ on an axis of the study's own are no replicates.
    """
    known = column_types().keys() - WITHHELD
    values = {k: v for k, v in row.items() if k in known and v == v and v != ""}
    values |= _whole(values, number, declared.length)
    for axis in CELL_AXES:
        values[axis.name] = axis.kind(values.get(axis.name, 1))
    cell = "-".join(axis.short(values[axis.name]) for axis in CELL_AXES)
    known_as = [str(values[n]) for n in ("family", "recipe", "data") if n in values]
    levels = [str(values.get(LR.name) if key == LR.key else row[key]) for key in declared.axis_keys]
    config = PLAIN.sub("_", "-".join([cell, *known_as, *levels]))
    seed = values.get("seed", number)
    blank = dict.fromkeys(("batch_size", "lr", "params", "flops", "activations", "train_flops"))
    defaults = dict.fromkeys(TEXTS, IMPORTED) | blank | {"n_train": None, "n_val": None}
    ours = {"run_id": f"{config}-s{seed}-{number}", "config_id": config, "seed": seed}
    return Result(**{**defaults, **values, **ours, "status": "ok"})
