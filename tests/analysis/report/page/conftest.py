"""The report of a study of hostile texts, and a browser that watches what a page does."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from analysis.report.command import command
from helpers.hostile import FOLDER, HOSTILE, TAIL, VARIANT
from helpers.page_actions import watched
from helpers.real_study import write_real_study
from helpers.study import add_column, add_run

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Chromium's sandbox does not work for root, which CI often is; the page is our own. With one
# process for all pages of a context, what they share is compiled once.
OPTIONS = ["--no-sandbox", "--renderer-process-limit=1"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium, headless."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("no chromium here: apt-get install chromium, or CHROMIUM=path")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """A study whose every free text is hostile: names, versions, claims, failures."""
    study = tmp_path_factory.mktemp("root") / "results" / FOLDER
    claim = HOSTILE.replace("'", "''")
    results = write_real_study(
        study,
        grid=f"rules:\n  rules:\n    R1-long:\n      claim: '{claim}'\n",
        device=HOSTILE,
        data=HOSTILE,
        recipe=HOSTILE,
        versions={HOSTILE: HOSTILE},
        corrupt_images=3,
    )
    failed = {"status": "failed", "cause": "error", "error": TAIL}
    add_run(study, results[0], run_id=FOLDER, **failed)
    add_column(study, "variant", [VARIANT] * (len(results) + 1))
    return study


@pytest.fixture(scope="session")
def make():
    """Write a study's report and return its path; pictures are tested elsewhere."""

    def write(study, out, live_s=None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("analysis.report.analyse.figures", lambda *_: [])
            command(study, out, [], live_s=live_s)
        return out / "report.html"

    return write


@pytest.fixture(scope="session")
def report(make, study, tmp_path_factory):
    return make(study, tmp_path_factory.mktemp("out") / "with space & sign")


@pytest.fixture
def visit(browser):
    with watched(browser) as opened:
        yield opened
