"""The studies of a results folder, and which runs they list."""

from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.common.reading import json_in
from scaling_study.study.table import read_plan

# What a study planned when it began (`analysis/rules/freeze.py`).
FREEZE = "freeze.json"


def studies_in(results_dir: Path) -> list[Path]:
    """Folders of the studies in RESULTS, by name."""
    return sorted(plan.parent for plan in results_dir.glob("*/plan.csv"))


def study_folder(text: str, results_dir: Path) -> Path:
    """The study that a user calls by its folder, or by its name in RESULTS.

    Raises an InputError that lists the studies there if it is neither.
    """
    for folder in (Path(text), results_dir / text):
        if (folder / "plan.csv").is_file():
            return folder
    names = ", ".join(folder.name for folder in studies_in(results_dir)) or "none"
    raise InputError(f"{text}: no study; give its folder, or its name: {results_dir} has {names}")


def listed_runs(study_dir: Path) -> set[str]:
    """The runs that a study lists now, and those that it has listed: its verdicts count them.

    Raises an InputError if a file of the study cannot be read.
    """
    found = {row["run_id"] for row in read_plan(study_dir)}
    path = study_dir / FREEZE
    try:
        plans = json_in(path)["plans"]
        return found.union(*(plan["runs"] for plan in plans))
    except FileNotFoundError:
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error!r})") from None


def listings(results_dir: Path) -> dict[str, list[str]]:
    """The names of the studies that list each run; raises as `listed_runs`."""
    found: dict[str, list[str]] = {}
    for folder in studies_in(results_dir):
        for run_id in listed_runs(folder):
            found.setdefault(run_id, []).append(folder.name)
    return found
