"""SLURM's programs as scripts that note how they were called, where no SLURM is needed."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """#!{python}
import json, os, sys
with open({calls!r}, "a") as calls:
    print(json.dumps([{name!r}, sys.argv[1:], dict(os.environ)]), file=calls)
print({answer!r})
"""


class PretendedSlurm:
    """Programs in `folder`, which PATH is to begin with; they always answer the same."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._calls = folder, folder / "calls"
        folder.mkdir()

    def add(self, name: str, answer: str) -> None:
        text = PROGRAM.format(
            python=sys.executable, calls=str(self._calls), name=name, answer=answer
        )
        (self.folder / name).write_text(text, encoding="utf-8")
        (self.folder / name).chmod(0o755)

    def calls(self, name: str) -> list[tuple[list[str], dict[str, str]]]:
        """Arguments and environment of every call of a program."""
        lines: list[Any] = [json.loads(line) for line in self._calls.read_text().splitlines()]
        return [
            (arguments, environment) for called, arguments, environment in lines if called == name
        ]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PretendedSlurm:
    """A SLURM that takes every job, as number 4711, and has an empty queue."""
    pretended = PretendedSlurm(tmp_path / "bin")
    for name, answer in (
        ("sbatch", "Submitted batch job 4711"),
        ("srun", ""),
        ("squeue", ""),
        ("sacct", ""),
        ("scontrol", "MaxArraySize = 1001"),
        ("scancel", ""),
    ):
        pretended.add(name, answer)
    monkeypatch.setenv("PATH", f"{pretended.folder}{os.pathsep}{os.environ['PATH']}")
    return pretended
