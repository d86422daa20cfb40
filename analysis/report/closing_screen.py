"""What an analysis prints: the question, a sentence per claim, and where the report is."""

from collections.abc import Iterator
from pathlib import Path

from analysis.descriptions import main_effects
from analysis.descriptions.findings import Findings
from analysis.descriptions.variants import step_lines
from analysis.rules import plain_words
from analysis.rules.wording import lines
from scaling_study.common.format import fitted


def screen(found: Findings, directory: Path) -> Iterator[str]:
    """Lines about a study whose report is in `directory`, the address of that last.

    Where details are asked for, verdicts with their codes, intervals and degrees of freedom are
    among them.
    """
    table = found.table
    yield from (fitted(f"left out: {run}: {why}", indent=2) for run, why in table.left_out.items())
    yield from (fitted(f"differs: {text}", indent=2) for text in found.summary["differences"])
    yield from (
        fitted(line, indent=4) for line in step_lines(found.summary["steps"], found.cells.measure)
    )
    if found.summary["steps"] or found.summary["differences"] or table.left_out:
        yield ""
    if question := table.grid.get("question"):
        yield from (fitted(str(question)), "")
    if all(j.verdict.value == "not_testable" for j in found.judgements):
        measure, effects = found.cells.measure, found.summary["main_effects"]
        yield from (fitted(main_effects.studied(found.cells)), "")
        yield from (fitted(text, indent=2) for text in main_effects.sentences(effects, measure))
        yield ""
    yield from _verdicts(found)
    if found.prereg.exploratory:
        yield fitted(
            f"These verdicts are exploratory, because {found.prereg.exploratory}", indent=2
        )
    if found.prereg.look_text:
        yield fitted(f"look: {found.prereg.look_text}", indent=2)
    if found.request.details:
        counts = {name: other.count for name, other in found.multiverse.items()}
        yield from ("", *lines(found.judgements, found.prereg, counts))
    chosen = "".join(f" with {column}={value}" for column, value in table.where.items())
    yield ""
    yield f"{len(table.rows)} runs{chosen} in {len(found.cells)} cells; figures and report:"
    yield (directory / "report.html").resolve().as_uri()


def _verdicts(found: Findings) -> Iterator[str]:
    told = [*plain_words.found(found.judgements, found.prereg, found.table.grid)]
    width = max((len(word) for word, _ in told), default=0)
    yield from (fitted(text, f"{word:<{width}}  ") for word, text in told)
