"""RUN/error.json: the first error of any of a run's processes.

Rank 0 reads it, because other ranks only see a closed connection.
"""

import json
from contextlib import suppress
from pathlib import Path

from scaling_study.launch.failure_causes import cause_of

NAME = "error.json"


def describe(error: BaseException) -> str:
    """An exception as the column `error` has it."""
    return f"{type(error).__name__}: {error}"


def write_error(run_dir: Path, error: BaseException) -> None:
    """Leave `error` for rank 0, unless a process that failed before has left its own."""
    with suppress(FileExistsError), (run_dir / NAME).open("x", encoding="utf-8") as file:
        json.dump({"error": describe(error), "cause": cause_of(error)}, file)


def read_error(run_dir: Path) -> tuple[str, str] | None:
    """Error and cause that the first process to fail has left; None if none has."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads((run_dir / NAME).read_text(encoding="utf-8"))
        return str(record["error"]), str(record["cause"])
    return None


def clear(run_dir: Path) -> None:
    """Delete it before another attempt."""
    (run_dir / NAME).unlink(missing_ok=True)
