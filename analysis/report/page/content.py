"""What the interactive part of the page draws and lists, as plain JSON-able values.

Outcomes are what is minimised (errors as fractions), costs in the units of `result.COLUMNS`; the
page multiplies outcomes by the factor of their unit.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from analysis.figures.drawing.published_overlay import published_records
from analysis.figures.records import arm_records
from analysis.report.page.explore import fields, label_of, values_of
from analysis.report.page.run_folder import NOTHING, folder_values
from analysis.stats.pareto import Frontier, frontier_of
from analysis.study.cells import Cell, lr_factor
from analysis.study.columns import COSTS, TABLE_AXES, Record, finite, own_axes
from analysis.study.compared_settings import column_of
from analysis.study.measure import Measure
from analysis.study.study_cells import StudyCells
from analysis.study.table import Row, Table
from scaling_study.common.reading import yaml_in
from scaling_study.study.axes import AXES as COMMON_AXES
from scaling_study.study.axes import Axis, display_name, ordered, plain
from scaling_study.study.forecasts import RunForecast
from scaling_study.study.overrides import command, overrides
from scaling_study.study.table import ANCHOR

AXES = tuple(axis.name for axis in TABLE_AXES)
RUN_COLUMNS = (
    *(*AXES, "seed", "val_error", "train_error"),
    *(*(cost.name for cost in COSTS if cost.frontier), "wall_s"),
)
CELL_COLUMNS = ("config_id", *AXES, "arm", "is_base", "seeds", "error", "error_low", "error_high")


def cell_values(
    cells: StudyCells, frontiers: Mapping[str, Sequence[Record]]
) -> list[dict[str, Any]]:
    """Each cell once: its settings, error with interval, every cost that was measured, and `at`,
    what it has of the `fields`."""
    known = {r["config_id"]: r for rows in frontiers.values() for r in rows}
    names = [field["name"] for field in fields(cells, {})]
    resolutions = len({c.resolution for c in cells})
    return [
        {name: known[c.config_id][name] for name in CELL_COLUMNS}
        | {"label": label_of(c, resolutions), "at": values_of(c, names)}
        | {"name": c.name if c.own else c.config_id}
        | {name: plain(value) for name, value in c.own_values.items()}
        | {"costs": {axis: c.cost(axis) for axis in frontiers}}
        for c in cells
        if c.config_id in known
    ]


def assumed_regimes(cells: StudyCells) -> list[int]:
    """The training lengths in which one seed a cell measured no noise, so that bars assume it."""
    noises = {epochs: cells.noise(epochs) for epochs in cells.regimes}
    return [epochs for epochs, noise in noises.items() if noise and noise.kind == "prior"]


def frontier_values(cells: StudyCells, axes: Sequence[str]) -> dict[str, Any]:
    """Cost, frontier error and its band at each cell, by cost, training length and selection.

    A selection is all cells, those of one px, or those with one value of an axis that only this
    study has, as in `train.batch_size=64`. Noise is that of the whole regime: fewer cells have few
    seeds.
    """
    found: dict[str, Any] = {axis: {} for axis in axes}
    for axis in axes:
        known = cells.with_cost(axis)
        for epochs, regime in known.regimes.items():
            noise = known.noise(epochs)
            sides = sorted({c.resolution for c in regime})
            groups = {str(px): [c for c in regime if c.resolution == px] for px in sides}
            for cell in regime:
                for name, value in cell.own_values.items():
                    groups.setdefault(f"{name}={plain(value)}", []).append(cell)
            found[axis][epochs] = {
                px: _staircase(frontier_of(members, axis, noise))
                for px, members in ({"all": regime} | groups).items()
            }
    return found


def outcome_values(measure: Measure) -> dict[str, Any]:
    """How the page writes outcomes and lengths of training."""
    return {
        "name": measure.name,
        "axis": measure.axis,
        "unit": measure.unit,
        "factor": measure.factor,
        "log": measure.log,
        "length": measure.length,
    }


def _staircase(frontier: Frontier) -> dict[str, list[float | None]]:
    return {
        "cost": frontier.cost.tolist(),
        "error": frontier.best.tolist(),
        "band_low": [*map(finite, frontier.low.tolist())],
        "band_high": [*map(finite, frontier.high.tolist())],
    }


def curve_values(cells: StudyCells, axes: Sequence[str]) -> dict[str, list[Any]]:
    """The compared curves of both arms, by cost axis: one each per training length and px."""
    found = {}
    own = {name for cell in cells for name in cell.own_values}
    for axis in axes:
        curves: dict[tuple[Any, ...], dict[str, Any]] = {}
        for r in arm_records(cells, axis):
            if r["kind"] == "curve":
                names = {k: v for k, v in r.items() if k in {"epochs", "resolution", "arm", *own}}
                curve = curves.setdefault((*names.values(),), {**names, "cost": [], "error": []})
                for name in ("cost", "error"):
                    curve[name].append(float(f"{r[name]:.5g}"))
        found[axis] = list(curves.values())
    return found


def run_values(
    table: Table, runs_dir: Path | None, forecasts: Mapping[str, RunForecast]
) -> list[dict[str, Any]]:
    """A row per planned run, finished or not, with what differs from the defaults and its command.

    `runs_dir` is the store of run folders; None where the runs are not ours.
    """
    own = own_axes(table.grid)
    count = len(table.rows) + len(table.unused)
    return [
        {"id": row["run_id"], "cell": row.get("config_id"), "state": state}
        | {"name": display_name({**row, **own_texts(row, own)}, own) if own else row["run_id"]}
        | {name: row.get(name) for name in RUN_COLUMNS}
        | own_texts(row, own)
        | _foretold(forecasts.get(row["run_id"]))
        | {"notes": _notes(row), "reason": table.left_out.get(row["run_id"])}
        | _repeat(runs_dir, row["run_id"], done="status" in row)
        | (folder_values(runs_dir / row["run_id"], count) if runs_dir else NOTHING)
        for row, state in table.states()
    ]


def own_texts(row: Row, own: Sequence[Axis]) -> dict[str, str]:
    """What a run has on the axes that only its grid has, as text."""
    values = {axis.name: row.get(column_of(row, axis)) for axis in own}
    return {name: plain(value) for name, value in values.items() if value is not None}


def own_values(cells: Sequence[Cell], grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The axes that only this study has, with the values of its cells as text."""
    return [
        {"name": axis.name, "label": axis.label, "values": ordered(values)}
        for axis in own_axes(grid)
        if (values := {plain(c.own_values[axis.name]) for c in cells if axis.name in c.own_values})
    ]


def run_axes(grid: Mapping[str, Any]) -> list[dict[str, str]]:
    """The axes of the table of runs, those that only this study has before the seed."""
    axes = (*TABLE_AXES, *own_axes(grid), *(axis for axis in COMMON_AXES if axis.replicate))
    return [{"name": axis.name, "heading": axis.heading} for axis in axes]


def _foretold(forecast: RunForecast | None) -> dict[str, Any]:
    return {
        "forecast_s": forecast.seconds if forecast else None,
        "forecast_ends_s": forecast[1:] if forecast and forecast.low else None,
    }


def _notes(row: Row) -> list[str]:
    """What is worth saying of a run beside its numbers."""
    halved, corrupt = row.get("memory_halvings"), row.get("corrupt_images")
    rate, stopped = lr_factor(row), row.get("stopped_epoch")
    return [
        *([f"Variant {row['variant']}."] if row.get("variant") else []),
        *(["By cosine, to compare with a cell of a trunk."] if row.get(ANCHOR) else []),
        *([f"Learning rate {rate:g} times its cell's own."] if rate != 1 else []),
        *([f"Its micro-batch was halved {halved:g} times: memory ran out."] if halved else []),
        *([f"Stopped early, after {stopped:g} epochs."] if stopped else []),
        *([f"{corrupt:g} images could not be decoded and were left out."] if corrupt else []),
    ]


def _repeat(runs_dir: Path | None, run_id: str, done: bool) -> dict[str, Any]:
    """Overrides and command; both None where the run's folder does not say how it was made.

    A finished run is repeated into a store of its own: where its result lies nothing is trained.
    """
    with suppress(OSError, ValueError, AttributeError, TypeError):
        if runs_dir:
            config = yaml_in(runs_dir / run_id / "config.yaml")
            folder = "repeated" if done else str(runs_dir.parent)
            return {"overrides": overrides(config), "command": command(config, folder)}
    return {"overrides": None, "command": None}


def published_values(axes: Sequence[str]) -> dict[str, list[Record]]:
    """What Bello et al. 2021 printed, by cost axis, where they did."""
    return {axis: rows for axis in axes if (rows := published_records(axis))}


def environment(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What trained the runs: each value of device, precision, commit, versions and its runs."""
    pairs = (pair for row in rows for pair in _circumstances(row))
    counts = Counter((name, str(value)) for name, value in pairs if value is not None)
    return [
        {"what": what, "value": value, "runs": n} for (what, value), n in sorted(counts.items())
    ]


def _circumstances(row: Row) -> list[tuple[str, Any]]:
    commit = row.get("git_commit")
    if commit and row.get("git_dirty"):
        commit = f"{commit} with uncommitted changes"
    names = ("data", "family", "recipe", "device", "precision", "threads", "world_size")
    versions = row.get("versions") or {}
    return [
        *((name, row.get(name)) for name in (*names, "eval_split", "batch_size")),
        ("git commit", commit),
        *((f"version of {package}", value) for package, value in versions.items()),
    ]
