"""A study as a folder of small files: its plan and rules, and all results in one described table.

Analyses read it as they read `results/NAME`. It is what a repository keeps of a study.
"""

from collections.abc import Mapping
from pathlib import Path

from scaling_study.archive.contents import is_study_file
from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file


def tabled(study_dir: Path, described: Mapping[str, str]) -> dict[str, str]:
    """The files of the folder by name; `described` are the table and its description."""
    names = (path.name for path in study_dir.iterdir() if path.is_file())
    own = {name for name in names if is_study_file(name)} - described.keys()
    return {name: (study_dir / name).read_text(encoding="utf-8") for name in sorted(own)} | dict(
        described
    )


def write_tabled(files: Mapping[str, str], folder: Path, replace: bool) -> None:
    """Write the files; InputError where one is there with another content, unless they `replace`.

    Files that the study has no more go, if they are such as a study has.
    """
    if (folder.parent / "runs").exists():
        raise InputError(f"--folder {folder.parent}: it has folders of runs; give one without")
    there = {path.name for path in folder.glob("*") if is_study_file(path.name)}
    same = all((folder / name).read_text("utf-8") == files.get(name) for name in there)
    if there and not (replace or (same and there == files.keys())):
        raise InputError(f"{folder} is there with other results; --replace puts these in its place")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            replace_file(folder / name, text)
        for name in there - files.keys():
            (folder / name).unlink()
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from None
