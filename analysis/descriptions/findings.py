"""All that was found about one table of runs, before it is written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.descriptions.multiverse_result import Multiverse
from analysis.rules.kind import Judgement
from analysis.rules.rule import Preregistration
from analysis.study.columns import Record
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table
from scaling_study.study.forecasts import RunForecast

# Kinds of files that a figure is written as, that of the report first.
FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class Request:
    """What is asked of an analysis beside its verdicts.

    `study_dir` is where run folders and forecasts are looked for, None where runs are not ours;
    `live_s` how often (s) the page loads itself anew, None for a page that stays as it is;
    `details`: whether to print what verdicts rest on; `formats`, some of `FORMATS`, are those of
    its figures, none of which is drawn without any.
    """

    published: bool = False
    study_dir: Path | None = None
    live_s: float | None = None
    details: bool = False
    formats: tuple[str, ...] = FORMATS


@dataclass(frozen=True)
class Findings:
    """Verdicts and what they rest on.

    `summary` is what verdicts.json holds, `frontiers` the frontier records by cost, `forecasts`
    what runs were forecast to take before they started, by run id; `multiverse` is what other
    analyses conclude, by rule, where that was asked.
    """

    table: Table
    prereg: Preregistration
    cells: StudyCells
    judgements: Sequence[Judgement]
    summary: Mapping[str, Any]
    frontiers: Mapping[str, Sequence[Record]]
    fits: Sequence[Record]
    forecasts: Mapping[str, RunForecast]
    request: Request
    multiverse: Mapping[str, Multiverse] = field(default_factory=dict)
