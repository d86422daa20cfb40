"""What an archive of a study holds, by name: the same for packing and for unpacking.

An archive is a zip file of `manifest.json` and of files as they lie in a results folder:
STUDY/plan.csv and what else the study has, STUDY/environment.json, STUDY/results.csv and its
description STUDY/croissant.json, STUDY/report/ and runs/RUN_ID/. The manifest has the size, SHA-256
and time of each.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from scaling_study.common.errors import InputError
from scaling_study.config.keys import STUDY_NAME, study_name

MANIFEST, ENVIRONMENT, REPORT = "manifest.json", "environment.json", "report"
SCHEMA = 1
CHECKPOINT = "checkpoint.pt"
# Of a run that has a result.
RUN_FILE = re.compile(
    r"config\.yaml|(result|images)\.json|metrics\.jsonl|job\.json|corrupt\.\d+\.txt"
)
# In a study's folder these say what goes on on one machine, or in one account of a service.
LOCAL = {"sweep.json", "jobs.json", "stopped.json", "workspace.json", "report.log"}
# Nothing that Python could import: a grid names modules of rule kinds, and reports import them.
DATA = {".csv", ".json", ".jsonl", ".txt", ".yaml"}
SHOWN = DATA | {".html", ".pdf", ".png", ".svg"}
# What job.json keeps: when the run was trained, not by which process.
KEPT_OF_JOB = ("began", "ended", "cause", "attempts")
PART = re.compile(r"[\w+=@,-][\w+=@,. -]*", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """A file in an archive: bytes, SHA-256 in hex, time of its last change in s since 1970."""

    size: int
    sha256: str
    mtime: float


def is_study_file(name: str) -> bool:
    """Whether a file at the top of a study's folder goes along."""
    plain = PART.fullmatch(name) and PurePosixPath(name).suffix in DATA
    return bool(plain) and name not in LOCAL


def is_run_file(name: str) -> bool:
    """Whether a file of a run's folder may go along."""
    return name == CHECKPOINT or bool(RUN_FILE.fullmatch(name))


def belongs(name: str, study: str) -> bool:
    """Whether an archive of `study` may hold a file of this name; none leaves its folder."""
    parts = PurePosixPath(name).parts
    plain = name == "/".join(parts) and all(PART.fullmatch(part) for part in parts)
    if not plain or len(parts) < 2:
        return False
    if parts[0] == "runs":
        return len(parts) == 3 and is_run_file(parts[2])
    if parts[0] != study:
        return False
    if len(parts) == 2:
        return is_study_file(parts[1])
    return parts[1] == REPORT and PurePosixPath(name).suffix in SHOWN


def manifest_of(content: object) -> tuple[str, dict[str, Entry]]:
    """The name of the study and the files by name, from what manifest.json holds.

    Raises an InputError if it is none, or lists a file that no archive of a study has.
    """
    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
        raise InputError(f"{MANIFEST} is not that of a study (schema {SCHEMA})")
    study, listed = content.get("study"), content.get("files")
    if not isinstance(study, str) or not STUDY_NAME.fullmatch(study):
        raise InputError(f"{MANIFEST}: {study!r} is no name of a study")
    study_name(study)
    if not isinstance(listed, Mapping):
        raise InputError(f"{MANIFEST} lists no files")
    files = {}
    for name, values in listed.items():
        if not isinstance(name, str) or not belongs(name, study):
            raise InputError(f"{name!r}: an archive of {study} has no such file")
        files[name] = _entry(name, values)
    if f"{study}/plan.csv" not in files:
        raise InputError(f"{study}/plan.csv is missing")
    return study, files


def _entry(name: str, values: object) -> Entry:
    try:
        entry = Entry(**values)  # type: ignore[arg-type]
        good = isinstance(entry.size, int) and entry.size >= 0 and 0 <= entry.mtime < 2**40
        if good and re.fullmatch(r"[0-9a-f]{64}", entry.sha256):
            return entry
    except TypeError:
        pass
    raise InputError(f"{MANIFEST}: {name} has no size, SHA-256 and time")
