"""Waterfalls of variants that add up."""

from itertools import pairwise
from typing import Any

import pytest

from analysis.figures.drawing.style import VERDICTS, style
from analysis.figures.drawing.waterfall_plot import cumulative, waterfall
from helpers.figure_text import check, words

ERRORS = {"baseline": 0.45, "cosine": 0.43, "dropout": 0.435, "gates": 0.46}


def records(series: str = "variants", from_first: bool = False) -> list[dict[str, Any]]:
    """What `step_records` gives: each step is known to 1 pp."""
    names, found = [*ERRORS], []
    for place, (name, error) in enumerate(ERRORS.items()):
        after = names[0 if from_first else place - 1] if place else None
        step = error - ERRORS[after] if after else None
        ends = (None, None) if step is None else (step - 0.01, step + 0.01)
        found.append(
            {"series": series, "name": name, "after": after, "error": error, "noise": "pooled"}
            | {"error_low": error - 0.007, "error_high": error + 0.007}
            | {"step": step, "step_low": ends[0], "step_high": ends[1]}
        )
    return found


@pytest.mark.parametrize(
    "other", [records("variants, depth 26", True), records("equal train_flops 4e11")]
)
def test_only_variants_that_add_up_make_one(other: list[dict[str, Any]]) -> None:
    assert cumulative([*records(), *other]) == records()


def test_bars_lead_from_each_outcome_to_the_next() -> None:
    with style():
        figure = waterfall(cumulative(records()))
        check(figure)
    (axes,) = figure.axes
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    errors = [100 * error for error in ERRORS.values()]
    assert [sorted(bar) for bar in bars] == [
        pytest.approx(sorted(pair)) for pair in pairwise(errors)
    ]
    colors = [text.get_color() for text in axes.texts]
    assert colors == [VERDICTS["supported"], "#777777", VERDICTS["refuted"]]
    assert "-2.0 pp [-3.0, -1.0]" in words(figure)
