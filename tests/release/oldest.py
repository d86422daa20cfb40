"""The oldest W&B client that pyproject.toml allows, under the tests of tracking.

The newest is pinned, and every test has it.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from release.artifacts import ROOT


def oldest_client() -> str:
    """The version at which the range of wandb begins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (found,) = (w for w in project["dependencies"] if re.match(r"wandb\b", w))
    return re.findall(r">=([\d.]+)", found)[0]


def problems(folder: Path) -> str:
    """Empty, or what the tests of tracking said with the oldest client."""
    shutil.rmtree(folder, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder))
    subprocess.run([*pip, f"wandb=={oldest_client()}"], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "auto", "-q", "-m", "", "tests/tracking"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout[-3000:] if done.returncode else ""
