"""The grids that ship with the project: their names and their questions."""

import re

from scaling_study.common.paths import data_dir

# In a grid file's header; the lines of a text that goes on are indented further.
QUESTION = re.compile(r"^# Question: (.*(?:\n#   .*)*)", re.MULTILINE)


def names() -> list[str]:
    """Names of the grids that ship with the project."""
    folder = data_dir("sweeps") / "grid"
    files = folder.rglob("*.yaml")
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in files)


def question(name: str) -> str:
    """What a grid asks, as its header says it, up to the question mark; empty if it does not."""
    text = (data_dir("sweeps") / "grid" / f"{name}.yaml").read_text(encoding="utf-8")
    found = QUESTION.search(text)
    words = " ".join(found[1].replace("\n#", " ").split()) if found else ""
    asked, mark, _ = words.partition("?")
    return asked + mark
