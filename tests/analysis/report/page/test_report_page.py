"""report.html in a browser, from disk and without a network: verdicts, figures, links."""

import re

import pytest

from helpers.page_actions import axis_titles, chip, point_at, watched

# One worker makes the page and starts the browser.
pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]


@pytest.fixture(scope="module")
def page(browser, report):
    """One page as it first looks, for tests that choose nothing: each costs a second to open."""
    with watched(browser) as opened:
        yield opened(report)


def test_verdicts_come_first_and_in_words(page):
    first = page.locator("main h2").first.inner_text()
    assert first == "Verdicts"
    said = page.locator("#answer .sentence").inner_text()
    pattern = (
        r"At 20 epochs depth beats width at equal step time by [\d.]+ % ± [\d.]+ % of the error"
    )
    assert re.fullmatch(pattern, said), said
    # Explore opens on the arms that it is about.
    assert page.locator("input[name=view]:checked").get_attribute("value") == "arms"
    assert axis_titles(page) == {"measured time per training step"}


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
    page = visit(report, "#view=frontier")
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
    page = visit(report, "#x=flops")
    page.locator("nav a", has_text="Rules").click()
    # As functions: a text is evaluated again at every poll, which the page's policy forbids.
    page.wait_for_function("() => location.hash === '#x=flops'")
    assert page.locator("#rules").bounding_box()["y"] < 900
    page.evaluate("location.hash = '#x=params'")  # as a link that somebody sent
    page.wait_for_function("() => document.querySelector('input[value=params]')?.checked")


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
            *((s, "color") for s in ("body", ".small", ".badge", "a", "th")),
            ("#explorer .xtick text", "fill"),
        )
    ]
    for ink in map(_luminance, inks):
        assert (max(paper, ink) + 0.05) / (min(paper, ink) + 0.05) >= 4.5
