"""The grids that ship with the project: their names and their questions."""

import re

from scaling_study.common.paths import data_dir

# The key of a grid file; what is folded over lines is indented further.
QUESTION = re.compile(r"^  question:(?: >-)?((?: .*)?(?:\n    .*)*)", re.MULTILINE)


def names() -> list[str]:
    """Names of the grids that ship with the project."""
    folder = data_dir("sweeps") / "grid"
    files = folder.rglob("*.yaml")
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in files)


def question(name: str) -> str:
    """What a grid asks, read without YAML, which takes long to import; empty if it does not say."""
    text = (data_dir("sweeps") / "grid" / f"{name}.yaml").read_text(encoding="utf-8")
    found = QUESTION.search(text)
    return " ".join(found[1].split()) if found else ""
