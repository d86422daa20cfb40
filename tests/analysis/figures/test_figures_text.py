"""Names and claims in figures are text, whatever signs they hold, and every SVG is XML."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape

import pytest

from analysis.figures.drawing import forest
from analysis.figures.drawing.labels import plain
from analysis.figures.drawing.style import style
from analysis.figures.files import save
from analysis.report.command import command
from helpers.made_up_results import run
from helpers.study import add_column, write_study

NAMES = ["plain <b>&amp;", "rate $\\alpha_{$", "+ cost $5 & $6", "\x1b[31m red\nand \\frac{$x"]


def written(svg):
    """The texts that an SVG's paths show: matplotlib repeats them in comments, as if in XML."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    root = ET.parse(svg, parser).getroot()
    return {unescape(e.text or "").strip() for e in root.iter(ET.Comment)}


@pytest.mark.slow
def test_variants_of_any_name_are_drawn_as_they_are(tmp_path):
    results = [
        replace(run(14, 0.25, 10, seed, 0.4 - 0.02 * i + 0.003 * seed), config_id=f"v{i}")
        for i in range(len(NAMES))
        for seed in range(2)
    ]
    results = [replace(r, run_id=f"{r.config_id}-s{r.seed}") for r in results]
    study = write_study(tmp_path, results)
    add_column(study, "variant", [NAMES[int(r.config_id[1:])] for r in results])
    command(study, tmp_path / "out", [])
    drawn = {svg.stem: written(svg) for svg in (tmp_path / "out").glob("*.svg")}
    assert {"plain <b>&amp;", "rate $\\alpha_{$", "+ cost $5 & $6", "[31m red and \\frac{$x"} <= (
        drawn["steps"]
    )


def test_a_claim_of_any_signs_is_drawn_as_it_is(tmp_path):
    claim = {"estimate": 2.0, "low": 1.0, "high": 3.0, "margin": 0.5, "verdict": "supported"}
    claim |= {"variant": "declared", "unit": "percent", "rule": "R$_{$\x07"}
    records = [claim | {"about": "pays $a_{$ back\x1b & <more>"}]
    with style():
        figure = forest.verdicts(records, "95 %")
        save(figure, records, tmp_path, "verdicts", "verdicts")
    assert "R$_{$: supported" in written(tmp_path / "verdicts.svg")
    assert [t.get_text() for t in figure.axes[0].texts] == ["pays $a_{$ back & <more>"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x00b\x1b[1m", "a b [1m"), ("two\n lines", "two lines"), ("x" * 40, "x" * 19 + "…")],
)
def test_plain_text_is_one_printable_line(text, shown):
    assert plain(text, 20) == shown
