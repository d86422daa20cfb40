"""A published study in a page of prose: question, picture, verdicts, design, limits, cost."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.descriptions import main_effects
from analysis.descriptions.findings import Findings, Request
from analysis.figures.all_figures import figures
from analysis.report.analyse import findings
from analysis.report.command import table_and_rules
from analysis.report.main_claim import main_claim, main_picture
from analysis.report.reading import about_what
from analysis.rules import plain_words
from analysis.study.study_cells import StudyCells
from scaling_study.common.format import duration

# Words of the analysis that point to its own command.
POINTER = "; --details says why"


@dataclass(frozen=True)
class Chapter:
    """What a study found, by its name; `picture` is that of a figure in the folder it was given."""

    name: str
    found: Findings
    picture: Path | None

    @property
    def title(self) -> str:
        """The study's question, which others may ask as well, and its name."""
        question = self.found.table.grid.get("question")
        return f"{question} ({self.name})" if question else self.name

    def verdicts(self) -> Iterator[str]:
        """A sentence for each claim, the verdict first, as the analysis prints them."""
        found = self.found
        for word, text in plain_words.found(found.judgements, found.prereg, found.table.grid):
            yield f"- **{word}**: {text.removesuffix(POINTER)}"

    def text(self, power: Sequence[str], link: str) -> Iterator[str]:
        """Its lines in Markdown; `power` is what its plan says it can decide."""
        yield from (f"## {self.title}", "")
        if self.picture is not None:
            yield from (f"![{self.picture.stem} of {self.name}]({link})", "")
        yield from (*self.verdicts(), "")
        yield from (f"**Design.** {self.design()}", "")
        if power:
            yield from (f"**Power.** With a probability of 80 %: {' '.join(power)}", "")
        yield from (f"**Limits.** {self.limits()}", "")
        yield from (f"**Cost.** {self.cost()}", "")
        yield f"**Again.** `make sweep GRID={self.name}` trains it; from its table alone:"
        yield from ("", "```sh", f"python -m analysis studies/{self.name} -o figures/{self.name}")
        yield from ("```", "")

    def design(self) -> str:
        """What was varied, with how many runs."""
        cells: StudyCells = self.found.cells
        seeds = sorted({cell.n for cell in cells})
        most = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
        rows = len(self.found.table.analysed)
        return (
            f"{main_effects.studied(cells)} {rows} runs of {len(cells)} configurations, {most} "
            "seeds each."
        )

    def limits(self) -> str:
        """The images, recipe and machine that it is about, and what weakens it."""
        left, exploratory = len(self.found.table.left_out), self.found.prereg.exploratory
        weak = [f"Left out: {left} runs."] if left else []
        weak += [f"The verdicts are exploratory, because {exploratory}."] if exploratory else []
        return " ".join([about_what(self.found), *weak])

    def cost(self) -> str:
        """FLOPs and hours of all its runs."""
        rows = self.found.table.rows
        total = {
            column: sum(row.get(column) or 0 for row in rows)
            for column in ("train_flops", "shared_flops", "eval_flops", "wall_s")
        }
        return (
            f"{total['train_flops'] - total['shared_flops']:.3g} FLOPs of training and "
            f"{total['eval_flops']:.3g} FLOPs of evaluation, {duration(total['wall_s'])} "
            "of run time."
        )


def chapter(study_dir: Path, directory: Path) -> Chapter:
    """What a study found; its figures are drawn in `directory`.

    Raises:
        InputError: no study, or none that can be analysed.
    """
    table, rules = table_and_rules(study_dir)
    found = findings(table, rules, Request(study_dir=study_dir, formats=("png",)))
    directory.mkdir(parents=True, exist_ok=True)
    figures(found, directory)
    name = main_picture(
        {path.stem for path in directory.glob("*.png")}, main_claim(found.judgements, table.grid)
    )
    return Chapter(study_dir.name, found, directory / f"{name}.png" if name else None)


def keep_picture(of: Chapter, folder: Path) -> str:
    """Copy its picture to `folder`; the file's name, empty where it has none."""
    if of.picture is None:
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(of.picture, folder / f"{of.name}.png")
    return f"{of.name}.png"
