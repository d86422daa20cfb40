"""The two groups of runs that a gate compares: folders of runs, or rows of a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.study.measure import description_of
from scaling_study.common.errors import InputError
from scaling_study.common.reading import csv_in
from scaling_study.study.axes import CELL_AXES
from scaling_study.study.result import read_result
from scaling_study.study.table import ANCHOR, TRUNK, read_grid, read_plan

Row = Mapping[str, Any]
# Columns of a table that say which run it is, and are no part of its treatment.
NAMES = ("run_id", "id", "name", "seed")
# What differs between runs by chance or by the machine's mood.
MEASURED = ("step_time", "wall", "images_per_s", "peak_memory", "time", "date", "created")
# What tells runs of our own apart, whatever else their results say.
CODE = ("config_id", "code")
FORMS = "give a study's folder, a folder of runs, or FILE.csv:COLUMN=VALUE"


def group_of(text: str, outcome: str | None) -> list[Row]:
    """The runs that a user names, each with its `outcome` and `seed`.

    Raises:
        InputError: nothing of that name, no run that is finished, or a table without the columns.
    """
    path, _, chosen = text.partition(":") if not Path(text).exists() else (text, "", "")
    found: Sequence[Row]
    if Path(path).is_file():
        found = _of_table(Path(path), chosen, outcome or "outcome")
    else:
        found = _of_folder(Path(path), outcome)
        found = _selected(found, chosen, path) if chosen else found
    if not found:
        raise InputError(f"{text}: no finished run there; {FORMS}")
    seeds = [(*_cell(row), str(row["seed"])) for row in found]
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise InputError(
            f"{text}: two runs have seed {twice[-1]}: runs of one seed repeat each other and are "
            "no replicates"
        )
    return list(found)


def cells(base: Sequence[Row], change: Sequence[Row]) -> list[tuple[list[float], list[float]]]:
    """Outcomes of both groups, cell by cell (depth, width, resolution and epochs alike).

    A group of one cell each is compared whatever the cells are: then an axis is the treatment.

    Raises:
        InputError: cells that only one group has, or groups that differ in nothing but seeds.
    """
    first, second = _by_cell(base), _by_cell(change)
    _refuse_no_treatment(base, change)
    if len(first) == len(second) == 1:
        return list(zip(first.values(), second.values(), strict=True))
    if odd := sorted(set(first) ^ set(second), key=str):
        there = ", ".join(f"{axis.name} {v}" for axis, v in zip(CELL_AXES, odd[0], strict=True))
        raise InputError(f"only one group has runs with {there}; compare the same cells")
    return [(first[key], second[key]) for key in sorted(first, key=str)]


def _by_cell(rows: Sequence[Row]) -> dict[tuple[Any, ...], list[float]]:
    found: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        found.setdefault(_cell(row), []).append(float(row["outcome"]))
    return found


def _cell(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(axis.name) for axis in CELL_AXES)


def _refuse_no_treatment(base: Sequence[Row], change: Sequence[Row]) -> None:
    ids = [{str(row.get("run_id")) for row in rows if row.get("run_id")} for rows in (base, change)]
    if both := sorted(ids[0] & ids[1]):
        raise InputError(f"{both[0]} is in both groups; a run is of one")
    names = _settings(base, change)
    first, second = ({_values(row, names) for row in rows} for rows in (base, change))
    if first & second:
        raise InputError(
            "some runs of both groups differ in nothing but the seed, which is no treatment: a "
            "better seed is luck, and no change; give runs of another configuration or commit"
        )


def _settings(base: Sequence[Row], change: Sequence[Row]) -> list[str]:
    """What may be the treatment: what replicates of either group differ in was measured."""
    measured = set[str]()
    for rows in (base, change):
        known: dict[tuple[Any, ...], Row] = {}
        for row in rows:
            one, other = known.setdefault(_cell(row), row)["treatment"], row["treatment"]
            measured |= {name for name in other if name not in CODE and other[name] != one[name]}
    return sorted({*base[0]["treatment"], *change[0]["treatment"]} - measured)


def _values(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row["treatment"].get(name) for name in names)


def _of_folder(folder: Path, outcome: str | None) -> list[Row]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such file or folder; {FORMS}")
    if (folder / "plan.csv").is_file():
        plan = [row for row in read_plan(folder) if not row.get(ANCHOR)]
        if len({row["epochs"] for row in plan if row.get(TRUNK)}) > 1:
            raise InputError(f"{folder}: its lengths share trunks, and are no independent runs")
        ids = [row["run_id"] for row in plan]
        paths = [folder.parent / "runs" / run / "result.json" for run in ids]
        task = description_of(read_grid(folder))
    else:
        paths = [folder / "result.json", *sorted(folder.glob("*/result.json"))]
        task = description_of({})
    rows: list[Row] = []
    for path in paths:
        if not path.is_file():
            continue
        try:
            row = vars(read_result(path))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: no result ({error})") from None
        row = row | {"val_error": row["outcome"]} if row["val_error"] is None else row
        value = row[outcome] if outcome in row else task.minimised(row)
        value = row["val_error"] if value is None and outcome is None else value
        if row["status"] == "ok" and value is not None:
            code = (row["git_commit"], row["git_dirty"])
            rows.append(
                {
                    **row,
                    "outcome": value,
                    "treatment": dict(zip(CODE, (row["config_id"], code), strict=True)),
                }
            )
    return rows


def _of_table(path: Path, chosen: str, outcome: str) -> list[Row]:
    try:
        rows: list[dict[str, Any]] = [dict(row) for row in csv_in(path)]
    except ValueError as error:
        raise InputError(f"{path}: no table ({error})") from None
    for name in (outcome, "seed"):
        if rows and name not in rows[0]:
            there = ", ".join(rows[0])
            raise InputError(f"{path}: no column {name} among {there}; --outcome names the outcome")
    rows = _selected(rows, chosen, str(path)) if chosen else rows
    measured = {outcome, *NAMES}
    settings = [
        name
        for name in (rows[0] if rows else {})
        if name not in measured and not any(part in name for part in MEASURED)
    ]
    found: list[Row] = []
    for row in rows:
        try:
            value = float(row[outcome])
        except ValueError:
            raise InputError(f"{path}: {outcome}={row[outcome]!r} is no number") from None
        found.append({**row, "outcome": value, "treatment": {n: row[n] for n in settings}})
    return found


def _selected(rows: Sequence[Row], chosen: str, where: str) -> list[dict[str, Any]]:
    column, equals, value = chosen.partition("=")
    if not equals or (rows and column not in rows[0]):
        there = ", ".join(map(str, rows[0])) if rows else "none"
        raise InputError(f"{where}:{chosen}: give COLUMN=VALUE; its columns are {there}")
    return [dict(row) for row in rows if str(row[column]) == value]
