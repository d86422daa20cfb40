"""From a foreign table to a study on disk, which the analysis reads like any other."""

import re
from collections import Counter, abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.importing.columns import converted, has
from analysis.importing.declared_study import DeclaredStudy, refuse_selection
from analysis.importing.read_csv import frame_of
from analysis.importing.units import OURS
from analysis.laws.floor import above_floor
from analysis.rules.preregistration import freeze
from analysis.study.cells import Cell, cells_of
from analysis.study.measure import description_of, measure_of
from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_csv, replace_file
from scaling_study.study.axes import CELL_AXES
from scaling_study.study.result import Result, column_types, write_result

# The setting of runs whose table does not say it.
IMPORTED = "imported"
TEXTS = ("data", "family", "recipe", "precision", "eval_split")
WHOLE = {name for name, kinds in column_types().items() if int in kinds}
# What a table of numbers and texts cannot say.
WITHHELD = {name for name, kinds in column_types().items() if kinds & {bool, abc.Mapping}}
TIMES = ("step_time_s",)
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
    made = [_result(row, number) for number, row in enumerate(frame.to_dict("records"))]
    _refuse_copies(made)
    _refuse_no_noise(made, declared)
    _refuse_mixed_times(made, declared)
    study = results / declared.name
    study.mkdir(parents=True, exist_ok=True)
    grid = declared.grid()
    freeze(study, grid)
    replace_file(study / "grid.yaml", yaml.safe_dump(grid, sort_keys=False))
    plan = [[r.run_id, r.epochs] for r in made]
    replace_csv(study / "plan.csv", [["run_id", "epochs"], *plan])
    for result in made:
        folder = results / "runs" / result.run_id
        folder.mkdir(parents=True, exist_ok=True)
        write_result(folder, result)
    return study


def cells_in(
    rows: Sequence[Mapping[str, str]],
    columns: Mapping[str, str],
    units: Mapping[str, str],
    declared: DeclaredStudy,
) -> list[Cell]:
    """The cells of a table, which need no replicates; raises as `to_study` does for the rest."""
    frame = _frame(rows, columns, units, declared)
    made = [_result(row, number) for number, row in enumerate(frame.to_dict("records"))]
    _refuse_copies(made)
    _refuse_mixed_times(made, declared)
    grid = declared.grid()
    outcome, measure = description_of(grid), measure_of(grid)
    shared = {"settings": (), "measure": measure}
    runs = [{**vars(r), "val_error": outcome.minimised(vars(r)), **shared} for r in made]
    return cells_of(above_floor(runs, outcome))


def _refuse_mixed_times(made: Sequence[Result], declared: DeclaredStudy) -> None:
    if declared.cost in TIMES and len(devices := {r.device for r in made}) > 1:
        raise InputError(
            f"cost: {declared.cost}: times of {len(devices)} devices ({_some(devices)}) are not "
            "compared; take the rows of one, or another cost"
        )


def _frame(
    rows: Sequence[Mapping[str, str]],
    columns: Mapping[str, str],
    units: Mapping[str, str],
    declared: DeclaredStudy,
) -> pd.DataFrame:
    frame = frame_of(rows)
    names = [*map(str, frame.columns)]
    automatic = OURS.keys() - {"schema", "measures"} - columns.keys()
    own = {name: name for name in OURS if name in automatic and has(frame, name)}
    mapped = own | dict(columns)
    if declared.length is not None:
        if not has(frame, declared.length):
            raise InputError(f"length: {declared.length}: no such column; there are {_some(names)}")
        mapped["epochs"] = declared.length
    for needed in ("outcome", declared.cost):
        if needed not in mapped:
            there = _some(names)
            raise InputError(f"no column for {needed} ({there}); map one, as in --map {needed}=…")
    refuse_selection(declared, mapped["outcome"])
    ours = converted(frame, mapped, units)
    kept = ours.dropna(subset=["outcome", declared.cost]).reset_index(drop=True)
    if kept.empty:
        raise InputError(f"no row has both outcome and {declared.cost}")
    return pd.DataFrame(kept)


def _result(row: Mapping[Any, Any], number: int) -> Result:
    """One row as a result; axes that the table lacks are 1, other things blank."""
    known = column_types().keys() - WITHHELD
    values = {k: v for k, v in row.items() if k in known and v == v and v != ""}
    values |= {name: round(values[name]) for name in WHOLE if name in values}
    for axis in CELL_AXES:
        values[axis.name] = axis.kind(values.get(axis.name, 1))
    cell = "-".join(axis.short(values[axis.name]) for axis in CELL_AXES)
    other = "-".join(str(values[n]) for n in ("family", "recipe", "data") if n in values)
    config = PLAIN.sub("_", f"{cell}-{other}".rstrip("-"))
    seed = values.get("seed", number)
    blank = dict.fromkeys(("batch_size", "lr", "params", "flops", "activations", "train_flops"))
    defaults = dict.fromkeys(TEXTS, IMPORTED) | blank | {"n_train": None, "n_val": None}
    ours = {"run_id": f"{config}-s{seed}-{number}", "config_id": config, "seed": seed}
    return Result(**{**defaults, **values, **ours, "status": "ok"})


def _refuse_copies(made: Sequence[Result]) -> None:
    seeds = Counter((r.config_id, r.seed) for r in made)
    for (config_id, seed), n in seeds.items():
        if n > 1:
            raise InputError(
                f"{n} rows are {config_id} with seed {seed}: a run that is there twice is no "
                "replicate; remove the copies, or map the column that tells them apart"
            )
    values = Counter((r.config_id, r.outcome) for r in made)
    for (config_id, outcome), n in values.items():
        if n > 1 and outcome is not None and outcome != round(outcome, 4):
            raise InputError(
                f"{n} runs of {config_id} have the same outcome, {outcome!r}, to the last digit: "
                "copies under several seeds are no replicates; remove them"
            )


def _refuse_no_noise(made: Sequence[Result], declared: DeclaredStudy) -> None:
    if declared.seed_sd is None and "seed_sd" not in declared.rules:
        cells = Counter(r.config_id for r in made)
        if max(cells.values()) == 1:
            raise InputError(
                f"none of the {len(cells)} configurations ran twice, and the study declares no "
                "noise: nothing says which differences are luck. Add runs with other seeds, or "
                "declare `seed_sd`, the SD of the outcome between seeds; --surface compares "
                "two axes by a surface, and rests on its lack of fit"
            )


def _some(names: Any) -> str:
    return ", ".join(sorted(map(str, names)))
