"""The studies that are summarised: folders of studies, and the paper's published tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from analysis.published.judgements import judged, paper_rules
from analysis.published.tables import depth_width_table
from analysis.report.side_by_side import side
from analysis.rules.kind import Judgement
from analysis.rules.rule import Preregistration, one_of
from analysis.study.table import Table
from scaling_study.common.errors import InputError
from scaling_study.study.folders import study_folder

# The word for the paper's Figures 2 and 3 as one more study.
PUBLISHED = "published"


# Compared by identity, so that entries can be keys.
@dataclass(frozen=True, eq=False)
class Entry:
    """A study, its data set, and what its rules found, by rule.

    `generalise` is what its intervals are about; `exploratory` says why verdicts are, if they are.
    """

    name: str
    data_set: str
    judgements: Mapping[str, Judgement]
    runs: frozenset[str]
    device: str | None
    generalise: str
    exploratory: str


def read(
    texts: Sequence[str], results_dir: Path, cost: str | None, data_sets: Mapping[str, str]
) -> list[Entry]:
    """The studies that a user names, at `cost` or at their own; `data_sets` name theirs.

    Raises:
        InputError: no study, one that cannot be analysed, fewer than two, or two that share runs.
    """
    if len(texts) < 2:
        raise InputError(f"{texts[0]}: one study; a summary is about two or more")
    for text in data_sets:
        one_of(text, texts, "--data-set")
    found = [_published(cost) if t == PUBLISHED else _study(t, results_dir, cost) for t in texts]
    names = [table.name for table, _, _ in found]
    entries = [
        _entry(text if names.count(name) > 1 else name, data_sets.get(text), *each)
        for text, name, each in zip(texts, names, found, strict=True)
    ]
    _refuse_shared_runs(entries)
    return entries


def _study(
    text: str, results_dir: Path, cost: str | None
) -> tuple[Table, Preregistration, Mapping[str, Judgement]]:
    one = side(study_folder(text, results_dir), cost)
    return one.table, one.rules, one.judgements


def _published(cost: str | None) -> tuple[Table, Preregistration, Mapping[str, Judgement]]:
    table, rules = depth_width_table(), paper_rules()
    return table, rules, {j.rule.name: j for j in judged(table, rules, cost)}


def _entry(
    name: str,
    data_set: str | None,
    table: Table,
    rules: Preregistration,
    judgements: Mapping[str, Judgement],
) -> Entry:
    row: Mapping[str, Any] = table.rows[0]
    return Entry(
        name=name,
        data_set=data_set or str(row.get("data") or name),
        judgements=judgements,
        runs=frozenset(str(r["run_id"]) for r in table.rows),
        device=row.get("device"),
        generalise=rules.generalise,
        exploratory=rules.exploratory,
    )


def _refuse_shared_runs(entries: Sequence[Entry]) -> None:
    for one, other in combinations(entries, 2):
        if both := sorted(one.runs & other.runs):
            raise InputError(
                f"{one.name} and {other.name} share {len(both)} runs, as {both[0]}, so they do not "
                "confirm each other; give one of them"
            )
