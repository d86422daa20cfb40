"""Pages of docs/ whose files, snippets and commands tests write and run."""

import re
import shlex
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block of docs/PAGE."""
    return BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


def shell_lines(text: str) -> list[str]:
    """Each line of the shell blocks in the text of a page."""
    return [
        line for kind, block in BLOCK.findall(text) if kind == "sh" for line in block.splitlines()
    ]


def commands(page: str) -> list[list[str]]:
    """The words of each line of the shell blocks of docs/PAGE."""
    return [*map(shlex.split, shell_lines((DOCS / page).read_text(encoding="utf-8")))]
