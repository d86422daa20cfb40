"""Tables of runs in other files: Parquet, JSON lines, MLflow's folders, TensorBoard's events.

All become rows of texts, as a CSV file has them; `read_csv.imported` does the rest.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from analysis.importing.read_wandb import flat
from scaling_study.common.errors import InputError
from scaling_study.common.extras import require_package
from scaling_study.common.reading import UnreadableError, text_in, yaml_in

# MLflow's number of a run's state that has finished.
MLFLOW_FINISHED = (3, "FINISHED")
# Files beside TensorBoard's events that hold the settings of a run.
SETTINGS = ("hparams.yaml", "config.yaml", "hparams.json", "config.json")
Rows = list[dict[str, str]]


def parquet_rows(path: Path) -> Rows:
    """Rows of a Parquet file; InputError if it is none."""
    require_package("pyarrow", "data", "--format parquet")
    from pyarrow.parquet import read_table  # type: ignore[import-untyped]

    try:
        # Not by pandas, whose own notes in a file may be damaged where the table is not.
        rows = read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} as Parquet: {error}") from None
    return [{str(k): _text(v) for k, v in row.items()} for row in rows]


def json_rows(path: Path) -> Rows:
    """Runs of a JSON-lines file, or of one JSON list; nested keys are joined by dots."""
    try:
        text = text_in(path)
    except (FileNotFoundError, UnreadableError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    rows: Rows = []
    try:
        whole = text.lstrip().startswith("[")
        found = json.loads(text) if whole else map(json.loads, filter(str.strip, text.splitlines()))
        for row in found:
            if not isinstance(row, Mapping):
                raise InputError(f"{path}: {str(row)[:40]!r} is no run")
            rows.append(flat(row))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: run {len(rows) + 1} is no JSON: {error}") from None
    return rows


def mlflow_rows(path: Path) -> Rows:
    """Runs below an MLflow folder (mlruns, or an experiment of it): params and last metrics.

    Runs that did not finish are left out, and deleted ones.
    """
    rows: Rows = []
    for meta in sorted(path.glob("**/meta.yaml")):
        folder = meta.parent
        if not (folder / "metrics").is_dir() or ".trash" in folder.parts:
            continue
        try:
            said = yaml_in(meta)
            if not isinstance(said, Mapping):
                raise UnreadableError("no settings")
            if (
                said.get("status") not in MLFLOW_FINISHED
                or said.get("lifecycle_stage") == "deleted"
            ):
                continue
            row = {"run_id": str(said.get("run_id") or folder.name)}
            row |= {p.name: text_in(p).strip() for p in _files(folder / "params")}
            # A line is: time in ms, value, step.
            row |= {p.name: _last_value(text_in(p)) for p in _files(folder / "metrics")}
        except (FileNotFoundError, UnreadableError) as error:
            raise InputError(f"{folder}: no run of MLflow ({error})") from None
        rows.append(row)
    return rows


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("**/*") if p.is_file())


def _last_value(text: str) -> str:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or any(len(line) < 2 for line in lines):
        raise UnreadableError("a metric without values")
    try:
        return max(lines, key=lambda line: int(line[2]) if len(line) > 2 else 0)[1]
    except ValueError:
        raise UnreadableError("a metric at a step that is no whole number") from None


def tensorboard_rows(path: Path) -> Rows:
    """Runs below a folder of TensorBoard's: the last value of each scalar, settings beside them.

    Settings come from hparams.yaml, config.yaml or JSON of these names in the run's folder, as
    Lightning writes them. InputError where tensorboard is not installed.
    """
    require_package("tensorboard", "tensorboard", "--format tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rows: Rows = []
    for folder in sorted({file.parent for file in path.glob("**/events.out.tfevents.*")}):
        events = EventAccumulator(str(folder))
        events.Reload()
        row = {"run_id": str(folder.relative_to(path)) if folder != path else folder.name}
        row |= _settings_in(folder)
        row |= {tag: repr(events.Scalars(tag)[-1].value) for tag in events.Tags()["scalars"]}
        rows.append(row)
    return rows


def _settings_in(folder: Path) -> dict[str, str]:
    for name in SETTINGS:
        try:
            found = yaml_in(folder / name)  # JSON is YAML
        except FileNotFoundError:
            continue
        except UnreadableError as error:
            raise InputError(f"{folder / name}: {error}") from None
        return flat(found) if isinstance(found, Mapping) else {}
    return {}


def wandb_project_rows(name: str) -> Rows:
    """The finished runs of a live W&B project, `wandb://ENTITY/PROJECT`, by its public API."""
    try:
        import wandb
    except ImportError:
        raise InputError(f"{name}: wandb is not installed") from None
    project = name.removeprefix("wandb://")
    try:
        runs = list(wandb.Api(timeout=30).runs(project, lazy=False))
        return [
            {"run_id": run.id, "state": run.state}
            | flat({k: v for k, v in run.config.items() if not k.startswith("_")})
            | flat({k: v for k, v in dict(run.summary_metrics).items() if not k.startswith("_")})
            for run in runs
            if run.state == "finished"
        ]
    except (wandb.errors.CommError, wandb.errors.UsageError, ValueError) as error:
        raise InputError(f"{name}: {' '.join(str(error).split())}") from None


READERS: dict[str, Callable[[Path], Rows]] = {
    "parquet": parquet_rows,
    "jsonl": json_rows,
    "mlflow": mlflow_rows,
    "tensorboard": tensorboard_rows,
}


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)
