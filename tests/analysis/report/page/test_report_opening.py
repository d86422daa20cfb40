"""What a report opens with, and what a reader finds one click away, with a real pointer."""

import json
import re

import pytest

from analysis.figures.all_figures import FIGURES
from analysis.report.command import command
from analysis.report.page.glossary import WORDS
from helpers.page_actions import chip, click, watched
from helpers.planned_study import finished
from helpers.tiny import plain_execution

# One worker makes the page and starts the browser.
pytestmark = pytest.mark.xdist_group("browser")

QUESTION = "What does each method of training add, one after the other?"
ROWS = {
    "baseline": {},
    "less weight decay": {"train.weight_decay": 1e-5},
    "longer training": {"epochs": 4},
    "label smoothing": {"train.label_smoothing": 0.2},
}
LEVELS = {"kind": "levels", "along": "variant"}
RULES = {
    "all": {**LEVELS, "levels": ["label smoothing", "baseline"], "claim": "they lower the error"},
    "last": {**LEVELS, "levels": ["label smoothing", "longer training"], "claim": "it helps"},
}
LOG = "step 4 of 4\nvalidation error 12.5 %"


def error(run):
    better = 0.05 * (run.train.weight_decay == 1e-5) + 0.1 * (run.train.epochs == 4)
    return 0.4 - better + 0.003 * run.seed


@pytest.fixture(scope="module")
def rows_report(tmp_path_factory):
    """The report of a study whose variants each have those before it too; its last run's folder."""
    root = tmp_path_factory.mktemp("rows")
    rules = {"margin": 0.005, "rules": RULES}
    grid = {"name": "rows", "question": QUESTION, "axes": {"seed": [0, 1, 2]}, "rules": rules}
    grid |= {"variants": {"cumulative": ROWS}}
    study = finished(plain_execution(root / "results", root / "cache"), grid, error)
    for folder in (study.parent / "runs").glob("d*"):
        (folder / "log.txt").write_text(LOG)
        points = [
            {"epoch": e, "curve_val_error": 0.5 / e, "curve_train_error": 0.4 / e} for e in (1, 2)
        ]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(p) + "\n" for p in points))
    with pytest.MonkeyPatch.context() as patch:
        chosen = [figure for figure in FIGURES if figure.name in ("steps", "verdicts")]
        patch.setattr("analysis.figures.all_figures.FIGURES", chosen)
        command(study, root, [], formats="png")
    return root / "report.html"


@pytest.fixture(scope="module")
def page(browser, rows_report):
    """One page for tests that leave it as it was."""
    with watched(browser) as opened:
        yield opened(rows_report)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_first_screen_is_question_answer_and_picture(visit, rows_report, width, height):
    page = visit(rows_report, width=width, height=height)
    assert page.locator("h1").inner_text() == QUESTION
    answer = page.locator("#answer .sentence").inner_text()
    assert re.fullmatch(
        r"Less weight decay, longer training and label smoothing, added to baseline: with beats "
        r"without by [\d.]+ % ± [\d.]+ % of the error",
        answer,
    ), answer
    picture = page.locator("#answer img").bounding_box()
    assert picture["y"] + picture["height"] <= height
    assert page.locator("#answer img").get_attribute("alt").startswith("Step by step")
    assert page.locator("main h2").first.bounding_box()["y"] > picture["y"]
    assert page.locator("#figures img").count() == 1  # the picture is there once


@pytest.mark.slow
def test_codes_margins_and_degrees_of_freedom_are_one_click_away(page):
    shown = page.locator("main").inner_text().split("Our reading")[0]
    assert not re.search(r"\bdf\b|margin|R1-", shown)
    click(page, "#answer summary")
    assert re.search(r"all\s+supported .*margin 0.5 %, df \d", page.locator("#answer").inner_text())
    click(page, "#answer summary")


@pytest.mark.slow
def test_no_sentence_repeats_its_badge_and_open_claims_are_a_line_each(page):
    verdicts = page.locator("#answer .verdict, #verdicts > .verdict")
    assert verdicts.count() == 2
    for verdict in verdicts.all():
        badge = verdict.locator(".badge").inner_text().lower()
        assert badge not in verdict.inner_text().lower().replace(badge, "", 1)
    line = page.locator("#verdicts > details.open summary")
    assert "what adding label smoothing to longer training" in line.inner_text().lower()
    assert line.inner_text().endswith("would decide")
    assert line.bounding_box()["height"] < 40
    click(page, "#verdicts > details.open summary")
    assert "cannot be told apart" in page.locator("#verdicts > details.open").inner_text()


@pytest.mark.slow
def test_there_are_a_reading_and_ten_words(page):
    reading = page.locator("#reading").inner_text()
    assert reading.startswith("Our reading beside the paper's")
    assert "Nothing is said of other images" in reading
    assert page.locator("#words dt").all_inner_texts() == [word for word, _ in WORDS]
    assert len(WORDS) == 10


@pytest.mark.slow
def test_explore_opens_on_what_the_verdict_is_about(visit, rows_report):
    page = visit(rows_report)
    assert page.locator("input[name=x]:checked").get_attribute("value") == "variant"
    ticks = page.locator("#explorer .xtick text").all_text_contents()
    assert ticks == list(ROWS)
    assert page.locator("input[name=view]").first.is_disabled()
    chip(page, "FLOPs")
    assert page.locator("input[name=view]").first.is_enabled()
    # With names beside the points, as in the figures.
    named = page.locator("#explorer .textpoint").all_text_contents()
    assert {name.strip() for name in named} == {*ROWS}
    page.locator("select[name=panel]").select_option("variant")
    assert page.locator("#explorer .annotation text").all_text_contents() == list(ROWS)
    page.locator("select[name=color]").select_option("epochs")
    assert "4 epochs" in page.locator("#explorer .legendtext").all_text_contents()
    page.reload()
    page.wait_for_selector("#explorer .point")
    assert page.locator("#explorer .annotation text").count() == len(ROWS)


@pytest.mark.slow
def test_a_click_on_a_run_shows_what_its_folder_holds(visit, rows_report):
    page = visit(rows_report)
    click(page, "#explorer .points path.point", 3)
    inside = page.locator("tr.detail")
    inside.wait_for()
    assert "label smoothing" in inside.inner_text()
    lines = inside.locator("svg.curve polyline")
    assert [len(line.get_attribute("points").split()) for line in lines.all()] == [2, 2]
    assert inside.locator("pre.log").inner_text() == LOG
    text = inside.inner_text()
    assert "log.txt" in text
    assert "python -m scaling_study.train" in text
    rows = inside.locator("table.against tr").all_inner_texts()
    settings = {row.split()[0]: row.split()[-1] for row in rows[1:]}
    changed = {"train.label_smoothing": "0.2", "train.weight_decay": "1e-05", "train.epochs": "4"}
    assert changed.items() <= settings.items()
    assert "seed" not in settings  # it is compared with the base of its own seed
