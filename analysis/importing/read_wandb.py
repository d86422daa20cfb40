"""Runs exported from Weights & Biases, with our columns."""

import ast
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.importing.columns import has
from analysis.importing.read_csv import Imported, frame_of, imported, read_rows
from analysis.importing.units import OURS
from scaling_study.common.errors import InputError
from scaling_study.common.reading import UnreadableError, text_in
from scaling_study.study.axes import CELL_AXES

# Where a run's settings and results are found by default in W&B, dots between nested keys.
WANDB = {
    **{axis.name: (axis.key,) for axis in CELL_AXES},
    "family": ("model.name", "model.family"),
    "resolution": ("data.resolution", "train.resolution", "resolution"),
    "batch_size": ("train.batch_size",),
    "lr": ("train.lr",),
    "run_id": ("ID", "id", "Name", "name"),
}
# What W&B calls the state of a run, and what our own runs log about themselves.
STATES = ("State", "state", "status")
PREFIXES = ("", "config.", "config/", "summary.", "summary/", "summary_metrics.")


def flat(tree: Mapping[Any, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings as dotted keys; W&B's {"value": x} wrappers are removed.

    Raises:
        RecursionError: nested deeper than any settings are.
    """
    found: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and set(value) in ({"value"}, {"value", "desc"}):
            value = value["value"]
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = "" if value is None else str(value)
    return found


def _literal(text: str, where: str) -> dict[str, str]:
    """A dictionary that pandas printed into a CSV field; NaN and infinity become missing."""
    try:
        value = ast.literal_eval(re.sub(r"(?<=[:\[,] )-?(nan|inf)\b", "None", text) or "{}")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise InputError(f"{where} holds no dictionary: {text[:60]!r}") from None
    if not isinstance(value, Mapping):
        raise InputError(f"{where} holds no dictionary: {text[:60]!r}")
    return flat(value)


def wandb_rows(path: Path) -> Iterable[dict[str, str]]:
    """Runs as flat texts: from JSON lines, or from a CSV with or without printed dictionaries."""
    if path.suffix not in (".jsonl", ".json", ".ndjson"):
        for number, row in enumerate(read_rows(path), start=1):
            nested = {k: row.pop(k) for k in ("config", "summary") if k in row}
            for key, text in nested.items():
                row |= _literal(text, f"{path}, row {number}, {key}")
            yield row
        return
    try:
        lines = text_in(path).splitlines()
    except (FileNotFoundError, UnreadableError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    for number, line in enumerate(lines, start=1):
        if line.strip() and (run := _flat_run(line, f"{path}, line {number}")):
            yield run


def _flat_run(line: str, where: str) -> dict[str, str]:
    """The run in a line of JSON, its config and summary beside the rest."""
    try:
        if (run := json.loads(line)) is None:
            return {}
        if not isinstance(run, dict):
            raise InputError(f"{where} holds no run but {type(run).__name__}")
        groups = [run.pop(key, None) or {} for key in ("config", "summary")]
        if not all(isinstance(group, Mapping) for group in groups):
            raise InputError(f"{where}: config and summary must be mappings")
        return flat(run) | flat(groups[0]) | flat(groups[1])
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is no JSON: {error}") from None


def _found(frame: pd.DataFrame, names: Iterable[str]) -> str | None:
    """The column that bears one of these names, with or without W&B's prefixes."""
    return next((p + n for n in names for p in PREFIXES if has(frame, p + n)), None)


def read_wandb(
    path: Path, columns: Mapping[str, str] | None = None, units: Mapping[str, str] | None = None
) -> Imported:
    """Runs exported from W&B: the run table's CSV, JSON lines, or the API example's CSV.

    Columns are found by our names, or as `model.depth` and the like, with or without `config.`
    and `summary.` before them; `columns` maps others. Runs that did not finish are left out.

    Raises:
        InputError: unreadable, columns missing, values not in their unit, or duplicates.
    """
    rows = list(wandb_rows(path))
    if not rows:
        raise InputError(f"{path} holds no run")
    frame = frame_of(rows)
    given = {o: _found(frame, (theirs,)) or theirs for o, theirs in (columns or {}).items()}
    sought = [ours for ours in OURS if ours not in given]
    known = {ours: _found(frame, (ours, *WANDB.get(ours, ()))) for ours in sought}
    everything = {o: theirs for o, theirs in known.items() if theirs} | given
    states = [c for c in (_found(frame, (n,)) for n in STATES) if c]
    done = frame[states].isin(["finished", "ok", ""]).all(axis=1)
    name = everything.get("run_id", str(frame.columns[0]))
    unfinished = {
        str(run[name]): f"state {' '.join(str(run[c]) for c in states if run[c])}"
        for run in frame[~done].to_dict("records")
    }
    if not done.any():
        raise InputError(f"no run in {path} is finished ({len(frame)} are not)")
    found = imported(frame[done].reset_index(drop=True), everything, units or {})
    return Imported(found.frame, unfinished | dict(found.left_out))
