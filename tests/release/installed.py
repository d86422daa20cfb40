"""The wheel in a clean environment of each Python, doing the main job in an empty folder."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from release.artifacts import ROOT

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
# What somebody types first, and that a frame can be had.
JOB = (
    ("scaling-study", "--version"),
    ("scaling-study", "plan", "+grid=smoke"),
    ("scaling-study", "run", "+grid=smoke"),
    ("scaling-study", "report", "results/smoke", "-o", "figures/smoke"),
    ("scaling-study", "published", "-o", "figures/published", "--formats", "none"),
    ("python", "-c", "from scaling_study.api import runs; assert len(runs('results/smoke')) == 4"),
    ("python", "-c", "from analysis.api import judge; judge('results/smoke').frame()"),
)


def pythons() -> dict[str, str]:
    """The interpreters of this machine, by version, of those that are supported; pyenv's too."""
    found = {}
    for version in VERSIONS:
        name = f"python{version}"
        kept = Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}")
        for path in filter(None, (shutil.which(name), *map(str, kept))):
            words = [path, "-c", "import venv"]
            if subprocess.run(words, capture_output=True, check=False).returncode == 0:
                found[version] = path
    return found


def works(python: str, wheel: Path, folder: Path, index: str | None) -> str:
    """Empty, or what went wrong when the wheel was installed with this Python and used."""
    shutil.rmtree(folder, ignore_errors=True)
    binaries = folder / "bin"
    pip = [str(binaries / "python"), "-m", "pip", "install", "-q"]
    pins = ["-c", str(ROOT / "constraints.txt")]
    torch = [*pip, *pins, *(["--index-url", index] if index else []), "torch"]
    for words in ([python, "-m", "venv", str(folder)], torch, [*pip, *pins, str(wheel)]):
        if said := _failed(words, ROOT, None):
            return said
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as empty:
        return next(filter(None, (_failed(words, Path(empty), path) for words in JOB)), "")


def _failed(words: tuple[str, ...] | list[str], folder: Path, path: str | None) -> str:
    """Empty, or the command and what it said before it failed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    if path is not None:
        environment["PATH"] = path
    start = shutil.which(words[0], path=path) or words[0]
    done = subprocess.run(
        [start, *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{' '.join(words)}\n{done.stdout}{done.stderr}" if done.returncode else ""
