"""Runs on the page: searched, sorted, opened, repeated; hostile texts; axes of one study."""

import pytest

from analysis.report.command import command
from helpers.hostile import FOLDER, HOSTILE
from helpers.page_actions import click, shown_runs
from helpers.planned_study import finished
from helpers.tiny import plain_execution

# One worker makes the page and starts the browser.
pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]


def test_runs_are_searched_sorted_and_repeated(visit, report):
    page = visit(report)
    everything = shown_runs(page)
    assert len(everything) == 41
    click(page, "#search")
    page.keyboard.type("depth=26 epochs=20 seed=1")
    assert len(shown_runs(page)) == 2
    counts = {"epochs=2": 0, "epochs=20": 20, "resolution=16": 20, "PX=16": 20, "width=0.250": 24}
    counts |= {"train.epochs=4": 20, "state=failed": 1, "state=ok": 40, "epochs=4 r24": 10}
    for words, count in counts.items():
        page.locator("#search").fill(words)
        # The run that failed has no settings here: its plan knows its length alone.
        assert len([run for run in shown_runs(page) if run != FOLDER or "state" in words]) == count
    page.locator("#search").fill("depth=26 epochs=20 seed=1")
    for direction in ("ascending", "descending"):
        click(page, "th[data-key=val_error] button")
        assert page.locator("th[data-key=val_error]").get_attribute("aria-sort") == direction
        errors = page.locator("tr.run td:nth-child(8)").all_inner_texts()
        numbers = [float(text.split()[0]) for text in errors]
        assert numbers == sorted(numbers, reverse=direction == "descending")
    click(page, "tr.run")
    command = page.locator("tr.detail .command code").inner_text()
    assert command.startswith("python -m scaling_study.train model.depth=26 ")
    assert "seed=1" in command
    assert command.endswith("results_dir=repeated")
    # The same by keyboard; the row keeps the focus.
    focused = "[document.activeElement.dataset.id, document.activeElement.ariaExpanded]"
    page.locator("tr.run").last.focus()
    opened = shown_runs(page)[-1]
    for key, expanded in (("Enter", "true"), ("Space", "false"), ("Space", "true")):
        page.keyboard.press(key)
        assert page.evaluate(focused) == [opened, expanded]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "copy"


def test_a_click_on_a_point_opens_its_run(visit, report):
    page = visit(report, "#view=arms&q=nothing")
    assert shown_runs(page) == []
    click(page, "#explorer .points path.point", 1)
    page.wait_for_selector("tr.chosen")
    assert page.locator("tr.detail .command code").count() == 1


def test_a_search_that_holds_for_the_chosen_run_stays(visit, report):
    page = visit(report, "#q=depth=14 epochs=4")
    click(page, "#explorer .points path.point", 0)
    assert "-w0.25-r16-e4-" in page.locator("tr.chosen").get_attribute("data-id")
    assert page.locator("#search").input_value() == "depth=14 epochs=4"


def test_hostile_texts_are_only_text(visit, report):
    page = visit(report, f"#q={HOSTILE}&run={FOLDER}&x=%3Cimg%3E")
    click(page, "#search")
    page.keyboard.press("Control+A")
    page.keyboard.type("onerror failed")
    assert shown_runs(page) == [FOLDER]
    assert page.locator("img").count() == 0
    assert HOSTILE in page.locator("tr.detail").inner_text()
    assert "failed (error): Traceback" in page.locator("#left-out").inner_text()
    page.locator("#search").fill("jndi:x epochs=20 seed=0")
    page.locator("tr.run").first.click()
    told = page.locator("tr.detail").inner_text()
    assert f"Variant {HOSTILE} ${{jndi:x}} `'\"." in told
    assert "3 images could not be decoded" in told
    assert FOLDER in page.locator("h1").inner_text()
    assert HOSTILE in page.locator("#environment").inner_text()
    click(page, "#answer summary")
    assert HOSTILE in page.locator("#answer").inner_text()


@pytest.fixture(scope="module")
def own_axes_report(tmp_path_factory):
    """The report of a study that crosses batch sizes with its sizes and resolutions."""
    root = tmp_path_factory.mktemp("own")
    points = [{"depth": d, "width": w} for d, w in ((14, 0.25), (26, 0.25), (14, 0.5))]
    axes = {"resolution": [16, 24], "train.batch_size": [8, 16, 128]}
    grid = {"name": "own", "points": points, "axes": axes}

    def error(run):
        return 5 / (run.model.depth * (1 + run.model.width)) + run.train.batch_size / 1000

    execution = plain_execution(root / "results", root / "cache")
    study = finished(execution, grid, error)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.report.analyse.figures", lambda *_: [])
        command(study, root, [])
    return root / "report.html"


def test_axes_of_one_study_are_chosen_searched_and_in_the_legend(visit, own_axes_report):
    page = visit(own_axes_report, "#x=flops")
    legend = page.locator("#explorer .legendtext").all_text_contents()
    kinds = [f"{px} px, batch size {b}" for px in (16, 24) for b in (8, 16, 128)]
    assert [text for text in legend if text in kinds] == kinds
    assert "batch size" in page.locator("#table th").all_inner_texts()
    marks = page.locator("#explorer .scatterlayer .point:visible")
    everything = marks.count()
    chips = page.get_by_role("group", name="Batch size")
    chips.get_by_text("128", exact=True).click()
    assert marks.count() < everything
    assert "train.batch_size=128" in page.evaluate("decodeURIComponent(location.hash)")
    assert set(page.locator("#explorer .legendtext").all_text_contents()) >= {
        "16 px, batch size 128",
        "Pareto frontier",
    }
    # Of both choices together no band was worked out: the frontier is drawn without one.
    page.get_by_role("group", name="Resolution").get_by_text("24 px", exact=True).click()
    texts = page.locator("#explorer .legendtext").all_text_contents()
    assert "Pareto frontier" in texts
    assert not any("band" in text for text in texts)
    page.get_by_role("group", name="Show").get_by_text("depth and width arms").click()
    page.fill("#search", "train.batch_size=8")
    assert page.locator("#table tbody tr.run").count() == 6
    row = page.locator("#table tbody tr.run").first
    assert "8" in row.locator("td").all_inner_texts()
