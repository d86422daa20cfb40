"""Pages of docs/ whose files, snippets and commands tests write and run."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"
ROOT = DOCS.parent
# What somebody reads before or while using the project.
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "studies/*.md", "sweeps/**/*.md")
    for path in ROOT.glob(pattern)
)
# A comment before a block, which readers do not see: why it is not run, words that are added to
# each of its commands when it is, or the file that it is saved as.
MARKED = re.compile(
    r"(?:^<!-- (not run|run with|file): ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```",
    re.MULTILINE | re.DOTALL,
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `mark` and `words` are those of the comment before it."""

    page: str
    line: int
    kind: str
    text: str
    mark: str
    words: str

    def commands(self) -> list[tuple[str, list[str]]]:
        """Its commands, with the lines shown of what each prints."""
        if self.kind == "console":
            return shown_commands(self.text)
        whole = self.text.replace("\\\n", " ").splitlines()
        return [(line, []) for line in whole if shlex.split(line, comments=True)]


def marked_blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, given by its path in the checkout."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, kind, body, mark or "", words or "")
        for found in MARKED.finditer(text)
        for mark, words, kind, body in [found.groups()]
    ]


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
    return [
        shown for kind, text in blocks(page) if kind == "console" for shown in shown_commands(text)
    ]


def shown_commands(text: str) -> list[tuple[str, list[str]]]:
    """The commands of a console block, which begin with $, with the lines shown of each output."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
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
