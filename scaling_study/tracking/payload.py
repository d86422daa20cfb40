"""What sinks get of a run, read from the files in its folder."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.reading import UnreadableError, parsed_json, text_in, yaml_in
from scaling_study.common.sink import next_number
from scaling_study.config.axes import spaced_name
from scaling_study.config.run import stored_run
from scaling_study.config.tracking import Tracking, tag_of
from scaling_study.cost.closed_form import describe
from scaling_study.study.axes import Axis, own_axes
from scaling_study.study.folders import studies_in
from scaling_study.study.result import read_result
from scaling_study.study.table import read_grid, read_plan
from scaling_study.tracking.base import TrackedRun

# Name in the summary of the payload's hash, by which a later call sees that nothing is missing.
DIGEST = "files_sha256"
# How many studies' axes are kept: `sync` asks for the same study with every run.
STUDIES = 8


@dataclass(frozen=True)
class Payload:
    """A run as sinks get it: config, rows with their numbers, summary."""

    run_id: str
    config: Mapping[str, Any]
    rows: tuple[tuple[int, Mapping[str, Any]], ...]
    summary: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        canonical = json.dumps([self.config, self.rows, self.summary], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def marked_summary(self) -> dict[str, Any]:
        """The summary with the digest of what it belongs to."""
        return {**self.summary, DIGEST: self.digest}


def tracked_run(run_dir: Path, tracking: Tracking, pid: int | None = None) -> TrackedRun:
    """The run in `run_dir` as sinks are opened for it; raises as `config_of` does."""
    config = config_of(run_dir)
    name = name_of(config["run"], run_dir.parent.parent, tracking.study) or run_dir.name
    return TrackedRun(run_dir.name, name, config, run_dir, tracking, pid)


def name_of(settings: Mapping[str, Any], results_dir: Path, study: str | None) -> str:
    """What people call the run of these settings; the axes that only `study` has are in it."""
    return spaced_name(stored_run(settings), _own_axes(results_dir / study) if study else ())


@lru_cache(STUDIES)
def _own_axes(study_dir: Path) -> tuple[Axis, ...]:
    try:
        return tuple(own_axes(read_grid(study_dir)))
    except InputError:
        return ()


def payload_of(run_dir: Path) -> Payload:
    """The run in `run_dir`, finished or not; raises a ValueError or OSError if it is unreadable."""
    config = config_of(run_dir)
    summary: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        summary = asdict(read_result(run_dir / "result.json"))
    summary = {k: v for k, v in summary.items() if k not in config and v is not None}
    return Payload(run_dir.name, config, rows_of(run_dir), summary)


def config_of(run_dir: Path) -> dict[str, Any]:
    """Our columns that are known before training, and the whole run config under `run`.

    Raises a ValueError or OSError if no config.yaml there describes a run.
    """
    try:
        values = yaml_in(run_dir / "config.yaml")
    except UnreadableError as error:
        raise ValueError(f"config.yaml: {error}") from None
    if not isinstance(values, dict):
        raise ValueError("config.yaml holds no settings")
    return describe(stored_run(values)) | {"run": values}


def rows_of(run_dir: Path) -> tuple[tuple[int, dict[str, Any]], ...]:
    """Lines of metrics.jsonl, each with its number (`common/sink.py`)."""
    try:
        lines = text_in(run_dir / "metrics.jsonl", errors="replace").splitlines()
    except FileNotFoundError:
        return ()
    rows: list[tuple[int, dict[str, Any]]] = []
    for line in lines:
        try:
            row = parsed_json(line)
            step = int(row["step"])
        except (ValueError, KeyError, TypeError):
            continue  # the torn last line of a killed process
        rows.append((next_number(step, rows[-1][0] if rows else None), row))
    return tuple(rows)


def studies(results_dir: Path) -> dict[str, list[str]]:
    """For every planned run the names of the studies that list it, as W&B's tags."""
    found: dict[str, list[str]] = {}
    for folder in studies_in(results_dir):
        with suppress(ValueError):  # an unreadable plan of another study does not matter here
            for row in read_plan(folder):
                found.setdefault(row["run_id"], []).append(tag_of(folder.name))
    return found
