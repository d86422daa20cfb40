"""Pages of docs/ whose files, snippets and commands tests write and run."""

import re
import shlex
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block of docs/PAGE."""
    return BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


def commands(page: str) -> list[list[str]]:
    """The words of each line of a page's shell blocks."""
    lines = [line for kind, text in blocks(page) if kind == "sh" for line in text.splitlines()]
    return [shlex.split(line) for line in lines]
