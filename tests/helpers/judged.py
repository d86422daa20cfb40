"""The verdicts of a study, without its report."""

from analysis.rules.judge import judge
from analysis.rules.preregistration import load_rules
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from scaling_study.study.table import read_study


def judged(study, where=()):
    """Verdicts by rule, without drawing anything."""
    loaded = read_study(study)
    table = table_of(loaded, dict(where))
    return {
        j.rule.name: j
        for j in judge(table, StudyCells.of(table.rows), load_rules(study, loaded.grid))
    }
