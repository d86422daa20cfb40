"""A study's statement: the facts of its folder, its verdicts, and the forms as text."""

from collections.abc import Sequence
from pathlib import Path

from analysis.report.command import table_and_rules
from analysis.report.statement.facts import facts
from analysis.report.statement.forms import Stated, text
from analysis.rules.judge import judge
from analysis.rules.preregistration import load_rules
from analysis.rules.wording import sentence
from scaling_study.common.errors import InputError
from scaling_study.study.table import read_grid, read_study


def statement(study_dir: Path, forms: Sequence[str]) -> str:
    """These forms about the study in this folder, one after the other.

    Raises an InputError if it holds no study. Nothing is written there but rules that no sweep has
    frozen, as by every analysis.
    """
    stated = stated_of(study_dir)
    return "\n".join(text(stated, form) for form in forms)


def stated_of(study_dir: Path) -> Stated:
    """What the forms are filled from; a study that cannot be analysed has no verdicts."""
    found, grid = facts(study_dir), read_grid(study_dir)
    question = " ".join(str(grid.get("question") or "").split())
    left_out = read_study(study_dir).left_out
    try:
        table, rules = table_and_rules(study_dir)
    except InputError as error:
        rules = load_rules(study_dir, grid)
        excluded = [f"{run}: {why}" for run, why in left_out.items()]
        return Stated(study_dir.name, question, found, rules, (), excluded, str(error))
    judged = judge(table, table.cells(rules.base, rules.arms), rules)
    verdicts = [f"{j.rule.name}: {sentence(j)}." for j in judged if j.gap is not None]
    return Stated(
        study_dir.name,
        question,
        found,
        rules,
        verdicts,
        [f"{run}: {why}" for run, why in table.left_out.items()],
        "" if verdicts else "no rule can be tested by these runs",
    )
