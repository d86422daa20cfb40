"""What a reader does with the report's page, and what it then shows."""

from contextlib import contextmanager
from pathlib import Path


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
