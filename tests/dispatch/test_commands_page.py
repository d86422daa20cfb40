"""docs/commands.md: it lists the commands, and what it shows is what they print."""

import re
import subprocess
from pathlib import Path

import pytest

from helpers import warm_python
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
    assert len(examples("commands.md")) > 10
    for command, shown in examples("commands.md"):
        done = run(words_of(command, tmp_path), tmp_path)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert not_printed(shown, done.stdout) == [], (command, done.stdout)


def words_of(command: str, folder: Path) -> list[str]:
    """As the shell gives them to a program, names of files in place of their patterns."""
    told = ["bash", "-c", f"printf '%s\\n' {command}"]
    done = subprocess.run(told, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def run(words: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    if words[0] == "scaling-study":
        return warm_python.run("scaling_study", *words[1:], cwd=folder, env=environment())
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
