"""A figure of a study as one value: what it is called, when there is one, and how it is drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from analysis.descriptions.findings import Findings
from analysis.figures.files import Saved, save
from analysis.study.columns import ALL_COST_NAMES, Record


@dataclass(frozen=True)
class StudyFigure:
    """A figure that every study gets for which `data` finds something.

    `name` is that of its files. In `title`, its caption, `{confidence}` stands for the confidence
    level of the rules and `{cost}` for the cost at which they compare. `draw` makes the picture of
    the data, inside `style()`; `records` are the plotted numbers, which become the CSV file.
    """

    name: str
    title: str
    data: Callable[[Findings], Any]
    draw: Callable[[Any, Findings], Figure]
    records: Callable[[Any], Sequence[Record]] = list

    def save(self, found: Findings, directory: Path) -> Saved | None:
        """Draw it and write its files; None where the study has no such figure."""
        if not (data := self.data(found)):
            return None
        cost = ALL_COST_NAMES[found.prereg.cost]
        title = self.title.format(confidence=confidence(found), cost=cost)
        return save(self.draw(data, found), self.records(data), directory, self.name, title)


def confidence(found: Findings) -> str:
    """The confidence level of the rules, as in 95 %."""
    return f"{100 * (1 - found.prereg.alpha):g} %"
