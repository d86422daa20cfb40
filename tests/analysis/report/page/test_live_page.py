"""Pages of a sweep that runs, and a page on a phone."""

import re
from shutil import copytree

import pytest

from analysis.report.command import command
from analysis.report.page import page as page_file
from helpers.hostile import FOLDER
from helpers.page_actions import axis_titles, chip, click, shown_runs
from helpers.study import write_plan

# One worker makes the page and starts the browser.
pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.slow
def test_a_phone_scrolls_down_and_never_sideways(visit, report):
    page = visit(report, width=360, height=740, is_mobile=True, has_touch=True)
    wide = "[document.documentElement.scrollWidth, visualViewport.width]"
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate(wide) == [360, 360]
    shares = page.locator(".sentence .whole")
    assert re.fullmatch(r"[\d.]+ % ± [\d.]+ %", shares.first.inner_text())
    lines = "all => all.map((share) => share.getClientRects().length)"
    assert set(shares.evaluate_all(lines)) == {1}
    page.locator("tr.run").first.tap()
    page.wait_for_selector("tr.detail")
    page.locator(".chips label:text-is('parameters')").tap()
    assert axis_titles(page) == {"trainable parameters"}
    assert page.evaluate(wide) == [360, 360]
    assert page.locator("#explorer .main-svg").first.bounding_box()["width"] <= 360
    assert float(page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")) >= 16


@pytest.mark.slow
def test_a_live_page_follows_the_sweep_and_keeps_the_choices(visit, make, study, tmp_path):
    """The page's clock is set forward, so that it is not loaded anew while the test acts on it."""
    later = "(s) => { const now = Date.now; Date.now = () => now.call(Date) + 1000 * s; }"
    study, out = copytree(study.parent, tmp_path / "results") / FOLDER, tmp_path / "out"
    plan = (study / "plan.csv").read_text()
    (study / "plan.csv").write_text(plan + "still-missing,20,\n")
    page = visit(make(study, out, live_s=60))
    assert "40 of 42 runs are in. The sweep is running." in page.locator("#live").inner_text()
    chip(page, "FLOPs")
    click(page, "#search")
    page.keyboard.type("depth=38")
    place = page.evaluate("scrollY")
    (study / "plan.csv").write_text(plan)
    make(study, out)
    with page.expect_navigation():
        page.evaluate(later, 61)
    page.wait_for_selector("#explorer .point")
    assert page.locator("#live").is_hidden()
    assert axis_titles(page) == {"forward FLOPs per image (2 × multiply-adds)"}
    assert page.locator("#search").input_value() == "depth=38"
    assert abs(page.evaluate("scrollY") - place) < 50
    loaded = page.evaluate("performance.timeOrigin")
    page.evaluate(later, 3600)
    page.wait_for_timeout(2500)
    assert page.evaluate("performance.timeOrigin") == loaded


def test_a_sweep_without_a_result_has_a_page_that_waits(visit, tmp_path):
    empty = tmp_path / "results" / FOLDER
    columns = ("run_id", "epochs", "depth", "width", "resolution")
    rows = [("first", 4, 26, 0.25, 16), ("second", 20, 14, 1, 24)]
    write_plan(empty, [dict(zip(columns, row, strict=True)) for row in rows])
    command(empty, tmp_path, [], live_s=60)
    page = visit(tmp_path / "report.html", wait="tr.run")
    page.locator("#search").fill("state=planned depth=26 px=16")
    assert shown_runs(page) == ["first"]
    page.locator("#search").fill("")
    assert "0 of 2 runs are in. The sweep is running." in page.locator("#live").inner_text()
    assert "no finished run" in page.locator("#waiting").inner_text()
    assert shown_runs(page) == ["first", "second"]


@pytest.mark.slow
def test_without_plotly_only_the_figures_to_explore_are_missing(
    visit, report, tmp_path, monkeypatch
):
    text, script = report.read_text(), page_file._plotly()
    monkeypatch.setattr(page_file, "find_spec", lambda _: None)
    assert text.count(script) == 1
    (tmp_path / "report.html").write_text(text.replace(script, page_file._plotly()))
    page = visit(tmp_path / "report.html", wait="tr.run")
    assert "pip install 'scaling-study[report]'" in page.locator("#explorer").inner_text()
    chip(page, "FLOPs")
    page.locator("tr.run").first.click()
    page.wait_for_selector("tr.detail")
