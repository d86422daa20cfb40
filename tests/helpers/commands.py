"""The entry points as a user starts them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

Command = Callable[..., subprocess.CompletedProcess[str]]


def environment() -> dict[str, str]:
    """This process's environment without what would hide a missing default of ours."""
    hidden = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "HYDRA_FULL_ERROR")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def run_dirs(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "results/runs").iterdir() if path.is_dir())


def without_measuring(module: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """A command's arguments: sweeps measure no step times, unless the arguments speak of it."""
    if module != "scaling_study.sweep" or any("measure." in text for text in arguments):
        return arguments
    return (*arguments, "measure.at_end=false")
