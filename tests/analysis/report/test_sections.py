"""A figure or a section of one's own is one more value in a list."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from analysis.descriptions.findings import Findings, Request
from analysis.figures.all_figures import figures
from analysis.figures.figure import StudyFigure
from analysis.report.analyse import findings
from analysis.report.page import html, study_page
from analysis.report.section import Section
from analysis.rules.preregistration import load_rules
from analysis.study.table import table_of
from helpers.made_up_results import runs
from helpers.study import write_study
from scaling_study.study.table import read_study


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    loaded = read_study(write_study(tmp_path_factory.mktemp("own"), runs({4: -0.1, 24: 0.1})))
    return findings(table_of(loaded, {}), load_rules(None, loaded.grid), Request())


def own(name: str, rows: list[dict[str, float]]) -> StudyFigure:
    title = "Of my own, {confidence} intervals at equal {cost}"
    return StudyFigure(name, title, lambda _: rows, lambda _, __: Figure(figsize=(1, 1)))


@pytest.mark.slow
def test_a_figure_of_ones_own_is_saved_where_it_has_data(
    found: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [own("mine", [{"x": 1.5}]), own("none", [])]
    monkeypatch.setattr("analysis.figures.all_figures.FIGURES", values)
    (saved,) = figures(found, tmp_path)
    assert (saved.name, saved.title) == ("mine", "Of my own, 95 % intervals at equal step time")
    assert (tmp_path / "mine.csv").read_text() == "x\n1.5\n"
    assert {path.name for path in tmp_path.iterdir()} == {
        f"mine.{ending}" for ending in ("png", "svg", "pdf", "csv")
    }


@pytest.mark.slow
def test_a_section_of_ones_own_is_on_the_page_where_it_applies(
    found: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Section("mine", "Mine, of {left_out}", lambda r: [html.paragraph(r.found.table.name)])
    never = Section("never", "Never", lambda _: ["<p>never</p>"], applies=lambda _: False)
    monkeypatch.setattr(study_page, "SECTIONS", (mine, never))
    study_page.write_study_page(found, [], tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<section id="mine"><h2>Mine, of 0</h2><p>demo</p></section>' in page
    assert 'id="never"' not in page
