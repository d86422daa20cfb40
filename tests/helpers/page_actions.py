"""What a reader does with the report's page, and what it then shows."""

from contextlib import contextmanager
from functools import cache
from pathlib import Path


@cache
def kept_context(browser, width, height, **settings):
    """A context with one empty page, whose process has compiled what earlier pages loaded."""
    viewport = {"width": width, "height": height}
    context = browser.new_context(viewport=viewport, offline=True, **settings)
    context.new_page()
    return context


@contextmanager
def watched(browser):
    """Opens pages and watches them; at the end nothing may have been asked for or gone wrong."""
    pages, requests, trouble = [], [], []

    def opened(
        path: Path, fragment="", width=1280, height=900, wait="#explorer .point", **settings
    ):
        page = kept_context(browser, width, height, **settings).new_page()
        pages.append(page)
        page.on("request", lambda r: requests.append(r.url))
        page.on("console", lambda m: trouble.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda e: trouble.append(str(e)))
        page.on("popup", lambda p: trouble.append(f"opened {p.url}"))
        page.goto(path.as_uri() + fragment)
        page.wait_for_selector(wait)
        return page

    yield opened
    hacked = [page.evaluate("window.hacked") for page in pages]
    for page in pages:
        page.close()
    assert trouble == []
    left = [u for u in requests if not u.startswith(("file://", "data:", "blob:"))]
    assert left == []
    assert all(u.split("#")[0].endswith("/report.html") for u in requests if u[:5] == "file:")
    assert set(hacked) == {None}


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
