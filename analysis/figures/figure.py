"""A figure of a study as one value: what it is called, when there is one, and how it is drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from analysis.descriptions.findings import Findings
from analysis.figures.files import Saved, save, save_numbers
from analysis.rules.phrases import capitalised
from analysis.rules.rule import Preregistration
from analysis.study.columns import ALL_COST_NAMES, Record
from analysis.study.study_cells import StudyCells


@dataclass(frozen=True)
class StudyFigure:
    """A figure that every study gets for which `data` finds something.

    `name` is that of its files. In `title`, its caption, `{confidence}` stands for the confidence
    level of the rules, `{cost}` for the cost at which they compare, `{law_cost}` for that of laws
    and `{outcome}` for what is compared, which `{Outcome}` begins in upper case. `draw` makes the
    picture of the data, inside `style()`; `records` are the plotted numbers, which become the CSV
    file.
    """

    name: str
    title: str
    data: Callable[[Findings], Any]
    draw: Callable[[Any, Findings], Figure]
    records: Callable[[Any], Sequence[Record]] = list

    def save(self, found: Findings, directory: Path) -> Saved | None:
        """Draw it and write its files; None where there is nothing to show or nothing to draw."""
        if not (data := self.data(found)):
            return None
        if not (formats := found.request.formats):
            save_numbers(self.records(data), directory, self.name)
            return None
        cost = ALL_COST_NAMES[found.prereg.cost]
        over, name = law_cost(found.cells, found.prereg), found.cells.measure.name
        words = {"outcome": name, "Outcome": capitalised(name), "law_cost": ALL_COST_NAMES[over]}
        title = self.title.format(confidence=confidence(found), cost=cost, **words)
        drawn, records = self.draw(data, found), self.records(data)
        return save(drawn, records, directory, self.name, title, formats)


def confidence(found: Findings) -> str:
    """The confidence level of the rules, as in 95 %."""
    return f"{100 * (1 - found.prereg.alpha):g} %"


def law_cost(cells: StudyCells, prereg: Preregistration) -> str:
    """The cost that laws are fitted over: FLOPs, or the declared cost where no cell has those."""
    return "flops" if any(cell.cost("flops") for cell in cells.cells) else prereg.cost
