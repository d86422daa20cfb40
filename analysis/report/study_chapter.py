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
from analysis.rules import plain_words
from analysis.study.study_cells import StudyCells
from scaling_study.common.format import duration, engineering

# The picture of a study: the first of these that it has.
PICTURES = ("arms_*", "steps", "main_effects", "verdicts")
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
        """The study's question, or its name."""
        return str(self.found.table.grid.get("question") or self.name)

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
        rows = self.found.table.rows
        data, recipe, device = (
            ", ".join(sorted({str(row[column]) for row in rows}))
            for column in ("data", "recipe", "device")
        )
        images = ", ".join(str(n) for n in sorted({int(row["n_train"]) for row in rows}))
        left, exploratory = len(self.found.table.left_out), self.found.prereg.exploratory
        weak = [f"Left out: {left} runs."] if left else []
        weak += [f"The verdicts are exploratory, because {exploratory}."] if exploratory else []
        return (
            f"One data set, {data} with {images} training images, and one recipe, {recipe}; step "
            f"times are those of {device}. Nothing is said of other images, sizes or recipes. "
            f"{' '.join(weak)}"
        ).rstrip()

    def cost(self) -> str:
        """FLOPs and hours of all its runs."""
        rows = self.found.table.rows
        total = {
            column: sum(row[column] or 0 for row in rows)
            for column in ("train_flops", "eval_flops", "wall_s")
        }
        return (
            f"{engineering(total['train_flops'])}FLOPs of training and "
            f"{engineering(total['eval_flops'])}FLOPs of evaluation, {duration(total['wall_s'])} "
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
    drawn = (path for name in PICTURES for path in sorted(directory.glob(f"{name}.png")))
    return Chapter(study_dir.name, found, next(drawn, None))


def keep_picture(of: Chapter, folder: Path) -> str:
    """Copy its picture to `folder`; the file's name, empty where it has none."""
    if of.picture is None:
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(of.picture, folder / f"{of.name}.png")
    return f"{of.name}.png"
