"""A section of a study's page as one value: its heading, what it holds, and when it is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.descriptions.findings import Findings
from analysis.figures.files import Saved


@dataclass(frozen=True)
class Report:
    """What a page is made from: what was found, and the figures that were saved."""

    found: Findings
    figures: Sequence[Saved]


@dataclass(frozen=True)
class Section:
    """A section of every page for which `applies` holds.

    `anchor` is its name in links. In `heading`, `{left_out}` stands for the number of runs that
    are not analysed. `parts` are pieces of HTML.
    """

    anchor: str
    heading: str
    parts: Callable[[Report], Sequence[str]]
    applies: Callable[[Report], bool] = lambda _: True

    def render(self, report: Report) -> tuple[str, str, Sequence[str]]:
        """Anchor, heading and HTML parts for `page.write`."""
        left_out = len(report.found.table.left_out)
        return self.anchor, self.heading.format(left_out=left_out), self.parts(report)
