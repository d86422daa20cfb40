"""report.html in a browser, from disk and without a network, with a pointer that moves."""

import csv
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import command
from helpers.analysis_data import add_run, write_real_study
from helpers.planned_study import finished
from helpers.tiny import plain_execution

# One worker makes the page and starts the browser.
pytestmark = pytest.mark.xdist_group("browser")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium, headless."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("no chromium here: apt-get install chromium, or CHROMIUM=path")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        # Chromium's sandbox does not work for root, which CI often is; the page is our own.
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


HOSTILE = "</script><img src=x onerror=\"window.hacked='yes'\"><b>&amp;"
FOLDER = "<img src=x onerror='window.hacked=1'> ${b} \"$c\""
VARIANT = f"{HOSTILE}\n${{jndi:x}} `'\""
# As the end of a log that a run left, with what terminals read as colours.
TAIL = f"Traceback\n  \x1b[31m{HOSTILE}\x1b[0m $(touch x) ${{y}}"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study whose every free text is hostile: names, versions, claims, failures."""
    study = tmp_path_factory.mktemp("root") / "results" / FOLDER
    results = write_real_study(
        study,
        device=HOSTILE,
        data=HOSTILE,
        recipe=HOSTILE,
        versions={HOSTILE: HOSTILE},
        corrupt_images=3,
    )
    failed = {"status": "failed", "cause": "error", "error": TAIL}
    add_run(study, results[0], run_id=FOLDER, **failed)
    with (study / "plan.csv").open(newline="") as file:
        rows = [[*row, VARIANT] for row in csv.reader(file)]
    rows[0][-1] = "variant"
    with (study / "plan.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (study / "grid.yaml").write_text(
        f"rules:\n  rules:\n    R1-long:\n      claim: '{HOSTILE.replace(chr(39), chr(39) * 2)}'\n"
    )
    return study


@pytest.fixture(scope="module")
def make(study, tmp_path_factory):
    """Write the study's report and return its path; pictures are tested elsewhere."""

    def write(live_s=None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("analysis.report.analyse.figures", lambda *_: [])
            command(study, out, [], live_s=live_s)
        return out / "report.html"

    out = tmp_path_factory.mktemp("out") / "with space & sign"
    return write


@pytest.fixture(scope="module")
def report(make):
    return make()


@contextmanager
def watched(browser):
    """Opens pages and watches them; at the end nothing may have been asked for or gone wrong."""
    contexts, requests, trouble = [], [], []

    def opened(
        path: Path, fragment="", width=1280, height=900, wait="#explorer .point", **settings
    ):
        viewport = {"width": width, "height": height}
        context = browser.new_context(viewport=viewport, offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        context.on("request", lambda r: requests.append(r.url))
        page.on("console", lambda m: trouble.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda e: trouble.append(str(e)))
        page.goto(path.as_uri() + fragment)
        page.wait_for_selector(wait)
        return page

    yield opened
    assert all(len(context.pages) == 1 for context in contexts)
    hacked = [page.evaluate("window.hacked") for c in contexts for page in c.pages]
    for context in contexts:
        context.close()
    assert trouble == []
    left = [u for u in requests if not u.startswith(("file://", "data:", "blob:"))]
    assert left == []
    assert all(u.split("#")[0].endswith("/report.html") for u in requests if u[:5] == "file:")
    assert set(hacked) == {None}


@pytest.fixture
def visit(browser):
    with watched(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(browser, report):
    """One page as it first looks, for tests that choose nothing: each costs a second to open."""
    with watched(browser) as opened:
        yield opened(report)


def point_at(page, selector, number=0):
    """Move the pointer onto an element; its middle."""
    found = page.locator(selector).nth(number)
    found.scroll_into_view_if_needed()
    box = found.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y)
    return x, y


def click(page, selector, number=0):
    page.mouse.click(*point_at(page, selector, number))


def chip(page, text):
    click(page, f".chips label:text-is('{text}')")


def axis_titles(page):
    found = page.locator("#explorer .infolayer [class*=x][class*=title] text").all_text_contents()
    return {text for text in found if text and "%" not in text}


def shown_runs(page):
    return page.locator("tr.run td:first-child").all_inner_texts()


def test_verdicts_come_first_and_in_words(page):
    first = page.locator("main h2").first.inner_text()
    assert first == "Verdicts"
    said = page.locator(".verdict.supported .sentence").all_inner_texts()
    pattern = (
        r"At 20 epochs depth beats width at equal step time by [\d.]+ % ± [\d.]+ % "
        r"\(relative error\); supported"
    )
    assert any(re.fullmatch(pattern, text) for text in said), said


def test_pointing_at_a_configuration_shows_its_overrides(page):
    point_at(page, "#explorer .points path.point", 1)
    tip = page.locator("#explorer .hoverlayer .hovertext")
    tip.wait_for()
    text = tip.text_content()
    assert re.search(r"d\d+-w0\.\d+-r\d+-e4-", text)
    assert "train.epochs=4" in text
    assert "2 runs" in text
    assert "seed=" not in text  # which differs between them


def test_cost_training_length_resolution_and_published_points_are_chosen(visit, report):
    page = visit(report)
    assert axis_titles(page) == {"measured time per training step"}
    chip(page, "FLOPs")
    assert axis_titles(page) == {"forward FLOPs per image (2 × multiply-adds)"}
    both = page.locator("#explorer .points path.point").count()
    chip(page, "20 epochs")
    assert page.locator("#explorer .annotation text").all_text_contents() == ["20 epochs"]
    assert page.locator("#explorer .points path.point").count() == both // 2
    chip(page, "24 px")
    assert page.locator("#explorer .points path.point").count() == both // 4
    assert "its 95 % band" in page.locator("#explorer .legendtext").all_text_contents()
    chip(page, "published points")
    legend = page.locator("#explorer .legendtext").all_text_contents()
    assert "EfficientNet (paper, ImageNet)" in legend
    page.reload()
    page.wait_for_selector("#explorer .point")
    assert page.locator("#explorer .legendtext").all_text_contents() == legend
    assert axis_titles(page) == {"forward FLOPs per image (2 × multiply-adds)"}


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
    command = page.locator("tr.detail code").last.inner_text()
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
    assert page.locator("tr.detail code").count() == 2


def test_a_search_that_holds_for_the_chosen_run_stays(visit, report):
    page = visit(report, "#q=depth=14 epochs=4")
    click(page, "#explorer .points path.point", 0)
    assert "-w0.25-r16-e4-" in page.locator("tr.chosen").get_attribute("data-id")
    assert page.locator("#search").input_value() == "depth=14 epochs=4"


BUTTONS = ["Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"]


def test_no_button_of_a_figure_leaves_the_file(visit, report):
    """`watched` refuses requests and other pages at its end, whichever button asks for them."""
    page = visit(report)
    for figure in ("#explorer", "#forecasts"):
        point_at(page, figure)
        buttons = page.locator(f"{figure} .modebar-btn[data-title]")
        assert [b.get_attribute("data-title") for b in buttons.all()] == BUTTONS
        with page.expect_download():
            buttons.first.click()
        for button in buttons.all()[1:]:
            button.click()
        assert page.locator(f"{figure} .modebar-btn:not([data-title])").count() == 0
    page.wait_for_timeout(300)


def test_a_tap_shows_the_tip_and_the_way_to_its_run(visit, report):
    """The click that a browser makes of a tap must not land on a row that came under the finger."""
    page = visit(report, width=390, height=844, is_mobile=True, has_touch=True)
    point, offer = (
        page.locator(f"#explorer {s}").nth(n)
        for s, n in ((".points path.point", 3), ("+ .picked button", 0))
    )
    for place in (0.15, 0.5, 0.85):
        page.evaluate("(y) => scrollBy(0, y)", point.bounding_box()["y"] - place * 844)
        box, before = point.bounding_box(), page.evaluate("scrollY")
        page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        offer.wait_for()
        page.wait_for_timeout(400)  # for the click that follows a tap
        assert page.locator("tr.chosen").count() == 0
        assert page.evaluate("scrollY") == before
        told = page.locator("#explorer .hovertext").text_content()
        settings = re.search(r"d\d+-w[\d.]+-r\d+-e\d+-", told).group()
        assert 0 < offer.bounding_box()["y"] < 844
        offer.tap()
        assert page.locator("tr.chosen").get_attribute("data-id").startswith(settings)
        page.locator("tr.chosen").tap()
    page.locator(".chips label:text-is('FLOPs')").tap()
    assert page.locator("#explorer .hovertext").count() == 0
    assert offer.count() == 0


def test_published_points_are_off_where_the_paper_has_no_numbers(visit, report):
    page = visit(report, "#paper=1")
    box, hint = page.locator("input[name=paper]"), page.locator("#controls .hint")
    assert box.is_disabled()
    assert hint.inner_text() == "Known for FLOPs and parameters only."
    chip(page, "parameters")
    assert box.is_enabled()
    assert box.is_checked()
    assert not hint.is_visible()
    chip(page, "peak memory")
    assert box.is_disabled()


def test_marks_and_curves_say_their_resolution(visit, report):
    page = visit(report, "#view=arms")
    legend = page.locator("#explorer .legendtext")
    assert {"16 px", "24 px"} <= set(legend.all_text_contents())
    ends = page.locator("#explorer .textpoint").all_text_contents()
    assert sorted(filter(None, map(str.strip, ends))) == ["16 px"] * 4 + ["24 px"] * 4
    marks = page.locator("#explorer .points path.point").count()
    page.locator("#explorer .legendtoggle").last.click()  # names a shape and hides nothing
    page.wait_for_timeout(600)  # for the second click that plotly.js waits for
    assert page.locator("#explorer .points path.point").count() == marks
    chip(page, "24 px")
    assert "24 px" not in legend.all_text_contents()


def test_links_within_the_page_keep_the_choices(visit, report):
    page = visit(report, "#cost=flops")
    page.locator("nav a", has_text="Rules").click()
    # As functions: a text is evaluated again at every poll, which the page's policy forbids.
    page.wait_for_function("() => location.hash === '#cost=flops'")
    assert page.locator("#rules").bounding_box()["y"] < 900
    page.evaluate("location.hash = '#cost=params'")  # as a link that somebody sent
    page.wait_for_function("() => document.querySelector('input[value=params]')?.checked")


def test_hostile_texts_are_only_text(visit, report):
    page = visit(report, f"#q={HOSTILE}&run={FOLDER}&cost=%3Cimg%3E")
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
    assert HOSTILE in page.locator(".verdict").first.inner_text()


def _luminance(text):
    parts = [int(v) / 255 for v in re.findall(r"\d+", text)[:3]]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


INK_OF_FIGURES = "getComputedStyle(document.querySelector('#explorer .xtick text')).fill"


def test_text_is_readable_in_light_and_dark(page):
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        # A browser tells a page of the change at its next frame; the figures follow then.
        page.wait_for_function(f"() => {INK_OF_FIGURES} === getComputedStyle(document.body).color")
        _check_contrast(page, scheme)


def _check_contrast(page, scheme):
    look = "([s, p]) => getComputedStyle(document.querySelector(s))[p]"
    paper = _luminance(page.evaluate(look, ["body", "backgroundColor"]))
    assert (paper > 0.8) == (scheme == "light")
    inks = [
        page.evaluate(look, [selector, kind])
        for selector, kind in (
            *((s, "color") for s in ("body", ".claim", ".badge", "a", "th")),
            ("#explorer .xtick text", "fill"),
        )
    ]
    for ink in map(_luminance, inks):
        assert (max(paper, ink) + 0.05) / (min(paper, ink) + 0.05) >= 4.5


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
def test_a_live_page_follows_the_sweep_and_keeps_the_choices(visit, make, study):
    plan = (study / "plan.csv").read_text()
    (study / "plan.csv").write_text(plan + "still-missing,20,\n")
    page = visit(make(live_s=1))
    assert "40 of 42 runs are in. The sweep is running." in page.locator("#live").inner_text()
    chip(page, "FLOPs")
    click(page, "#search")
    page.keyboard.type("depth=38")
    place = page.evaluate("scrollY")
    (study / "plan.csv").write_text(plan)
    make()
    page.wait_for_selector("#live", state="hidden", timeout=120_000)
    page.wait_for_selector("#explorer .point")
    assert axis_titles(page) == {"forward FLOPs per image (2 × multiply-adds)"}
    assert page.locator("#search").input_value() == "depth=38"
    assert abs(page.evaluate("scrollY") - place) < 50
    loaded = page.evaluate("performance.timeOrigin")
    page.wait_for_timeout(2500)
    assert page.evaluate("performance.timeOrigin") == loaded


def test_a_sweep_without_a_result_has_a_page_that_waits(visit, tmp_path):
    empty = tmp_path / "results" / FOLDER
    empty.mkdir(parents=True)
    plan = "run_id,epochs,depth,width,resolution\nfirst,4,26,0.25,16\nsecond,20,14,1,24\n"
    (empty / "plan.csv").write_text(plan)
    command(empty, tmp_path, [], live_s=60)
    page = visit(tmp_path / "report.html", wait="tr.run")
    page.locator("#search").fill("state=planned depth=26 px=16")
    assert shown_runs(page) == ["first"]
    page.locator("#search").fill("")
    assert "0 of 2 runs are in. The sweep is running." in page.locator("#live").inner_text()
    assert "no finished run" in page.locator("#waiting").inner_text()
    assert shown_runs(page) == ["first", "second"]


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
    page = visit(own_axes_report)
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
