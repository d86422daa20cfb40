"""A study's results and its plan as tables."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_study.common.errors import InputError
from scaling_study.common.reading import UnreadableError, csv_in, yaml_in
from scaling_study.common.terminal import printable
from scaling_study.study.result import COLUMNS, Result, read_result
from scaling_study.study.result_table import TABLE, Tabled, read_result_table
from scaling_study.study.store import Store

if TYPE_CHECKING:
    import pandas as pd

# Columns of a plan with runs that start from others: what the grid calls a run that is no cell of
# it, and the ids of the runs that a run starts from.
STAGE, PARENTS = "stage", "parents"
# Of a plan with teachers: forward FLOPs of the labels that a run is the first to need.
LABELS = "label_flops"
# Of a plan whose lengths share trunks: the trunk of a cell, the training FLOPs that another run has
# of it, and the config id of the cell that a run by cosine is compared with.
TRUNK, SHARED, ANCHOR = "trunk", "shared_flops", "anchor"
# Columns of a plan that its analysis compares runs by, where the grid has them.
RATES = ("lr_recipe", "lr_factor")
PLANNED = (
    *("variant", "init", "teacher", "solved", "solve_for", "solve_target", *RATES),
    *(TRUNK, ANCHOR),
)


@dataclass(frozen=True)
class Study:
    """A grid's results: a row per finished run, and why planned runs are not among them.

    `epochs` are the lengths of training in the plan, finished or not; `plan` has its rows, as
    written, by run id. `tabled` are its results where they lie in a table, not in folders.
    """

    name: str
    path: Path
    grid: Mapping[str, Any]
    runs: "pd.DataFrame"
    left_out: Mapping[str, str]
    epochs: tuple[int, ...]
    plan: Mapping[str, Mapping[str, str]]
    tabled: Mapping[str, Tabled]

    def began(self, run_id: str, wall_s: float | None) -> float:
        """When a run began, in s since 1970; `wall_s` is what it trained, as its result says."""
        if run_id in self.tabled:
            return self.tabled[run_id].began
        return self._store.began(run_id, wall_s)

    @cached_property
    def _store(self) -> Store:
        return Store(self.path.parent)


def table(results: Iterable[Result]) -> "pd.DataFrame":
    """A frame with `COLUMNS`, a row per result, in the order given."""
    import pandas as pd

    return pd.DataFrame([asdict(result) for result in results], columns=list(COLUMNS))


def read_plan(study_dir: Path) -> list[dict[str, str]]:
    """The rows of a study's plan.csv, each run once; an InputError without one that can be read."""
    path = study_dir / "plan.csv"
    if not path.is_file():
        raise InputError(
            f"no study in {study_dir} (no plan.csv there); give a folder that "
            "`python -m scaling_study.sweep +grid=NAME` made, such as results/depth_vs_width"
        )
    try:
        if not (found := csv_in(path)):
            raise UnreadableError("it lists no runs")
        if lacking := {"run_id", "epochs"} - found[0].keys():
            raise UnreadableError(f"no column {min(lacking)} among those that commas separate")
        rows = {row["run_id"]: row for row in found}
        for run_id, row in rows.items():
            int(row["epochs"])
            if Path(run_id).name != run_id or printable(run_id) != run_id:
                raise UnreadableError(f"{run_id!r} is the name of no run")
    except ValueError as error:
        raise InputError(
            f"{path} is no plan ({error}); the sweep's command, repeated, writes it anew"
        ) from None
    return list(rows.values())


def tabled_results(study_dir: Path) -> dict[str, Tabled]:
    """The results in a study's results.csv where no folders of runs are beside it; else none.

    Raises an InputError as `read_result_table`.
    """
    there = (study_dir.parent / "runs").exists()
    return {} if there else read_result_table(study_dir / TABLE)


def read_study(study_dir: Path) -> Study:
    """The results of every run in a study's plan; raises an InputError if `study_dir` is no study.

    Rows are the runs with status ok or diverged. Runs that are missing, failed or unreadable are
    in `left_out` with the reason. Runs that others start from are not of the table, unless they are
    cells of the grid themselves. Where there are no folders of runs beside `study_dir`, the results
    are those of its results.csv, as in a published study. Nothing on disk is changed.
    """
    plan = [row for row in read_plan(study_dir) if not row.get(STAGE)]
    planned = {row["run_id"]: row for row in plan}
    rows, left_out = [], {}
    # Columns of a plan that a result lacks: settings, whose names have a dot, variants and solves.
    used = {name for name in PLANNED if any(row.get(name) for row in plan)}
    varied = [name for name in (plan[0] if plan else ()) if "." in name or name in used]
    store, tabled = study_dir.parent / "runs", tabled_results(study_dir)
    for run_id in planned:
        try:
            known = tabled.get(run_id)
            result = known.result if known else read_result(store / run_id / "result.json")
        except FileNotFoundError:
            left_out[run_id] = "no result yet"
        except (ValueError, OSError) as error:
            left_out[run_id] = f"unreadable result.json: {error}"
        else:
            if result.status == "failed":
                cause = f" ({result.cause})" if result.cause else ""
                left_out[run_id] = f"failed{cause}: {result.error}"
            else:
                rows.append(result)
    epochs = tuple(sorted({int(row["epochs"]) for row in plan}))
    runs = table(rows)
    for name in varied:
        runs[name] = [planned[run_id][name] for run_id in runs["run_id"]]
    grid = read_grid(study_dir)
    return Study(study_dir.name, study_dir, grid, runs, left_out, epochs, planned, tabled)


def read_grid(study_dir: Path) -> dict[str, Any]:
    """What grid.yaml says; empty without that file, an InputError if it is no grid."""
    path = study_dir / "grid.yaml"
    if not path.exists():
        return {}
    try:
        grid = yaml_in(path)
    except UnreadableError as error:
        raise InputError(f"{path} cannot be read as YAML ({error})") from None
    if not isinstance(grid, dict) or not isinstance(grid.get("n_classes", 2), int):
        raise InputError(f"{path} is no grid; the sweep's command, repeated, writes it anew")
    return {str(key): value for key, value in grid.items()}
