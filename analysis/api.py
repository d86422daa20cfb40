"""Verdicts and figures in Python: judge a study, or a table of one's own, and draw it.

Names that this module defines stay; everything else of the package may change with any version.
`scaling_study.api.runs` loads what is judged here as a frame.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.descriptions.findings import Findings, Request
from analysis.figures.all_figures import FIGURES
from analysis.figures.drawing.style import style
from analysis.importing.declared_study import declared
from analysis.importing.to_study import to_study
from analysis.report.analyse import findings
from analysis.report.command import table_and_rules
from analysis.rules.kind import Judgement
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.rules.wording import sentence
from scaling_study.common.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["InputError", "Judged", "Verdict", "judge", "judge_table"]


@dataclass(frozen=True)
class Verdict:
    """What a study says about one declared claim.

    `verdict` is supported, refuted, inconclusive or not_testable; `sentence` says what was found.
    `estimate`, `low` and `high` are the effect and its interval at the declared confidence, in
    units of `unit`: "percent", a fraction of the error, positive where the first of the two sides
    is better; "pp", a difference of the outcome, in its own units; "number", a plain number. They
    are None where no effect was measured. `margin` is the least effect that counts; `epochs` the
    regime, None if the claim is about several; `seeds_needed` about how many seeds per cell would
    decide. `exploratory` is true unless rules and plan were frozen before the runs.
    """

    rule: str
    claim: str
    verdict: str
    sentence: str
    reason: str
    estimate: float | None
    low: float | None
    high: float | None
    unit: str
    margin: float
    cost: str
    epochs: int | None
    seeds_needed: int | None
    exploratory: bool


@dataclass(frozen=True)
class Judged:
    """A study that was judged: its verdicts by rule, its question, and its figures."""

    name: str
    question: str
    verdicts: Mapping[str, Verdict]
    _found: Findings

    def frame(self) -> "pd.DataFrame":
        """The verdicts, a row each, with the fields of `Verdict` as columns."""
        import pandas as pd

        return pd.DataFrame([vars(verdict) for verdict in self.verdicts.values()])

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures that this study has, those of the report, in its order."""
        return tuple(figure.name for figure in FIGURES if figure.data(self._found))

    def draw(self, figure: str) -> "Figure":
        """One of `figures`, for a notebook to show or `savefig` to write.

        Raises:
            InputError: this study has no figure of that name.
        """
        chosen = next((known for known in FIGURES if known.name == figure), None)
        data = chosen.data(self._found) if chosen else None
        if chosen is None or not data:
            raise InputError(f"{figure}: {self.name} has {', '.join(self.figures)}")
        with style():
            return chosen.draw(data, self._found)

    def records(self) -> dict[str, Any]:
        """What verdicts.json holds: verdicts with standard errors, other analyses, gaps, slopes."""
        return dict(self._found.summary)


def judge(study: str | os.PathLike[str]) -> Judged:
    """Judge a study by its frozen rules; rules that no sweep has frozen are frozen now.

    Args:
        study: its folder, as results/depth_vs_width or the folder that `pack --folder` writes.

    Raises:
        InputError: there is no study in that folder, or it has no runs to compare.
    """
    folder = Path(study)
    table, rules = table_and_rules(folder)
    found = findings(table, rules, Request(study_dir=folder, formats=()))
    return Judged(table.name, str(table.grid.get("question") or ""), _verdicts(found), found)


def judge_table(
    rows: "pd.DataFrame | Iterable[Mapping[str, Any]]",
    study: Mapping[str, Any],
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> Judged:
    """Judge runs that were made elsewhere; every verdict is exploratory.

    Args:
        rows: a run each, as a frame or as mappings of column names to values.
        study: what study.yaml declares, see docs/importing.md: `name`, `outcome`, `cost`, `rules`.
        columns: which column is which, ours to theirs, as in {"depth": "layers"}.
        units: units of columns that are not in ours, as in {"val_error": "percent accuracy"}.

    Raises:
        InputError: a column is missing, or the runs cannot be judged honestly, with the reason.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked = (columns or {}, units or {}, declared(study, "study"))
        made = to_study(_texts(rows), *asked, Path(folder))
        return judge(made)


def _texts(rows: "pd.DataFrame | Iterable[Mapping[str, Any]]") -> list[dict[str, str]]:
    """The rows as a file of them would give them: values as texts, missing ones empty."""
    import pandas as pd

    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame([dict(row) for row in rows])
    missing = frame.isna()
    return [
        {str(key): "" if gone[key] else str(value) for key, value in row.items()}
        for row, gone in zip(frame.to_dict("records"), missing.to_dict("records"), strict=True)
    ]


def _verdicts(found: Findings) -> dict[str, Verdict]:
    return {j.rule.name: _verdict(j, found.prereg) for j in found.judgements}


def _verdict(j: Judgement, prereg: Preregistration) -> Verdict:
    gap = j.gap
    return Verdict(
        rule=j.rule.name,
        claim=j.rule.claim,
        verdict=j.verdict.value,
        sentence=sentence(j),
        reason=j.verdict.reason,
        estimate=gap.estimate if gap else None,
        low=gap.low if gap else None,
        high=gap.high if gap else None,
        unit=find_kind(j.rule.kind).unit,
        margin=j.rule.margin,
        cost=j.rule.cost,
        epochs=j.epochs,
        seeds_needed=j.verdict.seeds_needed,
        exploratory=bool(prereg.exploratory),
    )
