"""The entry points as a user starts them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

# What commands do for a test only if its arguments have this: what they are given instead.
SPARED = {
    "scaling_study.sweep": ("measure.", ("measure.at_end=false",)),
    "analysis": ("--formats", ("--formats", "none")),
    "analysis.importers": ("--formats", ("--formats", "none")),
}
Command = Callable[..., subprocess.CompletedProcess[str]]


def environment() -> dict[str, str]:
    """This process's environment without what would hide a missing default of ours."""
    hidden = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "HYDRA_FULL_ERROR")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def run_dirs(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "results/runs").iterdir() if path.is_dir())


def sparing(module: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """A command's arguments, and that it measures no step times and draws no figures."""
    word, more = SPARED.get(module, ("", ()))
    return arguments if any(word in text for text in arguments) else (*arguments, *more)
