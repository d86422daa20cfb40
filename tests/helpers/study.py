"""Studies as a sweep leaves them: a folder with grid and plan, beside the store of its runs."""

import csv
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from analysis.rules.freeze import freeze_plan
from analysis.rules.preregistration import freeze
from scaling_study.common.errors import InputError
from scaling_study.config.run import RunConfig
from scaling_study.study.result import Result, write_result

# Where the runs were measured.
HERE = {
    "device": "cpu: test",
    "threads": 1,
    "world_size": 1,
    "git_commit": "0123abcd" * 5,
    "git_dirty": False,
    "versions": {"python": "3.11", "torch": "2.13"},
}


def write_run(runs_dir: Path, result: Result, run: RunConfig | None = None) -> Path:
    """The folder of a run in this store: result.json, and config.yaml of `run`."""
    folder = runs_dir / result.run_id
    folder.mkdir(parents=True, exist_ok=True)
    if run is not None:
        (folder / "config.yaml").write_text(yaml.safe_dump(asdict(run)), encoding="utf-8")
    write_result(folder, result)
    return folder


def make_study(
    study: Path,
    results: Iterable[Result],
    grid: str = "name: demo\n",
    configs: Mapping[str, RunConfig] | None = None,
) -> Path:
    """The folder `study`, planned, frozen and finished; `configs` are what runs keep, by run id.

    A grid that declares nonsense is not frozen.
    """
    results = list(results)
    assert len({r.run_id for r in results}) == len(results)
    write_plan(study, [{"run_id": r.run_id, "epochs": r.epochs} for r in results])
    (study / "grid.yaml").write_text(grid)
    with suppress(InputError):
        freeze(study, yaml.safe_load(grid))
        freeze_plan(study, {r.run_id: r.config_id for r in results})
    for result in results:
        write_run(study.parent / "runs", result, (configs or {}).get(result.run_id))
    return study


def write_study(root: Path, results: Iterable[Result], grid: str = "name: demo\n") -> Path:
    """results/demo and its run store; the folder of the study."""
    return make_study(root / "results" / "demo", results, grid)


def write_plan(study: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """plan.csv with these rows, which all have the columns of the first."""
    rows = list(rows)
    study.mkdir(parents=True, exist_ok=True)
    with (study / "plan.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_plan(study: Path) -> list[dict[str, str]]:
    with (study / "plan.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def add_column(study: Path, name: str, values: Iterable[Any]) -> None:
    """One more column of plan.csv."""
    rows = read_plan(study)
    write_plan(study, [{**row, name: value} for row, value in zip(rows, values, strict=True)])


def add_run(study: Path, result: Result, **changes: Any) -> None:
    """One more planned run with these columns changed, in a folder without config.yaml."""
    more = replace(result, **changes)
    write_run(study.parent / "runs", more)
    write_plan(study, [*read_plan(study), {"run_id": more.run_id, "epochs": more.epochs}])
