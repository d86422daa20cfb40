"""answer.json: what the report says in words, for whatever else shows a study."""

from collections.abc import Sequence
from typing import Any

from analysis.descriptions.findings import Findings
from analysis.figures.files import Saved
from analysis.report.main_claim import main_claim, main_picture
from analysis.report.reading import reading
from analysis.rules import plain_words
from analysis.rules.wording import finding


def answer(found: Findings, figures: Sequence[Saved]) -> dict[str, Any]:
    """The question, the main verdict, its picture, all claims, and the reading beside the paper.

    `verdict`, `sentence` and `picture`, a figure's name, are None where there is none; `claims`
    are pairs of a verdict's word and a sentence.
    """
    grid = found.table.grid
    claim = main_claim(found.judgements, grid)
    claims = plain_words.found(found.judgements, found.prereg, grid)
    return {
        "study": found.table.name,
        "question": grid.get("question"),
        "verdict": plain_words.word_of(claim.verdict.value) if claim else None,
        "sentence": finding(claim) if claim else None,
        "picture": main_picture({saved.name for saved in figures}, claim),
        "exploratory": found.prereg.exploratory or None,
        "claims": [list(pair) for pair in claims],
        "reading": reading(found),
    }
