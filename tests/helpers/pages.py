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


def examples(page: str) -> list[tuple[str, list[str]]]:
    """Every command of docs/PAGE that begins with $, with the lines shown of its output."""
    found: list[tuple[str, list[str]]] = []
    for kind, block in blocks(page):
        for line in block.splitlines() if kind == "console" else ():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line.rstrip())
    return found


def not_printed(shown: list[str], printed: str) -> list[str]:
    """The first of the lines shown, in which … is anything, that is not printed after the others.

    In a list, which is empty if all are.
    """
    rest = iter([line.rstrip() for line in printed.splitlines()])
    for line in shown:
        pattern = re.escape(line).replace("…", ".*")
        if not any(re.fullmatch(pattern, text) for text in rest):
            return [line]
    return []


def commands(page: str) -> list[list[str]]:
    """The words of each line of the shell blocks of docs/PAGE."""
    return [*map(shlex.split, shell_lines((DOCS / page).read_text(encoding="utf-8")))]
