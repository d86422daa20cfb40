"""The verdicts of a study: those that a report has written, or without one."""

import json
from pathlib import Path

from analysis.rules.judge import judge
from analysis.rules.preregistration import load_rules
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from scaling_study.study.table import read_study


def judged(study, where=()):
    """Verdicts by rule, without drawing anything."""
    loaded = read_study(study)
    table = table_of(loaded, dict(where))
    cells = StudyCells.of([*table.rows, *table.tuning])
    return {j.rule.name: j for j in judge(table, cells, load_rules(study, loaded.grid))}


def verdicts(folder: Path) -> dict:
    """The verdicts of verdicts.json."""
    return json.loads((folder / "verdicts.json").read_text())["verdicts"]
