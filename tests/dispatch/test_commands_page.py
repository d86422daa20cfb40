"""docs/commands.md: it lists the commands, and what it shows is what they print."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import environment
from helpers.pages import examples, not_printed
from scaling_study.dispatch.catalogue import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (?:`python -m (\S+).*`)? ?\|$", re.MULTILINE)


def test_the_page_lists_the_commands_as_help_does() -> None:
    rows = {name: (summary, module) for name, summary, module in ROW.findall(PAGE)}
    assert [*rows] == [*COMMANDS]
    for name, (summary, module) in rows.items():
        assert summary == COMMANDS[name].summary
        if module:
            entry = COMMANDS[name].entry.partition(":")[0].removesuffix(".__main__")
            assert module == entry


@pytest.mark.slow
def test_the_page_shows_what_the_commands_print(tmp_path: Path) -> None:
    script = tmp_path / "bin" / "scaling-study"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m scaling_study "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    path = f"{script.parent}{os.pathsep}{os.environ['PATH']}"
    assert len(examples("commands.md")) > 10
    for command, shown in examples("commands.md"):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment() | {"PATH": path, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert not_printed(shown, done.stdout) == [], (command, done.stdout)
