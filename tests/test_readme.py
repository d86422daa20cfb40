"""README.md: its commands work, in the order in which it shows them."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from helpers import warm_python
from helpers.commands import environment
from helpers.pages import shell_lines
from helpers.photos import WRITERS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line, comments=True) for line in shell_lines(PAGE)]


def test_the_first_commands_are_the_two_of_make() -> None:
    assert COMMANDS[:2] == [["make", "sweep"], ["make", "test"]]
    assert len(COMMANDS) > 5


def marked(words: list[str]) -> Any:
    """What trains or draws takes long."""
    marks = () if "dry_run=true" in words else (pytest.mark.slow,)
    return pytest.param(words, marks=marks, id=" ".join(words[2:]))


@pytest.mark.slow
@pytest.mark.parametrize("words", [marked(words) for words in COMMANDS[2:]])
def test_the_commands_work(words: list[str], tmp_path: Path, cache_dir: Path) -> None:
    assert words[:2] == ["python", "-m"]
    if roots := [Path(w.removeprefix("data.root=")) for w in words if w.startswith("data.root=")]:
        WRITERS["imagefolder"](tmp_path / roots[0])
    # The published figures are drawn by a test of theirs.
    ours = [f"cache_dir={cache_dir}"] if words[2] != "analysis.published" else ["--formats", "none"]
    done = warm_python.run(*words[2:], *ours, cwd=tmp_path, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
